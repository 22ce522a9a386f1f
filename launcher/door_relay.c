/*
 * See door_relay.h. One epoll loop over at most 64 pairs of sockets (the bottle's and the door's), each pair with one fixed
 * buffer a direction, level-triggered: a side is watched for reading while the buffer that it fills is empty, and for
 * writing while the buffer that it drains is not. End of file on one side is passed on as shutdown of the other when its
 * buffer is empty, so half-closed connections work; an error on either side ends both. Nothing is parsed and nothing is
 * allocated.
 *
 * What comes in is hostile, so the process has nothing: it closes every descriptor but the listener's, and its jail lets it
 * accept, connect, read and write.
 */
#include "door_relay.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <seccomp.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "support/cleanup.h"
#include "support/jail.h"
#include "support/process.h"

enum { INSIDE, OUTSIDE, SIDES };
enum { BUFFER = 16384 };
#define LISTENER (~0u) /* epoll's name for it; the sides are pair * SIDES + side */

#define DONE (~0u) /* no longer watched */

/* Bytes on their way from one side to the other. */
struct flow {
    unsigned start, end;
    bool ended;  /* the source said end of file */
    bool passed; /* and the destination was told */
    char bytes[BUFFER];
};

struct pair {
    bool used, connecting;
    int fds[SIDES];
    uint32_t watched[SIDES];
    struct flow from[SIDES];
};

static struct pair pairs[DOOR_RELAY_CONNECTIONS];

struct relay {
    int events, listener;
    unsigned count, most;
    struct sockaddr_storage door;
    socklen_t door_size;
};

static const int calls[] = {
    SCMP_SYS(epoll_wait), SCMP_SYS(epoll_pwait), SCMP_SYS(epoll_ctl),  SCMP_SYS(accept4),
    SCMP_SYS(socket),     SCMP_SYS(connect),     SCMP_SYS(getsockopt), SCMP_SYS(recvfrom),
    SCMP_SYS(sendto),     SCMP_SYS(shutdown),    SCMP_SYS(close),
};

static void watch_listener(const struct relay *relay)
{
    struct epoll_event event = { .events = relay->count < relay->most ? EPOLLIN : 0, .data.u32 = LISTENER };
    epoll_ctl(relay->events, EPOLL_CTL_MOD, relay->listener, &event);
}

static void watch_pair(const struct relay *relay, struct pair *pair)
{
    for (unsigned side = 0; side < SIDES; side++) {
        const struct flow *out = &pair->from[side], *in = &pair->from[!side];
        if (pair->watched[side] == DONE)
            continue;
        if (out->ended && in->passed) {
            /* Shut both ways while the other side still drains: epoll would report the hang-up over and over. */
            epoll_ctl(relay->events, EPOLL_CTL_DEL, pair->fds[side], NULL);
            pair->watched[side] = DONE;
            continue;
        }
        uint32_t wanted = 0;
        if (!pair->connecting && !out->ended && out->start == out->end)
            wanted |= EPOLLIN;
        if (in->start < in->end || (pair->connecting && side == OUTSIDE))
            wanted |= EPOLLOUT;
        if (wanted == pair->watched[side])
            continue;
        struct epoll_event event = { .events = wanted, .data.u32 = (unsigned)(pair - pairs) * SIDES + side };
        epoll_ctl(relay->events, EPOLL_CTL_MOD, pair->fds[side], &event);
        pair->watched[side] = wanted;
    }
}

static void end_pair(struct relay *relay, struct pair *pair)
{
    close(pair->fds[INSIDE]);
    close(pair->fds[OUTSIDE]);
    pair->used = false;
    relay->count--;
    watch_listener(relay);
}

static void accept_one(struct relay *relay)
{
    struct pair *pair = pairs;
    while (pair->used)
        pair++;
    int inside = accept4(relay->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (inside < 0)
        return;
    int outside = socket(relay->door.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (outside < 0 ||
        (connect(outside, (const struct sockaddr *)&relay->door, relay->door_size) != 0 && errno != EINPROGRESS)) {
        close(inside);
        if (outside >= 0)
            close(outside);
        return;
    }
    pair->used = pair->connecting = true;
    for (unsigned side = 0; side < SIDES; side++) {
        pair->fds[side] = side == INSIDE ? inside : outside;
        pair->watched[side] = 0;
        pair->from[side].start = pair->from[side].end = 0;
        pair->from[side].ended = pair->from[side].passed = false;
        struct epoll_event event = { .events = 0, .data.u32 = (unsigned)(pair - pairs) * SIDES + side };
        epoll_ctl(relay->events, EPOLL_CTL_ADD, pair->fds[side], &event);
    }
    relay->count++;
    watch_pair(relay, pair);
    watch_listener(relay);
}

/* True if the call only has to be made again later. */
static bool later(void)
{
    return errno == EAGAIN || errno == EINTR;
}

/* Moves what it can from `side` to the other one. False: the connection is broken. */
static bool move(struct pair *pair, unsigned side)
{
    struct flow *flow = &pair->from[side];
    if (!flow->ended && flow->start == flow->end) {
        ssize_t got = recv(pair->fds[side], flow->bytes, BUFFER, 0);
        if (got < 0)
            return later();
        flow->start = 0;
        flow->end = (unsigned)got;
        flow->ended = got == 0;
    }
    if (flow->start < flow->end) {
        ssize_t sent = send(pair->fds[!side], flow->bytes + flow->start, flow->end - flow->start, MSG_NOSIGNAL);
        if (sent < 0)
            return later();
        flow->start += (unsigned)sent;
    }
    if (flow->ended && !flow->passed && flow->start == flow->end) {
        shutdown(pair->fds[!side], SHUT_WR);
        flow->passed = true;
    }
    return true;
}

static void serve(struct relay *relay, struct pair *pair, uint32_t events)
{
    if (pair->connecting) {
        int failure = 0;
        socklen_t size = sizeof failure;
        if (getsockopt(pair->fds[OUTSIDE], SOL_SOCKET, SO_ERROR, &failure, &size) != 0 || failure != 0 ||
            (events & (EPOLLERR | EPOLLOUT)) == 0) {
            end_pair(relay, pair);
            return;
        }
        pair->connecting = false;
    }
    bool alive = move(pair, INSIDE) && move(pair, OUTSIDE) && (events & EPOLLERR) == 0;
    if (!alive || (pair->from[INSIDE].passed && pair->from[OUTSIDE].passed))
        end_pair(relay, pair);
    else
        watch_pair(relay, pair);
}

static _Noreturn void relay_run(struct relay *relay)
{
    for (;;) {
        struct epoll_event ready[16];
        int count = epoll_wait(relay->events, ready, sizeof ready / sizeof *ready, -1);
        bool knocked = false;
        for (int i = 0; i < count; i++) {
            uint32_t name = ready[i].data.u32;
            if (name == LISTENER)
                knocked = true;
            else if (pairs[name / SIDES].used)
                serve(relay, &pairs[name / SIDES], ready[i].events);
        }
        /* Last, so that no event of an ended pair is taken for one of the pair that gets its place. */
        if (knocked && relay->count < relay->most)
            accept_one(relay);
    }
}

static bool parse_door(const struct door *door, struct relay *relay)
{
    struct sockaddr_in *four = (struct sockaddr_in *)&relay->door;
    struct sockaddr_in6 *six = (struct sockaddr_in6 *)&relay->door;
    if (door->port != 0 && inet_pton(AF_INET, door->host, &four->sin_addr) == 1) {
        four->sin_family = AF_INET;
        four->sin_port = htons(door->port);
        relay->door_size = sizeof *four;
        return true;
    }
    memset(&relay->door, 0, sizeof relay->door);
    if (door->port == 0 || inet_pton(AF_INET6, door->host, &six->sin6_addr) != 1)
        return false;
    six->sin6_family = AF_INET6;
    six->sin6_port = htons(door->port);
    relay->door_size = sizeof *six;
    return true;
}

/* A relay without descriptors would be woken for the waiting connection over and over. */
static unsigned connections_allowed(void)
{
    struct rlimit files = { 0 };
    getrlimit(RLIMIT_NOFILE, &files);
    rlim_t most = files.rlim_cur > 16 ? (files.rlim_cur - 16) / SIDES : 1;
    return most < DOOR_RELAY_CONNECTIONS ? (unsigned)most : DOOR_RELAY_CONNECTIONS;
}

/* Only the listener (3), epoll (4) and the answer to the launcher (5) stay open. */
static bool shut_in(int listener, int answer)
{
    int kept_listener = fcntl(listener, F_DUPFD_CLOEXEC, 16), kept_answer = fcntl(answer, F_DUPFD_CLOEXEC, 16);
    if (kept_listener < 0 || kept_answer < 0 || dup2(kept_listener, 3) != 3 || dup2(kept_answer, 5) != 5)
        return false;
    close(4);
    struct epoll_event event = { .events = EPOLLIN, .data.u32 = LISTENER };
    if (epoll_create1(EPOLL_CLOEXEC) != 4 || epoll_ctl(4, EPOLL_CTL_ADD, 3, &event) != 0)
        return false;
    for (int fd = 0; fd < 3; fd++)
        close(fd);
    descriptors_close_from(6);
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    return jail_shut(calls, sizeof calls / sizeof *calls, NULL);
}

bool door_relay_start(int listener, const struct door *door, pid_t *pid, struct error *error)
{
    struct relay relay = { .listener = 3, .events = 4, .most = connections_allowed() };
    if (!parse_door(door, &relay))
        return error_set(error, ERROR_USAGE, "the door %.63s:%u is no IP address and port", door->host, door->port);
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
        return error_system(error, "can't make a socket pair for the door's relay");
    cleanup_close int ours = ends[0], theirs = ends[1];
    pid_t child = fork();
    if (child < 0)
        return error_system(error, "can't start the door's relay");
    if (child == 0) {
        /* Only its parent ends it: keys of a terminal that it shares with the caller are the caller's business. */
        sigset_t all;
        sigfillset(&all);
        sigprocmask(SIG_SETMASK, &all, NULL);
        close(ours);
        process_die_with_parent(theirs);
        if (!shut_in(listener, theirs) || send(5, "1", 1, MSG_NOSIGNAL) != 1)
            _exit(1);
        close(5);
        relay_run(&relay);
    }
    cleanup_close_fd(&theirs);
    char byte;
    if (read_all(ours, &byte, 1) != 1) {
        process_kill(child);
        return error_set(error, ERROR_SYSTEM, "the door's relay did not start");
    }
    *pid = child;
    return true;
}
