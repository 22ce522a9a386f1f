/*
 * bottle stop: ends bottles and waits until everything of them is gone, the keeper included. Each of several is tried; what
 * failed is told, a line each.
 */
#include "command.h"

#include <errno.h>
#include <getopt.h>
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
        fprintf(stderr, "bottle: %s\n", failure.text);
        status = STATUS_LAUNCH;
    }
    return status;
}

static int run(int argc, char **argv, struct error *error)
{
    static const struct option options[] = { { "all", no_argument, NULL, 'l' }, COMMAND_HELP_OPTION };
    bool all = false;
    for (int option; (option = getopt_long(argc, argv, ":", options, NULL)) != -1;) {
        if (option != 'l')
            return bottle_command_other_option(&bottle_command_stop, argv, option, error);
        all = true;
    }
    if (all == (optind < argc)) {
        error_set(error, ERROR_USAGE, "stop: takes names of bottles, or --all: see bottle stop --help");
        return -1;
    }
    for (int i = optind; i < argc; i++)
        if (!bottle_command_check_name(argv[i], error))
            return -1;
    if (all)
        return stop_all(error);
    int status = 0;
    for (int i = optind; i < argc; i++) {
        struct error failure = { 0 };
        if (stop(argv[i], true, &failure))
            continue;
        fprintf(stderr, "bottle: %s\n", failure.text);
        status = STATUS_LAUNCH;
    }
    return status;
}

const struct command bottle_command_stop = {
    .name = "stop",
    .summary = "end bottles that live",
    .help = "usage: bottle stop NAME...\n"
            "       bottle stop --all\n"
            "\n"
            "Ends bottles with everything in them, and waits until it is gone.\n"
            "\n"
            "Exit status: 0; 125 no such bottle, or something of it remained; 4 wrong usage.\n",
    .run = run,
};
