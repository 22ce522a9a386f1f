/*
 * The docker backend: containers of a Docker Engine that runs in the site, or of the machine's own. This file has the tables and the
 * order of things.
 *
 * `hardened` is an internal network whose bridge may send nothing to the host: without that, an internal network reaches every
 * service of the host by the bridge's gateway address and by the host's LAN address (BG-152). `internal` leaves it out, which is
 * what `docker network create --internal` gives.
 *
 * There are two tables, one a runtime: whether a bottle shares the host's kernel is a thing of the run.
 */
#include "docker.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../support/process.h"

#define MACHINE_GATEWAY "172.31.77.1"

static const uint16_t none[] = { 0 };
static const uint16_t network_vectors[] = { 1,  17, 18, 20, 21, 22, 23, 26, 27, 28, 34, 38, 39, 44,  45,  46,  48, 49,
                                            54, 55, 56, 60, 61, 62, 63, 64, 67, 68, 69, 70, 78, 114, 152, 153, 0 };
static const uint16_t input_vectors[] = { 17, 18, 22, 38, 152, 153, 0 };
static const uint16_t file_vectors[] = { 112, 0 };
static const uint16_t seccomp_vectors[] = { 106, 0 };

static const struct fence fences[CONTAINER_FENCES] = {
    [CONTAINER_NETWORK] = { "network", "every packet: a network namespace of its own, on an internal network",
                            network_vectors, 0 },
    [CONTAINER_INPUT] = { "input", "what an internal network lets through to the host itself: a drop in its firewall",
                          input_vectors, 0 },
    [CONTAINER_FILES] = { "files", "the host's files and Unix sockets by path: none is bound into the container",
                          file_vectors, 0 },
    [CONTAINER_CAPABILITIES] = { "capabilities", "every capability, uid 0 of the container included", none, 0 },
    [CONTAINER_NO_NEW_PRIVILEGES] = { "no-new-privs", "setuid programs and file capabilities", none, 0 },
    [CONTAINER_SECCOMP] = { "seccomp",
                            "the system calls that the engine's own profile refuses, and its AppArmor profile",
                            seccomp_vectors, 0 },
    [CONTAINER_READ_ONLY] = { "read-only", "writing to the container's root", none, 0 },
    [CONTAINER_LIMITS] = { "limits",
                           "core dumps, and unlimited descriptors, processes and memory: of each process by rlimits, "
                           "and of all by control groups where the host has them to write",
                           none, 0 },
};

/* To the host itself lead the bridge's gateway, the host's other addresses of IPv4, and broadcasts; the rest of the same vectors goes beyond it.
 * On a machine these addresses are its own, and not known here: of BG-022 there is no other of IPv4. */
static bool fence_stops(size_t fence, uint16_t vector, const char *address, uint16_t port)
{
    (void)port;
    return fence != CONTAINER_INPUT || vector >= 38 || (vector == 22 && strchr(address, ':') == NULL) ||
           strcmp(address, "10.77.0.1") == 0 || strcmp(address, MACHINE_GATEWAY) == 0 ||
           strcmp(address, "@route:172.17.0.1") == 0 || strcmp(address, "@route:100.96.0.1") == 0;
}

static bool destroy(struct bottle *bottle, struct error *error)
{
    container_end_commands(bottle);
    struct error said = { 0 };
    bool gone = container_end(bottle, &said);
    /* The last one takes the engine with it, and what the engine didn't remove; then only what remains all the same counts. */
    bool ours = !container_engine.of_machine, left = engine_leave(bottle->place, error);
    bool ended = ours && container_engine.pid == 0;
    free(bottle);
    return left && (gone || ended || error_set(error, said.code, "%s", said.text));
}

/* An engine of our own would write its rules into the host's own firewall; and from a site the machine's is none of its own. */
static bool is_in_its_place(const struct machine *machine, struct error *error)
{
    char map[64] = "";
    bool in_a_site = !file_read("/proc/self/uid_map", map, sizeof map) || strstr(map, "4294967295") == NULL;
    if (machine != NULL)
        return !in_a_site ||
               error_set(error, ERROR_USAGE, "the machine's own engine is for no bottle of a sealed site");
    return in_a_site ||
           error_set(error, ERROR_HOST,
                     "bottles of docker are started in a sealed site only: bottle-gate run --backend=docker");
}

/* Whoever was told that the bottle has a kernel of its own gets no other. */
static bool has_its_runtime(const struct bottle *bottle, struct error *error)
{
    return !bottle->gvisor || container_engine.has_gvisor ||
           error_set(error, ERROR_BROKEN,
                     GVISOR " was here when the host was looked at, and is gone: nothing else is taken in its place");
}

static struct bottle *start_with(bool gvisor, const struct bottle_options *options, struct error *error)
{
    struct bottle *bottle = is_in_its_place(options->machine, error) ? calloc(1, sizeof *bottle) : NULL;
    if (bottle == NULL) {
        error_set(error, ERROR_SYSTEM, "out of memory for a bottle");
        return NULL;
    }
    bottle->gvisor = gvisor;
    bottle->without = container_left_out(options);
    bottle->process = bottle->sidecar_process = -1;
    bottle->door = options->door;
    bottle->networked = container_fenced(bottle->without, CONTAINER_NETWORK);
    snprintf(bottle->policy, sizeof bottle->policy, "%s", options->policy != NULL ? options->policy : "hardened");
    if (!engine_enter(options->step_path, container_fenced(bottle->without, CONTAINER_LIMITS) ? options->group : NULL,
                      options->machine, &bottle->place, error)) {
        free(bottle);
        return NULL;
    }
    struct error said = { 0 };
    if (has_its_runtime(bottle, &said) && container_make(bottle, &said))
        return bottle;
    engine_explain(&said, error);
    destroy(bottle, NULL);
    return NULL;
}

static struct bottle *start(const struct bottle_options *options, struct error *error)
{
    return start_with(false, options, error);
}

static struct bottle *start_gvisor(const struct bottle_options *options, struct error *error)
{
    return start_with(true, options, error);
}

static bool door_address(const struct bottle *bottle, char host[64], uint16_t *port, struct error *error)
{
    if (!bottle->door.wanted)
        return error_set(error, ERROR_USAGE, "this bottle was started without a door");
    if (!bottle->networked) {
        snprintf(host, 64, "%s", bottle->door.host);
        *port = bottle->door.port;
        return true;
    }
    snprintf(host, 64, "172.31.%u.2", CONTAINER_SUBNET + bottle->place);
    *port = CONTAINER_DOOR_PORT;
    return true;
}

/* An engine of our own runs in the caller's user namespace, and its containers have no other; the machine's may give them one. */
static bool host_uid(const struct bottle *bottle, enum principal principal, uid_t *uid, struct error *error)
{
    *uid = principal == PRINCIPAL_ROOT ? 0 : 65534;
    return !container_engine.of_machine || first_process_uid(bottle->process, *uid, uid, error);
}

static const char *remedy(uint16_t vector)
{
    static const uint16_t to_host[] = { 17, 18, 22, 38, 152, 153, 0 };
    for (size_t i = 0; to_host[i] != 0; i++)
        if (to_host[i] == vector)
            return "drop what comes from the network's bridge in the host's input hook (nft: iifname BRIDGE drop): an "
                   "internal network isn't enough; bottle-gate does so with --policy=hardened";
    return NULL;
}

/* The runtime hands a command three streams, open bottle or not. */
static bool structural(uint16_t vector, const char *address)
{
    (void)address;
    return vector == 116;
}

/* An open bottle is in the host's network, and has its /run. */
static const uint16_t open_must_leak[] = { 1, 17, 20, 22, 26, 44, 48, 49, 55, 61, 62, 112, 114, 0 };

static const uint16_t open_must_leak_gvisor[] = { 1, 17, 20, 22, 26, 44, 48, 49, 55, 61, 62, 112, 0 };

static const char *const policies[] = { "hardened", "internal", NULL };

/* `internal` is what leaves the host's firewall as it is. */
static uint32_t policy_fences(const char *policy)
{
    uint32_t all = (1u << CONTAINER_FENCES) - 1;
    return policy != NULL && strcmp(policy, "internal") == 0 ? all & ~(1u << CONTAINER_INPUT) : all;
}

static uint32_t policy_fences_gvisor(const char *policy)
{
    return policy_fences(policy) & ~(1u << CONTAINER_NO_NEW_PRIVILEGES | 1u << CONTAINER_SECCOMP);
}

/* A SYN whose data runsc doesn't hand on is a plain one without the fence. */
static const uint16_t partly_by_network_gvisor[] = { 69, 0 };
static const uint16_t *const partly_gvisor[CONTAINER_FENCES] = { [CONTAINER_NETWORK] = partly_by_network_gvisor };

static const char *const machine_networks[] = { "172.31.77.0/24", "172.31.78.0/24", "fd31:78::/64", NULL };

static const struct backend gvisor_backend;
static const struct backend *const runtimes[] = { &gvisor_backend, &docker_backend, NULL };

/* What both runtimes have alike. The peer is the second bottle of an engine, on a network of its own; containers have no IPv6. The memory is
 * with the engine's. All of it together is limited far above what was measured of the engine (128 MiB, 90 threads; the rest is for two bottles): rlimits stop a bottle's processes
 * before the engine lacks any, at 1024 of each of its two ids. A command takes a second, and what emulation makes of it; and witnesses listen on as with native: a SYN that nobody
 * answered is sent again after one second. */
#define CONTAINER_BACKEND                                                                                              \
    .name = "docker", .fences = fences, .fence_count = CONTAINER_FENCES, .fence_stops = fence_stops,                   \
    .peer4 = "172.31.78.3", .peer6 = "fd31:78::3", .runtimes = runtimes, .policies = policies,                         \
    .bottle_mebibytes = 256, .engine_mebibytes = 1024, .engine_processes = 2304, .command_milliseconds = 20000,        \
    .drain_milliseconds = 1000, .checks = container_checks, .remedy = remedy, .door_address = door_address,            \
    .put = container_put, .exec = container_exec, .host_uid = host_uid, .fingerprint = container_fingerprint,          \
    .destroy = destroy, .machine_close = machine_close, .machine_clear = machine_clear,                                \
    .machine_networks = machine_networks, .machine_gateway4 = MACHINE_GATEWAY

const struct backend docker_backend = {
    CONTAINER_BACKEND,
    .runtime = RUNC,
    .open_must_leak = open_must_leak,
    .policy_fences = policy_fences,
    .check_count = CONTAINER_CHECKS,
    .preflight = container_preflight,
    .start = start,
    .machine_open = machine_open_runc,
    .structural = structural,
};

static const struct backend gvisor_backend = {
    CONTAINER_BACKEND,
    .runtime = GVISOR,
    .partly = partly_gvisor,
    .has_runtime = gvisor_is_here,
    .own_kernel = true,
    .open_must_leak = open_must_leak_gvisor,
    .policy_fences = policy_fences_gvisor,
    .check_count = CONTAINER_CHECKS + 1,
    .preflight = container_preflight_gvisor,
    .start = start_gvisor,
    .machine_open = machine_open_gvisor,
    .structural = gvisor_structural,
};
