/*
 * Text that a bottle, or anybody, could have written, made harmless for each format. What is no UTF-8, and what can't
 * be seen or turns the reading direction, is shown as '?' (as in the terminal report); nothing in a text can end the
 * field that it stands in or become markup. Spellings get longer, never a text: one code point or bad byte becomes one
 * character.
 */
#ifndef GATES_REPORT_ESCAPE_H
#define GATES_REPORT_ESCAPE_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* The next code point of a terminated text, which is moved on; 0 at its end, and ESCAPE_BAD for one byte that begins no
 * well-formed UTF-8 (RFC 3629: no surrogates, nothing overlong, at most U+10FFFF). */
#define ESCAPE_BAD UINT32_MAX
uint32_t escape_next(const char **text);

/* Character data and attribute values of XML 1.0, in double or single quotes. */
void escape_xml(const char *text, FILE *stream);

/* One line of CommonMark, in a table cell too: all ASCII punctuation behind a backslash. */
void escape_markdown(const char *text, FILE *stream);

/* The description of a test point (TAP 14): no directive, no second line. */
void escape_tap(const char *text, FILE *stream);

/* A double-quoted scalar of YAML, with its quotes. Here nothing gets lost but bad bytes: what can't be seen is
 * spelled. */
void escape_yaml(const char *text, FILE *stream);

/* Copies as much as fits into `size` bytes (at least 1), as well-formed UTF-8: cJSON escapes everything else, but lets
 * bad bytes through. Returns `copy`. */
const char *escape_utf8(const char *text, char *copy, size_t size);

#endif
