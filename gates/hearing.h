/*
 * Hearing: what the witnesses tell one phase. It starts the witness process with everything to watch for, takes in its
 * messages while the phase waits for other things (so that no hit is lost to a full channel), puts each hit down to an
 * attempt, and sends the control rounds that show that every witness hears. It judges nothing.
 */
#ifndef GATES_HEARING_H
#define GATES_HEARING_H

#include "controls.h"
#include "session.h"
#include "site/site.h"
#include "witness/witness.h"

struct phase_options;
struct phase_result;

struct hearing {
    const struct phase_options *options;
    struct phase_result *result; /* hits, strays, what broke and missing controls go here */
    uint64_t started;            /* hits are timed from here; microseconds, CLOCK_MONOTONIC */
    int current;                 /* the principal whose attempts are under way: hits on a shared target are its own */
    uint8_t door_key[32];        /* filled by hearing_start: the door's endpoint answers with it */
    struct witness witness;
    bool running, broke; /* the witness process runs; it has made the fault that it was asked for */
    struct watch *watches;
    size_t watch_count, control_start, peer_start; /* controls, and those of the peer, begin at these indices */
    unsigned heard[ROUNDS][CONTROLS_MAX];          /* witness bits */
    unsigned peer_heard[PEER_ROUNDS][PEER_CONTROLS];
    struct controls_setting setting;
    uint32_t vsock_port;
    int world_namespace; /* the site's, borrowed */
    int planted[2];      /* the witness's end, and the one that is left open for whoever inherits it */
    int peer[2];         /* the witness's end, and the one that the peer writes to */
};

/* Derives all nonces and keys of the phase and starts the witness process in the site. `options`, `result` and `started` are
 * set by the caller before. */
bool hearing_start(struct hearing *hearing, const struct site *site, const struct secret *secret, struct error *error);

/* Takes in one message. False once the witness has nothing more to say. */
bool hearing_take_message(struct hearing *hearing, const struct witness_message *message);

/* Takes messages in until `fd` is readable (-1: none) or the deadline (CLOCK_MONOTONIC, microseconds) passes. */
void hearing_pump(struct hearing *hearing, int fd, uint64_t deadline);

/* The same, but returns after the first messages that came. */
void hearing_pump_once(struct hearing *hearing, int fd, uint64_t deadline);

/* session_finish, with messages taken in while it waits. */
void hearing_finish_session(struct hearing *hearing, struct session *session, struct collection *collection);

/* One round of controls, sent by the probe from the host namespace. True if every witness heard all of its own. A control that
 * was sent and not heard means a deaf witness: the gate is broken; one that could not be sent only leaves the round bad. */
bool hearing_round(struct hearing *hearing, enum control_round round);

/* The same for the listener of the second bottle, sent by a probe at `place`, beside it. */
bool hearing_peer_round(struct hearing *hearing, unsigned round, const struct session_place *place);

/* Lets the witnesses say what they still have, and what they lost. */
void hearing_stop(struct hearing *hearing);

/* Ends the witness process whatever it does, and frees. */
void hearing_end(struct hearing *hearing);

/* Writes down that somebody on the host dials an attempt's destination, or a socket there that nothing explains. */
void hearing_note_socket(struct hearing *hearing, uint16_t watch, const char *at, const char *peer);
void hearing_note_stray(struct hearing *hearing, const char *text);

/* Writes down the first thing that broke. */
void hearing_note_broken(struct hearing *hearing, const char *text);

#endif
