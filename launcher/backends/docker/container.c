/*
 * See docker.h: what is asked of the engine for a bottle, and whether it did it. A fence that was asked for and isn't there ends the start:
 * capabilities, no_new_privs and the seccomp filter are read from the kernel, of the container's first process, and its
 * network namespace is compared with ours. With gVisor that process is runsc, which stands between the bottle and the kernel: see gvisor.c.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../support/cleanup.h"
#include "../../support/process.h"
#include "docker.h"

#define SIDECAR   2
#define BOTTLE    3
#define PROCESSES 256
#define MEBIBYTES 256

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
    add_limit(limits, "nproc", 4 * PROCESSES); /* of one id: the engine's own threads count as well */
    add_limit(limits, "nofile", 4096);
    add_limit(limits, "core", 0);
    add_limit(limits, "data", MEBIBYTES * 1048576.0); /* of one process */
    /* Where the engine's control group is full, the kernel takes the bottle before the engine. */
    cJSON_AddNumberToObject(host, "OomScoreAdj", 1000);
    cJSON_AddNumberToObject(host, "PidsLimit", PROCESSES);
    cJSON_AddNumberToObject(host, "Memory", MEBIBYTES * 1048576.0);
    cJSON_AddNumberToObject(host, "MemorySwap", MEBIBYTES * 1048576.0);
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

static cJSON *describe(const struct bottle *bottle, uint32_t without, unsigned last)
{
    static const char *const command[] = { CONTAINER_STEP, "wait" };
    cJSON *body = cJSON_CreateObject(), *host = cJSON_AddObjectToObject(body, "HostConfig");
    cJSON_AddStringToObject(body, "Image", container_engine.image);
    cJSON_AddItemToObject(body, "Cmd", cJSON_CreateStringArray(command, 2));
    cJSON_AddStringToObject(body, "User", "0:0");
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

/* What the engine says of a container that runs: its runtime, its first process, and the file of its network namespace. */
static bool inspect(const char *id, const char *runtime, pid_t *process, char netns[256], struct error *error)
{
    char path[128], said[24] = "";
    cleanup_json cJSON *answer = NULL;
    snprintf(path, sizeof path, "/containers/%s/json", id);
    if (!docker_call(&container_engine.client, "GET", path, NULL, &answer, error))
        return false;
    const cJSON *state = smolvm_json_field(answer, "State"), *pid = smolvm_json_field(state, "Pid");
    if (!cJSON_IsTrue(smolvm_json_field(state, "Running")) || !cJSON_IsNumber(pid) || pid->valueint <= 1 ||
        !smolvm_json_show(smolvm_json_field(smolvm_json_field(answer, "NetworkSettings"), "SandboxKey"), netns, 256) ||
        *netns != '/')
        return error_set(error, ERROR_BROKEN, "Docker says of the container that it started that it doesn't run");
    *process = pid->valueint;
    smolvm_json_show(smolvm_json_field(smolvm_json_field(answer, "HostConfig"), "Runtime"), said, sizeof said);
    return strcmp(said, runtime) == 0 ||
           error_set(error, ERROR_BROKEN, "Docker was to start the container with %s and says that it did with \"%s\"",
                     runtime, said);
}

/* One line of proc(5)'s status, as a number of the given base; false if it isn't there. */
static bool status_says(const char *status, const char *name, int base, unsigned long long wanted)
{
    const char *line = strstr(status, name);
    return line != NULL && strtoull(line + strlen(name), NULL, base) == wanted;
}

static bool has_fences(const struct bottle *bottle, pid_t process, uint32_t without, struct error *error)
{
    char path[64], here[PATH_MAX], status[4096];
    struct stat its, ours;
    snprintf(path, sizeof path, "/proc/%d/status", (int)process);
    engine_path(path, here);
    if (!file_read(here, status, sizeof status))
        return error_system(error, "can't look at the container's first process");
    const char *missing = NULL;
    bool sentry = bottle->gvisor && process == bottle->process; /* which has a capability that the bottle hasn't */
    if (!sentry && container_fenced(without, CONTAINER_CAPABILITIES) && !status_says(status, "\nCapBnd:", 16, 0))
        missing = "capabilities";
    if (container_fenced(without, CONTAINER_NO_NEW_PRIVILEGES) && !status_says(status, "\nNoNewPrivs:", 10, 1))
        missing = "no-new-privs";
    if (container_fenced(without, CONTAINER_SECCOMP) && !status_says(status, "\nSeccomp:", 10, 2))
        missing = "seccomp";
    snprintf(path, sizeof path, "/proc/%d/ns/net", (int)process);
    engine_path(path, here);
    if (stat(here, &its) != 0 || stat("/proc/self/ns/net", &ours) != 0)
        return error_system(error, "can't look at the container's network namespace");
    if (bottle->networked && its.st_ino == ours.st_ino)
        missing = "network";
    return missing == NULL ||
           error_set(error, ERROR_BROKEN, "Docker started the container without its fence \"%s\"", missing);
}

static bool make_network(struct bottle *bottle, struct error *error)
{
    char name[32], subnet[32], gateway[32];
    network_name(bottle->place, name);
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
    return docker_call(&container_engine.client, "POST", "/networks/create", body, &answer, error) &&
           (docker_id(answer, "Id", bottle->network) ||
            error_set(error, ERROR_BROKEN, "Docker names no network that it has made"));
}

static bool make_door(struct bottle *bottle, struct error *error)
{
    char netns[256] = "";
    pid_t process = 0;
    return create(bottle, 0, SIDECAR, bottle->sidecar, error) &&
           inspect(bottle->sidecar, runtime_of(bottle, SIDECAR), &process, netns, error) &&
           has_fences(bottle, process, 0, error) && sidecar_open_door(bottle, netns, error);
}

bool container_make(struct bottle *bottle, struct error *error)
{
    char netns[256] = "";
    bool drop = bottle->networked && container_fenced(bottle->without, CONTAINER_INPUT) &&
                strcmp(bottle->policy, "hardened") == 0;
    /* Before there is a bridge, so that nothing ever comes from it. */
    if (drop && !rules_drop_input(bottle->place, error))
        return false;
    bottle->input_dropped = drop;
    return (!bottle->networked || make_network(bottle, error)) &&
           (!bottle->networked || !bottle->door.wanted || make_door(bottle, error)) &&
           create(bottle, bottle->without, BOTTLE, bottle->container, error) &&
           inspect(bottle->container, runtime_of(bottle, BOTTLE), &bottle->process, netns, error) &&
           has_fences(bottle, bottle->process, bottle->without, error) &&
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
    gone = remove_one("/containers/", bottle->sidecar, "?force=true&v=true", error) && gone;
    gone = remove_one("/networks/", bottle->network, "", error) && gone;
    if (bottle->input_dropped)
        gone = rules_allow_input(bottle->place, error) && gone;
    return gone;
}
