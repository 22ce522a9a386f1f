/*
 * Lines made of fields, the common ground of the plan and the record grammar: printable ASCII, fields
 * separated by exactly one space, numbers in decimal without sign or leading zero, digits of hex in lower
 * case. One text has one spelling, so that what was parsed can be written again byte for byte, and digests
 * over lines mean something.
 */
#ifndef PROBES_FIELDS_H
#define PROBES_FIELDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct field {
    const char *text; /* not terminated; points into the line */
    size_t size;      /* at least 1 */
};

/* Splits a line, given without its newline, into exactly `count` fields. */
bool fields_split(const char *line, size_t size, struct field *fields, size_t count);

bool field_is(struct field field, const char *word);

/* A number from 0 to `most`. */
bool field_decimal(struct field field, uint64_t most, uint64_t *value);

/* `least` to `most` digits of hex. */
bool field_is_hex(struct field field, size_t least, size_t most);

/* Copies and terminates. False if it doesn't fit in `capacity` bytes with its terminator. */
bool field_copy(struct field field, char *text, size_t capacity);

#endif
