/*
 * The sub-commands of `bottle`: one row in bottle_main.c and one short file here for each.
 */
#ifndef LAUNCHER_COMMANDS_COMMAND_H
#define LAUNCHER_COMMANDS_COMMAND_H

#include "../support/error.h"

/* Launch failures end `bottle` with this status, as `docker run` does; wrong usage ends everything of this project with 4. */
enum { STATUS_USAGE = 4, STATUS_LAUNCH = 125 };

struct command {
    const char *name;
    const char *summary; /* for the list of commands */
    const char *help;    /* printed by --help */
    /* argv[0] is the command's name. Returns the exit status, or -1 with `error` filled. */
    int (*run)(int argc, char **argv, struct error *error);
};

extern const struct command bottle_command_run, bottle_command_start, bottle_command_exec, bottle_command_put,
    bottle_command_list, bottle_command_stop, bottle_command_backends;

/* The last row of every command's table of long options. */
#define COMMAND_HELP_OPTION                                                                                            \
    { "help", no_argument, NULL, 'h' },                                                                                \
    {                                                                                                                  \
        0                                                                                                              \
    }

/* What every command does with an option that isn't its own: prints its help and returns 0, or, for one that getopt_long
 * doesn't know, fills `error` and returns -1. */
int bottle_command_other_option(const struct command *command, char *const argv[], int option, struct error *error);

/* Fails with ERROR_USAGE unless `name` can be a bottle's. */
bool bottle_command_check_name(const char *name, struct error *error);

#endif
