/*
 * The bottles that live on, by name: one Unix socket each in a directory that only this user can enter. A name belongs to
 * who listens on its socket; a socket that nobody listens on is what a killed keeper left, and is removed by who meets it.
 */
#ifndef LAUNCHER_KEEPER_REGISTRY_H
#define LAUNCHER_KEEPER_REGISTRY_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "../support/error.h"

enum { REGISTRY_NAME = 33 }; /* bytes, the ending 0 included */

/* True for [a-z0-9][a-z0-9-]{0,31}. */
bool registry_name_valid(const char *name);

/* Opens the directory: bottle-gate/bottles in $XDG_RUNTIME_DIR, else in /run/user/UID if that is there and this user's, else
 * /tmp/bottle-gate-UID/bottles. Makes it (mode 0700) if `make`. Returns a descriptor of the caller's, or -1; then `error` is
 * empty if there merely is none. A directory of somebody else's, or one that others can enter, is an error. */
int registry_open(bool make, struct error *error);

/* A name that was taken: the listening socket (non-blocking), and which file it is. */
struct registry_seat {
    int listener;
    dev_t device;
    ino_t file;
};

/* Takes `name`. On failure *taken says whether a living bottle has it. Of two callers at the same moment one gets it. */
bool registry_listen(int directory, const char *name, struct registry_seat *seat, bool *taken, struct error *error);

/* Connects to the keeper of `name` and returns the socket, or -1 with `error` filled. */
int registry_connect(int directory, const char *name, struct error *error);

/* Gives the name back: removes the socket, whose listener is still open. One that somebody else made since then stays. */
void registry_remove(int directory, const char *name, const struct registry_seat *seat);

/* True if `name` is a socket that nobody listens on; it is then removed, if `remove`. */
bool registry_is_dead(int directory, const char *name, bool remove);

/* The names in the directory, sorted, dead ones among them: *names is the caller's, to be freed. Returns their number, or -1. */
int registry_list(int directory, char (**names)[REGISTRY_NAME], struct error *error);

#endif
