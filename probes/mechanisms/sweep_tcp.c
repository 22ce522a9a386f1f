/*
 * The TCP sweep. Sockets share the two source ports; those bound to one of them make a lane, which sweeps the half of
 * the ports that belongs to it. A port that is refused at once, as all closed ones of this machine are, costs two calls:
 * connect, and connect again, which asks what became of it and makes the same bound socket ready for the next port
 * (Linux keeps its port). Only what is neither made nor refused at once occupies a socket; a lane has at most WINDOW
 * such, and where descriptors are few it lives with those that it gets.
 *
 * What is silent: a SYN has gone out, and the witness outside decides what it meant, so a silent port is given up on
 * after CONNECT_PATIENCE, and, as soon as all sockets of a lane are in use, after the time that lets the lane's remaining
 * ports be done by the goal: (goal - now) * WINDOW / ports left, at least SWEEP_TICK. The goal is 2 s after the start or
 * half way to the deadline. So 65,535 silent ports take 2 s (256 sockets, 256 rounds of 8 ms); past the goal
 * the same would take 0.3 s.
 *
 * What is open gets the payload and the end of it, and ANSWER_PATIENCE for a token (when all sockets are in use: as
 * above, but at least ANSWER_LEAST, so that a listener's queue can't grow beyond what it takes in). It is reset only
 * when it proved by a token that it has read everything (see stream.c); else it is closed after what it said was read, so
 * that the kernel goes on delivering.
 */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <linux/sockios.h>
#include <unistd.h>

#include "sweep.h"

#define WINDOW           128     /* sockets of a lane */
#define CONNECT_PATIENCE 100000u /* microseconds, as all below */
#define OPEN_PATIENCE    200000u
#define ANSWER_LEAST     10000u
#define GOAL             2000000u
#define TAIL             40 /* bytes; a token has 37 */
#define READS_AT_LAST    16

struct slot {
    int fd; /* -1: none. A free slot may have one, for the next port */
    enum { SLOT_FREE, SLOT_CONNECTING, SLOT_READING } state;
    bool reused; /* the socket has been refused before */
    uint16_t port;
    uint64_t since; /* when it began what it does */
    uint8_t tail_size, tail[TAIL];
};

struct lane {
    struct sweep_order order;
    uint16_t port;   /* to be tried next; 0: the order's next of this half */
    bool lower_half; /* of the ports */
    uint16_t other_source, postponed;
    unsigned busy;
    struct slot slots[WINDOW];
};

static struct tcp_sweep {
    const struct attempt *owner; /* NULL: unused */
    uint64_t goal;
    int trusted;   /* an error that a reused socket gives as truly as a new one */
    bool no_reuse; /* a kernel where a refused socket can't be used again */
    bool opened;
    int starved; /* why no socket could be had, last time */
    struct lane lanes[2];
} sweeps[SWEEPS_AT_ONCE];

static struct tcp_sweep *sweep_of(const struct attempt *owner)
{
    for (size_t i = 0; i < SWEEPS_AT_ONCE; i++)
        if (sweeps[i].owner == owner)
            return &sweeps[i];
    return NULL;
}

/* The port to be tried next, or 0. One that is a source itself comes last: were it open, the connection's other end would
 * occupy it, and no more sockets could be bound to it. */
static uint16_t lane_next(struct lane *lane)
{
    while (lane->port == 0 && (lane->port = sweep_order_next(&lane->order)) != 0) {
        if (lane->port == lane->other_source)
            lane->postponed = lane->port;
        if ((lane->port < SWEEP_HALF) != lane->lower_half || lane->port == lane->other_source)
            lane->port = 0;
    }
    if (lane->port == 0) {
        lane->port = lane->postponed;
        lane->postponed = 0;
    }
    return lane->port;
}

static void close_socket(struct slot *slot)
{
    if (slot->fd >= 0)
        close(slot->fd);
    slot->fd = -1;
    slot->reused = false;
}

/* The port is done with. */
static void release(struct attempt *attempt, struct lane *lane, struct slot *slot)
{
    lane->busy -= slot->state != SLOT_FREE;
    slot->state = SLOT_FREE;
    attempt->sent++;
}

static void finish(struct attempt *attempt, struct tcp_sweep *sweep, enum stage stage, int error)
{
    for (size_t l = 0; l < 2; l++)
        for (size_t i = 0; i < WINDOW; i++)
            close_socket(&sweep->lanes[l].slots[i]);
    sweep->owner = NULL;
    attempt_end(attempt, attempt->proof[0] != '\0' ? STAGE_ANSWERED : stage, error);
}

static int connect_to(struct attempt *attempt, const struct slot *slot)
{
    sweep_aim(attempt, slot->port);
    return connect(slot->fd, &attempt->target.any, attempt->target_size) == 0 ? 0 : errno;
}

static void say_payload(struct attempt *attempt, struct lane *lane, struct slot *slot, uint64_t now)
{
    ssize_t sent = write(slot->fd, attempt->request, attempt->request_size); /* as in stream.c */
    if (sent < 0) {
        sweep_keep_error(attempt, errno);
        close_socket(slot);
        release(attempt, lane, slot);
        return;
    }
    shutdown(slot->fd, SHUT_WR);
    slot->state = SLOT_READING;
    slot->since = now;
    slot->tail_size = 0;
}

/* Asks what became of a connection. */
static void ask(struct attempt *attempt, struct tcp_sweep *sweep, struct lane *lane, struct slot *slot, uint64_t now)
{
    int error = connect_to(attempt, slot);
    if (error == EALREADY || error == EINPROGRESS)
        return;
    if (error == 0 || error == EISCONN) {
        say_payload(attempt, lane, slot, now);
        return;
    }
    sweep_keep_error(attempt, error);
    slot->reused = true;
    if (sweep->no_reuse)
        close_socket(slot);
    release(attempt, lane, slot);
}

static bool open_slot(struct attempt *attempt, struct tcp_sweep *sweep, struct lane *lane, struct slot *slot)
{
    if (slot->fd < 0)
        slot->fd = sweep_socket(attempt, SOCK_STREAM, lane->lower_half ? SWEEP_HALF - 1 : SWEEP_HALF);
    if (slot->fd >= 0) {
        sweep->opened = true;
        return true;
    }
    if (sweep_must_wait(errno) || (errno == EADDRINUSE && sweep->opened))
        sweep->starved = errno;
    else if (!sweep_is_forbidden(errno))
        finish(attempt, sweep, STAGE_SOCKET, errno);
    return false;
}

/* The bottle gives no socket for this port. */
static void note_forbidden(struct attempt *attempt, struct lane *lane)
{
    sweep_keep_error(attempt, errno);
    lane->port = 0;
    attempt->sent++;
}

/* Tries the lane's next port from a free slot that has a socket. The slot is free again if that was decided at once;
 * false if the kernel has no room for now. */
static bool try_port(struct attempt *attempt, struct tcp_sweep *sweep, struct lane *lane, struct slot *slot,
                     uint64_t now)
{
    slot->port = lane->port;
    int error = connect_to(attempt, slot);
    bool doubtful = error != 0 && error != EINPROGRESS && error != ECONNREFUSED && error != sweep->trusted;
    if (slot->reused && doubtful && !sweep_must_wait(error)) {
        /* Is it the port's error, or that of using the socket again? A new one tells. */
        close_socket(slot);
        if (!open_slot(attempt, sweep, lane, slot)) {
            bool forbidden = !attempt->ended && sweep_is_forbidden(errno);
            if (forbidden)
                note_forbidden(attempt, lane);
            return forbidden;
        }
        int fresh = connect_to(attempt, slot);
        if (fresh == error)
            sweep->trusted = error;
        else
            sweep->no_reuse = true;
        error = fresh;
    }
    if (sweep_must_wait(error))
        return false;
    lane->port = 0;
    lane->busy++;
    slot->state = SLOT_CONNECTING;
    slot->since = now;
    if (error == 0) {
        say_payload(attempt, lane, slot, now);
    } else if (error == EINPROGRESS) {
        ask(attempt, sweep, lane, slot, now);
    } else {
        sweep_keep_error(attempt, error);
        slot->reused = true;
        release(attempt, lane, slot);
    }
    return true;
}

/* Tries ports from every free slot, a batch at most. True if there is more to do at once. */
static bool fill(struct attempt *attempt, struct tcp_sweep *sweep, struct lane *lane, uint64_t now)
{
    unsigned tried = 0;
    bool starved = false;
    for (size_t i = 0; i < WINDOW; i++) {
        struct slot *slot = &lane->slots[i];
        while (slot->state == SLOT_FREE && lane_next(lane) != 0) {
            if (tried == SWEEP_BATCH)
                return true;
            tried++;
            if (sweep_meets_door(attempt, lane->port)) {
                lane->port = 0;
                attempt->sent++;
                continue;
            }
            /* Once a socket could not be had, only those that are there are used: the window has shrunk. */
            if (slot->fd < 0 && (starved || !open_slot(attempt, sweep, lane, slot))) {
                if (attempt->ended)
                    return false;
                if (!starved && sweep_is_forbidden(errno)) {
                    note_forbidden(attempt, lane);
                    continue;
                }
                starved = true;
                break;
            }
            if (!try_port(attempt, sweep, lane, slot, now))
                return false;
        }
    }
    return false;
}

/* Reads what an open port says; true if a token came with it. */
static bool hear(struct attempt *attempt, struct slot *slot, const uint8_t *data, size_t size)
{
    char first[sizeof attempt->proof];
    memcpy(first, attempt->proof, sizeof first);
    attempt->proof[0] = '\0';
    memcpy(attempt->answer, slot->tail, slot->tail_size);
    attempt->answer_size = slot->tail_size;
    attempt_add_answer(attempt, data, size);
    slot->tail_size = (uint8_t)(attempt->answer_size < TAIL ? attempt->answer_size : TAIL);
    memcpy(slot->tail, attempt->answer + attempt->answer_size - slot->tail_size, slot->tail_size);
    bool token = attempt->proof[0] != '\0';
    if (first[0] != '\0')
        memcpy(attempt->proof, first, sizeof first);
    return token;
}

/* Reads once. False if the connection has ended by that. */
static bool read_slot(struct attempt *attempt, struct lane *lane, struct slot *slot)
{
    uint8_t data[2048];
    ssize_t size = recv(slot->fd, data, sizeof data, 0);
    if (size < 0 && (errno == EAGAIN || errno == EINTR))
        return true;
    int unacknowledged = 0;
    if (size < 0) {
        sweep_keep_error(attempt, errno);
    } else if (size > 0) {
        if (!hear(attempt, slot, data, (size_t)size))
            return true;
        if (ioctl(slot->fd, SIOCOUTQ, &unacknowledged) == 0 && unacknowledged == 0) {
            const struct linger reset = { .l_onoff = 1, .l_linger = 0 };
            setsockopt(slot->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
        }
    }
    close_socket(slot);
    release(attempt, lane, slot);
    return false;
}

static void give_up(struct attempt *attempt, struct lane *lane, struct slot *slot)
{
    if (slot->state == SLOT_CONNECTING) {
        /* Dissolves the association and leaves the socket bound (connect(2)). */
        const struct sockaddr nobody = { .sa_family = AF_UNSPEC };
        if (connect(slot->fd, &nobody, sizeof nobody) != 0)
            close_socket(slot);
        slot->reused = true;
    } else {
        /* Closing on unread data would be a reset. */
        for (unsigned i = 0; i < READS_AT_LAST; i++)
            if (!read_slot(attempt, lane, slot))
                return;
        close_socket(slot);
    }
    release(attempt, lane, slot);
}

static void expire(struct attempt *attempt, const struct tcp_sweep *sweep, struct lane *lane, uint64_t now)
{
    uint64_t pace = CONNECT_PATIENCE;
    bool full = lane->busy > 0 && lane_next(lane) != 0;
    if (full) {
        /* About half of the order's ports belong to this lane. */
        uint64_t time = now < sweep->goal ? sweep->goal - now : 0;
        pace = time * lane->busy / (lane->order.left / 2 + 1);
        pace = pace < SWEEP_TICK ? SWEEP_TICK : pace > CONNECT_PATIENCE ? CONNECT_PATIENCE : pace;
    }
    uint64_t answer = !full ? OPEN_PATIENCE : pace < ANSWER_LEAST ? ANSWER_LEAST : pace;
    for (size_t i = 0; i < WINDOW; i++) {
        struct slot *slot = &lane->slots[i];
        if (slot->state != SLOT_FREE && now >= slot->since + (slot->state == SLOT_READING ? answer : pace))
            give_up(attempt, lane, slot);
    }
}

/* Looks, without waiting, which of the occupied slots can go on. */
static void serve(struct attempt *attempt, struct tcp_sweep *sweep, struct lane *lane, uint64_t now)
{
    struct pollfd waits[WINDOW];
    if (lane->busy == 0)
        return;
    for (size_t i = 0; i < WINDOW; i++) {
        const struct slot *slot = &lane->slots[i];
        waits[i] = (struct pollfd){ .fd = slot->state == SLOT_FREE ? -1 : slot->fd,
                                    .events = slot->state == SLOT_READING ? POLLIN : POLLOUT };
    }
    if (poll(waits, WINDOW, 0) <= 0)
        return;
    for (size_t i = 0; i < WINDOW; i++) {
        if (waits[i].revents == 0)
            continue;
        if (lane->slots[i].state == SLOT_READING)
            read_slot(attempt, lane, &lane->slots[i]);
        else
            ask(attempt, sweep, lane, &lane->slots[i], now);
    }
}

static void start(struct attempt *attempt, uint64_t now)
{
    struct tcp_sweep *sweep = sweep_of(NULL);
    sweep_begin(attempt);
    if (attempt->ended)
        return;
    if (sweep == NULL) {
        attempt_end(attempt, STAGE_SOCKET, ENOBUFS);
        return;
    }
    uint64_t half = (attempt->deadline - now) / 2;
    *sweep = (struct tcp_sweep){ .owner = attempt, .goal = now + (half < GOAL ? half : GOAL) };
    for (size_t l = 0; l < 2; l++) {
        struct lane *lane = &sweep->lanes[l];
        lane->lower_half = l == 0;
        lane->other_source = sweep_source(attempt->plan->root, lane->lower_half ? SWEEP_HALF : SWEEP_HALF - 1);
        sweep_order_start(&lane->order, attempt->planned->nonce, attempt->planned->port);
        for (size_t i = 0; i < WINDOW; i++)
            lane->slots[i].fd = -1;
    }
    /* No socket is opened here: a sweep takes those that the plan's other attempts have left. */
    attempt->wake = now;
}

/* One turn of a lane. True if it could go on at once. */
static bool lane_turn(struct attempt *attempt, struct tcp_sweep *sweep, struct lane *lane, uint64_t now)
{
    serve(attempt, sweep, lane, now);
    bool more = fill(attempt, sweep, lane, now);
    if (attempt->ended || more)
        return more;
    expire(attempt, sweep, lane, now);
    if (lane_next(lane) == 0)
        for (size_t i = 0; i < WINDOW; i++)
            if (lane->slots[i].state == SLOT_FREE)
                close_socket(&lane->slots[i]);
    return false;
}

static void turn(struct attempt *attempt, uint64_t now)
{
    struct tcp_sweep *sweep = sweep_of(attempt);
    bool more = false, left = false;
    for (size_t l = 0; l < 2 && !attempt->ended; l++) {
        struct lane *lane = &sweep->lanes[l];
        more = lane_turn(attempt, sweep, lane, now) || more;
        left = left || lane->busy > 0 || lane_next(lane) != 0;
    }
    if (attempt->ended)
        return;
    if (!left)
        finish(attempt, sweep, sweep->opened ? STAGE_SENT : STAGE_SOCKET, attempt->error);
    else if (now >= attempt->deadline && !sweep->opened && sweep->starved != 0)
        finish(attempt, sweep, STAGE_SOCKET, sweep->starved);
    else if (now >= attempt->deadline)
        finish(attempt, sweep, STAGE_DEADLINE, attempt->error);
    else
        attempt->wake = more ? now : now + SWEEP_TICK;
}

static void ignore_events(struct attempt *attempt, short events, uint64_t now)
{
    (void)attempt, (void)events, (void)now;
}

const struct mechanism_functions sweep_tcp_functions = { start, ignore_events, turn };
