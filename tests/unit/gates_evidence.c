/*
 * Evidence on an attempt: what counts as caught, missed, unknown; what is amiss with a probe's account; whose trouble it
 * is. Each case changes one thing in a run in which all went well, says what must follow, and starts afresh.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "../../gates/evidence.h"
#include "../../probes/encode.h"
#include "gates_findings.h"

/* What the evidence on an attempt says otherwise than in a run in which all went well, as words. */
static const char *told(uint16_t seq, enum principal principal)
{
    static const char *const sightings[SIGHTINGS] = { "caught", "unsupported", "missed", "skipped", "unknown" };
    static const char *const accounts[ACCOUNTS] = { "tried", "unsupported", "half", "none", "starved", "untrusted" };
    static char text[300];
    struct evidence evidence;
    evidence_gather(&run->findings, seq, principal, &evidence);
    const struct {
        const char *name;
        bool is, good;
    } flags[] = {
        { "hit", evidence.hit, false },
        { "witness-before", evidence.witness_before, true },
        { "witness-during", evidence.witness_during, true },
        { "witness-after", evidence.witness_after, true },
        { "door-before", evidence.door_before, true },
        { "door-after", evidence.door_after, true },
        { "outside", evidence.outside_agrees, false },
        { "structural", evidence.structural, false },
        { "stray", evidence.stray, false },
        { "open", evidence.open_was_open, true },
        { "broken", evidence.gate_broken, false },
        { "accepted", evidence.open_accepted, false },
    };
    int used = 0;
    text[0] = '\0';
#define SAY(...) used += snprintf(text + used, sizeof text - (size_t)used, __VA_ARGS__)
    if (evidence.bare != SIGHTING_CAUGHT)
        SAY("bare:%s ", sightings[evidence.bare]);
    if (evidence.open != SIGHTING_CAUGHT)
        SAY("open:%s ", sightings[evidence.open]);
    if (evidence.account != ACCOUNT_TRIED)
        SAY("%s ", accounts[evidence.account]);
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++)
        if (flags[i].is != flags[i].good)
            SAY("%s%s ", flags[i].good ? "no-" : "", flags[i].name);
#undef SAY
    if (used > 0)
        text[used - 1] = '\0';
    return text;
}

/* Checks what is said of an attempt as root, and as user; then starts afresh. */
static void expect(const char *what, const char *of_root, const char *of_user)
{
    cr_expect_str_eq(told(SEQ, PRINCIPAL_ROOT), of_root, "%s, root: %s", what, told(SEQ, PRINCIPAL_ROOT));
    cr_expect_str_eq(told(SEQ, PRINCIPAL_USER), of_user, "%s, user: %s", what, told(SEQ, PRINCIPAL_USER));
    make_good_run();
}

Test(evidence, keeps_each_trouble_of_the_fenced_run_to_those_it_concerns, .init = make_good_run, .fini = forget_run)
{
    expect("nothing amiss", "", "");

    fenced()->control_before = false;
    expect("no first control", "no-witness-before", "no-witness-before");
    fenced()->peer_good = false;
    expect("a second bottle that hears nothing", "no-witness-before", "no-witness-before");
    fenced()->control_final = false;
    expect("no last control", "no-witness-after", "no-witness-after");
    root(PHASE_FENCED)->control_during = false;
    expect("no control during", "no-witness-during", "");
    root(PHASE_FENCED)->control_after = false;
    expect("no control after", "no-witness-after", "");
    root(PHASE_FENCED)->door_before = false;
    expect("no first door", "no-door-before", "");
    root(PHASE_FENCED)->door_after = false;
    expect("no last door", "no-door-after", "");
    fenced()->strays = 1;
    expect("unexplained packets", "stray", "stray");
    run->phases[PHASE_OPEN].strays = run->phases[PHASE_BARE].strays = 1;
    expect("unexplained packets in the other runs", "", "");
    run->phases[PHASE_OPEN].broken = true;
    expect("something broke, anywhere", "broken", "broken");
}

Test(evidence, takes_no_account_for_more_than_it_is, .init = make_good_run, .fini = forget_run)
{
    root(PHASE_FENCED)->ran = false;
    expect("a principal that did not run", "none", "");
    root(PHASE_FENCED)->collection.state = STREAM_SILENT;
    expect("a silent stream", "none", "");
    act_of(PHASE_FENCED)->tried = false;
    expect("not tried", "none", "");
    act_of(PHASE_FENCED)->done = false;
    expect("not done", "half", "");
    act_of(PHASE_FENCED)->done = false;
    root(PHASE_FENCED)->collection.state = STREAM_CUT;
    expect("not done, in a stream that was cut", "half", "");
    root(PHASE_FENCED)->collection.state = STREAM_CUT;
    expect("a stream that was cut later", "untrusted", "");
    root(PHASE_FENCED)->collection.state = STREAM_FORGED;
    expect("a forged stream", "untrusted broken", "broken");
    fenced()->state = PHASE_RUNNING;
    expect("a phase that died", "untrusted broken", "untrusted broken");
    fenced()->state = PHASE_FAILED;
    expect("a phase that failed", "untrusted broken", "untrusted broken");
    fenced()->state = PHASE_ABSENT;
    expect("a bottle that never was there", "untrusted", "untrusted");
    fail_with(PHASE_FENCED, 0, "EAFNOSUPPORT");
    expect("no such facility", "unsupported", "");
    fail_with(PHASE_FENCED, 0, "EMFILE");
    expect("out of descriptors before anything was sent", "starved", "");
    fail_with(PHASE_FENCED, 100, "EMFILE");
    expect("out of descriptors after it was sent", "", "");
    fail_with(PHASE_FENCED, 0, "ECONNREFUSED");
    expect("refused", "", "");
    fail_with(PHASE_FENCED, 0, "");
    expect("nothing to send", "", "");
}

/* Something happens to the phase that is looked at, bare or open, in which nobody caught anything. */
static enum phase_kind looked_at;

static void look_again(void)
{
    make_good_run();
    forget_hits(looked_at);
}

static void expect_sighting(const char *what, enum sighting of_root, enum sighting of_user)
{
    enum sighting found[] = { evidence_sighting(&run->findings, looked_at, SEQ, PRINCIPAL_ROOT),
                              evidence_sighting(&run->findings, looked_at, SEQ, PRINCIPAL_USER) };
    cr_expect_eq(found[0], of_root, "%s: %s, root: %d", phase_name(looked_at), what, found[0]);
    cr_expect_eq(found[1], of_user, "%s: %s, user: %d", phase_name(looked_at), what, found[1]);
    look_again();
}

static void expect_unknown(const char *what)
{
    expect_sighting(what, SIGHTING_UNKNOWN, SIGHTING_MISSED);
}

static void expect_all_unknown(const char *what)
{
    expect_sighting(what, SIGHTING_UNKNOWN, SIGHTING_UNKNOWN);
}

static void look_at_sightings(void)
{
    look_again();
    expect_sighting("nobody heard it", SIGHTING_MISSED, SIGHTING_MISSED);
    add_hit(looked_at, SEQ, PRINCIPAL_ROOT, WITNESS_CAPTURE);
    expect_sighting("a hit on root's", SIGHTING_CAUGHT, SIGHTING_MISSED);
    add_hit(looked_at, SEQ + 1, PRINCIPAL_ROOT, WITNESS_CAPTURE);
    expect_sighting("a hit on the next attempt", SIGHTING_MISSED, SIGHTING_MISSED);
    add_hit(looked_at, SEQ, PRINCIPAL_ROOT, WITNESS_CAPTURE);
    run->phases[looked_at].state = PHASE_RUNNING;
    expect_sighting("a hit before the phase died", SIGHTING_CAUGHT, SIGHTING_UNKNOWN);
    add_hit(looked_at, SEQ, PRINCIPAL_ROOT, WITNESS_CAPTURE);
    run->phases[looked_at].state = PHASE_NOT_RUN;
    expect_sighting("left out", SIGHTING_SKIPPED, SIGHTING_SKIPPED);

    run->phases[looked_at].state = PHASE_RUNNING;
    expect_all_unknown("the phase died");
    run->phases[looked_at].state = PHASE_FAILED;
    expect_all_unknown("the phase failed");
    run->phases[looked_at].state = PHASE_ABSENT;
    expect_all_unknown("the bottle never was there");
    run->phases[looked_at].peer_good = false;
    expect_all_unknown("a second bottle that hears nothing");
    run->phases[looked_at].control_before = false;
    expect_all_unknown("no first control");
    run->phases[looked_at].control_final = false;
    expect_all_unknown("no last control");

    root(looked_at)->control_during = false;
    expect_unknown("no control during");
    root(looked_at)->control_after = false;
    expect_unknown("no control after");
    root(looked_at)->door_before = false;
    expect_unknown("no first door");
    root(looked_at)->door_after = false;
    expect_unknown("no last door");
    root(looked_at)->ran = false;
    expect_unknown("root did not run");
    root(looked_at)->collection.state = STREAM_SILENT;
    expect_unknown("a silent stream");
    root(looked_at)->collection.state = STREAM_CUT;
    expect_unknown("a stream that was cut");
    root(looked_at)->collection.state = STREAM_FORGED;
    expect_unknown("a forged stream");
    root(looked_at)->collection.uid = 65534;
    expect_unknown("another uid");
    backend.own_ids = true;
    root(looked_at)->collection.uid = 65534;
    if (looked_at == PHASE_BARE)
        expect_unknown("another uid with nothing around it, whatever bottles do to ids");
    else
        expect_sighting("another uid in a bottle that maps ids as it likes", SIGHTING_MISSED, SIGHTING_MISSED);
    strcpy(root(looked_at)->collection.digest, "d2");
    expect_unknown("another probe");
    act_of(looked_at)->tried = false;
    expect_unknown("not tried");
    act_of(looked_at)->done = false;
    expect_unknown("not done");
    fail_with(looked_at, 0, "EMFILE");
    expect_unknown("out of descriptors before anything was sent");
    fail_with(looked_at, 100, "EMFILE");
    expect_sighting("out of descriptors after it was sent", SIGHTING_MISSED, SIGHTING_MISSED);
    fail_with(looked_at, 0, "ECONNREFUSED");
    expect_sighting("refused", SIGHTING_MISSED, SIGHTING_MISSED);
    fail_with(looked_at, 0, "EAFNOSUPPORT");
    expect_sighting("no such facility", SIGHTING_UNSUPPORTED, SIGHTING_MISSED);
}

Test(evidence, calls_nothing_missed_in_bare_or_open_that_was_not_surely_tried_and_listened_for, .fini = forget_run)
{
    for (looked_at = PHASE_BARE; looked_at <= PHASE_OPEN; looked_at++)
        look_at_sightings();
}

Test(evidence, tells_of_the_other_runs_what_they_saw, .init = make_good_run, .fini = forget_run)
{
    forget_hits(PHASE_BARE);
    expect("nothing caught in bare", "bare:missed", "bare:missed");
    forget_hits(PHASE_OPEN);
    expect("nothing caught in open", "open:missed no-open", "open:missed no-open");
    memset(&run->phases[PHASE_OPEN], 0, sizeof run->phases[PHASE_OPEN]);
    expect("no open run", "open:skipped no-open", "open:skipped no-open");
    run->findings.open_accepted = true;
    expect("no open run wanted, which is accepted", "accepted", "accepted");
    forget_hits(PHASE_BARE);
    fail_with(PHASE_BARE, 0, "ENODEV");
    expect("the host lacks it", "bare:unsupported outside", "bare:missed");
    forget_hits(PHASE_OPEN);
    fail_with(PHASE_OPEN, 0, "ENODEV");
    expect("the open bottle lacks it", "open:unsupported no-open", "open:missed no-open");
}

/* Of a kernel that isn't the host's, the host's says nothing; what the backend found outside must be so of both bottles. */
Test(evidence, of_another_kernel_lacking_something_comes_from_outside_of_it, .init = make_good_run, .fini = forget_run)
{
    for (int open = 0; open < 2; open++)
        for (int fenced = 0; fenced < 2; fenced++) {
            give_bottles_a_kernel("6.9");
            run->phases[PHASE_OPEN].fingerprint.lacks[0] = open ? 114 : 68;
            run->phases[PHASE_OPEN].fingerprint.lacks[1] = 116;
            run->phases[PHASE_FENCED].fingerprint.lacks[0] = 68;
            run->phases[PHASE_FENCED].fingerprint.lacks[1] = fenced ? 114 : 116;
            expect("found outside", open && fenced ? "outside" : "", open && fenced ? "outside" : "");
        }
    give_bottles_a_kernel("6.9");
    forget_hits(PHASE_BARE);
    fail_with(PHASE_BARE, 0, "ENODEV");
    expect("the host lacks it", "bare:unsupported", "bare:missed");
    run->phases[PHASE_OPEN].fingerprint.lacks[0] = run->phases[PHASE_FENCED].fingerprint.lacks[0] = 114;
    expect("a bottle that shares the host's kernel", "", "");
}

Test(evidence, takes_bytes_that_only_a_witness_of_that_phase_sends_for_a_hit, .init = make_good_run, .fini = forget_run)
{
    encode_hex(fenced()->token, sizeof fenced()->token, act_of(PHASE_FENCED)->did.proof);
    expect("its own phase's", "hit", "");
    encode_hex(run->phases[PHASE_OPEN].token, 16, act_of(PHASE_FENCED)->did.proof);
    expect("another phase's", "", "");
    forget_hits(PHASE_BARE);
    encode_hex(run->phases[PHASE_BARE].token, 16, act_of(PHASE_BARE)->did.proof);
    expect("in bare", "", "bare:missed");
    encode_hex(fenced()->token, sizeof fenced()->token, act_of(PHASE_FENCED)->did.proof);
    root(PHASE_FENCED)->collection.state = STREAM_CUT;
    expect("in a stream that was cut", "untrusted hit", "");
}

/* BG-068, multipath TCP: what falls back to plain TCP has shown nothing, but has got out. */
static void make_multipath_run(void)
{
    static const uint16_t asked[] = { 68 };
    make_good_run_of(asked, 1);
    forget_hits(PHASE_OPEN);
}

static bool open_caught(void)
{
    bool caught = evidence_caught(&run->findings, PHASE_OPEN, SEQ, PRINCIPAL_ROOT);
    make_multipath_run();
    return caught;
}

Test(evidence, needs_the_way_itself_to_be_seen_where_a_fallback_would_look_the_same, .init = make_multipath_run,
     .fini = forget_run)
{
    unsigned proof = run->plan.attempts[SEQ - 1].vector->proof;
    cr_assert_neq(proof, 0);
    cr_assert_eq(proof & WITNESS_TCP, 0);
    add_hit(PHASE_OPEN, SEQ, PRINCIPAL_ROOT, WITNESS_TCP);
    cr_expect_not(open_caught(), "plain TCP");
    add_hit(PHASE_OPEN, SEQ, PRINCIPAL_USER, proof);
    cr_expect_not(open_caught(), "the way itself, as another principal");
    encode_hex(run->phases[PHASE_OPEN].token, 16, act_of(PHASE_OPEN)->did.proof);
    cr_expect_not(open_caught(), "an answer, which plain TCP brings as well");
    add_hit(PHASE_OPEN, SEQ, PRINCIPAL_ROOT, proof);
    cr_expect(open_caught(), "the way itself");
    add_hit(PHASE_OPEN, SEQ, PRINCIPAL_ROOT, WITNESS_TCP);
    add_hit(PHASE_OPEN, SEQ, PRINCIPAL_ROOT, proof);
    add_hit(PHASE_OPEN, SEQ, PRINCIPAL_ROOT, WITNESS_TCP);
    cr_expect(open_caught(), "the way itself among others");
    add_hit(PHASE_FENCED, SEQ, PRINCIPAL_ROOT, WITNESS_TCP);
    cr_expect(evidence_caught(&run->findings, PHASE_FENCED, SEQ, PRINCIPAL_ROOT), "whatever got out of the fenced one");
}

static void make_sweep_run(void)
{
    static const uint16_t asked[] = { 1, 114 };
    make_good_run_of(asked, 2);
}

Test(evidence, takes_no_sweep_for_made_that_left_a_port_out, .init = make_sweep_run, .fini = forget_run)
{
    uint16_t seq = (uint16_t)(run->plan.sweep_start + 1);
    struct part_result *sweep = &fenced()->parts[PRINCIPAL_ROOT][PART_SWEEP];
    cr_expect_str_eq(told(seq, PRINCIPAL_ROOT), "");
    sweep->collection.acts[1].did.sent = 101;
    cr_expect_str_eq(told(seq, PRINCIPAL_ROOT), "");
    sweep->collection.acts[1].did.sent = 99;
    cr_expect_str_eq(told(seq, PRINCIPAL_ROOT), "half");
    cr_expect_str_eq(told(seq, PRINCIPAL_USER), "");
    cr_expect_str_eq(told(SEQ, PRINCIPAL_ROOT), "");
    sweep->door_after = false;
    cr_expect_str_eq(told(seq + 1, PRINCIPAL_ROOT), "no-door-after");
    cr_expect_str_eq(told(SEQ, PRINCIPAL_ROOT), "");

    /* Each phase is told how many ports: the open one's sweep is no whole one because the fenced one's was. */
    make_sweep_run();
    forget_hits(PHASE_OPEN);
    cr_expect_eq(evidence_sighting(&run->findings, PHASE_OPEN, seq, PRINCIPAL_ROOT), SIGHTING_MISSED);
    run->phases[PHASE_OPEN].sweep_ports = 101;
    cr_expect_eq(evidence_sighting(&run->findings, PHASE_OPEN, seq, PRINCIPAL_ROOT), SIGHTING_UNKNOWN);
}

/* A backend of which BG-020, with targets in both families, and BG-114 must leak, and one that isn't planned. */
static void make_leaking_run(void)
{
    static const uint16_t asked[] = { 20, 54, 114 }, must[] = { 17, 20, 114, 0 };
    make_good_run_of(asked, 3);
    backend.open_must_leak = must;
    forget_hits(PHASE_OPEN);
}

/* The open bottle leaks, as root, the first or the last attempt of a vector. */
static void leak(uint16_t vector, bool last)
{
    uint16_t found = 0;
    for (uint16_t seq = 1; seq <= run->plan.count; seq++)
        if (run->plan.attempts[seq - 1].vector->id == vector && (found == 0 || last))
            found = seq;
    cr_assert_neq(found, 0);
    add_hit(PHASE_OPEN, found, PRINCIPAL_ROOT, WITNESS_CAPTURE);
}

static bool was_open(enum principal principal)
{
    struct evidence evidence;
    evidence_gather(&run->findings, SEQ, principal, &evidence);
    return evidence.open_was_open;
}

Test(evidence, calls_an_open_bottle_open_if_each_principal_leaked_each_vector_that_must, .init = make_leaking_run,
     .fini = forget_run)
{
    cr_assert_eq(run->plan.attempts[run->plan.count - 1].vector->id, 114);
    cr_expect_not(was_open(PRINCIPAL_ROOT), "no leak");
    leak(20, false);
    cr_expect_not(was_open(PRINCIPAL_ROOT), "one of two");
    leak(54, false);
    cr_expect_not(was_open(PRINCIPAL_ROOT), "another instead");
    leak(114, true);
    cr_expect(was_open(PRINCIPAL_ROOT), "both, each once");
    cr_expect_not(was_open(PRINCIPAL_USER), "root's leaks are not the user's");
    make_leaking_run();
    leak(114, false);
    cr_expect_not(was_open(PRINCIPAL_ROOT), "the other of two");
    leak(20, true);
    cr_expect(was_open(PRINCIPAL_ROOT), "both, each once, others of their attempts");
    make_leaking_run();
    backend.open_must_leak = &(const uint16_t){ 0 };
    cr_expect(was_open(PRINCIPAL_ROOT), "nothing must leak");
}

static bool has_no_ipv6(uint16_t vector, const char *address)
{
    return vector == 20 && strchr(address, ':') != NULL;
}

Test(evidence, takes_a_way_for_absent_by_structure_where_the_backend_says_so, .init = make_leaking_run,
     .fini = forget_run)
{
    unsigned of_ipv6 = 0, of_ipv4 = 0;
    backend.structural = has_no_ipv6;
    for (uint16_t seq = 1; seq <= run->plan.count; seq++) {
        const struct run_attempt *attempt = &run->plan.attempts[seq - 1];
        struct evidence evidence;
        evidence_gather(&run->findings, seq, PRINCIPAL_USER, &evidence);
        cr_expect_eq(evidence.structural, attempt->vector->id == 20 && attempt->ipv6, "attempt %u", seq);
        if (attempt->vector->id == 20)
            *(attempt->ipv6 ? &of_ipv6 : &of_ipv4) += 1;
    }
    cr_assert(of_ipv4 > 0 && of_ipv6 > 0);
}
