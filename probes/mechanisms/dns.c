/*
 * DNS over UDP and TCP (RFC 1035): one query for the address of <nonce in base32>.<seq>.bottle-gate.test,
 * recursion desired. The name is the message, so a resolver that forwards it has let it out, whatever it
 * answers. No libc resolver: its rules on search lists, retries and caches are not ours.
 */
#include <stdio.h>
#include <string.h>

#include "../encode.h"
#include "datagram.h"
#include "stream.h"

#define HEADER_SIZE   12
#define LENGTH_PREFIX 2 /* over TCP, RFC 1035 4.2.2 */

/* Appends a name, given with dots, as labels. */
static size_t append_name(uint8_t *message, size_t used, const char *name)
{
    while (*name != '\0') {
        size_t label = strcspn(name, ".");
        message[used++] = (uint8_t)label;
        memcpy(message + used, name, label);
        used += label;
        name += label + (name[label] == '.');
    }
    message[used++] = 0;
    return used;
}

static void set_query(struct attempt *attempt, size_t prefix)
{
    static const uint8_t type_a_class_in[4] = { 0, 1, 0, 1 };
    const uint8_t *nonce = attempt->planned->nonce;
    uint8_t *message = attempt->request + prefix;
    char spelled[27], name[64];
    encode_base32(nonce, NONCE_BYTES, spelled);
    snprintf(name, sizeof name, "%s.%u.bottle-gate.test", spelled, attempt->planned->seq);

    memset(message, 0, HEADER_SIZE);
    message[0] = nonce[0] ^ nonce[7];
    message[1] = nonce[1] ^ nonce[11];
    message[2] = 0x01; /* recursion desired */
    message[5] = 1;    /* one question */
    size_t size = append_name(message, HEADER_SIZE, name);
    memcpy(message + size, type_a_class_in, sizeof type_a_class_in);
    size += sizeof type_a_class_in;
    if (prefix > 0) {
        attempt->request[0] = (uint8_t)(size >> 8);
        attempt->request[1] = (uint8_t)size;
    }
    attempt->request_size = (uint16_t)(prefix + size);
}

static bool answers_query(struct attempt *attempt, const uint8_t *data, size_t size)
{
    return size >= HEADER_SIZE && memcmp(data, attempt->request, 2) == 0 && (data[2] & 0x80) != 0;
}

static bool message_complete(struct attempt *attempt, const uint8_t *data, size_t size)
{
    (void)data, (void)size;
    if (attempt->proof[0] != '\0')
        return true;
    if (attempt->received > ANSWER_KEPT)
        return false; /* its beginning is gone: the end of the connection or of patience decides */
    return attempt->answer_size >= LENGTH_PREFIX &&
           attempt->answer_size >= LENGTH_PREFIX + (attempt->answer[0] << 8 | attempt->answer[1]);
}

static void start_udp(struct attempt *attempt, uint64_t now)
{
    set_query(attempt, 0);
    attempt->judge_answer = answers_query;
    datagram_start(attempt, 0, true, now);
}

static void start_tcp(struct attempt *attempt, uint64_t now)
{
    set_query(attempt, LENGTH_PREFIX);
    attempt->judge_answer = message_complete;
    stream_start(attempt, now);
}

const struct mechanism_functions dns_udp_functions = { start_udp, datagram_ready, datagram_timer };
const struct mechanism_functions dns_tcp_functions = { start_tcp, stream_ready, stream_timer };
