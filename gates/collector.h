/*
 * The collector: reads one probe's record stream and says what of it can be believed. It is a process of its
 * own under seccomp (read, write, poll, exit): every byte it reads is hostile, and it holds nothing worth
 * taking. Lines and their number are bounded; the run id, the count, the order of `try`, duplicates and
 * sequence numbers are checked against the plan; silence is silence.
 */
#ifndef GATES_COLLECTOR_H
#define GATES_COLLECTOR_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "../launcher/support/error.h"
#include "../probes/record_grammar.h"
#include "../probes/sha256.h"

#define ACTS_MAX (PLAN_ATTEMPTS_MAX + 2)

/* What a stream was worth as a whole. */
enum stream_state {
    STREAM_COMPLETE, /* hello, every act tried and done, a bye that counts right and whose digest fits */
    STREAM_SILENT,   /* not one record */
    STREAM_CUT,      /* ended, or the deadline came, before the bye; or a bye that admits that acts were left out
                 */
    STREAM_FORGED,   /* a line outside the grammar or the plan, twice, out of order, of another run, or after
                      the bye */
};

struct collected_act {
    bool tried, done;
    struct record_did did; /* valid if done */
};

struct collection {
    enum stream_state state;
    char problem[96]; /* for anything but COMPLETE: what and where */
    uint32_t uid;
    char kernel[65], boot_id[37], digest[65];
    uint16_t count; /* acts that the plan has */
    struct collected_act acts[ACTS_MAX];
};

/* What the stream must agree with. Act i of the stream is vector vectors[i] (RECORD_DOOR for the door acts).
 */
struct collector_plan {
    char run[RUN_ID_DIGITS + 1];
    bool root;
    bool any_uid;               /* the bottle maps ids as it likes: the uid in its hello says nothing */
    uint16_t first;             /* 0 with a door, 1 without */
    uint16_t count;             /* number of acts */
    uint16_t vectors[ACTS_MAX]; /* indexed by seq */
};

/* The state machine by itself, fed with any number of bytes at a time: this is what the process runs and what
 * the fuzz driver drives. collector_end is called at the end of the stream. It allocates nothing. */
struct collector_state {
    const struct collector_plan *plan;
    struct collection *result;
    struct sha256 hash;
    char line[RECORD_LINE_MAX];
    uint32_t line_used, lines; /* bytes of the unfinished line; finished lines */
    uint16_t next_try, done;
    bool greeted, closed;
};
void collector_begin(struct collector_state *state, const struct collector_plan *plan, struct collection *result);
void collector_feed(struct collector_state *state, const char *bytes, size_t size);
void collector_end(struct collector_state *state);

struct collector {
    pid_t pid;
    int result; /* the collection comes out of this pipe, as one struct */
    int stop;   /* a byte on this socket: the process takes the stream for ended and says what it has */
};

/* Forks the process; it reads `stream` (handed over: closed here, whatever happens) until its end. It ends
 * with its parent. `plan` is copied by the fork. */
bool collector_start(struct collector *collector, const struct collector_plan *plan, int stream, struct error *error);

/* Waits for the result until `deadline` (CLOCK_MONOTONIC, microseconds). Past it the process is told to stop
 * and has a quarter of a second to say what came so far, which is STREAM_CUT; then it is ended and reaped
 * whatever it does. A collector that died or said nothing gives STREAM_CUT with no acts and a problem that
 * says so. */
void collector_finish(struct collector *collector, uint64_t deadline, struct collection *collection);

#endif
