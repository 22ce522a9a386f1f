/*
 * Counts complete HTTP requests in a stream, for the responder that answers each of them. Bounded and pure:
 * it keeps a few bytes of the line it is in, never a request. Source: RFC 9112.
 */
#ifndef GATES_WITNESS_REQUESTS_H
#define GATES_WITNESS_REQUESTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define REQUESTS_LINE_KEPT 48

/* All zeroes at first. */
struct requests {
    bool in_body, request_line_seen;
    uint8_t kept;                  /* bytes of the current line that are in `line` */
    char line[REQUESTS_LINE_KEPT]; /* lower case */
    uint64_t body_left;            /* bytes, of the current request */
};

enum requests_start { REQUESTS_NO, REQUESTS_PERHAPS, REQUESTS_YES };
/* Whether a stream that begins with these bytes speaks HTTP: a method of its own and a space after it. */
enum requests_start requests_begin(const uint8_t *bytes, size_t size);

/* Reads on; returns how many requests became complete. */
unsigned requests_add(struct requests *requests, const uint8_t *bytes, size_t size);

#endif
