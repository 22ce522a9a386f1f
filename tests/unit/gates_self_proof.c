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

/* Two fences between them stop BG-018: this one what goes to port 53. */
static bool stops_port_53(size_t fence, uint16_t vector, const char *address, uint16_t port)
{
    (void)fence, (void)vector, (void)address;
    return port == 53;
}

/* Without the fence the attempts get out at `port_53`, or at all other ports. */
static void make_divided_pair(bool port_53)
{
    static const uint16_t asked[] = { 18 };
    make_good_run_of(asked, 1);
    backend.fence_stops = stops_port_53;
    run->options.self_proof = SELF_PROOF_EACH;
    cr_assert_eq(self_proof_pairs(run), PHASES + 1);
    make_good_phase(PHASES, false);
    for (uint16_t seq = 1; seq <= run->plan.count; seq++)
        for (int p = 0; p < PRINCIPALS && (run->plan.attempts[seq - 1].target->port == 53) == port_53; p++)
            add_hit((enum phase_kind)PHASES, seq, (enum principal)p, WITNESS_CAPTURE);
}

Test(self_proof, of_a_vector_that_two_fences_stop_asks_each_for_its_own_part, .fini = forget_run)
{
    make_divided_pair(true);
    judge_run();
    cr_expect_eq(run->verdict, RUN_PASS, "%s", run->reason);
    cr_expect(run->pairs[0].proved && run->pairs[0].planned == 8 && run->pairs[0].escaped == 8, "%u of %u",
              run->pairs[0].escaped, run->pairs[0].planned);
    make_divided_pair(false);
    judge_run();
    cr_expect(run->verdict == RUN_VOID && !run->pairs[0].proved);
}

/* 100.96.0.1 is reached from no bottle, by its make. */
static bool is_that_address(uint16_t vector, const char *address)
{
    (void)vector;
    return strcmp(address, "100.96.0.1") == 0;
}

/* An open run and a run without the fence in which that address is silent. */
static void make_pair_with_structure(void)
{
    static const uint16_t asked[] = { 18 };
    make_good_run_of(asked, 1);
    backend.structural = is_that_address;
    run->options.self_proof = SELF_PROOF_EACH;
    cr_assert_eq(self_proof_pairs(run), PHASES + 1);
    make_good_phase(PHASES, false);
    run->phases[PHASE_OPEN].hit_count = 0;
    for (uint16_t seq = 1; seq <= run->plan.count; seq++)
        for (int p = 0; p < PRINCIPALS && strcmp(run->plan.attempts[seq - 1].target->address, "100.96.0.1") != 0; p++) {
            add_hit(PHASE_OPEN, seq, (enum principal)p, WITNESS_CAPTURE);
            add_hit((enum phase_kind)PHASES, seq, (enum principal)p, WITNESS_CAPTURE);
        }
}

Test(self_proof, asks_no_fence_for_what_stays_in_by_the_make_of_a_bottle, .fini = forget_run)
{
    make_pair_with_structure();
    judge_run();
    cr_expect_eq(run->verdict, RUN_PASS, "%s", run->reason);
    cr_expect(run->pairs[0].proved && run->pairs[0].planned > 0 &&
              run->pairs[0].planned < PRINCIPALS * run->plan.count);

    /* Without the backend's word it is asked for. */
    make_pair_with_structure();
    backend.structural = native_backend.structural;
    judge_run();
    cr_expect(run->verdict == RUN_VOID && !run->pairs[0].proved);
}

static bool is_all(uint16_t vector, const char *address)
{
    (void)vector, (void)address;
    return true;
}

Test(self_proof, of_a_fence_with_nothing_to_stop_is_void, .fini = forget_run)
{
    make_pair_with_structure();
    backend.structural = is_all;
    run->phases[PHASE_OPEN].hit_count = 0;
    run->phases[PHASES].hit_count = 0;
    judge_run();
    cr_expect_eq(run->verdict, RUN_VOID);
    cr_expect_not_null(strstr(run->reason, "gets out of an open bottle either"), "%s", run->reason);
}

/* Names of the pairs that there are, with a star where the fence has to be left alone for it. */
static const char *pairs_of(const char *policy)
{
    static char names[128];
    static const uint16_t asked[] = { 22, 44, 48 };
    make_good_run_of(asked, 3);
    run->options.backend = &smolmachines_backend;
    run->options.policy = policy;
    self_proof_pairs(run);
    names[0] = '\0';
    for (size_t i = 0; i < run->pair_count; i++) {
        strcat(names, smolmachines_backend.fences[run->pairs[i].fence].name);
        strcat(names, run->pairs[i].with == PHASE_FENCED ? " " : "* ");
    }
    return names;
}

Test(self_proof, takes_only_the_fences_that_the_policy_has_and_masks_of_them, .fini = forget_run)
{
    cr_expect_str_eq(pairs_of("hardened"), "cidrs* dns-filter floor* ");
    cr_expect_str_eq(pairs_of("cidr"), "cidrs floor* ");
    for (size_t i = 0; i < smolmachines_backend.fence_count; i++)
        cr_expect_not(self_proof_leaves_out(run, i));
    cr_expect_eq(self_proof_masks(&run->options, 2), 1u << 0);
    forget_run();
    static const uint16_t asked[] = { 22 };
    make_good_run_of(asked, 1);
    run->options.backend = &smolmachines_backend;
    run->options.policy = "cidr";
    cr_expect(!self_proof_leaves_out(run, 0) && !self_proof_leaves_out(run, 1) && self_proof_leaves_out(run, 2));
}
