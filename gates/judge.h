/*
 * The judge: a pure function from the evidence about one attempt to its verdict. No input but its argument,
 * no output but its result; no clock, no memory, no I/O. tests/unit/gates_judge.c enumerates every combination of
 * its inputs.
 */
#ifndef GATES_JUDGE_H
#define GATES_JUDGE_H

#include <stdbool.h>

/* How the same attempt ended in a run other than the fenced one. */
enum sighting {
    SIGHTING_CAUGHT,      /* a witness heard it */
    SIGHTING_UNSUPPORTED, /* the probe was told that the kernel lacks the facility */
    SIGHTING_MISSED,      /* tried with good controls, nobody heard it */
    SIGHTING_SKIPPED,     /* the run was left out on purpose */
    SIGHTING_UNKNOWN,     /* no complete record, or controls of that run missing */
    SIGHTINGS
};

/* What a run's probe says about the attempt. */
enum account {
    ACCOUNT_TRIED,       /* try and did, in a complete stream */
    ACCOUNT_UNSUPPORTED, /* the same, with an errno that says that the kernel lacks the facility */
    ACCOUNT_HALF,        /* try without did */
    ACCOUNT_NONE,        /* no record */
    ACCOUNT_STARVED,     /* the probe ran out of something before it could send: the attempt was not made */
    ACCOUNT_UNTRUSTED,   /* a stream that was cut, or ended without a good `bye` */
    ACCOUNTS
};

struct evidence {
    enum sighting bare, open;
    enum account account;
    bool hit; /* fenced: nonce heard, packet to the tuple seen outside, or witness-only bytes in the probe's
                 hand */
    bool witness_before, witness_during, witness_after; /* controls heard by every witness, fenced run */
    bool door_before, door_after;                       /* the door's proof was right, fenced run */
    bool outside_agrees;                                /* something outside the bottle lacks the facility too */
    bool structural;                                    /* the backend declares the way absent in its make of bottle */
    bool stray;                                         /* unexplained packets or flows, fenced run */
    bool open_was_open;                                 /* the open bottle leaked what its backend says it must leak */
    bool open_accepted; /* the open run was left out, and the user takes the bare run for enough */
    bool gate_broken;   /* dead or deaf witness, loss, forged or out-of-plan records */
};

enum verdict { VERDICT_BLOCKED, VERDICT_ESCAPED, VERDICT_INCONCLUSIVE, VERDICT_BROKEN, VERDICTS };
const char *verdict_name(enum verdict verdict); /* "BLOCKED", ... */

enum how { HOW_NONE, HOW_FENCE, HOW_STRUCTURE, HOW_UNSUPPORTED, HOW_BARE, HOWS };
const char *how_name(enum how how); /* "fence", ..., NULL for none */

/* Why, in the order in which the judge looks. Each has one sentence: judge_reason_text. */
enum reason {
    REASON_HIT,
    REASON_GATE_BROKEN,
    REASON_NO_RECORD,
    REASON_HALF_RECORD,
    REASON_STARVED,
    REASON_UNTRUSTED_RECORD,
    REASON_DOOR_BEFORE,
    REASON_DOOR_AFTER,
    REASON_WITNESS_BEFORE,
    REASON_WITNESS_DURING,
    REASON_WITNESS_AFTER,
    REASON_STRAY,
    REASON_OPEN_SKIPPED,
    REASON_OPEN_UNKNOWN,
    REASON_OPEN_NOT_OPEN,
    REASON_BARE_UNKNOWN,
    REASON_OPEN_SHOULD_HAVE_LEAKED,
    REASON_NOT_DETECTABLE,
    REASON_UNSUPPORTED_NOT_CONFIRMED,
    REASON_FENCED_OFF,
    REASON_ABSENT_BY_STRUCTURE,
    REASON_UNSUPPORTED,
    REASON_SILENT_UNLIKE_BARE,
    REASON_UNSUPPORTED_AS_BARE,
    REASONS
};
const char *judge_reason_text(enum reason reason);

struct judgement {
    enum verdict verdict;
    enum how how;
    enum reason reason;
};

struct judgement judge(const struct evidence *evidence);

#endif
