/* See machine.h: making a machine. That the engine says "running" proves nothing (1.9.1 said so of machines that could not be
 * reached): a machine is up when a command in it has answered with its kernel and boot id. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../../outer_id.h"
#include "../../smolvm/status.h"
#include "../../support/cleanup.h"
#include "../../support/process.h"
#include "machine.h"

#define STARTS         3  /* of a machine that is late, or lost before it has answered */
#define SHORTEST_PAUSE 50 /* milliseconds between two tries, doubled each time */
#define LONGEST_PAUSE  2000
#define BOOT_ID        36 /* characters */

extern char **environ;

struct machine_bounds machine_bounds = { .start = 180000, .other = 60000, .gone = 10000 };

static uint64_t from_now(unsigned milliseconds)
{
    return clock_microseconds() + milliseconds * 1000ull;
}

bool machine_command(const struct bottle *bottle, enum smolvm_verb verb, struct smolvm_result *result,
                     struct error *error)
{
    unsigned bound = verb == SMOLVM_START ? machine_bounds.start : machine_bounds.other;
    cleanup_free struct smolvm_arguments *arguments = malloc(sizeof *arguments);
    return (arguments != NULL || error_system(error, "can't make a command line")) &&
           smolvm_arguments_plain(arguments, &bottle->version, verb, MACHINE_NAME, error) &&
           smolvm_run_well(&bottle->engine, arguments->words, from_now(bound), result, error);
}

bool machine_ask_version(const struct smolvm_engine *engine, struct smolvm_version *version, struct error *error)
{
    struct smolvm_result result = { 0 };
    cleanup_free struct smolvm_arguments *arguments = malloc(sizeof *arguments);
    bool known = (arguments != NULL || error_system(error, "can't make a command line")) &&
                 smolvm_arguments_version(arguments, error) &&
                 smolvm_run_well(engine, arguments->words, from_now(machine_bounds.other), &result, error) &&
                 smolvm_version_parse(result.output, result.output_size, version, error);
    smolvm_result_free(&result);
    return known;
}

bool machine_prepare(struct bottle *bottle, bool floors_off, struct error *error)
{
    uid_t outside = 0;
    bottle->monitor_handle = -1;
    struct smolvm_places places = smolvm_places_here(NULL);
    if (!smolvm_locate(&places, &bottle->location, error))
        return false;
    bottle->engine.program = bottle->location.program;
    bottle->engine.environment = environ;
    /* Root of a user namespace that isn't the first one is no root to the engine. */
    char map[64] = "";
    bottle->engine.own_user = geteuid() == 0 && file_read("/proc/self/uid_map", map, sizeof map) &&
                              strstr(map, "4294967295") == NULL && outer_id_find(0, &outside);
    bottle->engine.uid = bottle->engine.gid = 1000;
    char directory[] = "/tmp/bottle-machine-XXXXXX";
    if (!machine_ask_version(&bottle->engine, &bottle->version, error))
        return false;
    if (mkdtemp(directory) == NULL)
        return error_system(error, "can't make a directory for the machine in /tmp");
    snprintf(bottle->directory, sizeof bottle->directory, "%s", directory);
    const struct smolvm_setting setting = {
        .directory = bottle->directory, .location = &bottle->location, .floors_off = floors_off, .keep_uid = true
    };
    if (!smolvm_environment_fill(&bottle->environment, &setting, &bottle->version, environ, error) ||
        !smolvm_environment_make(&setting, &bottle->version, error))
        return false;
    bottle->engine.environment = bottle->environment.words;
    return true;
}

static bool create(struct bottle *bottle, enum smolvm_policy policy, struct error *error)
{
    const struct smolvm_machine machine = { .name = MACHINE_NAME,
                                            .policy = policy,
                                            .door = bottle->door.host,
                                            .virtio_net = bottle->without != 0,
                                            .cpus = 1,
                                            .memory_mib = MACHINE_MEBIBYTES };
    cleanup_free struct smolvm_arguments *arguments = malloc(sizeof *arguments);
    if (arguments == NULL)
        return error_system(error, "can't make a command line");
    if ((policy != SMOLVM_OPEN && !smolvm_policy_check(&bottle->version, policy, bottle->door.host, error)) ||
        !smolvm_arguments_create(arguments, &bottle->version, &machine, error))
        return false;
    bottle->created = true;
    return smolvm_run_well(&bottle->engine, arguments->words, from_now(machine_bounds.other), NULL, error);
}

bool machine_state(const struct bottle *bottle, char path[PATH_MAX], struct smolvm_state *state, struct error *error)
{
    *state = (struct smolvm_state){ .path = path, .busy_milliseconds = SMOLVM_BUSY_MILLISECONDS };
    return smolvm_state_path(SMOLVM_LINUX, smolvm_environment_value(&bottle->environment, "HOME"),
                             smolvm_environment_value(&bottle->environment, "XDG_DATA_HOME"), path, error);
}

/* The engine applies the row and not the command line. So the allowed addresses are written into it where the engine lost them, what a
 * mutant lacks is taken out, and what it says then is compared with what was asked for. A filter of names can't be written in. */
static bool set_row(struct bottle *bottle, enum smolvm_policy policy, struct error *error)
{
    char path[PATH_MAX], cidr[64];
    const char *const wanted[] = { cidr };
    struct smolvm_state state;
    struct smolvm_policy_row row;
    bool written = false, whole = policy != SMOLVM_OPEN, hardened = policy == SMOLVM_HARDENED;
    bool cidrs = whole && (bottle->without >> MACHINE_CIDRS & 1) == 0;
    bool filter = hardened && (bottle->without >> MACHINE_DNS_FILTER & 1) == 0;
    if (!machine_state(bottle, path, &state, error) || (whole && !smolvm_door_cidr(bottle->door.host, cidr, error)) ||
        (cidrs && !smolvm_state_force_allowlist(&state, MACHINE_NAME, wanted, 1, &written, error)) ||
        (whole && !cidrs && !smolvm_state_drop(&state, MACHINE_NAME, SMOLVM_DROP_CIDRS, error)) ||
        (hardened && !filter && !smolvm_state_drop(&state, MACHINE_NAME, SMOLVM_DROP_DNS_FILTER, error)) ||
        !smolvm_state_read(&state, MACHINE_NAME, &row, error))
        return false;
    bool as_asked = row.limited == cidrs && row.filtered == filter &&
                    (!cidrs || (row.cidr_count == 1 && strcmp(row.cidrs[0], cidr) == 0)) &&
                    (!filter || (row.host_count == 1 && strcmp(row.hosts[0], bottle->door.host) == 0)) &&
                    strcmp(row.dns, filter ? bottle->door.host : "") == 0;
    snprintf(bottle->policy, sizeof bottle->policy, "cidrs %.40s%s, names %.40s, dns %.40s, network %.16s",
             row.limited ? (row.cidr_count > 0 ? row.cidrs[0] : "none") : "any", written ? " (written here)" : "",
             row.filtered ? (row.host_count > 0 ? row.hosts[0] : "none") : "any", row.dns,
             row.network_backend[0] != '\0' ? row.network_backend : "default");
    return as_asked ||
           error_set(error, ERROR_BROKEN, "the engine stored another policy than was asked for: %s", bottle->policy);
}

static bool take_line(char **text, char *line, size_t capacity)
{
    size_t length = strcspn(*text, "\n");
    bool good = length > 0 && length < capacity && (*text)[length] == '\n';
    snprintf(line, capacity, "%.*s", (int)length, *text);
    *text += length + (good ? 1 : 0);
    return good;
}

static bool is_release(const char *text)
{
    return *text >= '1' && *text <= '9' &&
           text[strspn(text, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.+-_~")] == '\0';
}

static bool is_boot_id(const char *text)
{
    return strlen(text) == BOOT_ID && strspn(text, "0123456789abcdef-") == BOOT_ID;
}

/* The machine's own words on its kernel: as long as nobody else's program runs in it they are the agent's. */
static bool ask_kernel(struct bottle *bottle, uint64_t deadline, struct error *error)
{
    char *const command[] = { (char[]){ "/bin/cat" }, (char[]){ "/proc/sys/kernel/osrelease" },
                              (char[]){ "/proc/sys/kernel/random/boot_id" }, NULL };
    const struct smolvm_exec exec = { .timeout_seconds = (machine_bounds.other + 999) / 1000, .command = command };
    struct smolvm_result result = { 0 };
    uint64_t bound = from_now(machine_bounds.other);
    cleanup_free struct smolvm_arguments *arguments = malloc(sizeof *arguments);
    bool told = (arguments != NULL || error_system(error, "can't make a command line")) &&
                smolvm_arguments_exec(arguments, MACHINE_NAME, &exec, error) &&
                smolvm_run_well(&bottle->engine, arguments->words, bound < deadline ? bound : deadline, &result, error);
    if (told) {
        char *text = result.output;
        told = (take_line(&text, bottle->kernel, sizeof bottle->kernel) &&
                take_line(&text, bottle->boot_id, sizeof bottle->boot_id) && is_release(bottle->kernel) &&
                is_boot_id(bottle->boot_id) && text == result.output + result.output_size) ||
               error_set(error, ERROR_BROKEN, "what it says of its kernel is no release and boot id");
    }
    smolvm_result_free(&result);
    return told;
}

enum vmm { VMM_UNKNOWN, VMM_LIVES, VMM_DEAD };

static bool has_ended(int handle, int milliseconds)
{
    struct pollfd ended = { .fd = handle, .events = POLLIN };
    return poll(&ended, 1, milliseconds) == 1;
}

/* Takes hold of the VMM that the engine names now; `error` says why it isn't VMM_LIVES. */
static enum vmm find_vmm(struct bottle *bottle, struct error *error)
{
    struct smolvm_result result = { 0 };
    struct smolvm_status status = { 0 };
    bool known = machine_command(bottle, SMOLVM_STATUS, &result, error) &&
                 smolvm_status_parse(result.output, result.output_size, MACHINE_NAME, &status, error);
    smolvm_result_free(&result);
    if (!known)
        return VMM_UNKNOWN;
    if (status.pid <= 0) {
        error_set(error, ERROR_BROKEN, "the engine names no VMM of the machine: it is %s", status.word);
        return status.state == SMOLVM_STATE_CREATED || status.state == SMOLVM_STATE_STOPPED ||
                       status.state == SMOLVM_STATE_FAILED
                   ? VMM_DEAD
                   : VMM_UNKNOWN;
    }
    if (status.pid != bottle->monitor) {
        cleanup_close_fd(&bottle->monitor_handle);
        bottle->monitor = status.pid;
        bottle->monitor_handle = (int)syscall(SYS_pidfd_open, status.pid, 0);
    }
    if (bottle->monitor_handle >= 0 && !has_ended(bottle->monitor_handle, 0))
        return VMM_LIVES;
    error_set(error, ERROR_BROKEN, "the VMM that the engine names, process %d, is dead", (int)bottle->monitor);
    return VMM_DEAD;
}

/* Until a command in the machine has answered, for as long as it may. A machine whose VMM is dead will not: it is `lost`. */
static bool wait_for_answer(struct bottle *bottle, bool *lost, struct error *error)
{
    uint64_t deadline = from_now(machine_bounds.start);
    struct error why = { 0 };
    for (int pause = SHORTEST_PAUSE;; pause = pause * 2 < LONGEST_PAUSE ? pause * 2 : LONGEST_PAUSE) {
        struct error now = { 0 };
        if (ask_kernel(bottle, deadline, &now))
            return true;
        /* What the last try says is that it was cut off. */
        if (why.code == ERROR_NONE || clock_microseconds() < deadline)
            why = now;
        enum vmm vmm = find_vmm(bottle, NULL);
        int left = clock_poll_timeout(deadline);
        if (vmm == VMM_DEAD || (left > 0 && has_ended(bottle->monitor_handle, pause < left ? pause : left))) {
            char last[MACHINE_LAST_WORDS];
            machine_last_words(bottle, last);
            *lost = true;
            return error_set(error, ERROR_ABSENT,
                             "the engine says that the machine runs, and it has no VMM that lives: %.200s%s", why.text,
                             last);
        }
        if (left == 0)
            return error_set(error, ERROR_ABSENT,
                             "the engine says that the machine runs, and it answers nothing: %.256s", why.text);
    }
}

/* An engine that runs commands on the host has no machine. */
static bool has_own_kernel(const struct bottle *bottle, struct error *error)
{
    char host[64] = "";
    return (file_read("/proc/sys/kernel/random/boot_id", host, sizeof host) &&
            strncmp(host, bottle->boot_id, BOOT_ID) != 0) ||
           error_set(error, ERROR_BROKEN, "what runs in the machine sees the host's kernel: its boot id is the same");
}

/* The engine gives a machine 30 s to boot and ends it then (1.4.0, 1.32.2), which a busy or emulated host may exceed: above all at the first
 * start, when nothing is in memory yet. */
static bool is_late(const char *text)
{
    return strstr(text, "did not become ready") != NULL || strstr(text, "before the agent was ready") != NULL;
}

/* A machine that is late, or has lost its VMM before it answered anything, is started again: no program of ours has run in it, so that says
 * nothing of its fences. That machines start on this host the preflight has shown: one that doesn't is a run without evidence, and nothing
 * that the host lacks. */
static bool start_machine(struct bottle *bottle, enum smolvm_policy policy, struct error *error)
{
    for (int tries = 1;; tries++) {
        struct error why = { 0 };
        if (!set_row(bottle, policy, error)) /* an engine may write another one as it starts */
            return false;
        bool lost = false, started = machine_command(bottle, SMOLVM_START, NULL, &why);
        if (started && wait_for_answer(bottle, &lost, &why))
            return true;
        if (tries == STARTS || !(started ? lost : is_late(why.text)))
            return error_set(error, started ? why.code : ERROR_BROKEN, "%s%s", why.text,
                             tries == STARTS ? ", each time" : "");
    }
}

bool machine_boot(struct bottle *bottle, enum smolvm_policy policy, struct error *error)
{
    return create(bottle, policy, error) && start_machine(bottle, policy, error) && has_own_kernel(bottle, error) &&
           find_vmm(bottle, error) == VMM_LIVES;
}
