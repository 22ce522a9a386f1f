/* The faults of the selftest: the table is sound, each fault is asked for only where it belongs, and what is to be done to a
 * record stream is done to it and to nothing else. That the gate notices is in tests/e2e/test_selftest.py. */
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../gates/faults/make.h"
#include "../../launcher/support/process.h"
#include "gates_collector_fixture.h"

/* How many of the ways to make a fault the row uses. */
static int count_ways(const struct fault *fault)
{
    return (fault->stream.how != TAMPER_NOTHING) + (fault->backend != NULL) + fault->dead_collector +
           fault->no_sockets + fault->deaf_peer + (fault->phase_dies_at != NULL) + fault->command.used +
           (fault->witness != WITNESS_FAULT_NONE || fault->upset.what != UPSET_NOTHING);
}

Test(fault, rows_are_many_and_each_breaks_one_thing_and_never_ends_in_PASS)
{
    size_t count = 0;
    const struct fault *fault;
    for (; (fault = fault_at(count)) != NULL; count++) {
        cr_expect_eq(fault_find(fault->name), fault, "%s is there twice", fault->name);
        cr_expect(strlen(fault->name) <= 24, "%s", fault->name);
        cr_expect(fault->stage != NULL && fault->breaks != NULL, "%s", fault->name);
        cr_expect_eq(count_ways(fault), count == 0 ? 0 : 1, "%s is made in %d ways", fault->name, count_ways(fault));
        cr_expect_eq(fault->exit == 0, count == 0, "%s", fault->name);
        cr_expect(fault->exit < 5 || fault->exit == 128 + fault->command.signal, "%s", fault->name);
        cr_expect(fault->vector == 0 || (fault->vector >= 131 && fault->vector <= 140), "%s", fault->name);
        bool named_line = fault->stream.how == TAMPER_NOTHING || fault->stream.how == TAMPER_REPLAY;
        cr_expect(named_line || fault->stream.line != NULL, "%s", fault->name);
        cr_expect(!fault->stream.sweep || fault->sweep, "%s lies in a sweep that isn't made", fault->name);
        cr_expect(fault->upset.what != UPSET_BREAK || fault->witness != WITNESS_FAULT_NONE, "%s", fault->name);
    }
    cr_assert(count > 60, "%zu", count);
    cr_assert_null(fault_find("no-such"));
}

Test(fault, is_made_in_its_own_run_and_stream_only)
{
    const struct fault fenced = { .stream = { .how = TAMPER_CUT } }, open = { .in = IN_OPEN };
    const struct fault root = { .stream = { .how = TAMPER_CUT, .root = true } };
    const struct fault sweep = { .stream = { .how = TAMPER_CUT, .sweep = true } };
    const struct fault replay = { .stream = { .how = TAMPER_REPLAY, .number = REPLAY_OF_BARE_RUN } };
    cr_expect_null(fault_in(NULL, PHASE_FENCED));
    cr_expect_eq(fault_in(&fenced, PHASE_FENCED), &fenced);
    cr_expect_null(fault_in(&fenced, PHASE_OPEN));
    cr_expect_null(fault_in(&fenced, PHASE_BARE));
    cr_expect_eq(fault_in(&open, PHASE_OPEN), &open);
    cr_expect_null(fault_in(&open, PHASE_FENCED));

    cr_expect_null(fault_in_stream(NULL, PHASE_FENCED, PRINCIPAL_USER, false));
    cr_expect_null(fault_in_stream(&open, PHASE_OPEN, PRINCIPAL_USER, false), "it lies in no stream");
    cr_expect_eq(fault_in_stream(&fenced, PHASE_FENCED, PRINCIPAL_USER, false), &fenced);
    cr_expect_null(fault_in_stream(&fenced, PHASE_FENCED, PRINCIPAL_ROOT, false));
    cr_expect_null(fault_in_stream(&fenced, PHASE_FENCED, PRINCIPAL_USER, true));
    cr_expect_null(fault_in_stream(&fenced, PHASE_BARE, PRINCIPAL_USER, false));
    cr_expect_eq(fault_in_stream(&root, PHASE_FENCED, PRINCIPAL_ROOT, false), &root);
    cr_expect_eq(fault_in_stream(&sweep, PHASE_FENCED, PRINCIPAL_USER, true), &sweep);
    cr_expect_null(fault_in_stream(&sweep, PHASE_FENCED, PRINCIPAL_USER, false));
    cr_expect_eq(fault_in_stream(&replay, PHASE_BARE, PRINCIPAL_USER, false), &fault_keeper);
    cr_expect_eq(fault_in_stream(&replay, PHASE_FENCED, PRINCIPAL_USER, false), &replay);
    cr_expect_null(fault_in_stream(&replay, PHASE_OPEN, PRINCIPAL_USER, false));
}

Test(fault, leaves_the_waiting_time_alone_unless_a_control_never_comes)
{
    const struct fault none = { 0 }, lost = { .upset = { .what = UPSET_LOSE_CONTROL } };
    cr_expect_eq(fault_patience(NULL, 8000000), 8000000);
    cr_expect_eq(fault_patience(&none, 8000000), 8000000);
    cr_expect(fault_patience(&lost, 8000000) < 8000000);
    cr_expect_eq(fault_patience(&lost, 5), 5);
}

/* What the collector's side gets of `input` when it passes the tampering process. */
static struct stream pass_through(const struct fault *fault, const char *input, size_t size)
{
    int ends[2], tell = -1;
    pid_t pid = -1;
    struct error error = { 0 };
    struct stream output = { .size = 0 };
    cr_assert_eq(pipe2(ends, O_CLOEXEC), 0);
    int reading = fault_tamper(fault, &with_door, ends[0], ends[1], &pid, &tell, &error);
    cr_assert(reading >= 0, "%s", error.text);
    signal(SIGPIPE, SIG_IGN);
    (void)write_all(ends[1], input, size);
    close(ends[1]);
    ssize_t got = read_all(reading, output.text, sizeof output.text);
    cr_assert(got >= 0);
    output.size = (size_t)got;
    close(reading);
    process_kill(pid);
    return output;
}

#define A   "BG1 try 0 door user\n"
#define B   "BG1 did 0 answered - 38 69 120 0f0f\n"
#define C   "BG1 try 1 BG-049 user\n"
#define BYE "BG1 bye 2 1 00\n"

static const struct {
    const char *name;
    struct tampering_of tampering;
    const char *passed; /* of A B C BYE */
} tamperings[] = {
    { "cut", { TAMPER_CUT, .line = "try 1" }, A B },
    { "halve", { TAMPER_HALVE, .line = "try 1" }, A B "BG1 try 1 B" },
    { "drop", { TAMPER_DROP, .line = "did 0" }, A C BYE },
    { "double", { TAMPER_DOUBLE, .line = "did 0" }, A B B C BYE },
    { "swap", { TAMPER_SWAP, .line = "try 0" }, B A C BYE },
    { "before", { TAMPER_BEFORE, .line = "try 1", .text = "x\n" }, A B "x\n" C BYE },
    { "twice before", { TAMPER_BEFORE, .line = "try 1", .text = "x\n", .number = 2 }, A B "x\nx\n" C BYE },
    { "after", { TAMPER_AFTER, .line = "bye", .text = "x" }, A B C BYE "x" },
    { "field", { TAMPER_FIELD, .line = "try 1", .number = 3, .text = "BG-150" }, A B "BG1 try 1 BG-150 user\n" BYE },
    { "last field", { TAMPER_FIELD, .line = "try 1", .number = 4, .text = "root" }, A B "BG1 try 1 BG-049 root\n" BYE },
    { "the second line of its kind", { TAMPER_DROP, .line = "BG1 try", .second = true }, A B BYE },
    { "no line", { TAMPER_DROP, .line = "none" }, A B C BYE },
    { "keep", { TAMPER_KEEP, .line = "" }, A B C BYE },
};

Test(fault, does_to_a_stream_what_it_says_and_nothing_else)
{
    for (size_t i = 0; i < sizeof tamperings / sizeof *tamperings; i++) {
        const struct fault fault = { .stream = tamperings[i].tampering };
        struct stream passed = pass_through(&fault, A B C BYE, strlen(A B C BYE));
        cr_expect(passed.size == strlen(tamperings[i].passed) &&
                      memcmp(passed.text, tamperings[i].passed, passed.size) == 0,
                  "%s: %.*s", tamperings[i].name, (int)passed.size, passed.text);
    }
}

/* The seal is what makes a forged record a test of its own rule: everything else about the stream is right. */
Test(fault, seals_a_stream_so_that_nothing_but_the_fault_is_wrong_with_it)
{
    static const struct {
        struct tampering_of tampering;
        enum stream_state state;
        const char *problem;
    } rows[] = {
        { { TAMPER_BEFORE, .line = "none", .sealed = true }, STREAM_COMPLETE, "" },
        { { TAMPER_FIELD, .line = "did 1", .number = 7, .text = "901", .sealed = true }, STREAM_COMPLETE, "" },
        { { TAMPER_FIELD, .line = "did 1", .number = 7, .text = "901" }, STREAM_FORGED, "digest" },
        { { TAMPER_FIELD, .line = "hello", .number = 4, .text = "0", .sealed = true }, STREAM_FORGED, "principal" },
        { { TAMPER_DOUBLE, .line = "did 2", .sealed = true }, STREAM_FORGED, "second did" },
    };
    struct stream good = good_stream();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct fault fault = { .stream = rows[i].tampering };
        struct stream passed = pass_through(&fault, good.text, good.size);
        struct collection collection = collect(&with_door, passed.text, passed.size);
        cr_expect_eq(collection.state, rows[i].state, "row %zu: %s", i, collection.problem);
        cr_expect_not_null(strstr(collection.problem, rows[i].problem), "row %zu: %s", i, collection.problem);
    }
}

/* A variant goes on if the collector refused all of them; a stream that is bad without them goes on as it is. */
Test(fault, tries_every_bit_and_byte_of_a_line_before_a_variant_goes_on)
{
    static const enum tampering ways[] = { TAMPER_BITS, TAMPER_BYTES };
    struct stream good = good_stream();
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        const struct fault fault = { .stream = { ways[i], .line = "BG1 did 1 " } };
        struct stream passed = pass_through(&fault, good.text, good.size);
        cr_expect(passed.size != good.size || memcmp(passed.text, good.text, good.size) != 0, "way %zu", i);
        cr_expect_eq(collect(&with_door, passed.text, passed.size).state, STREAM_FORGED, "way %zu", i);

        struct stream cut = pass_through(&fault, good.text, good.size / 2);
        cr_expect(cut.size == good.size / 2 && memcmp(cut.text, good.text, cut.size) == 0, "way %zu", i);
    }
}

static void check_that_it_hurts(enum tampering how, int wanted)
{
    const struct fault fault = { .stream = { how, .line = "did 0" } };
    int ends[2], tell = -1;
    pid_t pid = -1, victim = fork();
    struct error error = { 0 };
    if (victim == 0)
        for (;;)
            pause();
    cr_assert_eq(pipe2(ends, O_CLOEXEC), 0);
    int reading = fault_tamper(&fault, &with_door, ends[0], ends[1], &pid, &tell, &error);
    cr_assert(reading >= 0 && tell >= 0, "%s", error.text);
    cr_assert(write_all(tell, &victim, sizeof victim) && write_all(ends[1], A B C, strlen(A B C)));
    int status = 0;
    cr_assert_eq(waitpid(victim, &status, WUNTRACED), victim);
    cr_expect(wanted == SIGSTOP ? WIFSTOPPED(status) : WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    if (wanted == SIGSTOP)
        process_kill(victim);
    process_kill(pid);
    char passed[256];
    ssize_t size = read_all(reading, passed, sizeof passed);
    cr_expect(size == (ssize_t)strlen(A B) && memcmp(passed, A B, (size_t)size) == 0, "what came after it passed, too");
    close(reading);
    close(tell);
    close(ends[1]);
}

Test(fault, kills_and_stops_the_probe_whose_pid_it_is_told)
{
    check_that_it_hurts(TAMPER_KILL, SIGKILL);
    check_that_it_hurts(TAMPER_STOP, SIGSTOP);
}

Test(fault, replays_what_it_has_kept)
{
    const struct fault replay = { .stream = { TAMPER_REPLAY, .number = REPLAY_OF_OLDER_RUN } };
    struct error error = { 0 };
    struct stream good = good_stream();
    cr_assert(fault_prepare(&replay, &error), "%s", error.text);
    pass_through(&fault_keeper, good.text, good.size);
    struct stream passed = pass_through(&replay, A B C BYE, strlen(A B C BYE));
    cr_expect(passed.size == good.size && memcmp(passed.text, good.text, good.size) == 0);
}

Test(fault, is_as_it_must_only_with_the_right_status_words_and_nothing_left)
{
    const struct fault fault = { .name = "f", .exit = 3, .also = 2, .says = "dead" };
    const struct fault_outcome good = { .made = true, .status = 3, .reason = "it is dead" };
    struct fault_outcome outcome = good;
    char why[320];
    cr_expect(fault_is_as_it_must(&fault, &outcome, why, sizeof why), "%s", why);
    cr_expect_str_empty(why);
    outcome.status = 2;
    cr_expect(fault_is_as_it_must(&fault, &outcome, why, sizeof why), "%s", why);
    outcome.status = 0;
    cr_expect_not(fault_is_as_it_must(&fault, &outcome, why, sizeof why));
    outcome = good;
    outcome.made = false;
    cr_expect_not(fault_is_as_it_must(&fault, &outcome, why, sizeof why));
    outcome = good;
    strcpy(outcome.reason, "it is deaf");
    cr_expect_not(fault_is_as_it_must(&fault, &outcome, why, sizeof why));
    outcome = good;
    strcpy(outcome.left, "a process");
    cr_expect_not(fault_is_as_it_must(&fault, &outcome, why, sizeof why));
    outcome.skipped = "impossible here";
    cr_expect(fault_is_as_it_must(&fault, &outcome, why, sizeof why));

    const struct fault none = { .name = "none", .exit = 0 };
    outcome = (struct fault_outcome){ .made = true, .status = 0 };
    cr_expect(fault_is_as_it_must(&none, &outcome, why, sizeof why));
    outcome.status = 2;
    cr_expect_not(fault_is_as_it_must(&none, &outcome, why, sizeof why));
}
