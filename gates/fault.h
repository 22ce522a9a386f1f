/*
 * The faults that `bottle-gate selftest` makes, one at a time, in an otherwise real run. A fault is a row:
 * its name, what it breaks, and the outcome that a sound gate must come to. FAULT_NONE in every other run.
 */
#ifndef GATES_FAULT_H
#define GATES_FAULT_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "../launcher/support/error.h"

enum fault {
    FAULT_NONE,
    FAULT_DEAD_WITNESS,      /* the TCP witness stops listening after its first control */
    FAULT_DEAF_CAPTURE,      /* the capture's filter lets nothing through */
    FAULT_PROBE_KILLED,      /* the probe is SIGKILLed after its first attempt began */
    FAULT_RECORDS_TRUNCATED, /* the record stream ends before its last line */
    FAULT_RECORDS_FORGED,    /* a `did` for an act that was never planned is slipped in */
    FAULT_WRONG_RUN,         /* the stream greets with the id of another run */
    FAULTS
};

struct fault_row {
    const char *name;   /* for --fault and the selftest's lines */
    const char *breaks; /* one line for people */
    const char *stage;  /* where in the run */
    int exit;           /* what the run must end with */
};

/* Row of a fault; index with enum fault. */
extern const struct fault_row fault_rows[FAULTS];

/* True for the faults that lie in the record stream of the fenced run. */
bool fault_is_in_stream(enum fault fault);

/* Puts a process between the probe's output `stream` (handed over; `writing_end` is its other end, borrowed)
 * and the collector, which makes the fault in passing. Returns the descriptor to read instead, -1 on failure.
 * The process's pid is stored in *pid; the caller ends and reaps it. A killed probe is made by ending the
 * stream at its first attempt: the caller then kills the probe. */
int fault_tamper(enum fault fault, int stream, int writing_end, pid_t *pid, struct error *error);

#endif
