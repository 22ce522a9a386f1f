/*
 * The faults that `bottle-gate selftest` makes, one at a time, in otherwise real runs. A fault is a row of data: what
 * it breaks, how, in which of the three runs, and the exit status and the words that a sound gate must end with. The
 * rows stand in faults/, a file for each stage of a run; adding a fault is adding a row.
 *
 * The rest of the gate knows faults only through the seams at the end of this file. Each is one call that does
 * nothing where the fault is NULL, as it is in every run but the selftest's.
 */
#ifndef GATES_FAULT_H
#define GATES_FAULT_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/resource.h>
#include <sys/types.h>

#include "../launcher/backend.h"
#include "collector.h"
#include "controls.h"

/* What happens to one line of a probe's record stream on its way to the collector. */
enum tampering {
    TAMPER_NOTHING,
    TAMPER_CUT,    /* the stream ends before the line */
    TAMPER_HALVE,  /* it ends in the middle of the line */
    TAMPER_DROP,   /* the line is left out */
    TAMPER_DOUBLE, /* the line comes twice */
    TAMPER_SWAP,   /* the line and the one after it change places */
    TAMPER_BEFORE, /* `text` stands before the line, `number` times (0: once) */
    TAMPER_AFTER,  /* `text` stands after the line, `number` times (0: once) */
    TAMPER_FIELD,  /* field `number` of the line (0 is "BG1") becomes `text` */
    TAMPER_BITS,   /* every bit of the line is flipped, one after the other: no such stream may be taken for complete */
    TAMPER_BYTES,  /* every byte value is put in at every place of the line: the same */
    TAMPER_KEEP,   /* the whole stream is kept for a replay, and passed on */
    TAMPER_REPLAY, /* a kept stream comes instead: of whom, says `number` (enum replayed_stream) */
    TAMPER_KILL,   /* the probe gets a SIGKILL as soon as the line has come */
    TAMPER_STOP,   /* the same with SIGSTOP */
};

enum replayed_stream { REPLAY_OF_OLDER_RUN, REPLAY_OF_BARE_RUN, REPLAY_OF_USER };

struct tampering_of {
    enum tampering how;
    const char *line; /* a part of the line; the first line that has it, or the second one if `second` */
    bool second;
    const char *text;
    unsigned number;
    bool sealed; /* the bye is made to fit: counts and digest are those of what was passed on */
    bool sweep;  /* in the sweep's stream, not in the attempts' */
    bool root;   /* in that of root, not in that of the user */
};

/* What happens right before a round of controls. */
enum upset {
    UPSET_NOTHING,
    UPSET_BREAK,        /* the witness process makes its own fault (enum witness_fault) */
    UPSET_KILL,         /* SIGKILL to the witness process */
    UPSET_STOP,         /* SIGSTOP to the witness process */
    UPSET_LOSE_CONTROL, /* one control of the round is sent with a nonce that nobody waits for */
    UPSET_FLOOD_LO,     /* while the witness process is stopped: more datagrams on host loopback than a capture ring has
                            room for */
    UPSET_FLOOD_HOST,   /* the same by a cable to the host: more than the log of what it lets in has room for */
    UPSET_FLOOD_UDP,    /* the same into the world: more than a receive buffer has room for */
    UPSET_FLOOD_TCP,    /* the same: more connections than a listen queue has room for */
    UPSET_FLOOD_TRACKED, /* connections within the world until the connection table is full */
    UPSET_CLOCK,         /* the phase's clock jumps an hour ahead while the controls are under way */
};

struct upset_of {
    enum upset what;
    enum control_round round;
    uint16_t control;
};

/* What happens around `bottle-gate run`, started as a program. */
enum output { OUTPUT_KEPT, OUTPUT_CLOSED, OUTPUT_FULL, OUTPUT_UNREAD };

struct command_of {
    bool used;
    const char *at; /* a part of the progress line at which `signal` is sent */
    int signal;
    enum output output; /* its standard output */
    bool limited;
    int limit; /* RLIMIT_... */
    rlim_t value;
    bool whole; /* all of the core profile, sweep included; else the few vectors of the other faults */
};

/* What happens to `--report DIR`. */
struct report_of {
    bool used;
    unsigned long room; /* bytes of the file system that DIR is on; 0: enough */
    const char *at;     /* DIR, if not one of the fault's own */
    const char *file, *from,
        *to; /* in this file of it the first `from` becomes `to`, and the outcome is that of replay; or NULL */
};

enum fault_run { IN_FENCED, IN_OPEN, IN_BARE };

struct fault {
    const char *name;   /* for --fault and the selftest's lines */
    const char *stage;  /* where in the run */
    const char *breaks; /* one line for people */
    int exit;           /* what the run must end with: 0 to 4, or 128 + n for signal n */
    int also;           /* or with this, where two are sound and which of them depends on who is faster; 0: none */
    const char *says;   /* a part of the reason that it must give; NULL: none, or any */
    uint16_t vector;    /* the catalogue's id of this way to fool a gate, or 0 */
    bool sweep;         /* the run makes a sweep too (of 1,000 ports) */
    enum fault_run in;

    struct tampering_of stream;
    struct upset_of upset;
    enum witness_fault witness;
    unsigned kinds;                /* enum witness_kind bits, for WITNESS_FAULT_DEAD */
    const struct backend *backend; /* in the place of the real one */
    bool dead_collector;           /* the user's collector gets a SIGKILL as soon as it runs */
    bool no_sockets;               /* the host's table of sockets can't be read any more once the bottle runs */
    bool deaf_peer;                /* the second bottle's listener is killed before its last controls */
    const char *phase_dies_at;     /* a part of the progress line at which that phase's process gets a SIGKILL */
    struct command_of command;
    struct report_of report;
};

/* All faults, in the order of a run, the fault that breaks nothing first; NULL after the last. */
const struct fault *fault_at(size_t index);
const struct fault *fault_find(const char *name);

/* One table a stage; each ends with a row without a name. */
extern const struct fault faults_of_nothing[], faults_of_witnesses[], faults_of_probes[], faults_of_bottles[],
    faults_of_doors[], faults_of_records[], faults_of_sweeps[], faults_of_phases[], faults_of_commands[],
    faults_of_reports[];

/* The run before the one in which its stream is replayed. */
extern const struct fault fault_keeper;

#define FAULT_PATIENCE 2000000 /* microseconds */

/* Why this host or account can't make a fault, or NULL. */
const char *fault_impossible(const struct fault *fault);

/* --- the seams --- */

/* The fault if it is to be made in this run, else NULL. */
const struct fault *fault_in(const struct fault *fault, enum phase_kind kind);

/* The fault if it lies in this stream, else NULL. */
const struct fault *fault_in_stream(const struct fault *fault, enum phase_kind kind, enum principal principal,
                                    bool sweep);

/* Puts a process between the probe's output `stream` (handed over; `writing_end` is its other end, borrowed) and the
 * collector, which makes the fault in passing. Returns the descriptor to read instead, -1 on failure. *pid is the
 * process: the caller ends and reaps it. *tell is -1, or where the caller writes the probe's pid (a pid_t) once it has one. */
int fault_tamper(const struct fault *fault, const struct collector_plan *plan, int stream, int writing_end, pid_t *pid,
                 int *tell, struct error *error);

/* Makes what is to be made before a round of controls, `plan` being what will be sent; and while it is under way. */
void fault_before_round(const struct fault *fault, const struct witness *witness, int world_namespace,
                        enum control_round round, struct probe_plan *plan);
/* Was the witness process asked there to make a fault of its own, which it answers once it is made? */
bool fault_breaks_witness(const struct fault *fault, enum control_round round);
void fault_during_round(const struct fault *fault, unsigned round);

/* How long a control is waited for: not for long where the fault is that it never comes. Microseconds. */
uint64_t fault_patience(const struct fault *fault, uint64_t microseconds);

/* Before the first run of a fault: what several processes of it share. */
bool fault_prepare(const struct fault *fault, struct error *error);

#endif
