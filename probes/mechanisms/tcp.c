/* TCP: connect, send the nonce raw and in hex, read what comes back. See stream.h. */
#include "stream.h"

static void start(struct attempt *attempt, uint64_t now)
{
    attempt_set_payload(attempt);
    stream_start(attempt, now);
}

const struct mechanism_functions tcp_functions = { start, stream_ready, stream_timer };
