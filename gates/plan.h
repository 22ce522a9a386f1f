/*
 * The plan: which vectors are tried, at which targets, with which nonces, and what the witnesses must watch
 * for.
 *
 * It is made once a run, before anything starts, from the vector table and the places of the site. Every
 * attempt gets a tuple (destination on the wire, transport, port) that no other attempt of the same principal
 * has; where the row leaves the port open, no attempt of either principal shares it. The runs (bare, open,
 * fenced) have a site of their own each, so the same tuple in two runs can't be confused: nothing that one
 * run sends exists in the other's world.
 */
#ifndef GATES_PLAN_H
#define GATES_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../launcher/backend.h"
#include "../probes/plan_grammar.h"
#include "secret.h"
#include "witness/witness.h"

/* The three runs of a gate. */
enum phase_kind { PHASE_BARE, PHASE_OPEN, PHASE_FENCED, PHASES };
const char *phase_name(enum phase_kind phase); /* "bare", "open", "fenced" */

/* How much of BG-001 the fenced run makes. Bare and open prove it on SWEEP_PROOF_PORTS random ports. */
enum sweep_extent { SWEEP_ALL, SWEEP_SAMPLE, SWEEP_OFF };
#define SWEEP_ALL_PORTS    65535
#define SWEEP_SAMPLE_PORTS 1000
#define SWEEP_PROOF_PORTS  16

/* A probe makes its attempts in two parts, each a session of its own: everything but the sweep, then the sweep. */
enum plan_part { PART_ATTEMPTS, PART_SWEEP, PARTS };

/* One vector at one target, by whomever. seq is its index + 1. */
struct run_attempt {
    const struct vector *vector;
    const struct vector_target *target;
    bool ipv6;
    char address[96]; /* the place resolved: a literal, a literal prefix with its star, or an @ name */
    char wire[64]; /* destination literal, unspecified where only the bottle knows it, empty for what has no address */
};

struct not_proved {
    uint16_t vector;
    char reason[96];
};

#define NOT_PROVED_MAX    64
#define VECTORS_ASKED_MAX 64

/* What is asked for, and what this host and backend have. */
struct plan_wishes {
    const uint16_t *vectors; /* ids */
    size_t vector_count;     /* 0: all of the core profile */
    bool ipv6;               /* the kernel has it; without it IPv6 targets go to not_proved */
    const char *no_vsock;    /* why the gate owns no vsock context, or NULL */
    const char *peer4, *peer6;
    enum sweep_extent sweep;
    /* On the machine itself only what is the machine's or the world's is tried (machine_owns). NULL: in a sealed site, which has every address. */
    const struct machine_places *machine;
};

/* What a plan must know of the machine and of the bottles there. */
struct machine_places {
    char host4[46], host6[46];   /* its own addresses: machine_addresses */
    const char *gateway4;        /* that bottles have; literal */
    const char *const *networks; /* prefixes of theirs; ends with NULL */
    bool no_ping;                /* nobody there may send an echo request */
};

struct run_plan {
    char run[RUN_ID_DIGITS + 1];
    uint16_t count;
    uint16_t sweep_start; /* index of the first attempt of the sweep; they are the last, so it is `count` without one */
    enum sweep_extent sweep;
    struct run_attempt attempts[PLAN_ATTEMPTS_MAX];
    size_t not_proved_count;
    struct not_proved not_proved[NOT_PROVED_MAX];
};

/* Plans what is asked for, under a random run id. False (ERROR_USAGE) for an unknown id, (ERROR_BROKEN) for a table that
 * breaks the rule on tuples. */
bool plan_make(struct run_plan *plan, const struct plan_wishes *wishes, struct error *error);

/* Adds a reason why something of a vector is not proved here. */
void plan_note_unproved(struct run_plan *plan, uint16_t vector, const char *reason);

/* True for an attempt of the sweep: many ports, seen by its source ports. */
bool plan_is_sweep(const struct run_attempt *attempt);

/* True for an attempt at a second bottle, in which a probe listens. */
bool plan_is_for_peer(const struct run_attempt *attempt);

/* True if any planned attempt is of this vector. */
bool plan_has(const struct run_plan *plan, uint16_t vector);

/* How many ports the sweep tries in a phase; without `whole` (bare, open, mutants) as many as prove that it is heard. */
uint16_t plan_sweep_ports(const struct run_plan *plan, bool whole);

/* The port of the vsock listener of a phase. */
bool plan_vsock_port(const struct run_plan *plan, const struct secret *secret, enum phase_kind phase, uint32_t *port);

/* The port of an attempt when this principal tries it; 0 for what has none, and for a sweep. */
uint16_t plan_port(const struct run_plan *plan, uint16_t seq, enum principal principal);

/* "8.8.8.8:53/tcp", "[2001:db8::1]:80/udp", "198.51.100.64/icmp", "@bg-114/unix": as the report names the
 * target. */
void plan_describe_target(const struct run_plan *plan, uint16_t seq, enum principal principal, char *text, size_t size);

/* Fills everything of a probe plan but its timing and its door: the attempts of one part with the nonces of this run and
 * principal. `out->count` may be 0: then there is nothing to try in that part. `sweep_ports`: plan_sweep_ports. */
bool plan_for_probe(const struct run_plan *plan, const struct secret *secret, enum phase_kind phase,
                    enum principal principal, enum plan_part part, uint16_t sweep_ports, struct probe_plan *out,
                    struct error *error);

/* The number that an attempt has in its part, from 1. */
uint16_t plan_seq_in_part(const struct run_plan *plan, uint16_t seq, enum plan_part *part);

/* Index of an attempt in the table of watches: principals one after the other, then the controls. */
size_t plan_watch_index(const struct run_plan *plan, uint16_t seq, enum principal principal);

/* Index of a sweep's ports in the table that the witness fills. */
uint8_t plan_sweep_index(const struct run_plan *plan, uint16_t seq, enum principal principal);

/* Fills the watches of all attempts of one run; `watches` has room for PRINCIPALS * plan->count. */
bool plan_watches(const struct run_plan *plan, const struct secret *secret, enum phase_kind phase,
                  struct watch *watches, struct error *error);

/* The tuple of a destination literal ("" or an @ name gives family 0 or AF_UNIX). False if it is no literal.
 */
bool plan_tuple(const char *literal, enum transport transport, uint16_t port, struct tuple *tuple);

#endif
