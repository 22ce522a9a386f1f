/* What `bottle-gate run` was asked to do: its options, parsed into one struct. */
#ifndef GATES_COMMANDS_RUN_SETTINGS_H
#define GATES_COMMANDS_RUN_SETTINGS_H

#include "../report/report.h"
#include "../run.h"
#include "backend_option.h"
#include "command.h"

struct run_settings {
    struct backend_choice
        choice; /* this and mutant_name are resolved when all options are known, whatever their order */
    struct run_options options;
    const char *mutant_name;
    const struct report_format *format;
    const char *report; /* the directory of --report, or NULL */
    bool keep, verbose, quiet;
};

#define RUN_OPTIONS (BACKEND_OPTIONS + 15)
extern const struct command_option run_option_table[RUN_OPTIONS];

/* The defaults, BOT_BOTTLE_BACKEND included. */
void run_settings_defaults(struct run_settings *settings);

/* Leaves out the open run where the backend has no open bottle, and refuses to accept or require what can't matter (ERROR_USAGE). */
bool run_settings_settle(struct run_options *options, struct error *error);

/* Resolves names against the backend, refuses contradictions. */
bool run_settings_resolve(struct run_settings *settings, struct error *error);

#endif
