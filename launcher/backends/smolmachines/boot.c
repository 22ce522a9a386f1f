/* See machine.h: making a machine, and ending it. That the engine says "running" proves nothing (1.9.1 said so of machines that could
 * not be reached): a machine is up when a command in it has answered with its kernel and boot id. */
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../outer_id.h"
#include "../../smolvm/state.h"
#include "../../smolvm/status.h"
#include "../../support/cleanup.h"
#include "../../support/process.h"
#include "machine.h"

#define SECOND        1000000ull
#define START_SECONDS 180 /* bounds on hangs: a start takes seconds, minutes where everything is emulated */
#define OTHER_SECONDS 60
#define GUEST_MEMORY  512 /* MiB */

extern char **environ;

bool machine_command(const struct bottle *bottle, enum smolvm_verb verb, unsigned seconds, struct smolvm_result *result,
                     struct error *error)
{
    cleanup_free struct smolvm_arguments *arguments = malloc(sizeof *arguments);
    return (arguments != NULL || error_system(error, "can't make a command line")) &&
           smolvm_arguments_plain(arguments, &bottle->version, verb, MACHINE_NAME, error) &&
           smolvm_run_well(&bottle->engine, arguments->words, clock_microseconds() + seconds * SECOND, result, error);
}

bool machine_ask_version(const struct smolvm_engine *engine, struct smolvm_version *version, struct error *error)
{
    struct smolvm_result result = { 0 };
    cleanup_free struct smolvm_arguments *arguments = malloc(sizeof *arguments);
    bool known =
        (arguments != NULL || error_system(error, "can't make a command line")) &&
        smolvm_arguments_version(arguments, error) &&
        smolvm_run_well(engine, arguments->words, clock_microseconds() + OTHER_SECONDS * SECOND, &result, error) &&
        smolvm_version_parse(result.output, result.output_size, version, error);
    smolvm_result_free(&result);
    return known;
}

bool machine_prepare(struct bottle *bottle, bool floors_off, struct error *error)
{
    uid_t outside = 0;
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
    const struct smolvm_machine machine = {
        .name = MACHINE_NAME, .policy = policy, .door = bottle->door.host, .cpus = 1, .memory_mib = GUEST_MEMORY
    };
    cleanup_free struct smolvm_arguments *arguments = malloc(sizeof *arguments);
    if (arguments == NULL)
        return error_system(error, "can't make a command line");
    if ((policy != SMOLVM_OPEN && !smolvm_policy_check(&bottle->version, policy, bottle->door.host, error)) ||
        !smolvm_arguments_create(arguments, &bottle->version, &machine, error))
        return false;
    bottle->created = true;
    return smolvm_run_well(&bottle->engine, arguments->words, clock_microseconds() + OTHER_SECONDS * SECOND, NULL,
                           error);
}

static bool state_of(const struct bottle *bottle, char path[PATH_MAX], struct smolvm_state *state, struct error *error)
{
    *state = (struct smolvm_state){ .path = path, .busy_milliseconds = SMOLVM_BUSY_MILLISECONDS };
    return smolvm_state_path(SMOLVM_LINUX, smolvm_environment_value(&bottle->environment, "HOME"),
                             smolvm_environment_value(&bottle->environment, "XDG_DATA_HOME"), path, error);
}

/* Takes out of the row what a mutant lacks, and compares what it says then with what was asked for: the engine applies the row and not
 * the command line. */
static bool set_row(struct bottle *bottle, enum smolvm_policy policy, struct error *error)
{
    char path[PATH_MAX], cidr[64];
    struct smolvm_state state;
    struct smolvm_policy_row row;
    bool whole = policy != SMOLVM_OPEN;
    bool cidrs = whole && (bottle->without >> MACHINE_CIDRS & 1) == 0;
    bool filter = policy == SMOLVM_HARDENED && (bottle->without >> MACHINE_DNS_FILTER & 1) == 0;
    if (!state_of(bottle, path, &state, error) || (whole && !smolvm_door_cidr(bottle->door.host, cidr, error)) ||
        (whole && !cidrs && !smolvm_state_drop(&state, MACHINE_NAME, SMOLVM_DROP_CIDRS, error)) ||
        (policy == SMOLVM_HARDENED && !filter &&
         !smolvm_state_drop(&state, MACHINE_NAME, SMOLVM_DROP_DNS_FILTER, error)) ||
        !smolvm_state_read(&state, MACHINE_NAME, &row, error))
        return false;
    bool as_asked = row.limited == cidrs && row.filtered == filter &&
                    (!cidrs || (row.cidr_count == 1 && strcmp(row.cidrs[0], cidr) == 0)) &&
                    (!filter || (row.host_count == 1 && strcmp(row.hosts[0], bottle->door.host) == 0));
    snprintf(bottle->policy, sizeof bottle->policy, "cidrs %.40s, names %.40s, dns %.40s, network %.16s",
             row.limited ? (row.cidr_count > 0 ? row.cidrs[0] : "none") : "any",
             row.filtered ? (row.host_count > 0 ? row.hosts[0] : "none") : "any", row.dns, row.network_backend);
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

/* The machine's own words on its kernel: as long as nobody else's program runs in it they are the agent's. */
static bool ask_kernel(struct bottle *bottle, uint64_t deadline, struct error *error)
{
    char *const command[] = { (char[]){ "/bin/cat" }, (char[]){ "/proc/sys/kernel/osrelease" },
                              (char[]){ "/proc/sys/kernel/random/boot_id" }, NULL };
    const struct smolvm_exec exec = { .timeout_seconds = OTHER_SECONDS, .command = command };
    struct smolvm_result result = { 0 };
    cleanup_free struct smolvm_arguments *arguments = malloc(sizeof *arguments);
    bool told = arguments != NULL && smolvm_arguments_exec(arguments, MACHINE_NAME, &exec, error) &&
                smolvm_run_well(&bottle->engine, arguments->words, deadline, &result, error);
    char *text = result.output;
    told = told && take_line(&text, bottle->kernel, sizeof bottle->kernel) &&
           take_line(&text, bottle->boot_id, sizeof bottle->boot_id);
    smolvm_result_free(&result);
    return told;
}

static pid_t ask_pid(const struct bottle *bottle, struct error *error)
{
    struct smolvm_result result = { 0 };
    struct smolvm_status status = { 0 };
    bool known = machine_command(bottle, SMOLVM_STATUS, OTHER_SECONDS, &result, error) &&
                 smolvm_status_parse(result.output, result.output_size, MACHINE_NAME, &status, error);
    smolvm_result_free(&result);
    return known ? status.pid : 0;
}

bool machine_boot(struct bottle *bottle, enum smolvm_policy policy, struct error *error)
{
    uint64_t deadline = clock_microseconds() + START_SECONDS * SECOND;
    if (!create(bottle, policy, error) || !set_row(bottle, policy, error) ||
        !machine_command(bottle, SMOLVM_START, START_SECONDS, NULL, error))
        return false;
    /* Each try takes as long as the engine waits for the machine: nothing to sleep for in between. */
    while (!ask_kernel(bottle, deadline, error))
        if (clock_microseconds() >= deadline)
            return error_set(error, ERROR_BROKEN, "the engine says that the machine runs, and it answers nothing");
    bottle->monitor = ask_pid(bottle, error);
    return bottle->monitor > 0;
}

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *walk)
{
    (void)status, (void)type, (void)walk;
    return remove(path);
}

static bool is_gone(pid_t pid)
{
    return pid <= 0 || kill(pid, 0) != 0;
}

bool machine_end(struct bottle *bottle, struct error *error)
{
    struct error ignored = { 0 };
    bool ended = true, row = false;
    if (bottle->created) {
        /* Stopping a machine that never started may fail; what counts is what remains. */
        machine_command(bottle, SMOLVM_STOP, OTHER_SECONDS, NULL, &ignored);
        ended = machine_command(bottle, SMOLVM_DELETE, OTHER_SECONDS, NULL, error);
        char path[PATH_MAX];
        struct smolvm_state state;
        if (ended && state_of(bottle, path, &state, error) && smolvm_state_has(&state, MACHINE_NAME, &row, error) &&
            row)
            ended = error_set(error, ERROR_BROKEN,
                              "the engine says that it deleted the machine, and its row is still there");
    }
    if (bottle->monitor > 0) {
        uint64_t deadline = clock_microseconds() + 10 * SECOND;
        process_wait(bottle->monitor, deadline, NULL); /* an orphan of the engine's comes to us where we are PID 1 */
        if (!is_gone(bottle->monitor)) {
            kill(bottle->monitor, SIGKILL);
            process_wait(bottle->monitor, deadline, NULL);
            ended = error_set(error, ERROR_BROKEN, "the machine's VMM lived on after its machine was deleted");
        }
    }
    if (bottle->directory[0] != '\0' && nftw(bottle->directory, remove_entry, 16, FTW_DEPTH | FTW_PHYS) != 0)
        ended = ended && error_system(error, "can't remove %s", bottle->directory);
    return ended;
}
