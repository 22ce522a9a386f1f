/*
 * Unix sockets by path or abstract name. A stream is made like TCP. A datagram socket is unbound, so nobody
 * can answer it, and delivery is immediate: it is sent once more only as long as the listener's queue was
 * full.
 */
#include "stream.h"

#include <errno.h>

#define RETRY_AFTER 40000u /* microseconds */

static void start_stream(struct attempt *attempt, uint64_t now)
{
    attempt_set_payload(attempt);
    stream_start(attempt, now);
}

static void send_datagram(struct attempt *attempt, uint64_t now)
{
    ssize_t sent = sendto(attempt->socket, attempt->request, attempt->request_size, MSG_NOSIGNAL, &attempt->target.any,
                          attempt->target_size);
    attempt->sends++;
    if (sent >= 0) {
        attempt->sent = (uint32_t)sent;
        attempt_end(attempt, STAGE_SENT, 0);
    } else if (errno == EAGAIN && attempt->sends < attempt->repeats && now < attempt->deadline) {
        attempt->wake = now + RETRY_AFTER;
    } else {
        attempt_end(attempt, STAGE_SEND, errno);
    }
}

static void start_datagram(struct attempt *attempt, uint64_t now)
{
    attempt_set_payload(attempt);
    if (attempt_open(attempt, SOCK_DGRAM, 0))
        send_datagram(attempt, now);
}

static void ignore_events(struct attempt *attempt, short events, uint64_t now)
{
    (void)attempt, (void)events, (void)now;
}

const struct mechanism_functions unix_stream_functions = { start_stream, stream_ready, stream_timer };
const struct mechanism_functions unix_dgram_functions = { start_datagram, ignore_events, send_datagram };
