/*
 * bottle run: one command in a new native bottle, for a person or a script. The bottle lives exactly as long as the command:
 * it is destroyed when the command ends, when `bottle` is told to end (SIGTERM, SIGINT, SIGHUP, SIGQUIT), and by the kernel
 * when `bottle` is killed.
 *
 * Streams that are no terminal are passed as they are. A terminal never goes in: the command gets one of the bottle's own,
 * and terminal_relay carries the bytes.
 */
#include "attend.h"
#include "bottle_options.h"
#include "command.h"

#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../backend.h"
#include "../support/cleanup.h"
#include "../support/install.h"
#include "../support/process.h"
#include "../terminal_relay.h"

struct request {
    struct bottle_options bottle;
    enum principal principal;
    char **command;
    bool help; /* was asked for and given */
};

static int parse(int argc, char **argv, struct request *request, struct error *error)
{
    static const struct option options[] = { BOTTLE_OPTION_ROWS, COMMAND_HELP_OPTION };
    static char *shell[] = { "/bin/sh", NULL };
    for (int option; (option = getopt_long(argc, argv, "+:", options, NULL)) != -1;) {
        if (bottle_option_read(option, optarg, &request->bottle, &request->principal, error))
            continue;
        request->help = option == 'h';
        return error->code != ERROR_NONE ? -1 : bottle_command_other_option(&bottle_command_run, argv, option, error);
    }
    request->command = optind < argc ? argv + optind : shell;
    if (request->command[0][0] != '\0')
        return 0;
    error_set(error, ERROR_USAGE, "run: the command's name is empty");
    return -1;
}

static bool command_ended(void *context, int *status)
{
    int result;
    const pid_t *command = context;
    if (waitpid(*command, &result, WNOHANG) != *command)
        return false;
    *status = process_exit_status(result);
    return true;
}

static int run_in(struct bottle *bottle, const struct request *request, int signals, struct terminal_relay *terminal,
                  struct error *error)
{
    struct exec_streams streams = { .input = 0, .output = 1, .errors = 2 };
    cleanup_close int slave = -1;
    pid_t command;
    if (terminal_relay_wanted()) {
        int master;
        if (!native_backend.open_terminal(bottle, request->principal, &master, &slave, error) ||
            !terminal_relay_open(terminal, master, error))
            return -1;
        streams.terminal = isatty(0) == 1;
        streams.input = isatty(0) == 1 ? slave : 0;
        streams.output = isatty(1) == 1 ? slave : 1;
        streams.errors = isatty(2) == 1 ? slave : 2;
    }
    if (!native_backend.exec(bottle, request->command, request->principal, &streams, &command, error))
        return -1;
    cleanup_close_fd(&slave); /* the end of the last process inside is the end of its terminal */
    return attend(signals, terminal, -1, command_ended, &command, NULL);
}

static int run(int argc, char **argv, struct error *error)
{
    char init[PATH_MAX];
    struct request request = { .bottle = { .system_directories = true, .init_path = init },
                               .principal = PRINCIPAL_USER };
    int parsed = parse(argc, argv, &request, error);
    if (parsed == 0 && request.help)
        return 0;
    if (parsed != 0 || !attend_fill_streams(error) || !install_find("bottle-init", init, error))
        return -1;
    cleanup_close int signals = attend_signals(error);
    if (signals < 0)
        return -1;
    struct bottle *bottle = native_backend.start(&request.bottle, error);
    if (bottle == NULL)
        return -1;
    struct terminal_relay terminal = TERMINAL_RELAY_NONE;
    int status = run_in(bottle, &request, signals, &terminal, error);
    /* First everybody inside ends, then the last of what they wrote is shown, then the terminal is as it was. */
    bool gone = native_backend.destroy(bottle, error);
    terminal_relay_close(&terminal);
    if (status == 127)
        fprintf(stderr, "bottle: %.128s: not found in the bottle\n", request.command[0]);
    return gone ? status : -1;
}

const struct command bottle_command_run = {
    .name = "run",
    .summary = "run a command in a new bottle",
    .help =
        "usage: bottle run [OPTION...] [--] [COMMAND [ARGUMENT...]]\n"
        "\n"
        "Runs COMMAND (default /bin/sh) in a new native bottle: the system's programs, read-only, and nothing else\n"
        "of this host; no network but the door. The bottle ends with the command and leaves nothing.\n"
        "\n" BOTTLE_OPTION_HELP "\n"
        "Exit status: the command's own; 128+n if signal n ended it or bottle; 127 not found, 126 not executable;\n"
        "125 the bottle could not be started; 4 wrong usage.\n",
    .run = run,
};
