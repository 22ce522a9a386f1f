/*
 * Is each fence what keeps its vectors in? Fences overlap, so one is proved by a pair of runs, both without the fences
 * that mask it: with the fence itself its vectors must be blocked, without it they must escape, all of them and nothing
 * else.
 */
#ifndef GATES_SELF_PROOF_H
#define GATES_SELF_PROOF_H

#include "phase.h"

#define FENCES_MAX    32
#define PHASE_RESULTS (PHASES + 2 * FENCES_MAX)

struct run;
struct run_options;

/* One fence of the backend that this run's vectors exercise. */
struct fence_pair {
    size_t fence; /* index in the backend's table */
    size_t with;  /* index of the run that still has it, in run->phases: the fenced run itself where nothing masks it */
    size_t without;
    bool proved;
    unsigned escaped, planned; /* attempts of its vectors, without it */
    char reason[200];          /* what is wrong, where it isn't proved; else "" */
};

/* Fills run->pairs: one for each fence that a planned vector exercises, with the indices of its runs, which follow from
 * plan and backend alone. Returns how many phase results there are then, PHASES and these. */
size_t self_proof_pairs(struct run *run);

/* Makes the runs of all pairs. `common`: what every phase of the run has in common. */
bool self_proof_run(struct run *run, const struct phase_options *common, struct error *error);

/* Fills proved, escaped and reason of every pair. */
void self_proof_judge(struct run *run);

/* The first pair that failed, or NULL. */
const struct fence_pair *self_proof_void(const struct run *run);

/* True if bottles of the run's policy have this fence. */
bool self_proof_has(const struct run_options *options, size_t fence);

/* The bits of the fences of that policy that mask this one. */
uint32_t self_proof_masks(const struct run_options *options, size_t fence);

/* True if an attempt that the fence stops is in the run's plan. */
bool self_proof_exercised(const struct run *run, const struct fence *fence);

/* True of a fence that bottles of the run's policy have, and no planned attempt exercises. */
bool self_proof_leaves_out(const struct run *run, size_t fence);

#endif
