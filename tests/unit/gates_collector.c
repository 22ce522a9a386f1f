/*
 * The collector's state machine: a good stream is COMPLETE, and no other is, whatever was done to it and in
 * whatever pieces it comes.
 */
#include <stdlib.h>

#include "gates_collector_fixture.h"

static const struct collector_plan without_door = {
    .run = RUN, .root = true, .first = 1, .count = 2, .vectors = { [1] = 49, [2] = 61 }
};

Test(collector, a_good_stream_is_complete_and_says_what_was_recorded)
{
    struct stream stream = good_stream();
    struct collection result = collect(&with_door, stream.text, stream.size);
    cr_assert_eq(result.state, STREAM_COMPLETE, "%s", result.problem);
    cr_expect_str_eq(result.problem, "");
    cr_expect_eq(result.uid, 65534);
    cr_expect_str_eq(result.kernel, "6.1.0-x");
    cr_expect_eq(result.count, 5);
    for (int i = 0; i < 5; i++)
        cr_expect(result.acts[i].tried && result.acts[i].done, "act %d", i);
    cr_expect_not(result.acts[5].tried);
    cr_expect_eq(result.acts[2].did.stage, STAGE_CONNECT);
    cr_expect_str_eq(result.acts[2].did.error, "ENETUNREACH");
    cr_expect_eq(result.acts[1].did.received, 37);
    cr_expect_str_eq(result.acts[1].did.proof, "a0");
}

Test(collector, a_plan_without_a_door_counts_from_one)
{
    struct stream stream =
        make_stream(LINES("BG1 hello " RUN " 2 0 6.1.0 - -", "BG1 try 1 BG-049 root", "BG1 try 2 BG-061 root",
                          "BG1 did 2 sent - 16 0 3 -", "BG1 did 1 sent - 16 0 3 -"),
                    2, 2);
    struct collection result = collect(&without_door, stream.text, stream.size);
    cr_assert_eq(result.state, STREAM_COMPLETE, "%s", result.problem);
    cr_expect(result.acts[1].done && result.acts[2].done && !result.acts[0].tried);
}

Test(collector, no_prefix_of_a_good_stream_is_complete)
{
    struct stream stream = good_stream();
    for (size_t size = 0; size < stream.size; size++) {
        struct collection result = collect(&with_door, stream.text, size);
        bool greeted = size > strlen(HELLO);
        cr_expect_eq(result.state, greeted ? STREAM_CUT : STREAM_SILENT, "%zu bytes: state %d", size, result.state);
        cr_expect(result.problem[0] != '\0');
    }
}

Test(collector, no_good_stream_with_a_byte_changed_is_complete)
{
    struct stream stream = good_stream();
    for (size_t i = 0; i < stream.size; i++)
        for (int mask = 1; mask < 256; mask++) {
            stream.text[i] = (char)(stream.text[i] ^ mask);
            if (collect(&with_door, stream.text, stream.size).state == STREAM_COMPLETE)
                cr_assert_fail("byte %zu, mask %#x", i, mask);
            stream.text[i] = (char)(stream.text[i] ^ mask);
        }
    cr_assert_eq(collect(&with_door, stream.text, stream.size).state, STREAM_COMPLETE);
}

Test(collector, no_good_stream_with_a_byte_taken_out_or_put_in_is_complete)
{
    struct stream stream = good_stream(), other;
    for (size_t i = 0; i < stream.size; i++) {
        memcpy(other.text, stream.text, i);
        memcpy(other.text + i, stream.text + i + 1, stream.size - i - 1);
        cr_expect_neq(collect(&with_door, other.text, stream.size - 1).state, STREAM_COMPLETE, "without byte %zu", i);
        memcpy(other.text + i + 1, stream.text + i, stream.size - i);
        for (const char *byte = "0a \n-"; *byte != '\0'; byte++) {
            other.text[i] = *byte;
            cr_expect_neq(collect(&with_door, other.text, stream.size + 1).state, STREAM_COMPLETE, "%c at %zu", *byte,
                          i);
        }
    }
}

#define DOOR0     "BG1 try 0 door user", "BG1 did 0 answered - 38 69 120 0f0f"
#define ALL_TRIED "BG1 try 1 BG-049 user", "BG1 try 2 BG-061 user", "BG1 try 3 BG-061 user"
#define ALL_DONE  "BG1 did 1 sent - 1 0 1 -", "BG1 did 2 sent - 1 0 1 -", "BG1 did 3 sent - 1 0 1 -"
#define DOOR4     "BG1 try 4 door user", "BG1 did 4 answered - 38 69 120 0f0f"

/* Streams with a right digest and something wrong: the bye alone proves nothing. */
static const struct {
    const char *const *lines;
    unsigned tried, done;
    enum stream_state state;
    const char *problem;
} wrong[] = {
    { LINES(HELLO, DOOR0, ALL_TRIED, ALL_DONE, DOOR4), 5, 4, STREAM_FORGED, "counts wrong" },
    { LINES(HELLO, DOOR0, ALL_TRIED, ALL_DONE, DOOR4), 4, 5, STREAM_FORGED, "counts wrong" },
    { LINES(HELLO, DOOR0, ALL_TRIED, ALL_DONE), 5, 5, STREAM_FORGED, "counts wrong" },
    { LINES(HELLO, DOOR0, ALL_TRIED, ALL_DONE), 4, 4, STREAM_CUT, "4 of 5 acts tried and 4 done" },
    { LINES(HELLO, DOOR0, ALL_TRIED, "BG1 did 1 sent - 1 0 1 -"), 4, 2, STREAM_CUT, "4 of 5 acts tried and 2 done" },
    { LINES(HELLO, DOOR0, ALL_TRIED, ALL_DONE, "BG1 try 4 door user"), 5, 4, STREAM_CUT,
      "5 of 5 acts tried and 4 done" },
    { LINES(HELLO), 0, 0, STREAM_CUT, "0 of 5 acts tried" },
    { LINES(HELLO, HELLO, DOOR0, ALL_TRIED, ALL_DONE, DOOR4), 5, 5, STREAM_FORGED, "second hello" },
    { LINES(DOOR0, HELLO, ALL_TRIED, ALL_DONE, DOOR4), 5, 5, STREAM_FORGED, "line 1: a record before the hello" },
    { LINES("BG1 hello ffffffffffffffffffffffffffffffff 5 65534 6.1.0-x - -", DOOR0, ALL_TRIED, ALL_DONE, DOOR4), 5, 5,
      STREAM_FORGED, "another run" },
    { LINES("BG1 hello " RUN " 4 65534 6.1.0-x - -", DOOR0, ALL_TRIED, ALL_DONE, DOOR4), 5, 5, STREAM_FORGED,
      "another number" },
    { LINES("BG1 hello " RUN " 5 0 6.1.0-x - -", DOOR0, ALL_TRIED, ALL_DONE, DOOR4), 5, 5, STREAM_FORGED,
      "another principal" },
    { LINES("BG1 hello " RUN " 5 1000 6.1.0-x - -", DOOR0, ALL_TRIED, ALL_DONE, DOOR4), 5, 5, STREAM_FORGED,
      "another principal" },
    { LINES(HELLO, DOOR0, "BG1 try 1 BG-049 root", "BG1 did 1 sent - 1 0 1 -"), 2, 2, STREAM_FORGED,
      "another principal" },
    { LINES(HELLO, DOOR0, "BG1 try 1 BG-061 user", "BG1 did 1 sent - 1 0 1 -"), 2, 2, STREAM_FORGED, "another vector" },
    { LINES(HELLO, DOOR0, "BG1 try 1 door user", "BG1 did 1 sent - 1 0 1 -"), 2, 2, STREAM_FORGED, "another vector" },
    { LINES(HELLO, DOOR0, "BG1 try 2 BG-061 user", "BG1 try 1 BG-049 user"), 3, 1, STREAM_FORGED, "out of order" },
    { LINES(HELLO, DOOR0, "BG1 try 1 BG-049 user", "BG1 try 1 BG-049 user"), 3, 1, STREAM_FORGED, "out of order" },
    { LINES(HELLO, DOOR0, "BG1 try 1 BG-049 user", "BG1 try 3 BG-061 user"), 3, 1, STREAM_FORGED, "out of order" },
    { LINES(HELLO, DOOR0, "BG1 try 9 BG-049 user"), 2, 1, STREAM_FORGED, "not in the plan" },
    { LINES(HELLO, DOOR0, "BG1 try 5 BG-049 user"), 2, 1, STREAM_FORGED, "not in the plan" },
    { LINES(HELLO, "BG1 try 1 BG-049 user", "BG1 did 1 sent - 1 0 1 -"), 1, 1, STREAM_FORGED, "out of order" },
    { LINES(HELLO, DOOR0, "BG1 did 1 sent - 1 0 1 -", "BG1 try 1 BG-049 user"), 2, 2, STREAM_FORGED,
      "without its try" },
    { LINES(HELLO, DOOR0, "BG1 did 500 sent - 1 0 1 -"), 1, 2, STREAM_FORGED, "not in the plan" },
    { LINES(HELLO, DOOR0, ALL_TRIED, ALL_DONE, "BG1 did 2 sent - 1 0 1 -", DOOR4), 5, 5, STREAM_FORGED, "second did" },
    { LINES(HELLO, DOOR0, ALL_TRIED, ALL_DONE, "BG1 did 0 answered - 38 69 120 0f0f", DOOR4), 5, 5, STREAM_FORGED,
      "second did" },
    { LINES(HELLO, "BG1 try 0 door user", ALL_TRIED, "BG1 did 0 answered - 38 69 120 0f0f", ALL_DONE, DOOR4), 5, 5,
      STREAM_FORGED, "before the door is done" },
    { LINES(HELLO, DOOR0, ALL_TRIED, DOOR4, ALL_DONE), 5, 5, STREAM_FORGED, "before all else is done" },
    { LINES(HELLO, DOOR0, ALL_TRIED, "BG1 did 1 sent - 1 0 1 -", "BG1 did 2 sent - 1 0 1 -", "BG1 try 4 door user",
            "BG1 did 3 sent - 1 0 1 -", "BG1 did 4 sent - 1 0 1 -"),
      5, 5, STREAM_FORGED, "before all else is done" },
    { LINES(HELLO, DOOR0, "", ALL_TRIED, ALL_DONE, DOOR4), 5, 5, STREAM_FORGED, "line 4: not a record" },
    { LINES(HELLO, DOOR0, "BG1 hi", ALL_TRIED, ALL_DONE, DOOR4), 5, 5, STREAM_FORGED, "not a record" },
    { LINES(HELLO, DOOR0, "BG1 try 1 BG-049 user ", ALL_DONE, DOOR4), 5, 5, STREAM_FORGED, "not a record" },
    { LINES(HELLO, DOOR0, "BG1 try\t1 BG-049 user"), 2, 1, STREAM_FORGED, "no record has" },
    { LINES(HELLO, DOOR0, "BG1 try 1 BG-049 us\xc3\xa4r"), 2, 1, STREAM_FORGED, "no record has" },
    { LINES(HELLO "\r", DOOR0), 1, 1, STREAM_FORGED, "no record has" },
};

Test(collector, a_right_digest_makes_nothing_good_that_breaks_the_order_or_the_plan)
{
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct stream stream = make_stream(wrong[i].lines, wrong[i].tried, wrong[i].done);
        struct collection result = collect(&with_door, stream.text, stream.size);
        cr_expect_eq(result.state, wrong[i].state, "row %zu: state %d, %s", i, result.state, result.problem);
        cr_expect_not_null(strstr(result.problem, wrong[i].problem), "row %zu: %s", i, result.problem);
    }
}

static void forged(const struct collector_plan *plan, const char *bytes, size_t size, const char *problem)
{
    struct collection result = collect(plan, bytes, size);
    cr_expect_eq(result.state, STREAM_FORGED, "state %d, wanted %s", result.state, problem);
    cr_expect_not_null(strstr(result.problem, problem), "%s: %s", problem, result.problem);
}

Test(collector, nothing_may_come_after_the_bye)
{
    struct stream stream = good_stream();
    stream.text[stream.size] = '\n';
    forged(&with_door, stream.text, stream.size + 1, "after the bye");
    stream = good_stream();
    add_bye(&stream, 5, 5);
    forged(&with_door, stream.text, stream.size, "after the bye");
}

Test(collector, a_replayed_or_doubled_stream_is_forged)
{
    struct stream stream = good_stream();
    struct collector_plan next = with_door;
    next.run[0] = 'f';
    forged(&next, stream.text, stream.size, "another run");
    memcpy(stream.text + stream.size, stream.text, stream.size);
    forged(&with_door, stream.text, 2 * stream.size, "after the bye");
}

Test(collector, a_nul_or_an_overlong_line_is_forged)
{
    struct stream stream = good_stream();
    char text[2 * RECORD_LINE_MAX];
    memset(text, 'a', sizeof text);
    forged(&with_door, text, RECORD_LINE_MAX, "line 1: too long");
    cr_expect_eq(collect(&with_door, text, RECORD_LINE_MAX - 1).state, STREAM_SILENT);
    forged(&with_door, text, sizeof text, "line 1: too long");
    stream.text[strlen(HELLO) + 1] = '\0';
    forged(&with_door, stream.text, stream.size, "line 2: a byte that no record has");
}

Test(collector, a_plan_that_can_not_be_collected_is_refused)
{
    static struct collector_plan plan;
    plan = with_door;
    plan.count = ACTS_MAX;
    plan.first = 1;
    forged(&plan, "", 0, "can be collected");
}

Test(collector, what_was_done_before_a_forgery_stays_recorded)
{
    struct stream stream = make_stream(LINES(HELLO, DOOR0, ALL_TRIED, "BG1 did 2 sent - 1 0 1 -", "forged"), 4, 2);
    struct collection result = collect(&with_door, stream.text, stream.size);
    cr_assert_eq(result.state, STREAM_FORGED);
    cr_expect(result.acts[0].done && result.acts[2].done && result.acts[3].tried && !result.acts[3].done);
}

Test(collector, a_problem_never_repeats_what_the_bottle_wrote)
{
    struct collection result = collect(&with_door, "<script>\n", 9);
    cr_expect_null(strstr(result.problem, "script"), "%s", result.problem);
}

Test(collector, the_pieces_in_which_it_comes_make_no_difference)
{
    unsigned seed = 1;
    for (size_t i = 0; i <= sizeof wrong / sizeof wrong[0]; i++) {
        struct stream stream =
            i == 0 ? good_stream() : make_stream(wrong[i - 1].lines, wrong[i - 1].tried, wrong[i - 1].done);
        static struct collection whole, pieces;
        struct collector_state state;
        memset(&whole, 0, sizeof whole);
        collector_begin(&state, &with_door, &whole);
        collector_feed(&state, stream.text, stream.size);
        collector_end(&state);
        for (int round = 0; round < 50; round++) {
            collector_begin(&state, &with_door, &pieces);
            for (size_t at = 0; at < stream.size;) {
                size_t size = 1 + (size_t)rand_r(&seed) % (round == 0 ? 1 : 40);
                size = size < stream.size - at ? size : stream.size - at;
                collector_feed(&state, stream.text + at, size);
                at += size;
            }
            collector_end(&state);
            cr_assert_eq(memcmp(&whole, &pieces, sizeof whole), 0, "stream %zu, round %d", i, round);
        }
    }
}
