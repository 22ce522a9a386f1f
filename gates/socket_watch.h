/*
 * What the host's own table of sockets says while a fenced bottle runs: a listener or a connection that appears in the
 * site's host namespace and belongs to nothing known shows that something on the host listens or dials for the bottle.
 * It sees what no packet shows, such as a port that an engine has opened for its guest and nobody has spoken to yet.
 */
#ifndef GATES_SOCKET_WATCH_H
#define GATES_SOCKET_WATCH_H

#include "hearing.h"
#include "witness/socket_table.h"

struct socket_watch {
    struct socket_table table;
    struct socket_list before, now;
    bool available;
};

/* Remembers what is there; called in the host namespace before the bottle is started. A kernel that doesn't tell leaves the
 * watch unavailable, with the reason in the phase's result; a table that doesn't show a socket that was just made is broken. */
bool socket_watch_begin(struct socket_watch *watch, struct hearing *hearing, struct error *error);

/* Notes every socket that is new: as a hit where it goes to an attempt's destination, else as unexplained. */
void socket_watch_look(struct socket_watch *watch, struct hearing *hearing);

void socket_watch_end(struct socket_watch *watch);

#endif
