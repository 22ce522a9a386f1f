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

#include <limits.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../backend.h"
#include "../support/cleanup.h"
#include "../support/install.h"
#include "../support/process.h"
#include "../terminal_relay.h"

struct settings {
    struct new_bottle bottle;
    char **command;
};

static bool take_command(void *settings, char **words, struct error *error)
{
    ((struct settings *)settings)->command = words;
    return words[0][0] != '\0' || error_set(error, ERROR_USAGE, "run: the command's name is empty");
}

static const struct command_option options[] = { BOTTLE_OPTION_ROWS };

static const struct command_operand operands[] = {
    { .name = "COMMAND", .help = "what to run (default: /bin/sh)", .take_command = take_command, .kind = WORD_PROGRAM },
};

static bool command_ended(void *context, int *status)
{
    int result;
    const pid_t *command = context;
    if (waitpid(*command, &result, WNOHANG) != *command)
        return false;
    *status = process_exit_status(result);
    return true;
}

static int run_in(struct bottle *bottle, const struct settings *settings, int signals, struct terminal_relay *terminal,
                  struct error *error)
{
    struct exec_streams streams = { .input = 0, .output = 1, .errors = 2 };
    cleanup_close int slave = -1;
    pid_t command;
    if (terminal_relay_wanted()) {
        int master;
        if (!native_backend.open_terminal(bottle, settings->bottle.principal, &master, &slave, error) ||
            !terminal_relay_open(terminal, master, error))
            return -1;
        streams.terminal = isatty(0) == 1;
        streams.input = isatty(0) == 1 ? slave : 0;
        streams.output = isatty(1) == 1 ? slave : 1;
        streams.errors = isatty(2) == 1 ? slave : 2;
    }
    if (!native_backend.exec(bottle, settings->command, settings->bottle.principal, &streams, &command, error))
        return -1;
    cleanup_close_fd(&slave); /* the end of the last process inside is the end of its terminal */
    return attend(signals, terminal, -1, command_ended, &command, NULL);
}

static int run(int argc, char **argv, struct error *error)
{
    static char *shell[] = { "/bin/sh", NULL };
    char init[PATH_MAX];
    bool helped;
    struct settings settings = { .bottle = { .options = { .system_directories = true, .init_path = init },
                                             .principal = PRINCIPAL_USER },
                                 .command = shell };
    if (!command_parse(&bottle_command_run, argc, argv, &settings, &helped, error))
        return -1;
    if (helped)
        return 0;
    if (!install_find("bottle-init", init, error))
        return -1;
    cleanup_close int signals = attend_signals(error);
    if (signals < 0)
        return -1;
    struct bottle *bottle = native_backend.start(&settings.bottle.options, error);
    if (bottle == NULL)
        return -1;
    struct terminal_relay terminal = TERMINAL_RELAY_NONE;
    int status = run_in(bottle, &settings, signals, &terminal, error);
    /* First everybody inside ends, then the last of what they wrote is shown, then the terminal is as it was. */
    bool gone = native_backend.destroy(bottle, error);
    terminal_relay_close(&terminal);
    if (status == 127)
        fprintf(stderr, "bottle: %.128s: not found in the bottle\n", settings.command[0]);
    return gone ? status : -1;
}

static const struct text_row statuses[] = {
    { "0-255", "the command's own" },
    { "4", "wrong usage" },
    { "125", "the bottle could not be started" },
    { "126, 127", "the command is not executable, is not found" },
    { "128+n", "signal n ended the command, or bottle" },
    { NULL, NULL },
};

const struct command bottle_command_run = {
    .program = "bottle",
    .name = "run",
    .summary = "run a command in a new bottle",
    .description =
        "Runs COMMAND in a new native bottle: the system's programs, read-only, and nothing else of this host; "
        "no network but the door. The bottle ends with the command and leaves nothing.",
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .operands = operands,
    .operand_count = sizeof operands / sizeof *operands,
    .statuses = statuses,
    .environment = bottle_environment,
    .see_also = "bottle-start(1), bottle-exec(1), bottle-backends(1)",
    .run = run,
};
