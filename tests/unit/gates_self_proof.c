/* A fence and its pair of runs: a pair that shows no difference makes the run void, unless something worse is known. */
#include <criterion/criterion.h>
#include <string.h>

#include "gates_findings.h"

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
    make_good_phase(PHASES, false);
    for (int p = 0; p < PRINCIPALS; p++)
        add_hit((enum phase_kind)PHASES, run->plan.count, (enum principal)p, WITNESS_DESCRIPTOR);
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
    add_hit((enum phase_kind)PHASES, SEQ, PRINCIPAL_ROOT, WITNESS_CAPTURE);
}
/* A backend whose descriptors fence stops BG-020 in part. */
static void another_is_stopped_in_part(void)
{
    static const uint16_t part[] = { 20, 0 };
    static const uint16_t *partly[32];
    static struct backend other;
    other = native_backend;
    partly[run->pairs[0].fence] = part;
    other.partly = partly;
    run->options.backend = &other;
    pair_lets_another_out();
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
static void void_and_inconclusive(void)
{
    pair_lets_nothing_out(), act_of(PHASE_FENCED)->done = false;
}

Test(self_proof, of_a_fence_that_is_not_what_keeps_its_vectors_in_is_void, .fini = forget_run)
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
        { "something else got out that the fence stops in part", another_is_stopped_in_part, RUN_PASS },
        { "it did not start", pair_did_not_start, RUN_VOID },
        { "it died", pair_died, RUN_VOID },
        { "its controls are missing", pair_without_controls, RUN_VOID },
        { "nothing got out, and a record is missing", void_and_inconclusive, RUN_VOID },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        make_pair_run();
        cases[i].make();
        judge_run();
        cr_expect_eq(run->verdict, cases[i].wanted, "%s: %s %s", cases[i].name, run_verdict_name(run->verdict),
                     run->reason);
        cr_expect_eq(run->pairs[0].proved, cases[i].wanted == RUN_PASS, "%s", cases[i].name);
        cr_expect(cases[i].wanted == RUN_PASS || strstr(run->reason, "descriptors") != NULL, "%s", cases[i].name);
    }
}

Test(self_proof, of_an_escape_or_a_broken_run_goes_before_a_pair_that_failed, .fini = forget_run)
{
    make_pair_run();
    pair_lets_nothing_out();
    add_hit(PHASE_FENCED, SEQ, PRINCIPAL_ROOT, WITNESS_CAPTURE);
    judge_run();
    cr_expect_eq(run->verdict, RUN_FAIL);

    make_pair_run();
    pair_lets_nothing_out();
    fenced()->state = PHASE_RUNNING;
    judge_run();
    cr_expect_eq(run->verdict, RUN_BROKEN);
}
