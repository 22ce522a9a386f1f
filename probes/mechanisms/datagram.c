/*
 * See datagram.h. One lost datagram must not look like a fence, so each goes `repeats` times, at 0, 1, 3, 6 ... fiftieths of the
 * plan's time (0, 40, 120, 240 milliseconds of two seconds), driven by the loop's timer: where a plan has more time, because what
 * is tried is slow, a burst that it lost must not be all that it got. An error of one of them (a refusal that came back, a full
 * buffer) is kept and told, but the others still go: engines answer for destinations that they deny, and deny
 * some of several packets.
 */
#include "datagram.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#define LAST_PATIENCE  50000u /* for the answer to the last one where an earlier one was answered */
#define OWN_PORT_TRIES 4
#define AT_ONCE        16

static void keep_error(struct attempt *attempt, int error)
{
    if (attempt->error == 0)
        attempt->error = error;
}

static void finish(struct attempt *attempt)
{
    enum stage stage = attempt->answered     ? STAGE_ANSWERED
                       : attempt->sent == 0  ? STAGE_SEND
                       : attempt->error != 0 ? STAGE_SENT
                                             : STAGE_DEADLINE;
    attempt_end(attempt, stage, attempt->error);
}

/* What is connected is written to: a filter of system calls can forbid sendto(2) and its like, but hardly write(2). */
static ssize_t send_once(struct attempt *attempt)
{
    if (attempt->connected)
        return write(attempt->socket, attempt->request, attempt->request_size);
    return sendto(attempt->socket, attempt->request, attempt->request_size, MSG_NOSIGNAL, &attempt->target.any,
                  attempt->target_size);
}

static void send_next(struct attempt *attempt, uint64_t now)
{
    ssize_t sent = send_once(attempt);
    if (sent < 0 && (errno == ECONNREFUSED || errno == EINTR)) {
        /* A refusal of the one before is reported in place of sending this one. */
        if (errno == ECONNREFUSED)
            keep_error(attempt, errno);
        sent = send_once(attempt);
    }
    if (sent < 0)
        keep_error(attempt, errno);
    else
        attempt->sent += (uint32_t)sent;

    attempt->sends++;
    if (attempt->sends < attempt->repeats)
        attempt->wake = attempt_next_try(attempt);
    else if (attempt->sent == 0)
        finish(attempt);
    else
        attempt->wake = now + (attempt->answered ? LAST_PATIENCE : ANSWER_PATIENCE);
    if (attempt->wake > attempt->deadline)
        attempt->wake = attempt->deadline;
}

void datagram_begin(struct attempt *attempt, uint64_t now)
{
    attempt->events = POLLIN;
    send_next(attempt, now);
}

void datagram_start(struct attempt *attempt, int protocol, bool connected, uint64_t now)
{
    attempt->connected = connected;
    for (unsigned tries = 1;; tries++) {
        if (!attempt_open(attempt, SOCK_DGRAM, protocol))
            return;
        if (!connected)
            break;
        if (connect(attempt->socket, &attempt->target.any, attempt->target_size) != 0) {
            attempt_end(attempt, STAGE_CONNECT, errno);
            return;
        }
        if (tries == OWN_PORT_TRIES || protocol == IPPROTO_ICMP || !attempt_meets_itself(attempt))
            break;
        close(attempt->socket);
    }
    datagram_begin(attempt, now);
}

static bool is_answer(struct attempt *attempt, const uint8_t *data, size_t size)
{
    /* An unconnected socket may have sent to its own port: what comes back unchanged is no answer. */
    if (size == attempt->request_size && memcmp(data, attempt->request, size) == 0)
        return false;
    return attempt->judge_answer == NULL || attempt->judge_answer(attempt, data, size);
}

void datagram_ready(struct attempt *attempt, short events, uint64_t now)
{
    uint8_t data[2048];
    bool failed = false, answered = false;
    (void)events;
    (void)now;
    /* Bounded, so that a flood can't keep the loop from its other attempts and its deadline. */
    for (unsigned received = 0; received < AT_ONCE; received++) {
        ssize_t size = recv(attempt->socket, data, sizeof data, 0);
        if (size < 0 && (errno == EAGAIN || errno == EINTR))
            break;
        if (size < 0) {
            /* A pending error of the socket, told once. */
            keep_error(attempt, errno);
            failed = true;
        } else if (is_answer(attempt, data, (size_t)size)) {
            attempt_add_answer(attempt, data, (size_t)size);
            attempt->answered = answered = true;
        }
    }
    if (attempt->sends == attempt->repeats && (answered || failed))
        finish(attempt);
}

void datagram_timer(struct attempt *attempt, uint64_t now)
{
    if (attempt->sends < attempt->repeats && now < attempt->deadline)
        send_next(attempt, now);
    else
        finish(attempt);
}
