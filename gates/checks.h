/*
 * What a host has and lacks for runs with a backend: every check that preflight.c makes, and those of what a run can do
 * without, each looked at whatever the others say. `bottle-gate preflight` shows them.
 */
#ifndef GATES_CHECKS_H
#define GATES_CHECKS_H

#include <stddef.h>

#include "../launcher/backend.h"

enum check_state {
    CHECK_OK,
    CHECK_MISSING, /* no run without it */
    CHECK_LESS,    /* a run without it proves less */
    CHECK_UNKNOWN, /* can't be looked at before something else is mended */
    CHECK_STATES
};
const char *check_state_name(enum check_state state); /* "ok", "missing", "less", "unknown" */

struct check {
    char name[64];
    const char *purpose;  /* what it is for */
    const char *unproved; /* what is not proved without it, for CHECK_LESS; else NULL */
    enum check_state state;
    char problem[512]; /* what is missing and the remedy; "" where it is ok */
};

#define CHECKS_MAX 64

/* Looks at everything, for runs with that policy (NULL: the backend's default). Starts processes and a bottle, and leaves nothing. Returns the number of checks. */
size_t checks_make(const struct backend *backend, const char *policy, struct check checks[CHECKS_MAX]);

/* The same for runs on the machine itself (--site=host), with a backend that has bottles there. Starts nothing. */
size_t checks_make_on_machine(const struct backend *backend, struct check checks[CHECKS_MAX]);

/* True if none is missing or unknown. */
bool checks_passed(const struct check *checks, size_t count);

#endif
