/*
 * Phases as processes: several at a time, side by side, each PID 1 of namespaces made for it and killed by the kernel when
 * the gate dies. Each has a site of its own, so they can't disturb each other, and together they cost about as much time as
 * the longest of them.
 */
#ifndef GATES_PHASES_H
#define GATES_PHASES_H

#include "phase.h"

#define PHASES_AT_ONCE 3

struct phase_job {
    struct phase_options options;
    struct phase_result *result; /* in memory that is shared with the phase's process */
};

/* Runs `count` jobs to their ends, as many side by side as phases_room says. `progress` (or NULL) is called with a line at each step of each. False if one
 * could not be started; other failures are in the results. Once one of them lacks something, those that wait for room are not begun. */
bool phases_run(const struct phase_job *jobs, size_t count, void (*progress)(const char *line, void *context),
                void *context, struct error *error);

/* True of a phase that could not be made because this host lacks something: its error says what. */
bool phases_lack(const struct phase_result *result);

/* Ends every phase that is under way; for a signal handler (async-signal-safe). */
void phases_interrupt(void);

/* How many of `count` jobs, from the first on, this host has room for at the same time: 1 to PHASES_AT_ONCE. Bottles with a kernel of
 * their own take memory (struct backend, bottle_mebibytes) and a processor each; and the options may ask for fewer (at_once). */
size_t phases_room(const struct phase_job *jobs, size_t count);

/* SIGKILLs the process of job `index` of those that are under way: for the selftest. */
void phases_kill(size_t index);

#endif
