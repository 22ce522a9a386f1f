/*
 * Four ways of making a TCP connection, on top of stream.c.
 *
 * Plain: connect, send the nonce raw and in hex, read what comes back. Multipath: the same from an MPTCP socket,
 * which hooks and filters on TCP sockets may miss; a kernel without it says so in the record. Fast open: the
 * nonce is in the SYN, before anybody has decided about the connection. SYN only: the destination is the
 * message, so not one byte is sent; the attempt ends as soon as the connection stands, and the socket lives on
 * until the probe ends, so that a relay that accepts first and dials later isn't told to give up.
 */
#include <netinet/in.h>

#include "stream.h"

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif

static void start_plain(struct attempt *attempt, uint64_t now)
{
    attempt_set_payload(attempt);
    stream_start(attempt, now);
}

static void start_multipath(struct attempt *attempt, uint64_t now)
{
    attempt_set_payload(attempt);
    stream_start_over(attempt, IPPROTO_MPTCP, now);
}

static void start_fast(struct attempt *attempt, uint64_t now)
{
    attempt_set_payload(attempt);
    stream_start_in_syn(attempt, now);
}

static void end_when_connected(struct attempt *attempt)
{
    if (!attempt->ended && attempt->connected)
        attempt_end_keeping_socket(attempt, STAGE_SENT, 0);
}

static void await_answer(struct attempt *attempt, uint64_t now)
{
    if (attempt->wake > now + ANSWER_PATIENCE)
        attempt->wake = now + ANSWER_PATIENCE;
    end_when_connected(attempt);
}

/* The request stays empty. */
static void start_syn(struct attempt *attempt, uint64_t now)
{
    stream_start(attempt, now);
    await_answer(attempt, now);
}

static void syn_timer(struct attempt *attempt, uint64_t now)
{
    stream_timer(attempt, now);
    if (!attempt->ended)
        await_answer(attempt, now);
}

static void syn_ready(struct attempt *attempt, short events, uint64_t now)
{
    stream_ready(attempt, events, now);
    end_when_connected(attempt);
}

const struct mechanism_functions tcp_functions = { start_plain, stream_ready, stream_timer };
const struct mechanism_functions mptcp_functions = { start_multipath, stream_ready, stream_timer };
const struct mechanism_functions tcp_fastopen_functions = { start_fast, stream_ready, stream_timer };
const struct mechanism_functions tcp_syn_functions = { start_syn, syn_ready, syn_timer };
