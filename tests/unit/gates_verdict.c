/* Evidence and verdict: what counts as caught, missed, unknown; what breaks a run; which verdict goes before
 * which. Crafted phase results stand in for real phases here; the real ones are in tests/e2e. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../gates/run.h"
#include "../../gates/verdict.h"
#include "../../probes/encode.h"

#define SEQ 1

static struct run *run;

static void forget_run(void)
{
    if (run == NULL)
        return;
    free(run->phases);
    free(run->attempts);
    free(run);
    run = NULL;
}

/* A run of one vector in which everything went well: caught in bare and open, silent in fenced. */
static void make_good_run(void)
{
    static const uint16_t asked[] = { 114 };
    struct error error = { 0 };
    forget_run();
    run = calloc(1, sizeof *run);
    run->phases = calloc(PHASES, sizeof *run->phases);
    run->attempts = calloc(2 * PLAN_ATTEMPTS_MAX, sizeof *run->attempts);
    run->options = (struct run_options){
        .backend = &native_backend, .principals = { true, true }, .self_proof = true, .mutant = -1
    };
    cr_assert(plan_make(&run->plan, asked, 1, true, &error), "%s", error.text);
    run->findings = (struct findings){ .plan = &run->plan, .backend = &native_backend, .shares_kernel = true };
    strcpy(run->findings.kernel, "6.1");
    strcpy(run->findings.probe_digest, "d1");
    for (int k = 0; k < PHASES; k++) {
        struct phase_result *phase = &run->phases[k];
        run->findings.phases[k] = phase;
        phase->state = PHASE_FINISHED;
        phase->control_before = phase->control_final = true;
        memset(phase->token, 0xa0 + k, sizeof phase->token);
        for (int p = 0; p < PRINCIPALS; p++) {
            struct principal_result *own = &phase->principals[p];
            own->ran = own->door_before = own->door_after = own->control_during = own->control_after = true;
            own->collection.state = STREAM_COMPLETE;
            own->collection.uid = p == PRINCIPAL_ROOT ? 0 : 65534;
            strcpy(own->collection.kernel, "6.1");
            strcpy(own->collection.digest, "d1");
            for (uint16_t seq = 1; seq <= run->plan.count; seq++) {
                own->collection.acts[seq].tried = own->collection.acts[seq].done = true;
                own->collection.acts[seq].did.stage = STAGE_SENT;
                if (k != PHASE_FENCED)
                    phase->hits[phase->hit_count++].watch =
                        (uint16_t)plan_watch_index(&run->plan, seq, (enum principal)p);
            }
        }
    }
}

static void judge_run(void)
{
    run->attempt_count = 0;
    memset(run->counts, 0, sizeof run->counts);
    run->reason[0] = '\0';
    for (int p = 0; p < PRINCIPALS; p++)
        for (uint16_t seq = 1; seq <= run->plan.count; seq++) {
            struct run_attempt_result *attempt = &run->attempts[run->attempt_count++];
            *attempt = (struct run_attempt_result){ .seq = seq, .principal = (enum principal)p };
            evidence_gather(&run->findings, seq, attempt->principal, &attempt->evidence);
            attempt->judgement = judge(&attempt->evidence);
        }
    verdict_on_run(run);
}

static struct phase_result *fenced(void)
{
    return &run->phases[PHASE_FENCED];
}

static struct principal_result *root(enum phase_kind phase)
{
    return &run->phases[phase].principals[PRINCIPAL_ROOT];
}

static void forget_hits(enum phase_kind phase)
{
    run->phases[phase].hit_count = 0;
}

static void add_fenced_hit(void)
{
    fenced()->hits[fenced()->hit_count++].watch = (uint16_t)plan_watch_index(&run->plan, SEQ, PRINCIPAL_ROOT);
}

Test(verdict, is_pass_when_everything_is_in_order, .init = make_good_run, .fini = forget_run)
{
    judge_run();
    cr_assert_eq(run->verdict, RUN_PASS, "%s", run->reason);
    cr_assert_eq(run_verdict_exit(run->verdict), 0);
}

/* One thing goes wrong at a time: none of them may leave a PASS. */
static void no_final_control(void)
{
    fenced()->control_final = false;
}
static void no_first_control(void)
{
    fenced()->control_before = false;
}
static void no_control_during(void)
{
    root(PHASE_FENCED)->control_during = false;
}
static void no_control_after(void)
{
    root(PHASE_FENCED)->control_after = false;
}
static void no_first_door(void)
{
    root(PHASE_FENCED)->door_before = false;
}
static void no_last_door(void)
{
    root(PHASE_FENCED)->door_after = false;
}
static void principal_did_not_run(void)
{
    root(PHASE_FENCED)->ran = false;
}
static void stream_cut(void)
{
    root(PHASE_FENCED)->collection.state = STREAM_CUT;
}
static void stream_silent(void)
{
    root(PHASE_FENCED)->collection.state = STREAM_SILENT;
}
static void act_not_done(void)
{
    root(PHASE_FENCED)->collection.acts[SEQ].done = false;
}
static void act_not_tried(void)
{
    root(PHASE_FENCED)->collection.acts[SEQ].tried = false;
}
static void strays(void)
{
    fenced()->strays = 1;
}
static void open_missed(void)
{
    forget_hits(PHASE_OPEN);
}
static void both_missed(void)
{
    forget_hits(PHASE_OPEN), forget_hits(PHASE_BARE);
}
static void open_not_run(void)
{
    run->phases[PHASE_OPEN].state = PHASE_NOT_RUN;
}
static void bare_unknown(void)
{
    forget_hits(PHASE_BARE), root(PHASE_BARE)->control_after = false;
}
static void stream_forged(void)
{
    root(PHASE_FENCED)->collection.state = STREAM_FORGED;
}
static void stream_forged_in_bare(void)
{
    root(PHASE_BARE)->collection.state = STREAM_FORGED;
}
static void other_probe(void)
{
    strcpy(root(PHASE_FENCED)->collection.digest, "d2");
}
static void other_kernel(void)
{
    strcpy(root(PHASE_FENCED)->collection.kernel, "6.2");
}
static void other_uid(void)
{
    root(PHASE_FENCED)->collection.uid = 1000;
}
static void broken(void)
{
    fenced()->broken = true;
}
static void broken_in_open(void)
{
    run->phases[PHASE_OPEN].broken = true;
}
static void failed(void)
{
    fenced()->state = PHASE_FAILED;
}
static void died(void)
{
    fenced()->state = PHASE_RUNNING;
}
static void open_died(void)
{
    run->phases[PHASE_OPEN].state = PHASE_RUNNING;
}

static void starved(void)
{
    strcpy(root(PHASE_FENCED)->collection.acts[SEQ].did.error, "EMFILE");
}

static const struct {
    const char *name;
    void (*make)(void);
    enum run_verdict wanted;
} troubles[] = {
    { "no final control", no_final_control, RUN_INCONCLUSIVE },
    { "no first control", no_first_control, RUN_INCONCLUSIVE },
    { "no control during", no_control_during, RUN_INCONCLUSIVE },
    { "no control after", no_control_after, RUN_INCONCLUSIVE },
    { "no first door", no_first_door, RUN_INCONCLUSIVE },
    { "no last door", no_last_door, RUN_INCONCLUSIVE },
    { "a principal did not run", principal_did_not_run, RUN_INCONCLUSIVE },
    { "a stream that was cut", stream_cut, RUN_INCONCLUSIVE },
    { "a silent stream", stream_silent, RUN_INCONCLUSIVE },
    { "an act not done", act_not_done, RUN_INCONCLUSIVE },
    { "an act not tried", act_not_tried, RUN_INCONCLUSIVE },
    { "a probe out of descriptors", starved, RUN_INCONCLUSIVE },
    { "unexplained packets", strays, RUN_INCONCLUSIVE },
    { "nothing caught in open", open_missed, RUN_INCONCLUSIVE },
    { "nothing caught anywhere", both_missed, RUN_INCONCLUSIVE },
    { "no open run", open_not_run, RUN_INCONCLUSIVE },
    { "a bare run without controls", bare_unknown, RUN_INCONCLUSIVE },
    { "a forged stream", stream_forged, RUN_BROKEN },
    { "a forged stream in bare", stream_forged_in_bare, RUN_BROKEN },
    { "another probe", other_probe, RUN_BROKEN },
    { "another kernel", other_kernel, RUN_BROKEN },
    { "another uid", other_uid, RUN_BROKEN },
    { "something broke", broken, RUN_BROKEN },
    { "something broke in open", broken_in_open, RUN_BROKEN },
    { "the phase failed", failed, RUN_BROKEN },
    { "the phase died", died, RUN_BROKEN },
    { "the open phase died", open_died, RUN_BROKEN },
};

Test(verdict, is_never_pass_when_one_thing_is_missing, .fini = forget_run)
{
    for (size_t i = 0; i < sizeof troubles / sizeof *troubles; i++) {
        make_good_run();
        troubles[i].make();
        judge_run();
        cr_expect_eq(run->verdict, troubles[i].wanted, "%s: %s", troubles[i].name, run_verdict_name(run->verdict));
    }
}

Test(verdict, is_fail_whatever_else_went_wrong_when_something_escaped, .fini = forget_run)
{
    for (size_t i = 0; i < sizeof troubles / sizeof *troubles; i++) {
        make_good_run();
        troubles[i].make();
        add_fenced_hit();
        judge_run();
        cr_expect_eq(run->verdict, RUN_FAIL, "%s", troubles[i].name);
        cr_expect_eq(run->counts[VERDICT_ESCAPED], 1, "%s", troubles[i].name);
    }
}

Test(verdict, counts_bytes_that_only_a_witness_sends_as_an_escape_without_any_hit, .init = make_good_run,
     .fini = forget_run)
{
    encode_hex(fenced()->token, sizeof fenced()->token, root(PHASE_FENCED)->collection.acts[SEQ].did.proof);
    judge_run();
    cr_assert_eq(run->verdict, RUN_FAIL);
}

Test(verdict, does_not_take_another_phases_token_for_an_escape, .init = make_good_run, .fini = forget_run)
{
    encode_hex(run->phases[PHASE_OPEN].token, 16, root(PHASE_FENCED)->collection.acts[SEQ].did.proof);
    judge_run();
    cr_assert_eq(run->verdict, RUN_PASS);
}

Test(verdict, accepts_a_missing_facility_only_if_the_bare_run_lacks_it_too, .init = make_good_run, .fini = forget_run)
{
    for (int k = 0; k < PHASES; k++) {
        forget_hits((enum phase_kind)k);
        for (int p = 0; p < PRINCIPALS; p++)
            for (uint16_t seq = 1; seq <= run->plan.count; seq++)
                strcpy(run->phases[k].principals[p].collection.acts[seq].did.error, "EAFNOSUPPORT");
    }
    /* The native backend says that its open bottle must leak this vector: unsupported everywhere is no proof
     * of openness. */
    judge_run();
    cr_assert_eq(run->verdict, RUN_INCONCLUSIVE);
}

Test(verdict, of_a_mutant_that_let_nothing_out_is_void, .init = make_good_run, .fini = forget_run)
{
    run->options.mutant = backend_find_fence(&native_backend, "network");
    judge_run();
    cr_assert_eq(run->verdict, RUN_VOID);
    cr_assert_eq(run_verdict_exit(run->verdict), 3);
}

Test(verdict, of_a_mutant_that_no_vector_exercises_is_inconclusive, .init = make_good_run, .fini = forget_run)
{
    run->options.mutant = backend_find_fence(&native_backend, "uts");
    judge_run();
    cr_assert_eq(run->verdict, RUN_INCONCLUSIVE);
}

Test(verdict, of_a_run_with_nothing_in_it_is_inconclusive, .init = make_good_run, .fini = forget_run)
{
    run->attempt_count = 0;
    verdict_on_run(run);
    cr_assert_eq(run->verdict, RUN_INCONCLUSIVE);
}
