/*
 * ICMP and ICMPv6 echo from a ping socket (icmp(7)), which needs no privilege but a group in
 * net.ipv4.ping_group_range. The kernel fills in the identifier and the checksum; the nonce is the payload. A
 * reply is an answer, never a proof: any gateway may send one for an address that it denies.
 */
#include "datagram.h"

#include <string.h>

#define HEADER_SIZE 8

enum { ECHO4 = 8, ECHO4_REPLY = 0, ECHO6 = 128, ECHO6_REPLY = 129 }; /* RFC 792, RFC 4443 4.1 and 4.2 */

static bool is_reply(struct attempt *attempt, const uint8_t *data, size_t size)
{
    uint8_t type = attempt->target.any.sa_family == AF_INET6 ? ECHO6_REPLY : ECHO4_REPLY;
    return size >= HEADER_SIZE && data[0] == type;
}

static void start(struct attempt *attempt, uint64_t now)
{
    attempt_set_payload(attempt);
    memmove(attempt->request + HEADER_SIZE, attempt->request, attempt->request_size);
    memset(attempt->request, 0, HEADER_SIZE);
    attempt->request[0] = strchr(attempt->planned->address, ':') != NULL ? ECHO6 : ECHO4;
    attempt->request[7] = 1; /* sequence number */
    attempt->request_size = (uint16_t)(attempt->request_size + HEADER_SIZE);
    attempt->judge_answer = is_reply;
    datagram_start(attempt, IPPROTO_ICMP, true, now);
}

const struct mechanism_functions icmp_echo_functions = { start, datagram_ready, datagram_timer };
