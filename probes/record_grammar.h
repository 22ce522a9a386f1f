/*
 * The records that the probe writes and the collector reads: ASCII lines of at most RECORD_LINE_MAX bytes
 * with their newline, fields separated by one space.
 *
 *   BG1 hello <run> <count> <uid> <kernel release> <boot id> <probe digest>
 *   BG1 try   <seq> <id> <principal>
 *   BG1 did   <seq> <stage> <errno name or -> <bytes sent> <bytes received> <microseconds> <proof or ->
 *   BG1 bye   <tried> <done> <SHA-256, hex, of all lines above, newlines included>
 *
 * (One space between fields; the table above is only aligned for the eye.)
 * count: acts to come, the two door round trips included. Act 0 is the first door round trip, act count-1 the
 * last; their id is "door". A plan without a door has no door acts: its acts are 1..count. kernel release: at
 * most 64 bytes of [A-Za-z0-9._+~-], other bytes as `_`, - where unknown. boot id: 36 bytes [0-9a-f-], or -
 * where it can't be read. probe digest: SHA-256, hex, of /proc/self/exe, or -. `try` ascends. stage: one of
 * the names below. For a sweep, bytes sent counts the ports that it is done with: tried, or left out because the door is there. proof: what the other end returned that only it could know, 1 to 64 lower-case hex digits.
 */
#ifndef PROBES_RECORD_GRAMMAR_H
#define PROBES_RECORD_GRAMMAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "plan_grammar.h"

#define RECORD_LINE_MAX 256

/* How far an act got before it ended. */
enum stage {
    STAGE_TARGET,   /* the target could not be made (no such scope, no resolver) */
    STAGE_SOCKET,   /* socket() or a needed option failed */
    STAGE_CONNECT,  /* connect failed */
    STAGE_SEND,     /* connected or ready, but nothing could be sent */
    STAGE_SENT,     /* all sent; no answer awaited or an error came back after it */
    STAGE_ANSWERED, /* an answer was received */
    STAGE_DEADLINE, /* the deadline came first */
    STAGES
};
const char *stage_name(enum stage stage); /* "target", "socket", ... */

enum record_kind { RECORD_HELLO, RECORD_TRY, RECORD_DID, RECORD_BYE };

#define RECORD_DOOR 0 /* the vector number of a door act */

struct record {
    enum record_kind kind;
    union {
        struct {
            char run[RUN_ID_DIGITS + 1];
            uint16_t count;
            uint32_t uid;
            char kernel[65], boot_id[37], digest[65];
        } hello;
        struct {
            uint16_t seq, vector;
            bool root;
        } attempt;
        struct record_did {
            uint16_t seq;
            enum stage stage;
            char error[16]; /* "ENETUNREACH", or "" for none */
            uint32_t sent, received;
            uint64_t microseconds;
            char proof[65]; /* or "" */
        } did;
        struct {
            uint16_t tried, done;
            char digest[65];
        } bye;
    };
};

/* Parses one line, given without its newline. False for anything that is not exactly the grammar. */
bool record_parse(const char *line, size_t size, struct record *record);

/* Writes one line with its newline; returns its length, or 0 if a field can't be written in the grammar. */
size_t record_format(const struct record *record, char line[RECORD_LINE_MAX]);

/* The symbolic name of an errno value, "E<number>" for one not in the table ("" for 0). And back: 0 if
 * unknown. */
const char *errno_name(int number);
int errno_value(const char *name);

/* True for the errno names that say "this kernel has no such facility": EAFNOSUPPORT, EPROTONOSUPPORT,
 * ESOCKTNOSUPPORT, ENOSYS, ENODEV. */
bool errno_is_unsupported(const char *name);

/* True for the errno names that say "the prober has run out of something": EMFILE, ENFILE, ENOMEM, ENOBUFS, EAGAIN. An attempt that
 * sent nothing for that reason was not made, and its silence means nothing. */
bool errno_is_starved(const char *name);

#endif
