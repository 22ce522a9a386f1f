/*
 * The commands of bottle-gate: one row in gate.c and one file here for each. A command returns an exit status (see
 * gates/README.md), or -1 with `error` filled; only main() exits.
 */
#ifndef GATES_COMMANDS_COMMAND_H
#define GATES_COMMANDS_COMMAND_H

#include <stdbool.h>
#include <stddef.h>

#include "../../launcher/program/program.h"

enum exit_status {
    EXIT_PASS = 0,
    EXIT_FAIL = 1,
    EXIT_INCONCLUSIVE = 2,
    EXIT_BROKEN = 3,
    EXIT_USAGE = STATUS_USAGE, /* usage, configuration, preflight */
};

extern const struct program gate_program;

extern const struct command command_run, command_replay, command_preflight, command_vectors, command_explain,
    command_selftest, command_gc;

/* What several of them say of themselves. */
extern const struct text_row gate_verdict_statuses[], gate_environment[], gate_files[];

/* Tells `error` and returns the exit status for that kind of it; for what is no reason to return. */
int command_fail(const struct error *error);

#endif
