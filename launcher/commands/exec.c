/*
 * bottle exec: a command in a bottle that lives on. The streams go to the bottle's keeper, which starts the command and says
 * how it ended; a terminal stays here, and what comes back in its place is the master of one of the bottle's own, relayed as
 * by `bottle run`. The connection is the command's life: when this process goes, however it goes, the keeper ends the command.
 */
#include "attend.h"
#include "bottle_options.h"
#include "command.h"

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

struct settings {
    const char *name;
    struct request *request;
};

static bool take_principal(void *settings, const char *argument, struct error *error)
{
    enum principal principal;
    if (!bottle_read_principal(argument, &principal, error))
        return false;
    ((struct settings *)settings)->request->principal = principal;
    return true;
}

static bool take_name(void *settings, const char *operand, struct error *error)
{
    ((struct settings *)settings)->name = operand;
    return bottle_command_check_name(operand, error);
}

static bool take_command(void *settings, char **words, struct error *error)
{
    struct request *request = ((struct settings *)settings)->request;
    if (words[0][0] == '\0')
        return error_set(error, ERROR_USAGE, "exec: the command's name is empty");
    for (request->word_count = 0; words[request->word_count] != NULL; request->word_count++) {
        if (request->word_count == REQUEST_WORDS)
            return error_set(error, ERROR_USAGE, "exec: the command has more than %d words", REQUEST_WORDS);
        request->words[request->word_count] = words[request->word_count];
    }
    return true;
}

static const struct command_option options[] = {
    { .name = "as",
      .argument = "user|root",
      .help = "uid 65534 or uid 0 of the bottle (default: what the bottle was started with)",
      .take = take_principal },
};

static const struct command_operand operands[] = {
    { .name = "NAME", .help = "the bottle's name", .least = 1, .most = 1, .take = take_name, .kind = WORD_BOTTLE },
    { .name = "COMMAND", .help = "what to run (default: /bin/sh)", .take_command = take_command, .kind = WORD_PROGRAM },
};

static int run(int argc, char **argv, struct error *error)
{
    static struct request request = {
        .kind = REQUEST_EXEC, .principal = REQUEST_DEFAULT_PRINCIPAL, .words = { "/bin/sh" }, .word_count = 1
    };
    struct settings settings = { .request = &request };
    bool helped;
    if (!command_parse(&bottle_command_exec, argc, argv, &settings, &helped, error))
        return -1;
    if (helped)
        return 0;
    int descriptors[REQUEST_STREAMS];
    choose_streams(&request, descriptors);
    cleanup_close int signals = attend_signals(error);
    int status = signals < 0 ? -1 : converse(settings.name, &request, descriptors, signals, error);
    if (status == 127)
        fprintf(stderr, "bottle: %.128s: not found in the bottle\n", request.words[0]);
    return status;
}

static const struct text_row statuses[] = {
    { "0-255", "the command's own" },
    { "4", "wrong usage" },
    { "125", "no such bottle, or the command could not be started" },
    { "126, 127", "the command is not executable, is not found" },
    { "128+n", "signal n ended the command, or bottle" },
    { NULL, NULL },
};

const struct command bottle_command_exec = {
    .program = "bottle",
    .name = "exec",
    .summary = "run a command in a bottle that lives",
    .description =
        "Runs COMMAND in the bottle NAME, which bottle start has started. What the command left running stays "
        "when it ends; when this bottle exec is ended, so is the command.",
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .operands = operands,
    .operand_count = sizeof operands / sizeof *operands,
    .statuses = statuses,
    .files = bottle_files,
    .environment = bottle_environment,
    .see_also = "bottle-start(1), bottle-put(1), bottle-stop(1)",
    .run = run,
};
