/*
 * What a keeper does for those who connect: one request a connection, several connections at once.
 */
#ifndef LAUNCHER_KEEPER_SERVE_H
#define LAUNCHER_KEEPER_SERVE_H

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "keeper.h"
#include "request.h"

enum { SERVE_CLIENTS = 96 };

struct serve_client {
    bool used;
    int fd;            /* -1: gone, its command is still to be reaped */
    uint64_t deadline; /* of a client that has asked nothing yet */
    pid_t command;     /* that runs for it, or 0 */
    bool deaf;         /* it has ended its side, and its command with it */
    bool stop;         /* is to be told when the bottle is gone */
};

struct serve {
    struct bottle *bottle;
    const struct keeper *keeper;
    int64_t since;
    bool ending; /* somebody asked for the bottle's end */
    struct serve_client clients[SERVE_CLIENTS];
    char bytes[REQUEST_SIZE + 1]; /* one more, to see what is too long */
    struct request request;
};

void serve_begin(struct serve *serve, struct bottle *bottle, const struct keeper *keeper);

/* False while commands run in all places. */
bool serve_has_room(struct serve *serve);

/* Takes a new connection, of this user only; where all places are taken, in that of one that has said nothing. */
void serve_accept(struct serve *serve, int listener);

/* Fills one entry a client for poll(2) and returns its time-out; and does what the clients ask for. */
int serve_prepare(const struct serve *serve, struct pollfd events[SERVE_CLIENTS]);
void serve_answer(struct serve *serve, const struct pollfd events[SERVE_CLIENTS]);

/* Reaps the commands that ended and tells whom they ran for. False: a child that is no command has ended. */
bool serve_reap(struct serve *serve);

/* The bottle is gone; or not wholly, and `failure` says so. Tells everybody. */
void serve_end(struct serve *serve, const struct error *failure);

#endif
