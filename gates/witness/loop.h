/*
 * The event loop of the witness process: epoll over embedded sources. One idea: a source is a descriptor and
 * the function that is called when it is ready; whoever owns the source embeds it in its own structure.
 */
#ifndef GATES_WITNESS_LOOP_H
#define GATES_WITNESS_LOOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../../launcher/support/error.h"

struct loop_source {
    int fd; /* -1: not in the loop; events that were already fetched for it are then dropped */
    void (*ready)(struct loop_source *source, uint32_t events); /* events: EPOLLIN, ... (epoll_ctl(2)) */
};

/* The structure of type `type` whose member `member` is the source. */
#define loop_owner(source, type, member) ((type *)(void *)((char *)(source)-offsetof(type, member)))

struct loop {
    int epoll;
};

bool loop_open(struct loop *loop, struct error *error);
/* Takes `fd` (non-blocking) into the loop under `source`; level-triggered, for reading. */
bool loop_add(struct loop *loop, struct loop_source *source, int fd, struct error *error);
/* Whether the source is also called when its descriptor can be written. */
void loop_want_write(struct loop *loop, struct loop_source *source, bool wanted);
/* Takes the source out and closes its descriptor. */
void loop_close(struct loop *loop, struct loop_source *source);
/* Calls what is ready, waiting at most `milliseconds` (-1: for ever). Returns how many sources were ready. */
unsigned loop_turn(struct loop *loop, int milliseconds);

#endif
