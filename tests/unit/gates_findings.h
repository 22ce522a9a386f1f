/* A run made up by hand for the tests of evidence and verdict: everything that three phases would have found had all gone
 * well, caught in bare and open, silent in fenced. A test changes one thing in it and asks what follows. */
#ifndef TESTS_UNIT_GATES_FINDINGS_H
#define TESTS_UNIT_GATES_FINDINGS_H

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "../../gates/run.h"
#include "../../gates/verdict.h"

#define SEQ          1 /* the attempt that things happen to, as root */
#define EXTRA_PHASES 2 /* for the pair of a fence */

static struct run *run;
static struct backend backend; /* the native one, for a test to change */

static void forget_run(void)
{
    if (run == NULL)
        return;
    free(run->phases);
    free(run->attempts);
    free(run);
    run = NULL;
}

static struct phase_result *fenced(void)
{
    return &run->phases[PHASE_FENCED];
}

static struct part_result *root(enum phase_kind phase)
{
    return &run->phases[phase].parts[PRINCIPAL_ROOT][PART_ATTEMPTS];
}

static struct hit *add_hit(enum phase_kind phase, uint16_t seq, enum principal principal, unsigned kind)
{
    struct hit *hit = &run->phases[phase].hits[run->phases[phase].hit_count++];
    hit->watch = (uint16_t)plan_watch_index(&run->plan, seq, principal);
    hit->kind = (enum witness_kind)kind;
    return hit;
}

static inline void forget_hits(enum phase_kind phase)
{
    run->phases[phase].hit_count = 0;
}

/* Nobody heard this one. */
static inline void forget_hit(enum phase_kind phase, uint16_t seq, enum principal principal)
{
    struct phase_result *result = &run->phases[phase];
    size_t kept = 0;
    for (size_t i = 0; i < result->hit_count; i++)
        if (result->hits[i].watch != plan_watch_index(&run->plan, seq, principal))
            result->hits[kept++] = result->hits[i];
    result->hit_count = kept;
}

static void make_good_phase(int index, bool caught)
{
    struct phase_result *phase = &run->phases[index];
    phase->state = PHASE_FINISHED;
    phase->control_before = phase->control_final = phase->peer_good = true;
    phase->sweep_ports = 100;
    strcpy(phase->fingerprint.kernel, "6.1");
    strcpy(phase->fingerprint.boot_id, "b1");
    memset(phase->token, 0xa0 + index, sizeof phase->token);
    for (int p = 0; p < PRINCIPALS; p++)
        for (int part = 0; part < PARTS; part++) {
            struct part_result *own = &phase->parts[p][part];
            own->ran = own->door_before = own->door_after = own->control_during = own->control_after = true;
            own->collection.state = STREAM_COMPLETE;
            own->collection.uid = p == PRINCIPAL_ROOT ? 0 : 65534;
            strcpy(own->collection.kernel, "6.1");
            strcpy(own->collection.boot_id, part == PART_SWEEP ? "-" : "b1"); /* not every bottle lets it be seen */
            strcpy(own->collection.digest, "d1");
        }
    for (int p = 0; p < PRINCIPALS; p++)
        for (uint16_t seq = 1; seq <= run->plan.count; seq++) {
            enum plan_part part;
            uint16_t own_seq = plan_seq_in_part(&run->plan, seq, &part);
            struct collected_act *act = &phase->parts[p][part].collection.acts[own_seq];
            unsigned proof = run->plan.attempts[seq - 1].vector->proof;
            act->tried = act->done = true;
            act->did.stage = STAGE_SENT;
            act->did.sent = 100;
            if (caught)
                add_hit((enum phase_kind)index, seq, (enum principal)p, proof != 0 ? proof : WITNESS_CAPTURE);
        }
}

static void make_good_run_of(const uint16_t *asked, size_t count)
{
    struct error error = { 0 };
    struct plan_wishes wishes = {
        .vectors = asked, .vector_count = count, .ipv6 = true, .peer4 = "127.0.0.1", .peer6 = "::1"
    };
    forget_run();
    backend = native_backend;
    run = calloc(1, sizeof *run);
    run->phases = calloc(PHASES + EXTRA_PHASES, sizeof *run->phases);
    run->attempts = calloc((size_t)PRINCIPALS * PLAN_ATTEMPTS_MAX, sizeof *run->attempts);
    run->options = (struct run_options){
        .backend = &backend, .principals = { true, true }, .self_proof = SELF_PROOF_OPEN, .mutant = -1
    };
    cr_assert(plan_make(&run->plan, &wishes, &error), "%s", error.text);
    run->findings = (struct findings){ .plan = &run->plan, .backend = &backend, .shares_kernel = true };
    strcpy(run->findings.kernel, "6.1");
    strcpy(run->findings.boot_id, "b1");
    strcpy(run->findings.probe_digest, "d1");
    for (int k = 0; k < PHASES; k++) {
        run->findings.phases[k] = &run->phases[k];
        make_good_phase(k, k != PHASE_FENCED);
    }
}

/* BG-114: a stream and a datagram, each as user and as root. */
static inline void make_good_run(void)
{
    static const uint16_t asked[] = { 114 };
    make_good_run_of(asked, 1);
}

/* Judges the run as the gate does, however often it was judged before. */
static inline void judge_run(void)
{
    run->attempt_count = run->accepted_count = 0;
    memset(run->counts, 0, sizeof run->counts);
    run->reason[0] = '\0';
    run_judge(run);
}

/* What the probe told of the attempt as root. */
static inline struct collected_act *act_of(enum phase_kind phase)
{
    return &root(phase)->collection.acts[SEQ];
}

static inline void fail_with(enum phase_kind phase, uint32_t sent, const char *error)
{
    act_of(phase)->did.sent = sent;
    strcpy(act_of(phase)->did.error, error);
}

/* Each bottle gets a kernel of its own, of the host's release or another. */
static inline void give_bottles_a_kernel(const char *release)
{
    run->findings.shares_kernel = false;
    for (int k = PHASE_OPEN; k < PHASES; k++) {
        strcpy(run->phases[k].fingerprint.kernel, release);
        strcpy(run->phases[k].fingerprint.boot_id, "b2");
        for (int i = 0; i < PRINCIPALS * PARTS; i++) {
            struct collection *collection = &run->phases[k].parts[i / PARTS][i % PARTS].collection;
            strcpy(collection->kernel, release);
            strcpy(collection->boot_id, i % PARTS == PART_SWEEP ? "-" : "b2");
        }
    }
}

#endif
