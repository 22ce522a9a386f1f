/*
 * See backends.h. A phase is a process of its own, so what its bottles are can be remembered in variables. The fault is
 * made in the bottle under test (the one with a door), fenced or open as the row's function says, and never in the bare
 * run, which has no bottle.
 */
#include "backends_put.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct bottle *backends_under_test; /* of the fenced run; NULL in the others */
static struct bottle *open_one;     /* of the open run */
const char *backends_init_path;

static bool is_open(const struct bottle_options *options)
{
    return options->without == backend_all_fences(&native_backend);
}

static struct bottle *start_noting(const struct bottle_options *options, struct error *error)
{
    struct bottle *bottle = native_backend.start(options, error);
    backends_init_path = options->init_path;
    if (options->door.wanted)
        *(is_open(options) ? &open_one : &backends_under_test) = bottle;
    return bottle;
}

static struct bottle *start_without(const struct bottle_options *options, uint32_t without, struct error *error)
{
    struct bottle_options less = *options;
    less.without |= without;
    /* cppcheck-suppress returnDanglingLifetime ; a backend copies what it needs of its options */
    return native_backend.start(&less, error);
}

static uint32_t fence_bit(const char *name)
{
    return 1u << backend_find_fence(&native_backend, name);
}

static struct bottle *start_without_fences(const struct bottle_options *options, struct error *error)
{
    return start_without(options, backend_all_fences(&native_backend), error);
}

static struct bottle *start_without_network(const struct bottle_options *options, struct error *error)
{
    return start_without(options, fence_bit("network"), error);
}

static struct bottle *start_without_mount(const struct bottle_options *options, struct error *error)
{
    return start_without(options, fence_bit("mount"), error);
}

static struct bottle *start_without_descriptors(const struct bottle_options *options, struct error *error)
{
    return start_without(options, fence_bit("descriptors"), error);
}

static struct bottle *start_never_open(const struct bottle_options *options, struct error *error)
{
    struct bottle_options fenced = *options;
    fenced.without = 0;
    /* cppcheck-suppress returnDanglingLifetime ; a backend copies what it needs of its options */
    return native_backend.start(&fenced, error);
}

static struct bottle *start_half_open(const struct bottle_options *options, struct error *error)
{
    struct bottle_options half = *options;
    half.without &= ~fence_bit("network");
    /* cppcheck-suppress returnDanglingLifetime ; a backend copies what it needs of its options */
    return native_backend.start(&half, error);
}

static struct bottle *start_not(const struct bottle_options *options, struct error *error)
{
    if (is_open(options) || !options->door.wanted)
        return native_backend.start(options, error);
    error_set(error, ERROR_SYSTEM, "the engine is on holiday");
    return NULL;
}

/* A process that ends at once, as an engine's client does that had nothing to do. */
static bool run_nothing(pid_t *pid, struct error *error)
{
    *pid = fork();
    if (*pid == 0)
        _exit(0);
    return *pid > 0 || error_system(error, "can't start a command");
}

static bool exec_nothing(struct bottle *bottle, char *const argv[], enum principal principal,
                         const struct exec_streams *streams, pid_t *pid, struct error *error)
{
    return bottle == backends_under_test ? run_nothing(pid, error)
                                         : native_backend.exec(bottle, argv, principal, streams, pid, error);
}

static bool exec_nothing_open(struct bottle *bottle, char *const argv[], enum principal principal,
                              const struct exec_streams *streams, pid_t *pid, struct error *error)
{
    return bottle == open_one ? run_nothing(pid, error)
                              : native_backend.exec(bottle, argv, principal, streams, pid, error);
}

static bool exec_not(struct bottle *bottle, char *const argv[], enum principal principal,
                     const struct exec_streams *streams, pid_t *pid, struct error *error)
{
    if (bottle == backends_under_test)
        return error_set(error, ERROR_SYSTEM, "the engine takes no commands");
    return native_backend.exec(bottle, argv, principal, streams, pid, error);
}

static bool exec_as_user(struct bottle *bottle, char *const argv[], enum principal principal,
                         const struct exec_streams *streams, pid_t *pid, struct error *error)
{
    return native_backend.exec(bottle, argv, bottle == backends_under_test ? PRINCIPAL_USER : principal, streams, pid,
                               error);
}

/* The second bottle of the fenced run. */
static bool exec_no_listener(struct bottle *bottle, char *const argv[], enum principal principal,
                             const struct exec_streams *streams, pid_t *pid, struct error *error)
{
    return backends_under_test != NULL && bottle != backends_under_test
               ? run_nothing(pid, error)
               : native_backend.exec(bottle, argv, principal, streams, pid, error);
}

static bool other_kernel(const struct bottle *bottle, struct fingerprint *fingerprint, struct error *error)
{
    bool known = native_backend.fingerprint(bottle, fingerprint, error);
    if (bottle == backends_under_test)
        snprintf(fingerprint->kernel, sizeof fingerprint->kernel, "4.4.0");
    return known;
}

static bool other_boot(const struct bottle *bottle, struct fingerprint *fingerprint, struct error *error)
{
    bool known = native_backend.fingerprint(bottle, fingerprint, error);
    if (bottle == backends_under_test)
        snprintf(fingerprint->boot_id, sizeof fingerprint->boot_id, "00000000-0000-4000-8000-000000000000");
    return known;
}

static bool no_fingerprint(const struct bottle *bottle, struct fingerprint *fingerprint, struct error *error)
{
    if (bottle == backends_under_test)
        return error_set(error, ERROR_SYSTEM, "the engine doesn't say what it is");
    return native_backend.fingerprint(bottle, fingerprint, error);
}

static bool no_uid(const struct bottle *bottle, enum principal principal, uid_t *uid, struct error *error)
{
    if (bottle == backends_under_test)
        return error_set(error, ERROR_SYSTEM, "the engine doesn't say who it is");
    return native_backend.host_uid(bottle, principal, uid, error);
}

static bool other_door(const struct bottle *bottle, char host[64], uint16_t *port, struct error *error)
{
    bool known = native_backend.door_address(bottle, host, port, error);
    if (bottle == backends_under_test)
        ++*port;
    return known;
}

static bool destroy_failing(struct bottle *bottle, struct error *error)
{
    bool hurt = bottle == backends_under_test, gone = native_backend.destroy(bottle, error);
    return hurt ? error_set(error, ERROR_BROKEN, "something of the bottle can't be ended") : gone;
}

static bool destroy_not(struct bottle *bottle, struct error *error)
{
    return bottle == backends_under_test || native_backend.destroy(bottle, error);
}

DIFFERS(without_fences, start, start_without_fences);
DIFFERS(without_network, start, start_without_network);
DIFFERS(without_mount, start, start_without_mount);
DIFFERS(without_descriptors, start, start_without_descriptors);
DIFFERS(never_open, start, start_never_open);
DIFFERS(half_open, start, start_half_open);
DIFFERS(that_does_not_start, start, start_not);
DIFFERS(that_runs_nothing, exec, exec_nothing);
DIFFERS(that_runs_nothing_open, exec, exec_nothing_open);
DIFFERS(that_refuses_commands, exec, exec_not);
DIFFERS(that_mixes_up_principals, exec, exec_as_user);
DIFFERS(with_deaf_peer, exec, exec_no_listener);
DIFFERS(on_another_kernel, fingerprint, other_kernel);
DIFFERS(of_another_boot, fingerprint, other_boot);
DIFFERS(without_fingerprint, fingerprint, no_fingerprint);
DIFFERS(without_uids, host_uid, no_uid);
DIFFERS(with_another_door, door_address, other_door);
DIFFERS(that_fails_to_end, destroy, destroy_failing);
DIFFERS(that_does_not_end, destroy, destroy_not);

const struct backend *backends_native_but(const struct backend *differences)
{
    static struct backend made;
    made = native_backend;
    made.start = differences->start != NULL ? differences->start : start_noting;
#define TAKE(function) made.function = differences->function != NULL ? differences->function : made.function
    TAKE(exec);
    TAKE(put);
    TAKE(fingerprint);
    TAKE(host_uid);
    TAKE(door_address);
    TAKE(destroy);
    return &made;
}
