/*
 * Making one fault: an otherwise real run, how it ended, and what was left behind. It is made in a process of its own,
 * which adopts whatever the run leaves, so that several faults can be made side by side and none sees another's orphans.
 */
#ifndef GATES_FAULTS_MAKE_H
#define GATES_FAULTS_MAKE_H

#include "../fault.h"

struct fault_outcome {
    bool made;           /* false: the process that made it ended without a word */
    const char *skipped; /* why it can't be made here, or NULL */
    int status;          /* what the run ended with: 0 to 4, or 128 + n for signal n */
    char reason[256];    /* what the run said */
    char left[128];      /* what was left behind, or "" */
    uint64_t milliseconds;
};

/* Starts the process; `outcome` is in memory shared with it. Returns its pid, -1 on failure. */
pid_t fault_make(const struct fault *fault, struct fault_outcome *outcome, struct error *error);

/* True if the outcome is what a sound gate comes to; else `why` says what isn't. */
bool fault_is_as_it_must(const struct fault *fault, const struct fault_outcome *outcome, char *why, size_t size);

/* `bottle-gate run` as a program, with the fault's signal, output or limits, and with --report unless `report` is NULL. Fills
 * status and reason. Public for make.c and directory.c. */
bool program_run(const struct fault *fault, const char *report, struct fault_outcome *outcome, struct error *error);

/* `bottle-gate replay REPORT`, the same way. */
bool program_replay(const char *report, struct fault_outcome *outcome, struct error *error);

/* program_run with the fault's --report, and what follows from that. */
bool directory_run(const struct fault *fault, struct fault_outcome *outcome, struct error *error);

/* The vectors that every fault's run tries: a few, cheap ones, one of each kind. */
extern const uint16_t fault_vectors[];
extern const size_t fault_vector_count;
#define FAULT_VECTOR_SWEEP 1u /* besides, where the fault is about the sweep */

#endif
