/*
 * The UDP sweep: one datagram to each port, from two sockets, one a source port. A refusal isn't waited for, since an
 * unconnected socket isn't told of it; answers are drained in between and for ANSWER_TAIL after the last port, and only
 * one with a token counts.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "sweep.h"

#define ANSWER_TAIL 100000u /* microseconds */

static struct udp_sweep {
    const struct attempt *owner; /* NULL: unused */
    struct sweep_order order;
    uint16_t port; /* to be tried next, 0: the order's next */
    int sockets[2];
    uint64_t patience; /* when answers are no longer awaited; 0 before all was sent */
} sweeps[SWEEPS_AT_ONCE];

static struct udp_sweep *sweep_of(const struct attempt *owner)
{
    for (size_t i = 0; i < SWEEPS_AT_ONCE; i++)
        if (sweeps[i].owner == owner)
            return &sweeps[i];
    return NULL;
}

static void finish(struct attempt *attempt, struct udp_sweep *sweep, enum stage stage, int error)
{
    for (size_t i = 0; i < 2; i++)
        if (sweep->sockets[i] >= 0)
            close(sweep->sockets[i]);
    sweep->owner = NULL;
    attempt_end(attempt, attempt->proof[0] != '\0' ? STAGE_ANSWERED : stage, error);
}

/* Bounded, so that a flood can't hold up the sweep. */
static void drain(struct attempt *attempt, int fd)
{
    uint8_t data[2048];
    for (unsigned i = 0; i < SWEEP_BATCH; i++) {
        ssize_t size = recv(fd, data, sizeof data, 0);
        if (size < 0)
            return;
        /* Two swept ports are the sources themselves: what comes back unchanged is no answer. */
        if (size == attempt->request_size && memcmp(data, attempt->request, (size_t)size) == 0)
            continue;
        attempt->answer_size = 0;
        attempt_add_answer(attempt, data, (size_t)size);
    }
}

/* Sends to the next port. False if there is none, or the kernel has no room for now. */
static bool send_next(struct attempt *attempt, struct udp_sweep *sweep)
{
    if (sweep->port == 0)
        sweep->port = sweep_order_next(&sweep->order);
    if (sweep->port == 0)
        return false;
    sweep_aim(attempt, sweep->port);
    int *fd = &sweep->sockets[sweep->port < SWEEP_HALF];
    if (*fd < 0) /* forbidden so far */
        *fd = sweep_socket(attempt, SOCK_DGRAM, sweep->port);
    ssize_t sent = *fd < 0 ? -1
                           : sendto(*fd, attempt->request, attempt->request_size, MSG_NOSIGNAL, &attempt->target.any,
                                    attempt->target_size);
    if (sent < 0 && sweep_must_wait(errno))
        return false;
    if (sent < 0)
        sweep_keep_error(attempt, errno);
    sweep->port = 0;
    attempt->sent++;
    return true;
}

static void start(struct attempt *attempt, uint64_t now)
{
    struct udp_sweep *sweep = sweep_of(NULL);
    sweep_begin(attempt);
    if (attempt->ended)
        return;
    if (sweep == NULL) {
        attempt_end(attempt, STAGE_SOCKET, ENOBUFS);
        return;
    }
    *sweep = (struct udp_sweep){ .owner = attempt, .sockets = { -1, -1 } };
    sweep_order_start(&sweep->order, attempt->planned->nonce, attempt->planned->port);
    for (unsigned below = 0; below < 2; below++) {
        sweep->sockets[below] = sweep_socket(attempt, SOCK_DGRAM, below ? SWEEP_HALF - 1 : SWEEP_HALF);
        if (sweep->sockets[below] < 0 && !sweep_is_forbidden(errno)) {
            finish(attempt, sweep, STAGE_SOCKET, errno);
            return;
        }
    }
    attempt->wake = now;
}

static void turn(struct attempt *attempt, uint64_t now)
{
    struct udp_sweep *sweep = sweep_of(attempt);
    bool full = false;
    for (unsigned i = 0; i < SWEEP_BATCH && !full && sweep->patience == 0; i++)
        full = !send_next(attempt, sweep);
    drain(attempt, sweep->sockets[0]);
    drain(attempt, sweep->sockets[1]);

    if (sweep->patience == 0 && sweep->order.left == 0 && sweep->port == 0)
        sweep->patience = now + ANSWER_TAIL;
    if (sweep->patience != 0 && (now >= sweep->patience || now >= attempt->deadline || attempt->proof[0] != '\0'))
        finish(attempt, sweep, sweep->sockets[0] < 0 && sweep->sockets[1] < 0 ? STAGE_SOCKET : STAGE_SENT,
               attempt->error);
    else if (now >= attempt->deadline)
        finish(attempt, sweep, STAGE_DEADLINE, attempt->error);
    else
        attempt->wake = full || sweep->patience != 0 ? now + SWEEP_TICK : now;
}

static void ignore_events(struct attempt *attempt, short events, uint64_t now)
{
    (void)attempt, (void)events, (void)now;
}

const struct mechanism_functions sweep_udp_functions = { start, ignore_events, turn };
