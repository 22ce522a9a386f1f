/*
 * The one error object. A function that can fail returns bool (or an owned pointer) and takes a
 * `struct error *` as its last parameter; on failure it fills it with one line that says what was
 * done, on what, what the system said and what to do about it. Only a main() prints it and exits.
 */
#ifndef LAUNCHER_SUPPORT_ERROR_H
#define LAUNCHER_SUPPORT_ERROR_H

#include <stdbool.h>

/* What kind of failure it was: it decides the exit status (gates/README.md has the table). */
enum error_code {
    ERROR_NONE = 0,
    ERROR_USAGE,  /* the caller asked for something that does not exist or contradicts itself */
    ERROR_HOST,   /* this host lacks something; the text names the remedy */
    ERROR_SYSTEM, /* a system call failed that should not have */
    ERROR_BROKEN, /* the gate itself can't be trusted any more */
    ERROR_ABSENT, /* there is nothing to look at: what an engine says that it started isn't there */
};

struct error {
    enum error_code code;
    char text[512]; /* one line, no newline, always terminated */
};

/* Fills `error` (printf style) and returns false, so that `return error_set(...)` reads well.
 * The first error of a chain is kept when `error` already holds one. `error` may be NULL. */
bool error_set(struct error *error, enum error_code code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Like error_set with ERROR_SYSTEM, with ": <strerror(errno)>" appended. */
bool error_system(struct error *error, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
