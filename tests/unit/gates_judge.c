/*
 * The judge against an oracle: every combination of its inputs, values that its enums don't have included, is
 * looked up in an ordered table of rows, and the three laws are checked over all of them. The table is
 * written from the design's own table, the other way round than the judge: first everything that BLOCKED
 * takes, in full, then what is missing.
 */
#include <criterion/criterion.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "../../gates/judge.h"

/* The values that are tried: all there are, and some that there aren't. */
static const int sightings[] = {
    SIGHTING_CAUGHT, SIGHTING_UNSUPPORTED, SIGHTING_MISSED, SIGHTING_SKIPPED, SIGHTING_UNKNOWN, SIGHTINGS, -1, INT_MAX
};
static const int accounts[] = { ACCOUNT_TRIED,   ACCOUNT_UNSUPPORTED, ACCOUNT_HALF, ACCOUNT_NONE,
                                ACCOUNT_STARVED, ACCOUNT_UNTRUSTED,   ACCOUNTS,     -1 };
#define COUNT(array) (sizeof(array) / sizeof(array)[0])

/* The yes-or-no inputs, by name. */
enum { HIT, BROKEN, DOOR1, DOOR2, WITNESS1, WITNESS2, WITNESS3, STRAY, OPENED, OUTSIDE, STRUCTURAL, ACCEPTED, FLAGS };
static const char *const flag_names[FLAGS] = { "hit",      "broken", "door1",  "door2",   "witness1",   "witness2",
                                               "witness3", "stray",  "opened", "outside", "structural", "accepted" };

static struct evidence make_evidence(int bare, int open, int account, unsigned flags)
{
    return (struct evidence){
        .bare = (enum sighting)bare,
        .open = (enum sighting)open,
        .account = (enum account)account,
        .hit = flags >> HIT & 1,
        .gate_broken = flags >> BROKEN & 1,
        .door_before = flags >> DOOR1 & 1,
        .door_after = flags >> DOOR2 & 1,
        .witness_before = flags >> WITNESS1 & 1,
        .witness_during = flags >> WITNESS2 & 1,
        .witness_after = flags >> WITNESS3 & 1,
        .stray = flags >> STRAY & 1,
        .open_was_open = flags >> OPENED & 1,
        .outside_agrees = flags >> OUTSIDE & 1,
        .structural = flags >> STRUCTURAL & 1,
        .open_accepted = flags >> ACCEPTED & 1,
    };
}

/* A row: letters of what each input may be, "*" for anything ("" is read as "*" too).
 *   sightings: C caught, U unsupported, M missed, S skipped, ? unknown or no such value
 *   accounts:  T tried, U unsupported, H half, E starved, X untrusted, 0 none or no such value
 *   flags:     one letter each in the order of the enum above: y, n, or * */
struct row {
    const char *account, *open, *bare, *flags;
    enum verdict verdict;
    enum how how;
    enum reason reason;
};

static const struct row oracle[] = {
    /*          hit, broken, door 1 2, witness 1 2 3, stray, opened, outside, structural, accepted */
    { "TU", "C", "CUMS", "nn yy yyy n y * * *", VERDICT_BLOCKED, HOW_FENCE, REASON_FENCED_OFF },
    { "T", "M", "C", "nn yy yyy n y * y *", VERDICT_BLOCKED, HOW_STRUCTURE, REASON_ABSENT_BY_STRUCTURE },
    { "U", "U", "CUMS", "nn yy yyy n y y * *", VERDICT_BLOCKED, HOW_UNSUPPORTED, REASON_UNSUPPORTED },
    { "T", "S", "C", "nn yy yyy n * * * y", VERDICT_BLOCKED, HOW_BARE, REASON_SILENT_UNLIKE_BARE },
    { "U", "S", "U", "nn yy yyy n * y * y", VERDICT_BLOCKED, HOW_UNSUPPORTED, REASON_UNSUPPORTED_AS_BARE },

    { "*", "*", "*", "y* ** *** * * * * *", VERDICT_ESCAPED, HOW_NONE, REASON_HIT },
    { "*", "*", "*", "*y ** *** * * * * *", VERDICT_BROKEN, HOW_NONE, REASON_GATE_BROKEN },

    { "0", "*", "*", "** ** *** * * * * *", VERDICT_INCONCLUSIVE, HOW_NONE, REASON_NO_RECORD },
    { "H", "*", "*", "** ** *** * * * * *", VERDICT_INCONCLUSIVE, HOW_NONE, REASON_HALF_RECORD },
    { "E", "*", "*", "** ** *** * * * * *", VERDICT_INCONCLUSIVE, HOW_NONE, REASON_STARVED },
    { "X", "*", "*", "** ** *** * * * * *", VERDICT_INCONCLUSIVE, HOW_NONE, REASON_UNTRUSTED_RECORD },
    { "*", "*", "*", "** n* *** * * * * *", VERDICT_INCONCLUSIVE, HOW_NONE, REASON_DOOR_BEFORE },
    { "*", "*", "*", "** *n *** * * * * *", VERDICT_INCONCLUSIVE, HOW_NONE, REASON_DOOR_AFTER },
    { "*", "*", "*", "** ** n** * * * * *", VERDICT_INCONCLUSIVE, HOW_NONE, REASON_WITNESS_BEFORE },
    { "*", "*", "*", "** ** *n* * * * * *", VERDICT_INCONCLUSIVE, HOW_NONE, REASON_WITNESS_DURING },
    { "*", "*", "*", "** ** **n * * * * *", VERDICT_INCONCLUSIVE, HOW_NONE, REASON_WITNESS_AFTER },
    { "*", "*", "*", "** ** *** y * * * *", VERDICT_INCONCLUSIVE, HOW_NONE, REASON_STRAY },
    { "*", "S", "*", "** ** *** * * * * n", VERDICT_INCONCLUSIVE, HOW_NONE, REASON_OPEN_SKIPPED },
    { "*", "S", "S", "** ** *** * * * * *", VERDICT_INCONCLUSIVE, HOW_NONE, REASON_OPEN_SKIPPED },
    { "*", "?", "*", "** ** *** * * * * *", VERDICT_INCONCLUSIVE, HOW_NONE, REASON_OPEN_UNKNOWN },
    { "*", "CUM", "*", "** ** *** * n * * *", VERDICT_INCONCLUSIVE, HOW_NONE, REASON_OPEN_NOT_OPEN },
    { "*", "*", "?", "** ** *** * * * * *", VERDICT_INCONCLUSIVE, HOW_NONE, REASON_BARE_UNKNOWN },
    { "T", "M", "C", "** ** *** * * * n *", VERDICT_INCONCLUSIVE, HOW_NONE, REASON_OPEN_SHOULD_HAVE_LEAKED },
    { "T", "MUS", "*", "** ** *** * * * * *", VERDICT_INCONCLUSIVE, HOW_NONE, REASON_NOT_DETECTABLE },
    { "U", "MUS", "*", "** ** *** * * * * *", VERDICT_INCONCLUSIVE, HOW_NONE, REASON_UNSUPPORTED_NOT_CONFIRMED },
};

static char sighting_letter(int sighting)
{
    return sighting >= 0 && sighting < SIGHTINGS ? "CUMS?"[sighting] : '?';
}

static char account_letter(int account)
{
    return account >= 0 && account < ACCOUNTS ? "TUH0EX"[account] : '0';
}

static bool fits(const char *letters, char letter)
{
    return letters[0] == '*' || strchr(letters, letter) != NULL;
}

static bool flags_fit(const char *wanted, unsigned flags)
{
    unsigned bit = 0;
    for (; *wanted != '\0'; wanted++) {
        if (*wanted == ' ')
            continue;
        if (*wanted != '*' && (*wanted == 'y') != (flags >> bit & 1))
            return false;
        bit++;
    }
    cr_assert_eq(bit, FLAGS, "a row of the oracle has %u flags", bit);
    return true;
}

static const struct row *look_up(int bare, int open, int account, unsigned flags)
{
    for (size_t i = 0; i < COUNT(oracle); i++)
        if (fits(oracle[i].account, account_letter(account)) && fits(oracle[i].open, sighting_letter(open)) &&
            fits(oracle[i].bare, sighting_letter(bare)) && flags_fit(oracle[i].flags, flags))
            return &oracle[i];
    return NULL;
}

static const char *describe(int bare, int open, int account, unsigned flags)
{
    static char text[256];
    int used = snprintf(text, sizeof text, "bare %d, open %d, account %d:", bare, open, account);
    for (unsigned bit = 0; bit < FLAGS; bit++)
        if (flags >> bit & 1)
            used += snprintf(text + used, sizeof text - (size_t)used, " %s", flag_names[bit]);
    return text;
}

/* Runs `check` for every combination. */
static void for_all(void (*check)(int bare, int open, int account, unsigned flags))
{
    for (size_t b = 0; b < COUNT(sightings); b++)
        for (size_t o = 0; o < COUNT(sightings); o++)
            for (size_t a = 0; a < COUNT(accounts); a++)
                for (unsigned flags = 0; flags < 1U << FLAGS; flags++)
                    check(sightings[b], sightings[o], accounts[a], flags);
}

static struct judgement judge_of(int bare, int open, int account, unsigned flags)
{
    struct evidence evidence = make_evidence(bare, open, account, flags);
    return judge(&evidence);
}

static bool is_blocked(int bare, int open, int account, unsigned flags)
{
    return judge_of(bare, open, account, flags).verdict == VERDICT_BLOCKED;
}

static unsigned combinations;
static bool reached[REASONS];

static void agrees_with_the_oracle(int bare, int open, int account, unsigned flags)
{
    const struct row *row = look_up(bare, open, account, flags);
    struct judgement found = judge_of(bare, open, account, flags);
    combinations++;
    if (row == NULL || found.verdict != row->verdict || found.how != row->how || found.reason != row->reason)
        cr_assert_fail("%s: verdict %d, how %d, reason %d; the oracle says %d, %d, %d",
                       describe(bare, open, account, flags), found.verdict, found.how, found.reason,
                       row != NULL ? (int)row->verdict : -1, row != NULL ? (int)row->how : -1,
                       row != NULL ? (int)row->reason : -1);
    reached[found.reason] = true;
}

Test(judge, agrees_with_the_table_for_every_combination_and_reaches_every_reason)
{
    for_all(agrees_with_the_oracle);
    cr_assert_eq(combinations, COUNT(sightings) * COUNT(sightings) * COUNT(accounts) << FLAGS);
    for (int reason = 0; reason < REASONS; reason++)
        cr_expect(reached[reason], "reason %d is never given: %s", reason, judge_reason_text((enum reason)reason));
}

/* Everything that can be taken away; the rest of the evidence stays. */
static void less_is_never_blocked(int bare, int open, int account, unsigned flags)
{
    static const int lesser_accounts[] = { ACCOUNT_HALF, ACCOUNT_NONE, ACCOUNT_STARVED, ACCOUNT_UNTRUSTED };
    static const unsigned needed[] = { DOOR1, DOOR2, WITNESS1, WITNESS2, WITNESS3 };
    static const unsigned declared[] = { OUTSIDE, STRUCTURAL, ACCEPTED };
    for (size_t i = 0; i < COUNT(lesser_accounts); i++)
        if (is_blocked(bare, open, lesser_accounts[i], flags))
            cr_assert_fail("blocked with no whole record: %s", describe(bare, open, lesser_accounts[i], flags));
    for (size_t i = 0; i < COUNT(needed); i++)
        if (is_blocked(bare, open, account, flags & ~(1U << needed[i])))
            cr_assert_fail("blocked without %s: %s", flag_names[needed[i]], describe(bare, open, account, flags));
    for (size_t i = 0; i < COUNT(declared); i++)
        if (!is_blocked(bare, open, account, flags) && is_blocked(bare, open, account, flags & ~(1U << declared[i])))
            cr_assert_fail("blocked for lack of %s: %s", flag_names[declared[i]], describe(bare, open, account, flags));
    if (is_blocked(bare, SIGHTING_SKIPPED, account, flags & ~(1U << ACCEPTED)) ||
        is_blocked(SIGHTING_SKIPPED, SIGHTING_SKIPPED, account, flags) ||
        is_blocked(bare, SIGHTING_UNKNOWN, account, flags))
        cr_assert_fail("blocked without an open bottle: %s", describe(bare, open, account, flags));
    if (open != SIGHTING_SKIPPED && is_blocked(bare, open, account, flags & ~(1U << OPENED)))
        cr_assert_fail("blocked by an open bottle that was not open: %s", describe(bare, open, account, flags));
    if (is_blocked(bare, open, account, flags | 1U << STRAY) || is_blocked(bare, open, account, flags | 1U << BROKEN))
        cr_assert_fail("blocked with strays or a broken gate: %s", describe(bare, open, account, flags));
}

Test(judge, taking_away_a_record_or_a_control_never_makes_it_blocked)
{
    for_all(less_is_never_blocked);
}

/* What is accepted is that there is no open run, and nothing else. */
static void acceptance_is_of_the_open_run_alone(int bare, int open, int account, unsigned flags)
{
    struct judgement with = judge_of(bare, open, account, flags | 1U << ACCEPTED),
                     without = judge_of(bare, open, account, flags & ~(1U << ACCEPTED));
    if (open != SIGHTING_SKIPPED && memcmp(&with, &without, sizeof with) != 0)
        cr_assert_fail("accepted though there is an open run: %s", describe(bare, open, account, flags));
    if (without.reason != REASON_OPEN_SKIPPED && memcmp(&with, &without, sizeof with) != 0)
        cr_assert_fail("more than its lack was accepted: %s", describe(bare, open, account, flags));
    if (open == SIGHTING_SKIPPED && with.verdict == VERDICT_BLOCKED && bare != SIGHTING_CAUGHT &&
        bare != SIGHTING_UNSUPPORTED)
        cr_assert_fail("blocked with nothing to compare with: %s", describe(bare, open, account, flags));
}

Test(judge, to_accept_that_there_is_no_open_run_accepts_nothing_else)
{
    for_all(acceptance_is_of_the_open_run_alone);
}

static void hit_wins(int bare, int open, int account, unsigned flags)
{
    if (judge_of(bare, open, account, flags | 1U << HIT).verdict != VERDICT_ESCAPED)
        cr_assert_fail("a hit is no escape: %s", describe(bare, open, account, flags));
}

Test(judge, a_hit_is_always_an_escape)
{
    for_all(hit_wins);
}

static bool is_unknown(int sighting)
{
    return sighting < 0 || sighting >= SIGHTINGS || sighting == SIGHTING_UNKNOWN;
}

static void unknown_is_not_blocked(int bare, int open, int account, unsigned flags)
{
    bool unknown = is_unknown(bare) || is_unknown(open) || account < 0 || account >= ACCOUNTS;
    if (unknown && is_blocked(bare, open, account, flags))
        cr_assert_fail("blocked by something unknown: %s", describe(bare, open, account, flags));
}

Test(judge, nothing_unknown_is_ever_blocked)
{
    for_all(unknown_is_not_blocked);
}

static void blocked_has_a_how(int bare, int open, int account, unsigned flags)
{
    struct judgement found = judge_of(bare, open, account, flags);
    if ((found.verdict == VERDICT_BLOCKED) != (found.how != HOW_NONE))
        cr_assert_fail("verdict %d and how %d: %s", found.verdict, found.how, describe(bare, open, account, flags));
}

Test(judge, exactly_what_is_blocked_says_how)
{
    for_all(blocked_has_a_how);
}

Test(judge, empty_evidence_is_not_blocked)
{
    struct evidence nothing = { 0 };
    cr_assert_neq(judge(&nothing).verdict, VERDICT_BLOCKED);
}

Test(judge, every_reason_has_one_sentence_of_its_own)
{
    for (int reason = 0; reason < REASONS; reason++) {
        const char *text = judge_reason_text((enum reason)reason);
        cr_assert_not_null(text, "reason %d", reason);
        size_t length = strlen(text);
        cr_expect(length > 20 && length < 160 && text[length - 1] == '.', "reason %d: %s", reason, text);
        for (int other = 0; other < reason; other++)
            cr_expect_str_neq(text, judge_reason_text((enum reason)other));
    }
    cr_expect_not_null(judge_reason_text(REASONS));
    cr_expect_not_null(judge_reason_text((enum reason) - 1));
}

Test(judge, names_are_those_of_the_report)
{
    cr_expect_str_eq(verdict_name(VERDICT_BLOCKED), "BLOCKED");
    cr_expect_str_eq(verdict_name(VERDICT_ESCAPED), "ESCAPED");
    cr_expect_str_eq(verdict_name(VERDICT_INCONCLUSIVE), "INCONCLUSIVE");
    cr_expect_str_eq(verdict_name(VERDICT_BROKEN), "BROKEN");
    cr_expect_str_eq(verdict_name(VERDICTS), "BROKEN");
    cr_expect_null(how_name(HOW_NONE));
    cr_expect_str_eq(how_name(HOW_FENCE), "fence");
    cr_expect_str_eq(how_name(HOW_STRUCTURE), "structure");
    cr_expect_str_eq(how_name(HOW_UNSUPPORTED), "unsupported");
    cr_expect_str_eq(how_name(HOW_BARE), "bare");
    cr_expect_null(how_name(HOWS));
    cr_expect_null(how_name((enum how)17));
}
