/*
 * The plan as the probe reads it: ASCII lines of at most PLAN_LINE_MAX bytes, fields separated by one space.
 *
 *   BGP1 plan <run> <principal> <count> <deadline> <repeats> <door host> <door port> <proxy> <first> <last>
 *   BGP1 attempt <seq> <id> <mechanism> <address> <port> <mask> <masked nonce>
 *   BGP1 end <SHA-256, hex, of all lines above, newlines included>
 *
 * run: 32 lower-case hex digits. principal: user or root. count: attempts in the plan. deadline: milliseconds
 * for all of them together. repeats: how often a datagram is sent. door host: IP literal, or - for a plan
 * without a door. proxy: what the door is reached through (proxy.h), or -. first, last: the challenges (32 hex digits each) of the door round trips that stand before
 * and after the attempts. seq: 1, 2, 3, ... id: BG-nnn. mechanism: see vectors.h. address: IP literal (IPv6
 * may end in %scope), @resolver:LITERAL or @route:LITERAL (TCP and UDP mechanisms), a literal with /NAME (DNS
 * mechanisms only), @abstract:NAME or @path:/NAME (Unix), @vsock:1:PORT, @inherited: all as address.h has them, each
 * for its mechanisms only; a sweep takes a plain literal, a join a multicast address, a broadcast an IPv4 one. port: 0 exactly for ICMP, GROUP, Unix, vsock and inherited; for a
 * sweep the number of ports, of which 65535 are all of them, and fewer a choice that the nonce makes. mask, masked nonce: 32 hex digits each; the nonce is
 * their XOR, so that no spelling of a nonce lies in a bottle's file system or passes over a management
 * channel; a mask of zeroes is refused. A plan without a door has door port 0 and no proxy, and a plan has at least one
 * attempt.
 *
 * Parsing allocates nothing and accepts exactly this; anything else is refused as a whole.
 */
#ifndef PROBES_PLAN_GRAMMAR_H
#define PROBES_PLAN_GRAMMAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proxy.h"
#include "vectors.h"

#define PLAN_LINE_MAX     320
#define PLAN_ATTEMPTS_MAX 512
#define PLAN_TEXT_MAX     ((PLAN_ATTEMPTS_MAX + 2) * PLAN_LINE_MAX)
#define NONCE_BYTES       16
#define RUN_ID_DIGITS     32

struct planned_attempt {
    uint16_t seq, vector;
    enum mechanism mechanism;
    char address[112]; /* terminated */
    uint16_t port;
    uint8_t nonce[NONCE_BYTES]; /* unmasked */
};

struct probe_plan {
    char run[RUN_ID_DIGITS + 1];
    bool root; /* the principal */
    uint16_t count;
    uint32_t deadline_milliseconds; /* 1 to 600000 */
    uint8_t repeats;                /* 1 to 9 */
    bool has_door;
    char door_host[64];
    uint16_t door_port;
    char door_proxy[PROXY_WORD]; /* "": the door is reached as it is */
    uint8_t first_challenge[16], last_challenge[16];
    struct planned_attempt attempts[PLAN_ATTEMPTS_MAX];
};

/* Parses `size` bytes of `text`. On failure returns false and, if `problem` is not NULL, points it to a
 * constant text that says what was wrong, and *line (if not NULL) to the number of the line, from 1. */
bool plan_parse(const char *text, size_t size, struct probe_plan *plan, const char **problem, unsigned *line);

/* Writes the plan in the grammar above into `text`; `masks` gives one random 16-byte mask an attempt (the
 * plan's own `nonce` fields are masked with it). Returns the length, or 0 if `capacity` is too small or a
 * field is not writable in the grammar. */
size_t plan_format(const struct probe_plan *plan, const uint8_t (*masks)[NONCE_BYTES], char *text, size_t capacity);

#endif
