/*
 * The bytes between the terminal that `bottle run` was started on and the pseudo-terminal of a bottle.
 */
#ifndef LAUNCHER_TERMINAL_RELAY_H
#define LAUNCHER_TERMINAL_RELAY_H

#include <poll.h>
#include <stdbool.h>
#include <termios.h>

#include "support/error.h"

enum { TERMINAL_RELAY_EVENTS = 3, TERMINAL_RELAY_BUFFER = 4096 };

struct terminal_relay {
    int master;        /* the bottle's terminal, non-blocking; -1: there is none */
    int input, output; /* this side's terminal; input -1: not read */
    int opened;        /* output, if it was opened here */
    bool raw;          /* input's settings are to be put back */
    struct termios saved;
    char in[TERMINAL_RELAY_BUFFER], out[TERMINAL_RELAY_BUFFER];
    unsigned in_start, in_end, out_start, out_end;
};

#define TERMINAL_RELAY_NONE                                                                                            \
    {                                                                                                                  \
        .master = -1, .input = -1, .output = -1, .opened = -1                                                          \
    }

/* True if one of the standard streams is a terminal. */
bool terminal_relay_wanted(void);

/* Takes `master` and puts the terminal on standard input, if it is one, into raw mode, so that keys go to the
 * bottle. */
bool terminal_relay_open(struct terminal_relay *relay, int master, struct error *error);

/* Fills the entries for poll(2), and after it moves what can be moved. Both do nothing without a terminal. */
void terminal_relay_prepare(const struct terminal_relay *relay, struct pollfd events[TERMINAL_RELAY_EVENTS]);
void terminal_relay_move(struct terminal_relay *relay, const struct pollfd events[TERMINAL_RELAY_EVENTS]);

/* Gives the bottle's terminal the size of this side's. */
void terminal_relay_resize(struct terminal_relay *relay);

/* Shows what the bottle (which has ended) still had to say, and puts the terminal back as it was. */
void terminal_relay_close(struct terminal_relay *relay);

#endif
