/*
 * bottle exec: a command in a bottle that lives on. The streams go to the bottle's keeper, which starts the command and says
 * how it ended; a terminal stays here, and what comes back in its place is the master of one of the bottle's own, relayed as
 * by `bottle run`. The connection is the command's life: when this process goes, however it goes, the keeper ends the command.
 */
#include "attend.h"
#include "bottle_options.h"
#include "command.h"

#include <getopt.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../keeper/client.h"
#include "../support/cleanup.h"
#include "../support/process.h"

#define STARTED_MICROSECONDS 60000000
#define ENDED_MICROSECONDS   10000000 /* for the keeper to say that a command which was told to end has ended */

struct conversation {
    int connection;
    struct error error;
};

static bool command_ended(void *context, int *status)
{
    bool closed;
    struct reply reply;
    struct conversation *conversation = context;
    struct pollfd ready = { .fd = conversation->connection, .events = POLLIN };
    if (poll(&ready, 1, 0) == 0)
        return false; /* a child that this process was born with has ended */
    if (!client_receive(conversation->connection, &reply, NULL, 0, &closed, &conversation->error) ||
        reply.kind != REPLY_ENDED)
        *status = -1;
    else
        *status = reply.status;
    return true;
}

/* Which streams are terminals, and the descriptors of those that aren't. */
static void choose_streams(struct request *request, int descriptors[REQUEST_STREAMS])
{
    size_t count = 0;
    for (int stream = 0; stream < REQUEST_STREAMS; stream++) {
        struct winsize size;
        if (isatty(stream) != 1) {
            descriptors[count++] = stream;
            continue;
        }
        request->terminals |= 1u << stream;
        if (ioctl(stream, TIOCGWINSZ, &size) == 0) {
            request->rows = size.ws_row;
            request->columns = size.ws_col;
        }
    }
    const char *term = getenv("TERM");
    request->term = request->terminals != 0 && term != NULL && strlen(term) < REQUEST_TERMINAL_KIND ? term : "";
}

/* Returns what the command's end is told by, or -1. */
static int converse(const char *name, const struct request *request, const int *descriptors, int signals,
                    struct error *error)
{
    bool closed, told = false;
    int master = -1;
    struct reply reply;
    struct terminal_relay terminal = TERMINAL_RELAY_NONE;
    cleanup_close int connection = client_connect(name, error);
    if (connection < 0 || !client_send(connection, request, descriptors, &closed, error) ||
        !client_receive(connection, &reply, &master, clock_microseconds() + STARTED_MICROSECONDS, &closed, error))
        return -1;
    if (reply.kind != REPLY_STARTED || (master >= 0) != (request->terminals != 0)) {
        cleanup_close_fd(&master);
        error_set(error, ERROR_SYSTEM, "the keeper's answer makes no sense");
        return -1;
    }
    struct conversation conversation = { .connection = connection };
    int status = -1;
    if (request->terminals == 0 || terminal_relay_open(&terminal, master, error))
        status = attend(signals, &terminal, connection, command_ended, &conversation, &told);
    if (told) {
        shutdown(connection, SHUT_WR);
        client_receive(connection, &reply, NULL, clock_microseconds() + ENDED_MICROSECONDS, &closed,
                       &conversation.error);
    } else if (status < 0 && conversation.error.code != ERROR_NONE) {
        error_set(error, conversation.error.code, "%s", conversation.error.text);
    }
    terminal_relay_close(&terminal);
    return status;
}

static int run(int argc, char **argv, struct error *error)
{
    static const struct option options[] = { { "as", required_argument, NULL, 'a' }, COMMAND_HELP_OPTION };
    static char *shell[] = { "/bin/sh", NULL };
    static struct request request = { .kind = REQUEST_EXEC, .principal = REQUEST_DEFAULT_PRINCIPAL };
    for (int option; (option = getopt_long(argc, argv, "+:", options, NULL)) != -1;) {
        enum principal principal;
        if (option != 'a')
            return bottle_command_other_option(&bottle_command_exec, argv, option, error);
        if (!bottle_option_principal(optarg, &principal, error))
            return -1;
        request.principal = principal;
    }
    const char *name = optind < argc ? argv[optind++] : NULL;
    if (name == NULL) {
        error_set(error, ERROR_USAGE, "exec: the bottle's name is missing: see bottle exec --help");
        return -1;
    }
    if (!bottle_command_check_name(name, error))
        return -1;
    if (optind < argc && strcmp(argv[optind], "--") == 0)
        optind++;
    char **command = optind < argc ? argv + optind : shell;
    if (command[0][0] == '\0') {
        error_set(error, ERROR_USAGE, "exec: the command's name is empty");
        return -1;
    }
    for (; command[request.word_count] != NULL && request.word_count < REQUEST_WORDS; request.word_count++)
        request.words[request.word_count] = command[request.word_count];
    if (command[request.word_count] != NULL) {
        error_set(error, ERROR_USAGE, "exec: the command has more than %d words", REQUEST_WORDS);
        return -1;
    }
    int descriptors[REQUEST_STREAMS];
    if (!attend_fill_streams(error))
        return -1;
    choose_streams(&request, descriptors);
    cleanup_close int signals = attend_signals(error);
    int status = signals < 0 ? -1 : converse(name, &request, descriptors, signals, error);
    if (status == 127)
        fprintf(stderr, "bottle: %.128s: not found in the bottle\n", command[0]);
    return status;
}

const struct command bottle_command_exec = {
    .name = "exec",
    .summary = "run a command in a bottle that lives",
    .help = "usage: bottle exec [--as user|root] NAME [--] [COMMAND [ARGUMENT...]]\n"
            "\n"
            "Runs COMMAND (default /bin/sh) in the bottle NAME, which bottle start has started. What the command left\n"
            "running stays when it ends; when this bottle exec is ended, so is the command.\n"
            "\n"
            "  --as user|root     uid 65534 or uid 0 of the bottle (default: what the bottle was started with)\n"
            "\n"
            "Exit status: the command's own; 128+n if signal n ended it or bottle; 127 not found, 126 not executable;\n"
            "125 no such bottle, or the command could not be started; 4 wrong usage.\n",
    .run = run,
};
