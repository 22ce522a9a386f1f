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

#define EXTRA_PHASES 2 /* for the pair of a fence */

static void make_good_phase(struct phase_result *phase, bool caught)
{
    phase->state = PHASE_FINISHED;
    phase->control_before = phase->control_final = phase->peer_good = true;
    phase->sweep_ports = 100;
    strcpy(phase->fingerprint.kernel, "6.1");
    strcpy(phase->fingerprint.boot_id, "b1");
    memset(phase->token, 0xa0 + (int)(phase - run->phases), sizeof phase->token);
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
            act->tried = act->done = true;
            act->did.stage = STAGE_SENT;
            act->did.sent = 100;
            if (!caught)
                continue;
            struct hit *hit = &phase->hits[phase->hit_count++];
            unsigned proof = run->plan.attempts[seq - 1].vector->proof;
            hit->watch = (uint16_t)plan_watch_index(&run->plan, seq, (enum principal)p);
            hit->kind = proof != 0 ? (enum witness_kind)proof : WITNESS_CAPTURE;
        }
}

/* A run in which everything went well: caught in bare and open, silent in fenced. */
static void make_good_run_of(const uint16_t *asked, size_t count)
{
    struct error error = { 0 };
    struct plan_wishes wishes = {
        .vectors = asked, .vector_count = count, .ipv6 = true, .peer4 = "127.0.0.1", .peer6 = "::1"
    };
    forget_run();
    run = calloc(1, sizeof *run);
    run->phases = calloc(PHASES + EXTRA_PHASES, sizeof *run->phases);
    run->attempts = calloc(2 * PLAN_ATTEMPTS_MAX, sizeof *run->attempts);
    run->options = (struct run_options){
        .backend = &native_backend, .principals = { true, true }, .self_proof = SELF_PROOF_OPEN, .mutant = -1
    };
    cr_assert(plan_make(&run->plan, &wishes, &error), "%s", error.text);
    run->findings = (struct findings){ .plan = &run->plan, .backend = &native_backend, .shares_kernel = true };
    strcpy(run->findings.kernel, "6.1");
    strcpy(run->findings.boot_id, "b1");
    strcpy(run->findings.probe_digest, "d1");
    for (int k = 0; k < PHASES; k++) {
        run->findings.phases[k] = &run->phases[k];
        make_good_phase(&run->phases[k], k != PHASE_FENCED);
    }
}

static void make_good_run(void)
{
    static const uint16_t asked[] = { 114 };
    make_good_run_of(asked, 1);
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
    self_proof_judge(run);
    verdict_on_run(run);
}

static struct phase_result *fenced(void)
{
    return &run->phases[PHASE_FENCED];
}

static struct part_result *root(enum phase_kind phase)
{
    return &run->phases[phase].parts[PRINCIPAL_ROOT][PART_ATTEMPTS];
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
static void other_boot(void)
{
    strcpy(root(PHASE_FENCED)->collection.boot_id, "b2");
}
static void fingerprint_of_other_kernel(void)
{
    strcpy(fenced()->fingerprint.kernel, "4.4.0");
}
static void fingerprint_of_other_boot(void)
{
    strcpy(fenced()->fingerprint.boot_id, "b2");
}
static void fingerprint_of_other_boot_in_open(void)
{
    strcpy(run->phases[PHASE_OPEN].fingerprint.boot_id, "b2");
}
static void no_fingerprint(void)
{
    memset(&fenced()->fingerprint, 0, sizeof fenced()->fingerprint);
}
static void kernel_that_should_be_its_own(void)
{
    run->findings.shares_kernel = false;
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

static void peer_deaf(void)
{
    fenced()->peer_good = false;
}

static void starved(void)
{
    root(PHASE_FENCED)->collection.acts[SEQ].did.sent = 0;
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
    { "a second bottle that hears nothing", peer_deaf, RUN_INCONCLUSIVE },
    { "unexplained packets", strays, RUN_INCONCLUSIVE },
    { "nothing caught in open", open_missed, RUN_INCONCLUSIVE },
    { "nothing caught anywhere", both_missed, RUN_INCONCLUSIVE },
    { "no open run", open_not_run, RUN_INCONCLUSIVE },
    { "a bare run without controls", bare_unknown, RUN_INCONCLUSIVE },
    { "a forged stream", stream_forged, RUN_BROKEN },
    { "a forged stream in bare", stream_forged_in_bare, RUN_BROKEN },
    { "another probe", other_probe, RUN_BROKEN },
    { "another kernel", other_kernel, RUN_BROKEN },
    { "another boot", other_boot, RUN_BROKEN },
    { "a fingerprint of another kernel", fingerprint_of_other_kernel, RUN_BROKEN },
    { "a fingerprint of another boot", fingerprint_of_other_boot, RUN_BROKEN },
    { "the same in open", fingerprint_of_other_boot_in_open, RUN_BROKEN },
    { "no fingerprint", no_fingerprint, RUN_BROKEN },
    { "the host's kernel in a bottle that has its own", kernel_that_should_be_its_own, RUN_BROKEN },
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

static void give_bottles_a_kernel(void)
{
    make_good_run();
    run->findings.shares_kernel = false;
    for (int k = PHASE_OPEN; k < PHASES; k++) {
        strcpy(run->phases[k].fingerprint.boot_id, "b2");
        for (int p = 0; p < PRINCIPALS; p++)
            strcpy(run->phases[k].parts[p][PART_ATTEMPTS].collection.boot_id, "b2");
    }
}

Test(verdict, takes_a_boot_of_its_own_for_what_a_bottle_with_a_kernel_of_its_own_must_show,
     .init = give_bottles_a_kernel, .fini = forget_run)
{
    judge_run();
    cr_assert_eq(run->verdict, RUN_PASS, "%s", run->reason);
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
                strcpy(run->phases[k].parts[p][PART_ATTEMPTS].collection.acts[seq].did.error, "EAFNOSUPPORT");
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

static void make_sweep_run(void)
{
    static const uint16_t asked[] = { 1, 20 };
    make_good_run_of(asked, 2);
}

Test(verdict, of_a_sweep_stands_on_its_own_session, .init = make_sweep_run, .fini = forget_run)
{
    judge_run();
    cr_assert_eq(run->verdict, RUN_PASS, "%s", run->reason);
    run->phases[PHASE_FENCED].parts[PRINCIPAL_USER][PART_SWEEP].door_after = false;
    judge_run();
    cr_assert_eq(run->verdict, RUN_INCONCLUSIVE);
    cr_assert_eq(run->counts[VERDICT_INCONCLUSIVE], 4);
}

Test(verdict, of_a_sweep_that_left_a_port_out_is_inconclusive, .init = make_sweep_run, .fini = forget_run)
{
    run->phases[PHASE_FENCED].parts[PRINCIPAL_USER][PART_SWEEP].collection.acts[2].did.sent = 99;
    judge_run();
    cr_assert_eq(run->verdict, RUN_INCONCLUSIVE);
    cr_assert_eq(run->counts[VERDICT_INCONCLUSIVE], 1);
}

static void make_multipath_run(void)
{
    static const uint16_t asked[] = { 20, 68 };
    make_good_run_of(asked, 2);
}

static void hits_become(enum phase_kind phase, enum witness_kind kind)
{
    for (size_t i = 0; i < run->phases[phase].hit_count; i++)
        run->phases[phase].hits[i].kind = kind;
}

Test(verdict, needs_the_way_itself_to_be_seen_where_a_fallback_would_look_the_same, .init = make_multipath_run,
     .fini = forget_run)
{
    judge_run();
    cr_assert_eq(run->verdict, RUN_PASS, "%s", run->reason);
    hits_become(PHASE_OPEN, WITNESS_TCP); /* multipath TCP fell back to plain TCP */
    judge_run();
    cr_assert_eq(run->verdict, RUN_INCONCLUSIVE);
}

Test(verdict, takes_whatever_gets_out_of_the_fenced_bottle_for_an_escape, .init = make_multipath_run,
     .fini = forget_run)
{
    struct hit *hit = &fenced()->hits[fenced()->hit_count++];
    hit->kind = WITNESS_TCP;
    hit->watch = (uint16_t)plan_watch_index(&run->plan, run->plan.count, PRINCIPAL_USER);
    judge_run();
    cr_assert_eq(run->verdict, RUN_FAIL);
}

/* The pair of the descriptors fence: BG-116 escapes without it, BG-020 doesn't. */
static void make_pair_run(void)
{
    static const uint16_t asked[] = { 20, 116 };
    make_good_run_of(asked, 2);
    run->options.self_proof = SELF_PROOF_EACH;
    run->pair_count = 1;
    run->pairs[0] = (struct fence_pair){ .fence = (size_t)backend_find_fence(&native_backend, "descriptors"),
                                         .with = PHASE_FENCED,
                                         .without = PHASES };
    make_good_phase(&run->phases[PHASES], false);
    for (int p = 0; p < PRINCIPALS; p++) {
        struct hit *hit = &run->phases[PHASES].hits[run->phases[PHASES].hit_count++];
        hit->kind = WITNESS_DESCRIPTOR;
        hit->watch = (uint16_t)plan_watch_index(&run->plan, run->plan.count, (enum principal)p);
    }
}

static void pair_is_good(void) {}
static void pair_lets_nothing_out(void)
{
    run->phases[PHASES].hit_count = 0;
}
static void pair_lets_one_principal_out(void)
{
    run->phases[PHASES].hit_count = 1;
}
static void pair_lets_another_out(void)
{
    struct hit *hit = &run->phases[PHASES].hits[run->phases[PHASES].hit_count++];
    hit->kind = WITNESS_CAPTURE;
    hit->watch = (uint16_t)plan_watch_index(&run->plan, SEQ, PRINCIPAL_ROOT);
}
static void pair_did_not_start(void)
{
    run->phases[PHASES].state = PHASE_FAILED;
}
static void pair_died(void)
{
    run->phases[PHASES].state = PHASE_RUNNING;
}
static void pair_without_controls(void)
{
    run->phases[PHASES].control_final = false;
}

Test(verdict, of_a_fence_that_is_not_what_keeps_its_vectors_in_is_void, .fini = forget_run)
{
    static const struct {
        const char *name;
        void (*make)(void);
        enum run_verdict wanted;
    } cases[] = {
        { "a good pair", pair_is_good, RUN_PASS },
        { "nothing got out", pair_lets_nothing_out, RUN_VOID },
        { "one principal only", pair_lets_one_principal_out, RUN_VOID },
        { "something else got out too", pair_lets_another_out, RUN_VOID },
        { "it did not start", pair_did_not_start, RUN_VOID },
        { "it died", pair_died, RUN_VOID },
        { "its controls are missing", pair_without_controls, RUN_VOID },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        make_pair_run();
        cases[i].make();
        judge_run();
        cr_expect_eq(run->verdict, cases[i].wanted, "%s: %s %s", cases[i].name, run_verdict_name(run->verdict),
                     run->reason);
        cr_expect_eq(run_verdict_exit(run->verdict), cases[i].wanted == RUN_PASS ? 0 : 3, "%s", cases[i].name);
        cr_expect_eq(run->pairs[0].proved, cases[i].wanted == RUN_PASS, "%s", cases[i].name);
        cr_expect(cases[i].wanted == RUN_PASS || strstr(run->reason, "descriptors") != NULL, "%s", cases[i].name);
    }
}

Test(verdict, of_an_escape_goes_before_a_pair_that_failed, .fini = forget_run)
{
    make_pair_run();
    pair_lets_nothing_out();
    add_fenced_hit();
    judge_run();
    cr_assert_eq(run->verdict, RUN_FAIL);
}
