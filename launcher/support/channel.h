/*
 * A channel between a launcher and the helpers that it forks: messages with an error, a pid or a descriptor.
 * Descriptors made inside a namespace come out this way. Source: unix(7), SCM_RIGHTS.
 */
#ifndef LAUNCHER_SUPPORT_CHANNEL_H
#define LAUNCHER_SUPPORT_CHANNEL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "error.h"

struct channel_message {
    int kind; /* meaning is the caller's; CHANNEL_ERROR is reserved */
    pid_t pid;
    struct error error;
};

#define CHANNEL_ERROR 0

/* Makes both ends, closed on exec. */
bool channel_open(int ends[2], struct error *error);

/* Forks a helper with a channel between: 0 in the helper, its pid in the caller, -1 with `error` filled. *end is each one's own
 * end, closed on exec. The helper can't be looked into, and ends with the caller. */
pid_t channel_fork(int *end, struct error *error);

/* Sends a message, with `descriptor` if that is not negative. */
bool channel_send(int end, const struct channel_message *message, int descriptor);

/* Sends `error` and ends the process: the way out of a helper that failed. */
_Noreturn void channel_fail(int end, const struct error *error);

enum channel_result { CHANNEL_MESSAGE, CHANNEL_CLOSED, CHANNEL_FAILED };

/* Waits for the next message until `deadline`. *descriptor (may be NULL) is owned by the caller afterwards;
 * -1 if there was none. CHANNEL_CLOSED: nobody holds the other end any more. CHANNEL_FAILED: `error` is
 * filled; an error message that arrives ends up there too. */
enum channel_result channel_receive(int end, struct channel_message *message, int *descriptor, uint64_t deadline,
                                    struct error *error);

#endif
