/*
 * The commands of bottle-gate: a table of them, and a table of options for each, from which help is made (and
 * later man pages and completion). A command returns an exit status (see gates/README.md); only gate_main.c
 * exits.
 */
#ifndef GATES_COMMANDS_COMMAND_H
#define GATES_COMMANDS_COMMAND_H

#include <stdbool.h>
#include <stddef.h>

#include "../../launcher/support/error.h"

enum exit_status {
    EXIT_PASS = 0,
    EXIT_FAIL = 1,
    EXIT_INCONCLUSIVE = 2,
    EXIT_BROKEN = 3,
    EXIT_USAGE = 4, /* usage, configuration, preflight */
};

/* One option: --name[=ARGUMENT], and -x where letter is not 0. `take` stores it in the command's own
 * settings; `argument` is NULL for an option without one. An option that was given twice is refused before
 * `take` sees it. */
struct command_option {
    const char *name;
    char letter;
    const char *argument;
    const char *help;
    bool (*take)(void *settings, const char *argument, struct error *error);
};

struct command {
    const char *name, *summary;
    const char *details; /* a paragraph for --help, or NULL */
    const struct command_option *options;
    size_t option_count;
    int (*run)(int argc, char **argv);
};

extern const struct command command_run, command_replay, command_selftest;

/* Parses argv (argv[0] is the command's name) by the command's table. False with `error` filled (ERROR_USAGE)
 * if it does not fit; *helped is set if --help was given and printed. Operands are refused. */
bool command_parse(const struct command *command, int argc, char **argv, void *settings, bool *helped,
                   struct error *error);

void command_print_help(const struct command *command);

/* Prints "bottle-gate: <text>" on standard error and returns the exit status for that kind of error. */
int command_fail(const struct error *error);

/* Splits `list` at commas and calls `each` for every non-empty piece (copied into a buffer of 64 bytes);
 * refuses empty and overlong pieces. */
bool command_split(const char *list, const char *option,
                   bool (*each)(void *settings, const char *piece, struct error *error), void *settings,
                   struct error *error);

#endif
