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

/* One vector at one target, by whomever. seq is its index + 1. */
struct run_attempt {
    const struct vector *vector;
    const struct vector_target *target;
    bool ipv6;
    char address[96]; /* the place resolved: a literal, a literal prefix with its star, or an @ name */
    char wire[64];    /* destination literal, empty for Unix sockets */
};

struct not_proved {
    uint16_t vector;
    char reason[96];
};

#define NOT_PROVED_MAX    64
#define VECTORS_ASKED_MAX 64

struct run_plan {
    char run[RUN_ID_DIGITS + 1];
    uint16_t count;
    struct run_attempt attempts[PLAN_ATTEMPTS_MAX];
    size_t not_proved_count;
    struct not_proved not_proved[NOT_PROVED_MAX];
};

/* Plans the vectors asked for (all of the core profile where `asked_count` is 0). `ipv6`: the kernel has it;
 * without it IPv6 targets go to not_proved. A random run id. False (ERROR_USAGE) for an unknown id,
 * (ERROR_BROKEN) for a table that breaks the rule on tuples. */
bool plan_make(struct run_plan *plan, const uint16_t *asked, size_t asked_count, bool ipv6, struct error *error);

/* The port of an attempt when this principal tries it; 0 for ICMP and Unix sockets. */
uint16_t plan_port(const struct run_plan *plan, uint16_t seq, enum principal principal);

/* "8.8.8.8:53/tcp", "[2001:db8::1]:80/udp", "198.51.100.64/icmp", "@bg-114/unix": as the report names the
 * target. */
void plan_describe_target(const struct run_plan *plan, uint16_t seq, enum principal principal, char *text, size_t size);

/* Fills everything of a probe plan but its timing and its door: attempts with the nonces of this run and
 * principal. */
bool plan_for_probe(const struct run_plan *plan, const struct secret *secret, enum phase_kind phase,
                    enum principal principal, struct probe_plan *out, struct error *error);

/* Index of an attempt in the table of watches: principals one after the other, then the controls. */
size_t plan_watch_index(const struct run_plan *plan, uint16_t seq, enum principal principal);

/* Fills the watches of all attempts of one run; `watches` has room for PRINCIPALS * plan->count. */
bool plan_watches(const struct run_plan *plan, const struct secret *secret, enum phase_kind phase,
                  struct watch *watches, struct error *error);

/* The tuple of a destination literal ("" or an @ name gives family 0 or AF_UNIX). False if it is no literal.
 */
bool plan_tuple(const char *literal, enum transport transport, uint16_t port, struct tuple *tuple);

#endif
