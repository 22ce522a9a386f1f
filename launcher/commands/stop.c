/*
 * bottle stop: ends bottles and waits until everything of them is gone, the keeper included. Each of several is tried; what
 * failed is told, a line each.
 */
#include "command.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../keeper/client.h"
#include "../keeper/registry.h"
#include "../support/cleanup.h"
#include "../support/process.h"

#define STOP_MICROSECONDS 90000000

/* True if the bottle is gone. `must_live`: that it was gone before is an error. */
static bool stop(const char *name, bool must_live, struct error *error)
{
    bool closed = false;
    struct reply reply;
    struct error failure = { 0 };
    struct request request = { .kind = REQUEST_STOP };
    uint64_t deadline = clock_microseconds() + STOP_MICROSECONDS;
    cleanup_close int connection = client_connect(name, &failure);
    if (connection < 0)
        return !must_live || error_set(error, failure.code, "%s", failure.text);
    /* The connection keeps the keeper, so this is its process and no later one's. */
    pid_t keeper = client_keeper(connection);
    cleanup_close int handle = (int)syscall(SYS_pidfd_open, keeper, 0);
    bool gone = client_send(connection, &request, NULL, &closed, &failure) &&
                client_receive(connection, &reply, NULL, deadline, &closed, &failure);
    if (!gone && !closed && failure.code != ERROR_BROKEN)
        return error_set(error, failure.code, "%s: %.400s", name, failure.text);
    struct pollfd end = { .fd = handle, .events = POLLIN };
    int ended;
    while ((ended = handle < 0 ? 1 : poll(&end, 1, clock_poll_timeout(deadline))) < 0 && errno == EINTR)
        ;
    if (!gone && !closed)
        return error_set(error, failure.code, "%s: %.400s", name, failure.text);
    return ended == 1 || error_set(error, ERROR_BROKEN, "%s: its keeper, process %d, does not end", name, (int)keeper);
}

static int stop_all(struct error *error)
{
    cleanup_free char(*names)[REGISTRY_NAME] = NULL;
    cleanup_close int directory = registry_open(false, error);
    int count = directory >= 0 ? registry_list(directory, &names, error) : 0,
        status = error->code == ERROR_NONE ? 0 : -1;
    for (int i = 0; i < count; i++) {
        struct error failure = { 0 };
        if (stop(names[i], false, &failure))
            continue;
        program_tell("bottle", &failure);
        status = STATUS_LAUNCH;
    }
    return status;
}

static int stop_each(char *const *names, size_t count)
{
    int status = 0;
    for (size_t i = 0; i < count; i++) {
        struct error failure = { 0 };
        if (stop(names[i], true, &failure))
            continue;
        program_tell("bottle", &failure);
        status = STATUS_LAUNCH;
    }
    return status;
}

struct settings {
    bool all;
    char **names;
    size_t count;
};

static bool take_all(void *settings, const char *argument, struct error *error)
{
    (void)argument, (void)error;
    ((struct settings *)settings)->all = true;
    return true;
}

static bool take_name(void *settings, const char *operand, struct error *error)
{
    struct settings *own = settings;
    own->names[own->count++] = (char *)operand;
    return bottle_command_check_name(operand, error);
}

static const struct command_option options[] = {
    { .name = "all", .help = "all of this user's", .take = take_all },
};

static const struct command_operand operands[] = {
    { .name = "NAME", .help = "the bottle's name", .take = take_name, .kind = WORD_BOTTLE },
};

static int run(int argc, char **argv, struct error *error)
{
    cleanup_free char **names = calloc((size_t)argc, sizeof *names);
    struct settings settings = { .names = names };
    bool helped;
    if (names == NULL) {
        error_system(error, "can't stop bottles");
        return -1;
    }
    if (!command_parse(&bottle_command_stop, argc, argv, &settings, &helped, error))
        return -1;
    if (helped)
        return 0;
    if (settings.all == (settings.count > 0)) {
        error_set(error, ERROR_USAGE, "stop: takes names of bottles, or --all; see bottle stop --help");
        return -1;
    }
    return settings.all ? stop_all(error) : stop_each(settings.names, settings.count);
}

static const struct text_row statuses[] = {
    { "0", "they are gone" },
    { "4", "wrong usage" },
    { "125", "no such bottle, or something of it remained" },
    { NULL, NULL },
};

const struct command bottle_command_stop = {
    .program = "bottle",
    .name = "stop",
    .summary = "end bottles that live",
    .description = "Ends bottles with everything in them, and waits until it is gone. Each of several is tried.",
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .operands = operands,
    .operand_count = sizeof operands / sizeof *operands,
    .statuses = statuses,
    .files = bottle_files,
    .environment = bottle_environment,
    .see_also = "bottle-start(1), bottle-list(1)",
    .run = run,
};
