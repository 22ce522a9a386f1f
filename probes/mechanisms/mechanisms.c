/*
 * The table of mechanisms, and what all of them share: how an attempt ends, its payload, and the search for
 * the token that only a witness sends.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "../encode.h"
#include "mechanism.h"

#define TOKEN_PREFIX "BGW1 "
#define TOKEN_DIGITS 32

static const struct mechanism_functions *const functions[MECHANISMS] = {
    [MECHANISM_TCP] = &tcp_functions,
    [MECHANISM_UDP] = &udp_functions,
    [MECHANISM_UDP_SENDTO] = &udp_sendto_functions,
    [MECHANISM_DNS_UDP] = &dns_udp_functions,
    [MECHANISM_DNS_TCP] = &dns_tcp_functions,
    [MECHANISM_METADATA] = &metadata_functions,
    [MECHANISM_ICMP_ECHO] = &icmp_echo_functions,
    [MECHANISM_UNIX_STREAM] = &unix_stream_functions,
    [MECHANISM_UNIX_DGRAM] = &unix_dgram_functions,
    [MECHANISM_UDP_BROADCAST] = &udp_broadcast_functions,
    [MECHANISM_MULTICAST_JOIN] = &multicast_join_functions,
    [MECHANISM_MPTCP] = &mptcp_functions,
    [MECHANISM_TCP_FASTOPEN] = &tcp_fastopen_functions,
    [MECHANISM_TCP_SYN] = &tcp_syn_functions,
    [MECHANISM_DNS_TXT] = &dns_txt_functions,
    [MECHANISM_DNS_NULL] = &dns_null_functions,
    [MECHANISM_DNS_EDNS] = &dns_edns_functions,
    [MECHANISM_DNS_QUESTIONS] = &dns_questions_functions,
    [MECHANISM_DNS_CASE] = &dns_case_functions,
    [MECHANISM_VSOCK] = &vsock_functions,
    [MECHANISM_INHERITED] = &inherited_functions,
    [MECHANISM_SWEEP_TCP] = &sweep_tcp_functions,
    [MECHANISM_SWEEP_UDP] = &sweep_udp_functions,
    [MECHANISM_UDPLITE] = &udplite_functions,
    [MECHANISM_UDP_ON_LINK] = &udp_on_link_functions,
};

const struct mechanism_functions *mechanism_functions(enum mechanism mechanism)
{
    return functions[mechanism];
}

void attempt_end_keeping_socket(struct attempt *attempt, enum stage stage, int error)
{
    attempt->ended = true;
    attempt->stage = stage;
    attempt->error = error;
}

#define SPACINGS      50 /* in the plan's time */
#define LEAST_SPACING 40000u

uint64_t attempt_next_try(const struct attempt *attempt)
{
    uint64_t spacing = (attempt->deadline - attempt->started) / SPACINGS;
    return attempt->started +
           (spacing > LEAST_SPACING ? spacing : LEAST_SPACING) * (attempt->sends * (attempt->sends + 1u) / 2);
}

void attempt_end(struct attempt *attempt, enum stage stage, int error)
{
    if (attempt->socket >= 0)
        close(attempt->socket);
    attempt->socket = -1;
    attempt_end_keeping_socket(attempt, stage, error);
}

void attempt_set_payload(struct attempt *attempt)
{
    const uint8_t *nonce = attempt->planned->nonce;
    char digits[2 * NONCE_BYTES + 1];
    encode_hex(nonce, NONCE_BYTES, digits);
    memcpy(attempt->request, nonce, NONCE_BYTES);
    attempt->request[NONCE_BYTES] = ' ';
    memcpy(attempt->request + NONCE_BYTES + 1, digits, 2 * NONCE_BYTES);
    attempt->request[3 * NONCE_BYTES + 1] = '\n';
    attempt->request_size = 3 * NONCE_BYTES + 2;
}

static void find_token(struct attempt *attempt)
{
    const size_t prefix = strlen(TOKEN_PREFIX), whole = prefix + TOKEN_DIGITS;
    for (size_t i = 0; i + whole <= attempt->answer_size; i++) {
        const char *digits = (const char *)attempt->answer + i + prefix;
        uint8_t token[TOKEN_DIGITS / 2];
        if (memcmp(attempt->answer + i, TOKEN_PREFIX, prefix) == 0 &&
            decode_hex(digits, TOKEN_DIGITS, token, sizeof token)) {
            memcpy(attempt->proof, digits, TOKEN_DIGITS);
            attempt->proof[TOKEN_DIGITS] = '\0';
            return;
        }
    }
}

void attempt_add_answer(struct attempt *attempt, const uint8_t *data, size_t size)
{
    uint32_t room = UINT32_MAX - attempt->received;
    attempt->received += size < room ? (uint32_t)size : room;
    while (size > 0) {
        size_t left = sizeof attempt->answer - attempt->answer_size;
        if (left == 0) {
            /* Keep more than a token is long, so that none is lost between two pieces. */
            const size_t kept = 64;
            memmove(attempt->answer, attempt->answer + sizeof attempt->answer - kept, kept);
            attempt->answer_size = (uint16_t)kept;
            left = sizeof attempt->answer - kept;
        }
        size_t part = size < left ? size : left;
        memcpy(attempt->answer + attempt->answer_size, data, part);
        attempt->answer_size = (uint16_t)(attempt->answer_size + part);
        data += part;
        size -= part;
        if (attempt->proof[0] == '\0')
            find_token(attempt);
    }
}
