/*
 * What `bottle run` and `bottle exec` do on this side of a command: the signals, the terminal.
 */
#ifndef LAUNCHER_COMMANDS_ATTEND_H
#define LAUNCHER_COMMANDS_ATTEND_H

#include <stdbool.h>

#include "../support/error.h"
#include "../terminal_relay.h"

/* Blocks the signals that end a command or tell of it, and returns a descriptor that they are read from; -1 with `error`. */
int attend_signals(struct error *error);

/* Relays the terminal until the command ends: then its exit status; or until a signal says to end: then 128 + the signal,
 * and *told (may be NULL) is true. `ended` is asked whenever a child has ended or `connection` (-1: none) has something to
 * say; it fills *status and returns true when it is over. */
int attend(int signals, struct terminal_relay *terminal, int connection, bool (*ended)(void *context, int *status),
           void *context, bool *told);

#endif
