/*
 * What `machine egress-events --json` says was denied. The engine's own record: it corroborates, it proves nothing.
 * Destinations are words of the guest's choice (the names that it asked for), so they are shown printable and cut.
 *
 * It is one array of {"timestamp", "operation", "dest"}, oldest first (seen with 1.32.2); the same objects one a line
 * are read too.
 */
#ifndef LAUNCHER_SMOLVM_EVENTS_H
#define LAUNCHER_SMOLVM_EVENTS_H

#include <stdbool.h>
#include <stddef.h>

#include "../support/error.h"

struct smolvm_event {
    char timestamp[40];    /* as the engine wrote it; may be empty */
    char operation[16];    /* "connect", "sendto", "resolve", or another word */
    char destination[128]; /* address and port, or a name */
};

struct smolvm_events {
    size_t total;   /* that were in the text */
    size_t strange; /* of them, those that are no such object: not kept */
    size_t kept;    /* the first of the others, at most `capacity` */
};

/* Reads them into `list`, which holds `capacity`. False (ERROR_HOST): the text is neither an array nor lines of
 * objects. Nothing at all is no event. */
bool smolvm_events_parse(const char *text, size_t size, struct smolvm_event *list, size_t capacity,
                         struct smolvm_events *events, struct error *error);

#endif
