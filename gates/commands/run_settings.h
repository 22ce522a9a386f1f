/* What `bottle-gate run` was asked to do: its options, parsed into one struct. */
#ifndef GATES_COMMANDS_RUN_SETTINGS_H
#define GATES_COMMANDS_RUN_SETTINGS_H

#include "../report/report.h"
#include "../run.h"
#include "command.h"

struct run_settings {
    struct run_options options;
    const char *backend_name,
        *mutant_name; /* resolved after all options are known: --backend may come after --mutant */
    const struct report_format *format;
    const char *report; /* the directory of --report, or NULL */
    bool keep, verbose, quiet;
};

#define RUN_OPTIONS 13
extern const struct command_option run_option_table[RUN_OPTIONS];

/* The defaults, BOT_BOTTLE_BACKEND included. */
void run_settings_defaults(struct run_settings *settings);

/* Resolves names against the backend, refuses contradictions. */
bool run_settings_resolve(struct run_settings *settings, struct error *error);

#endif
