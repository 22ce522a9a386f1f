/*
 * A run: the plan, the three phases (side by side, each in namespaces of its own), the evidence, the
 * judgements and the verdict. Everything that a report says is in struct run.
 */
#ifndef GATES_RUN_H
#define GATES_RUN_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "evidence.h"
#include "fault.h"
#include "judge.h"
#include "plan.h"
#include "self_proof.h"
#include "site/site.h"

/* How a run shows that it would have noticed. */
enum self_proof {
    SELF_PROOF_OFF,  /* the fenced run only: never a PASS */
    SELF_PROOF_BARE, /* the bare run besides: a PASS only where accept_open says that this is enough */
    SELF_PROOF_OPEN, /* bare and open run besides */
    SELF_PROOF_EACH, /* and a pair of runs for each fence */
};

/* Ids that an option names. */
struct vector_list {
    size_t count;
    uint16_t ids[VECTORS_ASKED_MAX];
};
bool vector_list_has(const struct vector_list *list, uint16_t vector);

struct run_options {
    const struct backend *backend;
    enum site_kind site;
    const char *policy; /* one of the backend's, or NULL if it has none */
    bool principals[PRINCIPALS];
    uint16_t vectors[VECTORS_ASKED_MAX];
    size_t vector_count;            /* 0: the core profile */
    uint32_t deadline_milliseconds; /* for all attempts of one principal, 100 to 600000 */
    enum self_proof self_proof;
    bool accept_open;            /* where no open run is made, the bare one is enough */
    struct vector_list accepted; /* may stay INCONCLUSIVE where nobody can tell whether they would be noticed */
    struct vector_list required; /* may not stand under what is not proved here */
    enum sweep_extent sweep;
    unsigned jobs;             /* runs (bare, open, fenced) side by side; 0: as many as there is room for */
    int mutant;                /* index of a fence to leave out with those that mask it, or -1 */
    const struct fault *fault; /* one that the selftest makes, or NULL */
    void (*progress)(const char *line, void *context); /* or NULL; called at each step */
    void *context;
};

struct run_attempt_result {
    uint16_t seq;
    enum principal principal;
    struct evidence evidence;
    struct judgement judgement;
    bool accepted; /* INCONCLUSIVE, and taken without proof: options.accepted names it, and nothing else is amiss */
};

/* The verdict on the run, and the exit status it stands for. */
enum run_verdict { RUN_PASS = 0, RUN_FAIL = 1, RUN_INCONCLUSIVE = 2, RUN_BROKEN = 3, RUN_VOID = 5 };
const char *run_verdict_name(enum run_verdict verdict);
int run_verdict_exit(enum run_verdict verdict); /* VOID exits as BROKEN does: 3 */

struct run {
    struct run_options options;
    struct run_plan plan;
    struct findings findings;
    struct phase_result *phases; /* PHASE_RESULTS of them: bare, open, fenced, then those of the fences' pairs */
    size_t pair_count;
    struct fence_pair pairs[FENCES_MAX]; /* SELF_PROOF_EACH */
    size_t attempt_count;
    struct run_attempt_result *attempts;
    unsigned counts[VERDICTS];
    unsigned accepted_count; /* of the INCONCLUSIVE ones */
    enum run_verdict verdict;
    char reason[256]; /* one sentence on the verdict where it is not PASS or plain FAIL; else "" */
    struct timespec started, finished;
    uint64_t milliseconds;
    char kernel[65], arch[65];
    struct machine_places places; /* options.site SITE_HOST: what was known of the machine */
};

/* Makes the run. On success the caller owns *run and frees it with run_free. Failure is for what stops a run
 * before there is anything to judge: usage, preflight, no processes. */
struct run *run_execute(const struct run_options *options, struct error *error);
void run_free(struct run *run);

/* True if a run with these options makes that one of the three. */
bool run_makes_phase(const struct run_options *options, enum phase_kind phase);

/* A run with room for everything and nothing in it yet but its options; freed with run_free. */
struct run *run_new(const struct run_options *options, struct error *error);

/* Puts together, weighs and sums up what the phases of `run` found: fills attempts, pairs, counts, verdict and reason.
 * Needs plan, findings, phases and pairs (self_proof_pairs), and nothing else: the same evidence gives the same verdict
 * again. */
void run_judge(struct run *run);

/* Ends every phase that is under way; for a signal handler (async-signal-safe). */
void run_interrupt(void);

#endif
