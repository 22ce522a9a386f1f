/*
 * See docker.h: what is asked of the engine for a bottle, and whether it did it. A fence that was asked for and isn't there ends the start:
 * the kernel is asked, not the engine (first_process.c).
 *
 * What is made in the machine's own engine is labelled with the run's mark, so that it is found again if the run was killed.
 */
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "../../support/cleanup.h"
#include "../../support/process.h"
#include "docker.h"

#define SIDECAR 2
#define BOTTLE  3

/* An open bottle in a site may do what it likes: nobody lives there. On a real machine it is in that machine's network, and must be able to
 * look for a way out and to change nothing: it keeps every fence but those that stop vectors by network and system call. And nothing
 * of the machine's files is bound into any bottle, ever. */
uint32_t container_left_out(const struct bottle_options *options)
{
    const uint32_t on_a_machine = 1u << CONTAINER_NETWORK | 1u << CONTAINER_INPUT | 1u << CONTAINER_SECCOMP;
    return options->machine != NULL ? options->without & on_a_machine : options->without;
}

static cJSON *list_of_one(const char *word)
{
    return cJSON_CreateStringArray(&word, 1);
}

static void add_limit(cJSON *limits, const char *name, double value)
{
    cJSON *limit = cJSON_CreateObject();
    cJSON_AddStringToObject(limit, "Name", name);
    cJSON_AddNumberToObject(limit, "Soft", value);
    cJSON_AddNumberToObject(limit, "Hard", value);
    cJSON_AddItemToArray(limits, limit);
}

static void add_limits(cJSON *host)
{
    cJSON *limits = cJSON_AddArrayToObject(host, "Ulimits");
    /* Of one id, the engine's own threads included. On a machine it would count what others run there as that id, and a full count lets no
     * command begin: there the engine's control groups limit processes, where they can. */
    if (!container_engine.has_limits)
        add_limit(limits, "nproc", 4 * CONTAINER_PROCESSES);
    add_limit(limits, "nofile", 4096);
    add_limit(limits, "core", 0);
    add_limit(limits, "data", CONTAINER_MEBIBYTES * 1048576.0); /* of one process */
    /* Where the engine's control group is full, the kernel takes the bottle before the engine. */
    cJSON_AddNumberToObject(host, "OomScoreAdj", 1000);
    cJSON_AddNumberToObject(host, "PidsLimit", CONTAINER_PROCESSES);
    cJSON_AddNumberToObject(host, "Memory", CONTAINER_MEBIBYTES * 1048576.0);
    cJSON_AddNumberToObject(host, "MemorySwap", CONTAINER_MEBIBYTES * 1048576.0);
}

static void add_security(cJSON *host, uint32_t without)
{
    cJSON *options = cJSON_AddArrayToObject(host, "SecurityOpt");
    cJSON_AddItemToObject(host, container_fenced(without, CONTAINER_CAPABILITIES) ? "CapDrop" : "CapAdd",
                          list_of_one("ALL"));
    if (container_fenced(without, CONTAINER_NO_NEW_PRIVILEGES))
        cJSON_AddItemToArray(options, cJSON_CreateString("no-new-privileges"));
    if (!container_fenced(without, CONTAINER_SECCOMP)) {
        cJSON_AddItemToArray(options, cJSON_CreateString("seccomp=unconfined"));
        cJSON_AddItemToArray(options, cJSON_CreateString("apparmor=unconfined"));
    }
}

static void network_name(unsigned place, char name[32])
{
    snprintf(name, 32, "bottle-%u", place);
}

/* `last` is the last number of the address: SIDECAR or BOTTLE. */
static void add_endpoint(cJSON *body, unsigned place, unsigned last)
{
    char name[32], address[32];
    network_name(place, name);
    snprintf(address, sizeof address, "172.31.%u.%u", CONTAINER_SUBNET + place, last);
    cJSON *endpoints = cJSON_AddObjectToObject(cJSON_AddObjectToObject(body, "NetworkingConfig"), "EndpointsConfig");
    cJSON *ipam = cJSON_AddObjectToObject(cJSON_AddObjectToObject(endpoints, name), "IPAMConfig");
    cJSON_AddStringToObject(ipam, "IPv4Address", address);
}

static void add_network(cJSON *body, cJSON *host, const struct bottle *bottle, unsigned last)
{
    char name[32];
    network_name(bottle->place, name);
    if (!bottle->networked) {
        cJSON_AddStringToObject(host, "NetworkMode", "host");
        /* Or an engine that gives containers other ids refuses it; it has no capability all the same. */
        if (container_engine.of_machine)
            cJSON_AddStringToObject(host, "UsernsMode", "host");
        return;
    }
    cJSON_AddStringToObject(host, "NetworkMode", name);
    add_endpoint(body, bottle->place, last);
    /* What tries to ping is to be stopped by the network, and not by a setting that any root inside would change. */
    cJSON_AddStringToObject(cJSON_AddObjectToObject(host, "Sysctls"), "net.ipv4.ping_group_range", "0 65534");
    /* The engine's resolver at 127.0.0.11 is to ask nobody: it may ask in the host's name (CVE-2024-29018). */
    if (strcmp(bottle->policy, "hardened") == 0)
        cJSON_AddItemToObject(host, "Dns", list_of_one("127.0.0.1"));
}

/* In the sidecar nothing runs, so nothing there needs a kernel of its own. */
static const char *runtime_of(const struct bottle *bottle, unsigned last)
{
    if (!bottle->gvisor || last == SIDECAR)
        return RUNC;
    return container_fenced(bottle->without, CONTAINER_FILES) ? GVISOR : GVISOR_OPEN;
}

static void add_mark(cJSON *body)
{
    if (container_engine.of_machine)
        cJSON_AddStringToObject(cJSON_AddObjectToObject(body, "Labels"), CONTAINER_MARK, container_engine.machine.mark);
}

static cJSON *describe(const struct bottle *bottle, uint32_t without, unsigned last)
{
    static const char *const command[] = { CONTAINER_STEP, "wait" };
    cJSON *body = cJSON_CreateObject(), *host = cJSON_AddObjectToObject(body, "HostConfig");
    cJSON_AddStringToObject(body, "Image", container_engine.image);
    cJSON_AddItemToObject(body, "Cmd", cJSON_CreateStringArray(command, 2));
    cJSON_AddStringToObject(body, "User", "0:0");
    add_mark(body);
    if (container_engine.of_machine) {
        char token[64];
        snprintf(token, sizeof token, CONTAINER_TOKEN "%s", container_engine.token);
        cJSON_AddItemToObject(body, "Env", list_of_one(token));
    }
    if (bottle->networked)
        cJSON_AddStringToObject(body, "Hostname", "bottle");
    cJSON_AddStringToObject(cJSON_AddObjectToObject(host, "LogConfig"), "Type", "none");
    cJSON_AddStringToObject(host, "Runtime", runtime_of(bottle, last));
    cJSON_AddStringToObject(host, "IpcMode", "private");
    cJSON_AddStringToObject(cJSON_AddObjectToObject(host, "Tmpfs"), "/tmp", "exec,nosuid,nodev,mode=1777,size=64m");
    cJSON_AddBoolToObject(host, "ReadonlyRootfs", container_fenced(without, CONTAINER_READ_ONLY));
    add_security(host, without);
    add_network(body, host, bottle, last);
    if (container_fenced(without, CONTAINER_LIMITS))
        add_limits(host);
    if (!container_fenced(without, CONTAINER_FILES)) {
        char bind[128];
        snprintf(bind, sizeof bind, "%s/engine/site-run:/run", container_engine.directory);
        cJSON_AddItemToObject(host, "Binds", list_of_one(bind));
    }
    return body;
}

static void note_warnings(const cJSON *answer, char text[160])
{
    const cJSON *warning = NULL;
    size_t used = 0;
    cJSON_ArrayForEach(warning, smolvm_json_field(answer, "Warnings"))
    {
        char said[96];
        if (smolvm_json_show(warning, said, sizeof said) && used < 150)
            used += (size_t)snprintf(text + used, 160 - used, "%s%s", used > 0 ? "; " : "", said);
    }
}

static bool create(struct bottle *bottle, uint32_t without, unsigned last, char id[DOCKER_ID_BYTES],
                   struct error *error)
{
    char path[128];
    cleanup_json cJSON *body = describe(bottle, without, last), *answer = NULL;
    if (!docker_call(&container_engine.client, "POST", "/containers/create", body, &answer, error))
        return false;
    if (!docker_id(answer, "Id", id))
        return error_set(error, ERROR_BROKEN, "Docker names no container that it has made");
    note_warnings(answer, bottle->warnings);
    snprintf(path, sizeof path, "/containers/%s/start", id);
    return docker_call(&container_engine.client, "POST", path, NULL, NULL, error);
}

/* What the engine says of a container that runs: its runtime, and its first process, which is opened. */
static bool inspect(const char *id, const char *runtime, int *process, struct error *error)
{
    char path[128], said[24] = "";
    cleanup_json cJSON *answer = NULL;
    snprintf(path, sizeof path, "/containers/%s/json", id);
    if (!docker_call(&container_engine.client, "GET", path, NULL, &answer, error))
        return false;
    const cJSON *state = smolvm_json_field(answer, "State"), *pid = smolvm_json_field(state, "Pid");
    if (!cJSON_IsTrue(smolvm_json_field(state, "Running")) || !cJSON_IsNumber(pid) || pid->valueint <= 1)
        return error_set(error, ERROR_BROKEN, "Docker says of the container that it started that it doesn't run");
    *process = engine_process(pid->valueint);
    smolvm_json_show(smolvm_json_field(smolvm_json_field(answer, "HostConfig"), "Runtime"), said, sizeof said);
    return strcmp(said, runtime) == 0 ||
           error_set(error, ERROR_BROKEN, "Docker was to start the container with %s and says that it did with \"%s\"",
                     runtime, said);
}

static bool say_in_use(const char *subnet, struct error *error)
{
    return error_set(
        error, ERROR_HOST,
        "%s is in use by another network of this Docker Engine: look for it with docker network ls and docker "
        "network inspect, and remove it (docker network rm)",
        subnet);
}

static bool make_network(struct bottle *bottle, struct error *error)
{
    char name[32], subnet[32], gateway[32];
    network_name(bottle->place, name);
    if (container_engine.of_machine && if_nametoindex(name) != 0)
        return error_set(
            error, ERROR_HOST,
            "this machine has an interface %s already: another gate runs here, or was killed; wait for it, or: "
            "bottle-gate gc",
            name);
    snprintf(subnet, sizeof subnet, "172.31.%u.0/24", CONTAINER_SUBNET + bottle->place);
    snprintf(gateway, sizeof gateway, "172.31.%u.1", CONTAINER_SUBNET + bottle->place);
    cleanup_json cJSON *body = cJSON_CreateObject(), *answer = NULL;
    cJSON_AddStringToObject(body, "Name", name);
    cJSON_AddStringToObject(body, "Driver", "bridge");
    cJSON_AddBoolToObject(body, "Internal", true);
    cJSON *ipam = cJSON_AddObjectToObject(body, "IPAM"), *config = cJSON_CreateObject();
    cJSON_AddItemToArray(cJSON_AddArrayToObject(ipam, "Config"), config);
    cJSON_AddStringToObject(config, "Subnet", subnet);
    cJSON_AddStringToObject(config, "Gateway", gateway);
    cJSON_AddStringToObject(cJSON_AddObjectToObject(body, "Options"), "com.docker.network.bridge.name", name);
    add_mark(body);
    struct error said = { 0 };
    if (!docker_call(&container_engine.client, "POST", "/networks/create", body, &answer, &said))
        return strstr(said.text, "Pool overlaps") != NULL ? say_in_use(subnet, error)
                                                          : error_set(error, said.code, "%s", said.text);
    if (!docker_id(answer, "Id", bottle->network))
        return error_set(error, ERROR_BROKEN, "Docker names no network that it has made");
    return !container_engine.of_machine || if_nametoindex(name) != 0 ||
           error_set(error, ERROR_HOST,
                     "this machine's Docker Engine has its networks elsewhere: there is no bridge %s here; take an "
                     "engine that "
                     "is no rootless one, or --site=sealed",
                     name);
}

static bool look_at(const struct bottle *bottle, const char *id, unsigned last, uint32_t without, int *process,
                    struct error *error)
{
    return inspect(id, runtime_of(bottle, last), process, error) &&
           first_process_is_ours(bottle, *process, id, error) &&
           first_process_has_fences(bottle, *process, without, error);
}

static bool make_door(struct bottle *bottle, struct error *error)
{
    return create(bottle, 0, SIDECAR, bottle->sidecar, error) &&
           look_at(bottle, bottle->sidecar, SIDECAR, 0, &bottle->sidecar_process, error) &&
           sidecar_open_door(bottle, error);
}

bool container_make(struct bottle *bottle, struct error *error)
{
    bool drop = bottle->networked && container_fenced(bottle->without, CONTAINER_INPUT) &&
                strcmp(bottle->policy, "hardened") == 0;
    /* Before there is a bridge, so that nothing ever comes from it. */
    if (drop && !rules_drop_input(bottle->place, container_engine.machine.mark, error))
        return false;
    bottle->input_dropped = drop;
    return (!bottle->networked || make_network(bottle, error)) &&
           (!bottle->networked || !bottle->door.wanted || make_door(bottle, error)) &&
           create(bottle, bottle->without, BOTTLE, bottle->container, error) &&
           look_at(bottle, bottle->container, BOTTLE, bottle->without, &bottle->process, error) &&
           (!bottle->gvisor || gvisor_prove(bottle, error));
}

static bool remove_one(const char *before, char id[DOCKER_ID_BYTES], const char *after, struct error *error)
{
    char path[160];
    snprintf(path, sizeof path, "%s%s%s", before, id, after);
    bool gone = *id == '\0' || docker_call(&container_engine.client, "DELETE", path, NULL, NULL, error);
    *id = '\0';
    return gone;
}

bool container_end(struct bottle *bottle, struct error *error)
{
    process_kill(bottle->relay);
    bool gone = remove_one("/containers/", bottle->container, "?force=true&v=true", error);
    gone = first_process_is_gone(&bottle->process, error) && gone;
    gone = remove_one("/containers/", bottle->sidecar, "?force=true&v=true", error) && gone;
    gone = first_process_is_gone(&bottle->sidecar_process, error) && gone;
    gone = remove_one("/networks/", bottle->network, "", error) && gone;
    if (bottle->input_dropped)
        gone = rules_allow_input(bottle->place, error) && gone;
    return gone;
}
