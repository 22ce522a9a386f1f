/*
 * See judge.h. The judge asks its questions in one fixed order and stops at the first answer that decides: a
 * hit, then whatever makes the gate untrustworthy, then whatever is missing. Only what is left after all of
 * these, complete evidence that says nothing got out, is compared with the other two runs; and only a
 * difference that someone outside witnessed is BLOCKED. It must never reach BLOCKED by leaving a question
 * out, so a value that an enum doesn't have is always the answer "unknown", and there is no default that is
 * good.
 */
#include "judge.h"

#include <stddef.h>

static struct judgement blocked(enum how how, enum reason reason)
{
    return (struct judgement){ VERDICT_BLOCKED, how, reason };
}

static struct judgement inconclusive(enum reason reason)
{
    return (struct judgement){ VERDICT_INCONCLUSIVE, HOW_NONE, reason };
}

/* What the fenced run lacks, REASONS if nothing. The witnesses' controls come after the door's: a bottle
 * whose door is shut may not have run at all, and then silence is explained by that. */
static enum reason find_gap_in_fenced_run(const struct evidence *evidence)
{
    if (evidence->account == ACCOUNT_HALF)
        return REASON_HALF_RECORD;
    if (evidence->account == ACCOUNT_STARVED)
        return REASON_STARVED;
    if (evidence->account == ACCOUNT_UNTRUSTED)
        return REASON_UNTRUSTED_RECORD;
    if (evidence->account != ACCOUNT_TRIED && evidence->account != ACCOUNT_UNSUPPORTED)
        return REASON_NO_RECORD;
    if (!evidence->door_before)
        return REASON_DOOR_BEFORE;
    if (!evidence->door_after)
        return REASON_DOOR_AFTER;
    if (!evidence->witness_before)
        return REASON_WITNESS_BEFORE;
    if (!evidence->witness_during)
        return REASON_WITNESS_DURING;
    if (!evidence->witness_after)
        return REASON_WITNESS_AFTER;
    return evidence->stray ? REASON_STRAY : REASONS;
}

static bool stands_on_bare_alone(const struct evidence *evidence)
{
    return evidence->open == SIGHTING_SKIPPED && evidence->open_accepted && evidence->bare != SIGHTING_SKIPPED;
}

/* What the open run lacks, REASONS if nothing. */
static enum reason find_gap_in_open_run(const struct evidence *evidence)
{
    if (evidence->open == SIGHTING_SKIPPED)
        return REASON_OPEN_SKIPPED;
    if (evidence->open != SIGHTING_CAUGHT && evidence->open != SIGHTING_UNSUPPORTED &&
        evidence->open != SIGHTING_MISSED)
        return REASON_OPEN_UNKNOWN;
    return evidence->open_was_open ? REASONS : REASON_OPEN_NOT_OPEN;
}

/* What the runs to compare with lack, REASONS if nothing. One of the two may be left out: the bare run where it is too
 * dangerous, the open run where the user accepts that. */
static enum reason find_gap_in_other_runs(const struct evidence *evidence)
{
    enum reason gap = stands_on_bare_alone(evidence) ? REASONS : find_gap_in_open_run(evidence);
    if (gap != REASONS)
        return gap;
    if (evidence->bare != SIGHTING_CAUGHT && evidence->bare != SIGHTING_UNSUPPORTED &&
        evidence->bare != SIGHTING_MISSED && evidence->bare != SIGHTING_SKIPPED)
        return REASON_BARE_UNKNOWN;
    return REASONS;
}

/* The same question where there is no open run. A bottle that says that its kernel lacks something is believed only where
 * the probe was told the same beside it. */
static struct judgement compare_with_bare_alone(const struct evidence *evidence)
{
    if (evidence->account == ACCOUNT_UNSUPPORTED)
        return evidence->bare == SIGHTING_UNSUPPORTED && evidence->outside_agrees
                   ? blocked(HOW_UNSUPPORTED, REASON_UNSUPPORTED_AS_BARE)
                   : inconclusive(REASON_UNSUPPORTED_NOT_CONFIRMED);
    return evidence->bare == SIGHTING_CAUGHT ? blocked(HOW_BARE, REASON_SILENT_UNLIKE_BARE)
                                             : inconclusive(REASON_NOT_DETECTABLE);
}

/* All evidence is there and nothing got out: was it shown that it would have been heard? */
static struct judgement compare(const struct evidence *evidence)
{
    if (stands_on_bare_alone(evidence))
        return compare_with_bare_alone(evidence);
    if (evidence->open == SIGHTING_CAUGHT)
        return blocked(HOW_FENCE, REASON_FENCED_OFF);
    if (evidence->account == ACCOUNT_UNSUPPORTED)
        return evidence->open == SIGHTING_UNSUPPORTED && evidence->outside_agrees
                   ? blocked(HOW_UNSUPPORTED, REASON_UNSUPPORTED)
                   : inconclusive(REASON_UNSUPPORTED_NOT_CONFIRMED);
    if (evidence->open != SIGHTING_MISSED || evidence->bare != SIGHTING_CAUGHT)
        return inconclusive(REASON_NOT_DETECTABLE);
    return evidence->structural ? blocked(HOW_STRUCTURE, REASON_ABSENT_BY_STRUCTURE)
                                : inconclusive(REASON_OPEN_SHOULD_HAVE_LEAKED);
}

struct judgement judge(const struct evidence *evidence)
{
    if (evidence->hit)
        return (struct judgement){ VERDICT_ESCAPED, HOW_NONE, REASON_HIT };
    if (evidence->gate_broken)
        return (struct judgement){ VERDICT_BROKEN, HOW_NONE, REASON_GATE_BROKEN };
    enum reason gap = find_gap_in_fenced_run(evidence);
    if (gap == REASONS)
        gap = find_gap_in_other_runs(evidence);
    return gap == REASONS ? compare(evidence) : inconclusive(gap);
}

const char *verdict_name(enum verdict verdict)
{
    static const char *const names[VERDICTS] = {
        [VERDICT_BLOCKED] = "BLOCKED",
        [VERDICT_ESCAPED] = "ESCAPED",
        [VERDICT_INCONCLUSIVE] = "INCONCLUSIVE",
        [VERDICT_BROKEN] = "BROKEN",
    };
    return (unsigned)verdict < VERDICTS ? names[verdict] : "BROKEN";
}

const char *how_name(enum how how)
{
    static const char *const names[HOWS] = {
        [HOW_NONE] = NULL,   [HOW_FENCE] = "fence", [HOW_STRUCTURE] = "structure", [HOW_UNSUPPORTED] = "unsupported",
        [HOW_BARE] = "bare",
    };
    return (unsigned)how < HOWS ? names[how] : NULL;
}

const char *judge_reason_text(enum reason reason)
{
    static const char *const texts[REASONS] = {
        [REASON_HIT] = "A witness outside the bottle heard this attempt.",
        [REASON_GATE_BROKEN] = "The gate itself can't be trusted: a witness was dead or deaf, something was lost, or "
                               "records were forged.",
        [REASON_NO_RECORD] = "The probe left no record of this attempt, so it may never have been made.",
        [REASON_HALF_RECORD] = "The probe began this attempt and never said how it ended.",
        [REASON_STARVED] = "The probe ran out of descriptors or memory and never made this attempt.",
        [REASON_UNTRUSTED_RECORD] = "The probe's records were cut off or do not add up.",
        [REASON_DOOR_BEFORE] = "The bottle did not reach its door before the attempts, so its network may have been "
                               "dead.",
        [REASON_DOOR_AFTER] = "The bottle did not reach its door after the attempts, so its network may have died.",
        [REASON_WITNESS_BEFORE] = "Not every witness heard its control before the attempts.",
        [REASON_WITNESS_DURING] = "Not every witness heard its control during the attempts.",
        [REASON_WITNESS_AFTER] = "Not every witness heard its control after the attempts.",
        [REASON_STRAY] = "Packets or connections were seen outside that nothing explains.",
        [REASON_OPEN_SKIPPED] = "The open bottle was left out, so nothing shows that the fence made a difference.",
        [REASON_OPEN_UNKNOWN] = "The open bottle's run of this attempt is incomplete, so there is nothing to compare "
                                "with.",
        [REASON_OPEN_NOT_OPEN] = "The open bottle did not leak what it must leak, so it was not open or its network "
                                 "was dead.",
        [REASON_BARE_UNKNOWN] = "The bare run of this attempt is incomplete, so nothing shows that the witness works.",
        [REASON_OPEN_SHOULD_HAVE_LEAKED] = "Caught without a sandbox but not in the open bottle, which should have "
                                           "leaked it.",
        [REASON_NOT_DETECTABLE] = "Nobody caught this attempt anywhere, so silence proves nothing here.",
        [REASON_UNSUPPORTED_NOT_CONFIRMED] = "The bottle says that its kernel lacks this, and nothing outside "
                                             "confirms it.",
        [REASON_FENCED_OFF] = "Caught in the open bottle and silent in the fenced one: the fence holds.",
        [REASON_ABSENT_BY_STRUCTURE] = "Caught without a sandbox; this make of bottle has no such way out.",
        [REASON_UNSUPPORTED] = "The kernel lacks this in the open and the fenced bottle, and something outside "
                               "agrees.",
        [REASON_SILENT_UNLIKE_BARE] =
            "Caught without a sandbox and silent in the bottle; it is accepted that no open bottle was tried.",
        [REASON_UNSUPPORTED_AS_BARE] =
            "The kernel lacks this with and without a sandbox; it is accepted that no open bottle was tried.",
    };
    return (unsigned)reason < REASONS ? texts[reason] : "The judge was asked for a reason that does not exist.";
}
