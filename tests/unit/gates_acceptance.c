/*
 * What may be taken without proof, and what may not lack it: --accept-unproved and --require in the verdict on a run. Each
 * case changes one thing in a run in which all went well, is judged, and starts afresh.
 */
#include <criterion/criterion.h>
#include <string.h>

#include "gates_findings.h"

/* A backend whose open bottle need not leak anything, so that a single attempt can be missed there. */
static void start_afresh(void)
{
    static const uint16_t asked[] = { 20, 114 }, none[] = { 0 };
    make_good_run_of(asked, 2);
    backend.open_must_leak = none;
}

static void accept_vector(uint16_t vector)
{
    run->options.accepted.ids[run->options.accepted.count++] = vector;
}

static void require_vector(uint16_t vector)
{
    run->options.required.ids[run->options.required.count++] = vector;
}

/* Judges; the reason must begin with `reason` ("" for none at all). Then starts afresh. */
static void expect(const char *what, enum run_verdict verdict, unsigned accepted, const char *reason)
{
    unsigned marked = 0;
    judge_run();
    for (size_t i = 0; i < run->attempt_count; i++)
        marked += run->attempts[i].accepted;
    cr_expect_eq(run->verdict, verdict, "%s: %s, %s", what, run_verdict_name(run->verdict), run->reason);
    cr_expect(run->accepted_count == accepted && marked == accepted, "%s: %u, %u", what, run->accepted_count, marked);
    cr_expect(strncmp(run->reason, reason, strlen(reason)) == 0, "%s: %s", what, run->reason);
    cr_expect((run->reason[0] == '\0') == (reason[0] == '\0'), "%s: %s", what, run->reason);
    start_afresh();
}

static void missed_anywhere(void)
{
    forget_hit(PHASE_BARE, SEQ, PRINCIPAL_ROOT), forget_hit(PHASE_OPEN, SEQ, PRINCIPAL_ROOT);
}
static void missed_in_open(void)
{
    forget_hit(PHASE_OPEN, SEQ, PRINCIPAL_ROOT);
}
static void unsupported_in_the_bottle_alone(void)
{
    missed_in_open(), fail_with(PHASE_FENCED, 0, "EAFNOSUPPORT");
}

static const struct {
    const char *name;
    void (*make)(void);
    enum reason reason;
} acceptable[] = {
    { "caught nowhere", missed_anywhere, REASON_NOT_DETECTABLE },
    { "caught in bare alone", missed_in_open, REASON_OPEN_SHOULD_HAVE_LEAKED },
    { "unsupported, says the bottle", unsupported_in_the_bottle_alone, REASON_UNSUPPORTED_NOT_CONFIRMED },
};

Test(acceptance, is_of_complete_silence_that_nobody_can_tell_the_meaning_of, .init = start_afresh, .fini = forget_run)
{
    cr_assert_eq(run->plan.attempts[SEQ - 1].vector->id, 20);
    accept_vector(20);
    expect("nothing to accept", RUN_PASS, 0, "");
    for (size_t i = 0; i < sizeof acceptable / sizeof *acceptable; i++) {
        const char *why = judge_reason_text(acceptable[i].reason);
        acceptable[i].make();
        expect(acceptable[i].name, RUN_INCONCLUSIVE, 0, why);
        acceptable[i].make(), accept_vector(114), run->options.accepted.ids[1] = 20; /* behind its end */
        expect("another vector is accepted", RUN_INCONCLUSIVE, 0, why);
        acceptable[i].make(), accept_vector(114), accept_vector(20);
        expect(acceptable[i].name, RUN_PASS, 1, "");
        acceptable[i].make(), accept_vector(20);
        judge_run();
        cr_expect_eq(run->counts[VERDICT_INCONCLUSIVE], 1, "it stays INCONCLUSIVE");
        start_afresh();
    }
}

Test(acceptance, covers_nothing_that_is_missing_besides, .init = start_afresh, .fini = forget_run)
{
    missed_anywhere(), accept_vector(20), act_of(PHASE_FENCED)->done = false;
    expect("half a record", RUN_INCONCLUSIVE, 0, judge_reason_text(REASON_HALF_RECORD));
    missed_anywhere(), accept_vector(20);
    fenced()->parts[PRINCIPAL_USER][PART_ATTEMPTS].collection.acts[SEQ].done = false;
    expect("half a record of another principal's", RUN_INCONCLUSIVE, 1, judge_reason_text(REASON_HALF_RECORD));
    missed_anywhere(), accept_vector(20), root(PHASE_FENCED)->door_after = false;
    expect("no last door", RUN_INCONCLUSIVE, 0, judge_reason_text(REASON_DOOR_AFTER));
    missed_anywhere(), accept_vector(20), fenced()->control_final = false;
    expect("no last control", RUN_INCONCLUSIVE, 0, judge_reason_text(REASON_WITNESS_AFTER));
    missed_anywhere(), accept_vector(20), root(PHASE_BARE)->control_after = false;
    expect("no control in bare", RUN_INCONCLUSIVE, 0, judge_reason_text(REASON_BARE_UNKNOWN));
    missed_anywhere(), accept_vector(20), root(PHASE_OPEN)->control_after = false;
    expect("no control in open", RUN_INCONCLUSIVE, 0, judge_reason_text(REASON_OPEN_UNKNOWN));
    missed_anywhere(), accept_vector(20), fenced()->strays = 1, strcpy(fenced()->stray_text, "udp");
    expect("strays", RUN_INCONCLUSIVE, 0, "unexplained traffic in the fenced run: udp");
    missed_anywhere(), accept_vector(20), backend.open_must_leak = native_backend.open_must_leak;
    forget_hits(PHASE_OPEN);
    expect("an open bottle that was not open", RUN_INCONCLUSIVE, 0, judge_reason_text(REASON_OPEN_NOT_OPEN));
    missed_anywhere(), accept_vector(20), run->phases[PHASE_BARE].broken = true;
    strcpy(run->phases[PHASE_BARE].broken_text, "a witness died");
    expect("something broke", RUN_BROKEN, 0, "bare run: a witness died");
    missed_anywhere(), accept_vector(20), add_hit(PHASE_FENCED, SEQ, PRINCIPAL_ROOT, WITNESS_CAPTURE);
    expect("it got out", RUN_FAIL, 0, "");
    missed_anywhere(), accept_vector(20), add_hit(PHASE_FENCED, SEQ + 1, PRINCIPAL_ROOT, WITNESS_CAPTURE);
    expect("another got out", RUN_FAIL, 1, "");
    missed_anywhere(), accept_vector(20);
    run->options.mutant = backend_find_fence(&native_backend, "network");
    expect("a fence was left out", RUN_VOID, 1, "the fence `network` was left out");
}

Test(acceptance, of_everything_is_no_pass, .init = start_afresh, .fini = forget_run)
{
    accept_vector(20), accept_vector(114), forget_hits(PHASE_OPEN), forget_hits(PHASE_BARE);
    expect("all accepted", RUN_INCONCLUSIVE, PRINCIPALS * run->plan.count, "nothing is BLOCKED");
    accept_vector(20), accept_vector(114), forget_hits(PHASE_OPEN), forget_hits(PHASE_BARE);
    add_hit(PHASE_OPEN, SEQ, PRINCIPAL_ROOT, WITNESS_CAPTURE);
    expect("all but one", RUN_PASS, PRINCIPALS * run->plan.count - 1u, "");
}

Test(acceptance, of_a_vector_proves_no_fence_of_a_pair, .init = start_afresh, .fini = forget_run)
{
    run->options.self_proof = SELF_PROOF_EACH;
    run->pair_count = 1;
    run->pairs[0] = (struct fence_pair){ .fence = (size_t)backend_find_fence(&native_backend, "network"),
                                         .with = PHASE_FENCED,
                                         .without = PHASES };
    make_good_phase(PHASES, true);
    judge_run();
    cr_assert_eq(run->verdict, RUN_PASS, "%s", run->reason);
    missed_anywhere(), accept_vector(20);
    expect("one that the fence is to stop", RUN_VOID, 1, "the fence `network` is not proved: with it, BG-020");
}

Test(acceptance, takes_the_bare_run_for_enough_where_there_is_no_open_one, .init = start_afresh, .fini = forget_run)
{
    const char *skipped = judge_reason_text(REASON_OPEN_SKIPPED);
    struct {
        const char *name;
        bool accepted, bare_missed, bare_not_run;
        enum run_verdict verdict;
        const char *reason;
    } cases[] = {
        { "not accepted", false, false, false, RUN_INCONCLUSIVE, skipped },
        { "accepted", true, false, false, RUN_PASS, "" },
        { "missed in bare", true, true, false, RUN_INCONCLUSIVE, judge_reason_text(REASON_NOT_DETECTABLE) },
        { "no bare run either", true, false, true, RUN_INCONCLUSIVE, skipped },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        run->options.self_proof = SELF_PROOF_BARE;
        memset(&run->phases[PHASE_OPEN], 0, sizeof run->phases[PHASE_OPEN]);
        run->findings.open_accepted = cases[i].accepted;
        if (cases[i].bare_missed)
            forget_hit(PHASE_BARE, SEQ, PRINCIPAL_ROOT);
        if (cases[i].bare_not_run)
            memset(&run->phases[PHASE_BARE], 0, sizeof run->phases[PHASE_BARE]);
        judge_run();
        cr_expect_eq(strstr(run->reason, "--accept-unproved=open takes the bare run") != NULL,
                     cases[i].reason == skipped, "%s: %s", cases[i].name, run->reason);
        expect(cases[i].name, cases[i].verdict, 0, cases[i].reason);
    }
    run->findings.open_accepted = true;
    memset(&run->phases[PHASE_OPEN], 0, sizeof run->phases[PHASE_OPEN]);
    forget_hit(PHASE_BARE, SEQ, PRINCIPAL_ROOT), accept_vector(20);
    expect("and what was missed in bare is accepted too", RUN_PASS, 1, "");
}

Test(requirement, is_met_by_what_is_tried_whole, .init = start_afresh, .fini = forget_run)
{
    require_vector(20), require_vector(114), run->options.required.ids[2] = 54; /* behind its end */
    plan_note_unproved(&run->plan, 106, "no vsock here");
    expect("both are tried", RUN_PASS, 0, "");
    require_vector(20), require_vector(106);
    plan_note_unproved(&run->plan, 112, "shared uids"), plan_note_unproved(&run->plan, 106, "no vsock here");
    expect("not proved here", RUN_INCONCLUSIVE, 0, "BG-106 is required, and not proved here: no vsock here");
    require_vector(20);
    run->plan.not_proved[0] = (struct not_proved){ 20, "behind its end" };
    expect("a note that isn't there", RUN_PASS, 0, "");
    require_vector(20), plan_note_unproved(&run->plan, 20, "its IPv6 targets");
    expect("not all of it", RUN_INCONCLUSIVE, 0, "BG-020 is required, and not proved here: its IPv6 targets");
    require_vector(54);
    expect("not tried", RUN_INCONCLUSIVE, 0, "BG-054 is required, and not proved here: this run doesn't try it");
    plan_note_unproved(&run->plan, 106, "no vsock here");
    expect("not required", RUN_PASS, 0, "");
    run->plan.count = 0, require_vector(106), plan_note_unproved(&run->plan, 106, "no vsock here");
    expect("nothing else was asked for", RUN_INCONCLUSIVE, 0, "BG-106 is required");
}

Test(requirement, hides_no_escape_and_nothing_that_broke, .init = start_afresh, .fini = forget_run)
{
    require_vector(54), add_hit(PHASE_FENCED, SEQ, PRINCIPAL_ROOT, WITNESS_CAPTURE);
    expect("it got out", RUN_FAIL, 0, "");
    require_vector(54), run->phases[PHASE_BARE].broken = true;
    strcpy(run->phases[PHASE_BARE].broken_text, "a witness died");
    expect("something broke", RUN_BROKEN, 0, "bare run: a witness died");
    require_vector(54), run->options.mutant = backend_find_fence(&native_backend, "network");
    expect("a fence was left out", RUN_VOID, 0, "the fence `network` was left out");
    require_vector(54), act_of(PHASE_FENCED)->done = false;
    expect("a record is missing", RUN_INCONCLUSIVE, 0, judge_reason_text(REASON_HALF_RECORD));
}
