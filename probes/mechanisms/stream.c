/*
 * See stream.h. A non-blocking connect may take until the deadline; once the request is out, an answer is
 * awaited for ANSWER_PATIENCE. How the connection is closed matters as much as how it is made: a reset
 * overtakes and destroys data that a relay has accepted but not yet passed on, and a leak would look blocked.
 * So only a connection whose other end has proved that it read the request is reset (which frees its port at
 * once); one that stayed silent is shut for writing and left to the kernel until the probe ends.
 *
 * Requests are written, not sent: a filter of system calls can forbid sendto(2) and its like, but hardly write(2).
 *
 * A connection that is refused is dialled again, as often as a datagram is repeated: an engine that relays a few connections at a
 * time refuses the others (smolvm 1.32.2: DNS over TCP, four at a time), and that is no fence.
 */
#include "stream.h"

#include <errno.h>
#include <poll.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <linux/sockios.h>
#include <unistd.h>

#define OWN_PORT_TRIES 4

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static void finish(struct attempt *attempt, enum stage stage, int error)
{
    if (attempt->received > 0)
        stage = STAGE_ANSWERED;
    int unacknowledged = 0;
    if (attempt->proof[0] != '\0' && ioctl(attempt->socket, SIOCOUTQ, &unacknowledged) == 0 && unacknowledged == 0) {
        const struct linger reset = { .l_onoff = 1, .l_linger = 0 };
        setsockopt(attempt->socket, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    } else if (attempt->connected && error == 0) {
        shutdown(attempt->socket, SHUT_WR);
        attempt_end_keeping_socket(attempt, stage, error);
        return;
    }
    attempt_end(attempt, stage, error);
}

static void send_request(struct attempt *attempt, uint64_t now)
{
    while (attempt->request_sent < attempt->request_size) {
        ssize_t sent = write(attempt->socket, attempt->request + attempt->request_sent,
                             (size_t)(attempt->request_size - attempt->request_sent));
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0 && errno == EAGAIN) {
            attempt->events = POLLOUT;
            return;
        }
        if (sent < 0) {
            finish(attempt, attempt->sent > 0 ? STAGE_SENT : STAGE_SEND, errno);
            return;
        }
        attempt->request_sent = (uint16_t)(attempt->request_sent + sent);
        attempt->sent += (uint32_t)sent;
    }
    attempt->events = POLLIN;
    attempt->wake = earlier(attempt->deadline, now + ANSWER_PATIENCE);
}

static void read_answer(struct attempt *attempt)
{
    uint8_t data[2048];
    ssize_t size = recv(attempt->socket, data, sizeof data, 0);
    if (size < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (size <= 0) {
        finish(attempt, STAGE_SENT, size == 0 ? 0 : errno);
        return;
    }
    attempt_add_answer(attempt, data, (size_t)size);
    bool complete =
        attempt->judge_answer != NULL ? attempt->judge_answer(attempt, data, (size_t)size) : attempt->proof[0] != '\0';
    if (complete)
        finish(attempt, STAGE_ANSWERED, 0);
}

/* The first move: 0 when connected, EINPROGRESS while that takes its time, or what went wrong. */
static int dial(struct attempt *attempt, bool in_syn)
{
    attempt->request_sent = 0;
    attempt->sent = 0;
    if (!in_syn)
        return connect(attempt->socket, &attempt->target.any, attempt->target_size) == 0 ? 0 : errno;
    ssize_t sent = sendto(attempt->socket, attempt->request, attempt->request_size, MSG_FASTOPEN | MSG_NOSIGNAL,
                          &attempt->target.any, attempt->target_size);
    if (sent < 0)
        return errno; /* EINPROGRESS: the SYN went without a byte, and the request goes when it is answered */
    attempt->request_sent = (uint16_t)sent;
    attempt->sent = (uint32_t)sent;
    return EINPROGRESS;
}

static void end_or_wait(struct attempt *attempt, int error)
{
    attempt->sends++;
    uint64_t next = attempt_next_try(attempt);
    bool refused = error == ECONNREFUSED || error == ECONNRESET;
    if (!refused || attempt->sends >= attempt->repeats || next >= attempt->deadline) {
        attempt_end(attempt, STAGE_CONNECT, error);
        return;
    }
    close(attempt->socket);
    attempt->socket = -1;
    attempt->events = 0;
    attempt->wake = next;
}

static void start(struct attempt *attempt, int protocol, bool in_syn, uint64_t now)
{
    const int on = 1;
    attempt->protocol = protocol;
    attempt->in_syn = in_syn;
    for (unsigned tries = 1;; tries++) {
        if (!attempt_open(attempt, SOCK_STREAM, protocol))
            return;
        if (in_syn && setsockopt(attempt->socket, IPPROTO_TCP, TCP_FASTOPEN_NO_COOKIE, &on, sizeof on) != 0) {
            attempt_end(attempt, STAGE_SOCKET, errno);
            return;
        }
        int error = dial(attempt, in_syn);
        attempt->connected = error == 0;
        if (error != 0 && error != EINPROGRESS) {
            end_or_wait(attempt, error);
            return;
        }
        if (tries == OWN_PORT_TRIES || !attempt_meets_itself(attempt))
            break;
        close(attempt->socket);
    }
    attempt->events = POLLOUT;
    attempt->wake = attempt->deadline;
    if (attempt->connected)
        send_request(attempt, now);
}

void stream_start(struct attempt *attempt, uint64_t now)
{
    start(attempt, 0, false, now);
}

void stream_start_over(struct attempt *attempt, int protocol, uint64_t now)
{
    start(attempt, protocol, false, now);
}

void stream_start_in_syn(struct attempt *attempt, uint64_t now)
{
    start(attempt, 0, true, now);
}

void stream_ready(struct attempt *attempt, short events, uint64_t now)
{
    if (!attempt->connected) {
        int error = 0;
        socklen_t size = sizeof error;
        if (getsockopt(attempt->socket, SOL_SOCKET, SO_ERROR, &error, &size) != 0)
            error = errno;
        if (error != 0) {
            end_or_wait(attempt, error);
            return;
        }
        attempt->connected = true;
        send_request(attempt, now); /* or what the SYN has left of it */
        return;
    }
    if (attempt->request_sent < attempt->request_size)
        send_request(attempt, now);
    else if ((events & (POLLIN | POLLHUP | POLLERR)) != 0)
        read_answer(attempt);
}

void stream_timer(struct attempt *attempt, uint64_t now)
{
    if (attempt->socket >= 0)
        finish(attempt, STAGE_DEADLINE, 0);
    else
        start(attempt, attempt->protocol, attempt->in_syn, now);
}
