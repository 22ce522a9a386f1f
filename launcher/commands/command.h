/*
 * The sub-commands of `bottle`: one row in bottle.c and one short file here for each.
 */
#ifndef LAUNCHER_COMMANDS_COMMAND_H
#define LAUNCHER_COMMANDS_COMMAND_H

#include "../program/program.h"

/* Launch failures end `bottle` with this status, as `docker run` does. */
enum { STATUS_LAUNCH = 125 };

extern const struct program bottle_program;

extern const struct command bottle_command_run, bottle_command_start, bottle_command_exec, bottle_command_put,
    bottle_command_list, bottle_command_stop, bottle_command_backends;

/* What several of them say of themselves. */
extern const struct text_row bottle_files[], bottle_environment[];

/* Fails with ERROR_USAGE unless `name` can be a bottle's. */
bool bottle_command_check_name(const char *name, struct error *error);

#endif
