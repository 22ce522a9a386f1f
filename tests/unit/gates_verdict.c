/*
 * The verdict on a run: that nothing missing leaves a PASS, which verdict goes before which, and which reason is told
 * first. Each case changes one thing in a run in which all went well, is judged, and starts afresh.
 */
#include <criterion/criterion.h>
#include <string.h>

#include "gates_findings.h"

/* Judges; the reason must begin with `reason` ("" for none at all). Then starts afresh. */
static void expect(const char *what, enum run_verdict verdict, const char *reason)
{
    judge_run();
    cr_expect_eq(run->verdict, verdict, "%s: %s, %s", what, run_verdict_name(run->verdict), run->reason);
    cr_expect(strncmp(run->reason, reason, strlen(reason)) == 0, "%s: %s", what, run->reason);
    cr_expect((run->reason[0] == '\0') == (reason[0] == '\0'), "%s: %s", what, run->reason);
    make_good_run();
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
static void peer_deaf(void)
{
    fenced()->peer_good = false;
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
    act_of(PHASE_FENCED)->done = false;
}
static void act_not_tried(void)
{
    act_of(PHASE_FENCED)->tried = false;
}
static void starved(void)
{
    fail_with(PHASE_FENCED, 0, "EMFILE");
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
static void unsupported(void)
{
    for (int k = 0; k < PHASES; k++)
        forget_hits((enum phase_kind)k), fail_with((enum phase_kind)k, 0, "EAFNOSUPPORT");
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
static void fingerprint_of_other_boot_in_open(void)
{
    strcpy(run->phases[PHASE_OPEN].fingerprint.boot_id, "b2");
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
/* As it is left where its bottle never was there: nothing is known of one. */
static void make_absent(enum phase_kind phase)
{
    struct phase_result *result = &run->phases[phase];
    result->state = PHASE_ABSENT;
    memset(&result->fingerprint, 0, sizeof result->fingerprint);
    memset(result->parts, 0, sizeof result->parts);
    result->peer_good = result->control_final = false;
    forget_hits(phase);
    strcpy(result->error.text, "it has no VMM that lives");
}
static void absent(void)
{
    make_absent(PHASE_FENCED);
}
static void open_absent(void)
{
    make_absent(PHASE_OPEN);
}
static void absent_and_deaf(void)
{
    make_absent(PHASE_FENCED), broken();
}
static void died(void)
{
    fenced()->state = PHASE_RUNNING;
}
static void open_died(void)
{
    run->phases[PHASE_OPEN].state = PHASE_RUNNING;
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
    { "a second bottle that hears nothing", peer_deaf, RUN_INCONCLUSIVE },
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
    { "what must leak unsupported everywhere", unsupported, RUN_INCONCLUSIVE },
    { "a bottle that never was there", absent, RUN_INCONCLUSIVE },
    { "an open bottle that never was there", open_absent, RUN_INCONCLUSIVE },
    { "a bottle that never was there, and something broke", absent_and_deaf, RUN_BROKEN },
    { "a forged stream", stream_forged, RUN_BROKEN },
    { "a forged stream in bare", stream_forged_in_bare, RUN_BROKEN },
    { "another probe", other_probe, RUN_BROKEN },
    { "a fingerprint of another boot in open", fingerprint_of_other_boot_in_open, RUN_BROKEN },
    { "something broke", broken, RUN_BROKEN },
    { "something broke in open", broken_in_open, RUN_BROKEN },
    { "the phase failed", failed, RUN_BROKEN },
    { "the phase died", died, RUN_BROKEN },
    { "the open phase died", open_died, RUN_BROKEN },
};

Test(verdict, is_pass_only_if_nothing_is_missing, .init = make_good_run, .fini = forget_run)
{
    expect("all in order", RUN_PASS, "");
    give_bottles_a_kernel("6.1");
    expect("bottles that have a kernel of their own", RUN_PASS, "");
    for (size_t i = 0; i < sizeof troubles / sizeof *troubles; i++) {
        troubles[i].make();
        judge_run();
        cr_expect_eq(run->verdict, troubles[i].wanted, "%s: %s", troubles[i].name, run_verdict_name(run->verdict));
        cr_expect_neq(run->reason[0], '\0', "%s", troubles[i].name);
        make_good_run();
    }
}

Test(verdict, is_the_same_of_all_that_is_missing_though_the_vector_was_accepted, .init = make_good_run,
     .fini = forget_run)
{
    for (size_t i = 0; i < sizeof troubles / sizeof *troubles; i++) {
        troubles[i].make();
        run->options.accepted = (struct vector_list){ 1, { 114 } };
        judge_run();
        cr_expect_eq(run->verdict, troubles[i].wanted, "%s: %s", troubles[i].name, run_verdict_name(run->verdict));
        cr_expect_eq(run->accepted_count, 0, "%s", troubles[i].name);
        make_good_run();
    }
}

Test(verdict, is_fail_whatever_else_went_wrong_when_something_escaped, .init = make_good_run, .fini = forget_run)
{
    for (size_t i = 0; i < sizeof troubles / sizeof *troubles; i++) {
        troubles[i].make();
        add_hit(PHASE_FENCED, SEQ, PRINCIPAL_ROOT, WITNESS_CAPTURE);
        judge_run();
        cr_expect_eq(run->verdict, RUN_FAIL, "%s", troubles[i].name);
        cr_expect_eq(run->counts[VERDICT_ESCAPED], 1, "%s", troubles[i].name);
        make_good_run();
    }
}

Test(verdict, has_a_name_and_an_exit_status)
{
    static const struct {
        enum run_verdict verdict;
        const char *name;
        int status;
    } rows[] = {
        { RUN_PASS, "PASS", 0 },     { RUN_FAIL, "FAIL", 1 }, { RUN_INCONCLUSIVE, "INCONCLUSIVE", 2 },
        { RUN_BROKEN, "BROKEN", 3 }, { RUN_VOID, "VOID", 3 }, { (enum run_verdict)17, "INCONCLUSIVE", 2 },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        cr_expect_str_eq(run_verdict_name(rows[i].verdict), rows[i].name);
        cr_expect_eq(run_verdict_exit(rows[i].verdict), rows[i].status, "%s", rows[i].name);
    }
}

Test(verdict, counts_each_attempt_once_under_its_judgement, .init = make_good_run, .fini = forget_run)
{
    /* What lies behind the last attempt is not the run's. */
    run->attempts[PRINCIPALS * run->plan.count].judgement.verdict = VERDICT_ESCAPED;
    act_not_done();
    judge_run();
    cr_expect_eq(run->verdict, RUN_INCONCLUSIVE);
    cr_expect_eq(run->counts[VERDICT_INCONCLUSIVE], 1);
    cr_expect_eq(run->counts[VERDICT_BLOCKED], 3);
    cr_expect_eq(run->counts[VERDICT_ESCAPED], 0);
    cr_expect_eq(run->counts[VERDICT_BROKEN], 0);
}

Test(verdict, of_a_run_in_which_nothing_was_judged_is_no_pass, .init = make_good_run, .fini = forget_run)
{
    run->plan.count = 0;
    expect("nothing planned", RUN_INCONCLUSIVE, "nothing was planned");
    run->plan.count = 0;
    run->options.self_proof = SELF_PROOF_OFF;
    expect("nothing planned, and no open run", RUN_INCONCLUSIVE, "nothing was planned");
    run->plan.count = 0;
    strcpy(fenced()->broken_text, "a witness died"), broken();
    expect("nothing planned, and something broke", RUN_BROKEN, "fenced run: a witness died");
    run->options.principals[PRINCIPAL_USER] = run->options.principals[PRINCIPAL_ROOT] = false;
    expect("nobody to try", RUN_INCONCLUSIVE, "nothing was planned");
}

Test(verdict, is_broken_if_an_attempt_was_judged_so, .init = make_good_run, .fini = forget_run)
{
    judge_run();
    memset(run->counts, 0, sizeof run->counts);
    run->attempts[0].judgement.verdict = VERDICT_BROKEN;
    verdict_on_run(run);
    cr_expect_eq(run->verdict, RUN_BROKEN);
}

Test(verdict, of_a_run_whose_bottle_was_not_there_says_so_before_all_that_follows_from_it, .init = make_good_run,
     .fini = forget_run)
{
    strcpy(fenced()->control_missing, "no control heard"), absent();
    expect("no bottle", RUN_INCONCLUSIVE, "fenced run: it has no VMM that lives");
    open_absent(), strays();
    expect("no open bottle", RUN_INCONCLUSIVE, "open run: it has no VMM that lives");
}

Test(verdict, of_fail_or_broken_tells_what_broke_and_nothing_else, .init = make_good_run, .fini = forget_run)
{
    add_hit(PHASE_FENCED, SEQ, PRINCIPAL_ROOT, WITNESS_CAPTURE);
    strcpy(fenced()->control_missing, "no control heard"), stream_cut();
    expect("a plain FAIL", RUN_FAIL, "");
    add_hit(PHASE_FENCED, SEQ, PRINCIPAL_ROOT, WITNESS_CAPTURE);
    strcpy(fenced()->broken_text, "a witness died"), broken();
    expect("FAIL, and something broke", RUN_FAIL, "fenced run: a witness died");
    strcpy(fenced()->control_missing, "no control heard");
    strcpy(fenced()->broken_text, "a witness died"), broken();
    expect("broken, and a control is missing", RUN_BROKEN, "fenced run: a witness died");
}

static void miss_control(int phase, const char *text)
{
    strcpy(run->phases[phase].control_missing, text);
    act_not_done();
}

static void cut(int phase, enum principal principal, enum plan_part part, const char *problem)
{
    struct part_result *own = &run->phases[phase].parts[principal][part];
    own->ran = true;
    own->collection.state = STREAM_CUT;
    strcpy(own->collection.problem, problem);
    act_not_done();
}

Test(verdict, of_inconclusive_tells_first_what_explains_most, .init = make_good_run, .fini = forget_run)
{
    const char *half = judge_reason_text(REASON_HALF_RECORD);

    run->options.self_proof = SELF_PROOF_OFF;
    open_not_run(), miss_control(PHASE_FENCED, "no control heard");
    expect("no open run wanted", RUN_INCONCLUSIVE, "--self-proof=off");

    miss_control(PHASE_BARE, "bare: no control heard");
    expect("a control in bare", RUN_INCONCLUSIVE, "bare: no control heard");
    miss_control(PHASE_OPEN, "open: no control heard");
    miss_control(PHASE_FENCED, "fenced: no control heard");
    strays();
    expect("the first of two, and strays", RUN_INCONCLUSIVE, "open: no control heard");
    miss_control(PHASE_FENCED, "fenced: no control heard");
    cut(PHASE_BARE, PRINCIPAL_USER, PART_ATTEMPTS, "no bye");
    expect("a control before records", RUN_INCONCLUSIVE, "fenced: no control heard");

    strays(), strcpy(fenced()->stray_text, "tcp to 192.0.2.9:99");
    cut(PHASE_BARE, PRINCIPAL_USER, PART_ATTEMPTS, "no bye");
    expect("strays before records", RUN_INCONCLUSIVE, "unexplained traffic in the fenced run: tcp to 192.0.2.9:99");
    run->phases[PHASE_OPEN].strays = run->phases[PHASE_BARE].strays = 1, act_not_done();
    expect("strays of the other runs explain nothing", RUN_INCONCLUSIVE, half);

    cut(PHASE_BARE, PRINCIPAL_USER, PART_ATTEMPTS, "no bye");
    expect("the first session", RUN_INCONCLUSIVE, "bare run, user: the probe's records fall short: no bye");
    cut(PHASE_FENCED, PRINCIPAL_ROOT, PART_SWEEP, "half a line");
    expect("the last session", RUN_INCONCLUSIVE, "fenced run, root: the probe's records fall short: half a line");
    cut(PHASE_OPEN, PRINCIPAL_ROOT, PART_ATTEMPTS, "no bye");
    cut(PHASE_OPEN, PRINCIPAL_USER, PART_SWEEP, "half a line");
    expect("the first of two", RUN_INCONCLUSIVE, "open run, user: the probe's records fall short: half a line");
    cut(PHASE_OPEN, PRINCIPAL_ROOT, PART_SWEEP, "never begun");
    run->phases[PHASE_OPEN].parts[PRINCIPAL_ROOT][PART_SWEEP].ran = false;
    expect("a session that was not held explains nothing", RUN_INCONCLUSIVE, half);

    run->phases[PHASES].state = PHASE_ABSENT;
    miss_control(PHASES, "no control heard"), cut(PHASES, PRINCIPAL_USER, PART_ATTEMPTS, "no bye");
    expect("a fence's pair explains nothing", RUN_INCONCLUSIVE, half);
    act_not_done(), no_last_door();
    fenced()->parts[PRINCIPAL_USER][PART_ATTEMPTS].collection.acts[SEQ + 1].tried = false;
    expect("the first attempt that isn't blocked", RUN_INCONCLUSIVE, judge_reason_text(REASON_NO_RECORD));
}

Test(verdict, of_a_mutant_is_never_a_pass, .init = make_good_run, .fini = forget_run)
{
    int network = backend_find_fence(&native_backend, "network"), uts = backend_find_fence(&native_backend, "uts");
    cr_assert_eq(network, 0, "the first fence is a fence like any other");
    run->options.mutant = network;
    expect("nothing got out", RUN_VOID, "the fence `network` was left out and nothing got out");
    run->options.mutant = uts;
    strcpy(run->phases[PHASE_OPEN].control_missing, "no control heard");
    expect("nothing that it stops was tried", RUN_INCONCLUSIVE, "the fence `uts` was left out, and no vector");
    run->options.mutant = network;
    add_hit(PHASE_FENCED, SEQ, PRINCIPAL_ROOT, WITNESS_CAPTURE);
    expect("something got out", RUN_FAIL, "");
    run->options.mutant = network, act_not_done();
    expect("something is missing", RUN_INCONCLUSIVE, judge_reason_text(REASON_HALF_RECORD));
}

static bool declares_all(uint16_t vector, const char *address)
{
    return vector != 0 && address[0] != '\0';
}

static void make_structural_run(void)
{
    static const uint16_t none[] = { 0 };
    make_good_run();
    backend.structural = declares_all;
    backend.open_must_leak = none;
    forget_hits(PHASE_OPEN);
}

Test(verdict, takes_no_way_for_absent_by_structure_that_the_open_bottle_never_tried, .init = make_structural_run,
     .fini = forget_run)
{
    const char *unknown = judge_reason_text(REASON_OPEN_UNKNOWN);
    expect("silent in the open bottle too", RUN_PASS, "");
    make_structural_run();
    fail_with(PHASE_OPEN, 0, "EMFILE");
    expect("out of descriptors there", RUN_INCONCLUSIVE, unknown);
    make_structural_run();
    run->phases[PHASE_OPEN].control_final = false;
    expect("no last control there", RUN_INCONCLUSIVE, unknown);
}
