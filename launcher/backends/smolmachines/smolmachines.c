/*
 * The smolmachines backend: microVMs of smolvm. A bottle is a bare machine (no image, no network on the host to fetch one) that may
 * reach its door and nothing else. What the engine calls a policy is three fences here, and none of them is believed because the
 * engine says that it is there: the gate tries.
 *
 * `hardened` is what the newest engine needs so that nothing but the door is reached: --allow-host DOOR --dns DOOR, which limits
 * addresses and names. `cidr` is what the original did: --allow-cidr DOOR/32 alone, which leaves DNS open on every version that was run.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../support/cleanup.h"
#include "machine.h"

static const uint16_t cidr_vectors[] = { 17, 18, 21, 22, 26, 27, 34, 39, 45,  46,  56, 60,
                                         61, 62, 63, 64, 67, 68, 70, 78, 152, 153, 0 };
static const uint16_t dns_vectors[] = { 18, 46, 48, 49, 54, 55, 0 };
static const uint16_t floor_vectors[] = { 44, 46, 0 };

static const struct fence fences[MACHINE_FENCES] = {
    [MACHINE_CIDRS] = { "cidrs", "every address but the door's: the allowed addresses in the engine's row",
                        cidr_vectors, 1u << MACHINE_DNS_FILTER },
    [MACHINE_DNS_FILTER] = { "dns-filter", "every name but the door's: the filter of the engine's own resolver",
                             dns_vectors, 0 },
    [MACHINE_FLOOR] = { "floor", "link-local and metadata addresses, whatever else is allowed", floor_vectors,
                        1u << MACHINE_CIDRS | 1u << MACHINE_DNS_FILTER },
};

/* `cidr` has no filter of names. */
static uint32_t policy_fences(const char *policy)
{
    uint32_t all = (1u << MACHINE_FENCES) - 1;
    return policy != NULL && strcmp(policy, "cidr") == 0 ? all & ~(1u << MACHINE_DNS_FILTER) : all;
}

/* Port 53 is the engine's resolver, whatever the address: no list of addresses is asked there. */
static bool fence_stops(size_t fence, uint16_t vector, const char *address, uint16_t port)
{
    (void)vector;
    bool names = port == 53, local = strncmp(address, "169.254.", 8) == 0;
    return fence == MACHINE_DNS_FILTER ? names : !names && local == (fence == MACHINE_FLOOR);
}

static enum smolvm_policy policy_of(const struct bottle_options *options)
{
    if (options->without == (1u << MACHINE_FENCES) - 1)
        return SMOLVM_OPEN;
    enum smolvm_policy policy = SMOLVM_HARDENED;
    if (options->policy != NULL)
        smolvm_policy_find(options->policy, &policy);
    return policy;
}

static bool destroy(struct bottle *bottle, struct error *error)
{
    bool gone = machine_end(bottle, error);
    free(bottle);
    return gone;
}

/* The first cause stays whole; what remained of the bottle besides is told after it, as far as there is room. Where there was nothing to look at,
 * there may be something after all. */
static void destroy_failed(struct bottle *bottle, struct error *error)
{
    struct error left = { 0 };
    if (destroy(bottle, &left) || error == NULL)
        return;
    size_t used = strlen(error->text);
    if (error->code == ERROR_ABSENT)
        error->code = ERROR_BROKEN;
    snprintf(error->text + used, sizeof error->text - used, "; and then: %s", left.text);
}

static struct bottle *start(const struct bottle_options *options, struct error *error)
{
    struct bottle *bottle = calloc(1, sizeof *bottle);
    if (bottle == NULL) {
        error_system(error, "can't start a bottle");
        return NULL;
    }
    bottle->without = options->without;
    bottle->door = options->door;
    if (!machine_prepare(bottle, (options->without >> MACHINE_FLOOR & 1) != 0, error) ||
        !machine_boot(bottle, policy_of(options), error) || !machine_put_step(bottle, options->step_path, error)) {
        destroy_failed(bottle, error);
        return NULL;
    }
    machine_find_libraries(bottle);
    return bottle;
}

static bool door_address(const struct bottle *bottle, char host[64], uint16_t *port, struct error *error)
{
    if (!bottle->door.wanted)
        return error_set(error, ERROR_USAGE, "this bottle was started without a door");
    snprintf(host, 64, "%s", bottle->door.host);
    *port = bottle->door.port;
    return true;
}

/* What goes to port 53, of the gateway too: the way out that `cidr` has and `hardened` has not. */
static const char *remedy(uint16_t vector)
{
    static const uint16_t to_name_servers[] = { 18, 46, 48, 49, 54, 55, 56, 0 };
    for (size_t i = 0; to_name_servers[i] != 0; i++)
        if (to_name_servers[i] == vector)
            return "start the machine with --allow-host DOOR --dns DOOR instead of --allow-cidr, which leaves DNS "
                   "open; bottle-gate does so with --policy=hardened";
    return NULL;
}

static const uint16_t open_must_leak[] = { 22, 26, 48, 49, 61, 62, 0 };

/* smolvm 1.9.0 and later ask whether the host has IPv6, by a connection that says nothing (seen with 1.32.2). */
static const char *const own_traffic[] = { "[2001:4860:4860::8888]:443", "[2606:4700:4700::1111]:443", NULL };

static const char *const policies[] = { "hardened", "cidr", NULL };

const struct backend smolmachines_backend = {
    .name = "smolmachines",
    .fences = fences,
    .fence_count = MACHINE_FENCES,
    .open_must_leak = open_must_leak,
    .peer4 = "127.0.0.1", /* every machine has the same addresses, on a link of its own */
    .peer6 = "::1",
    .own_traffic = own_traffic,
    .policies = policies,
    .policy_fences = policy_fences,
    .fence_stops = fence_stops,
    .own_kernel = true,
    .door_by_address = true,                     /* a guest has a loopback of its own */
    .bottle_mebibytes = MACHINE_MEBIBYTES + 128, /* and the VMM's own */
    .command_milliseconds = 60000, /* a command in a machine whose processor is emulated may take seconds to start */
    .attempt_milliseconds = 10000, /* user-space networking and, in a lab, an emulated processor */
    .drain_milliseconds = 3000,
    .name_engine = smolvm_name_program,
    .preflight = machine_preflight,
    .checks = machine_checks,
    .check_count = MACHINE_CHECKS,
    .remedy = remedy,
    .start = start,
    .door_address = door_address,
    .put = machine_put,
    .exec = machine_exec,
    .host_uid = machine_host_uid,
    .fingerprint = machine_fingerprint,
    .fence_log = machine_fence_log,
    .structural = machine_structural,
    .destroy = destroy,
};
