/* A whole run of one vector with a backend of the test's own, sweep and mutants aside. */
#ifndef TESTS_UNIT_GATES_WHOLE_RUN_H
#define TESTS_UNIT_GATES_WHOLE_RUN_H

#include <linux/close_range.h>
#include <unistd.h>

#include "../../gates/run.h"

static inline struct run *whole_run(const struct backend *backend, const char *policy, struct error *error)
{
    struct run_options options = { .backend = backend,
                                   .policy = policy,
                                   .principals = { true, true },
                                   .vectors = { 20 },
                                   .vector_count = 1,
                                   .deadline_milliseconds = 5000,
                                   .self_proof = SELF_PROOF_OPEN,
                                   .sweep = SWEEP_OFF,
                                   .mutant = -1 };
    /* A bare probe writes into whatever it inherits, and Criterion keeps a test's data behind a descriptor. */
    close_range(3, ~0u, CLOSE_RANGE_CLOEXEC);
    return run_execute(&options, error);
}

#endif
