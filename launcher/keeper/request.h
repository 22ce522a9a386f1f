/*
 * What the commands ask a keeper, and what it answers: one datagram each way on a SOCK_SEQPACKET socket, so nothing arrives
 * in halves. A request is a header and words that end with 0; its streams or its file travel beside it (unix(7),
 * SCM_RIGHTS). Both sides are of one user, but maybe of two versions.
 */
#ifndef LAUNCHER_KEEPER_REQUEST_H
#define LAUNCHER_KEEPER_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "../backend.h"
#include "../support/error.h"

enum request_kind { REQUEST_ASK, REQUEST_EXEC, REQUEST_PUT, REQUEST_STOP, REQUEST_KINDS };

enum {
    REQUEST_SIZE = 128 * 1024, /* bytes, the header included */
    REQUEST_WORDS = 4096,
    REQUEST_STREAMS = 3,
    REQUEST_TERMINAL_KIND = 64,             /* bytes of TERM, the ending 0 included */
    REQUEST_DEFAULT_PRINCIPAL = PRINCIPALS, /* whom the bottle was started for */
};

struct request {
    enum request_kind kind;
    unsigned principal;             /* EXEC: an enum principal, or REQUEST_DEFAULT_PRINCIPAL */
    unsigned terminals;             /* EXEC: bit i: stream i is a terminal, and the keeper makes one in its place */
    uint16_t rows, columns;         /* EXEC: of the terminal */
    mode_t mode;                    /* PUT */
    const char *term;               /* EXEC: the terminal's kind, or "" */
    char *words[REQUEST_WORDS + 1]; /* EXEC: the command; PUT: the name inside; ends with NULL */
    size_t word_count;
};

/* The number of descriptors that come with a request: EXEC: the streams that are no terminals, in order; PUT: the file. */
size_t request_descriptors(const struct request *request);

/* Writes `request` into `bytes`. Returns its size, or 0 with `error` filled if it is too long. */
size_t request_write(const struct request *request, char bytes[REQUEST_SIZE], struct error *error);

/* Reads a request of `size` bytes that came with `descriptors` descriptors. Its words stay where they are, in `bytes`. On
 * failure `error` says what is wrong with it. */
bool request_read(char *bytes, size_t size, size_t descriptors, struct request *request, struct error *error);

enum reply_kind { REPLY_ERROR, REPLY_STARTED, REPLY_ENDED, REPLY_DONE, REPLY_KINDS };

/* Of fixed size, and of numbers and characters only: whatever another process puts there is a value. */
struct reply {
    uint32_t magic, version;
    uint32_t kind;
    int32_t status;      /* ENDED: exit status of the command */
    int64_t since;       /* DONE after ASK, and so are the next: seconds since 1970 */
    uint32_t without;    /* fences left out */
    uint32_t principal;  /* that commands get by default */
    uint32_t door_port;  /* 0: none */
    uint32_t error_code; /* ERROR */
    char door_host[64], error_text[512];
};

/* A reply with its first fields filled. */
struct reply reply_make(enum reply_kind kind);

/* Checks what came in as a reply of `size` bytes; ends its strings. */
bool reply_check(struct reply *reply, size_t size, struct error *error);

#endif
