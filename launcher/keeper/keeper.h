/*
 * The keeper: the process that owns a bottle which lives on after the command that started it. It has a session of its own,
 * no terminal, nothing open but what it needs, and answers requests (request.h) on the bottle's socket until it is told to
 * stop. When it is killed the kernel ends the bottle.
 */
#ifndef LAUNCHER_KEEPER_KEEPER_H
#define LAUNCHER_KEEPER_KEEPER_H

#include "../backend.h"
#include "registry.h"

struct keeper {
    struct bottle_options options;
    enum principal principal; /* that commands get by default */
    char name[REGISTRY_NAME];
    int directory; /* from registry_open */
    struct registry_seat seat;
};

/* Forks the keeper, which starts the bottle, and waits until that is ready. The seat is the keeper's from then on. Returns a
 * descriptor that the caller answers with keeper_accept, when the user knows the name: closed without that (the caller was
 * killed), the keeper ends the bottle. -1: nothing is left of it. */
int keeper_start(const struct keeper *keeper, struct error *error);
bool keeper_accept(int answer, struct error *error);

#endif
