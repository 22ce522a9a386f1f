/*
 * DNS over UDP and TCP (RFC 1035), in the spellings that filters and resolvers treat differently. The name is the
 * message, so a resolver that forwards it has let it out, whatever it answers. No libc resolver: its rules on
 * search lists, retries and caches are not ours.
 *
 *   ordinary   <nonce in base32>.<seq>.bottle-gate.test, type A, TXT or NULL
 *   EDNS       edns.bottle-gate.test, and the nonce in an option of the OPT record, nowhere else
 *   questions  two of them: questions.bottle-gate.test, and the ordinary name
 *   case       four labels of 32 letters and bottle-gate.test, always the same name; whether letter i is upper case
 *              is bit i of the nonce, the highest of the first byte first, and nothing else of the nonce is in it
 *
 * An address with /PARENT has PARENT in the place of bottle-gate.test. The query's id is the attempt's number.
 */
#include <stdio.h>
#include <string.h>

#include "../address.h"
#include "../encode.h"
#include "datagram.h"
#include "dns_query.h"
#include "stream.h"

#define LENGTH_PREFIX 2     /* over TCP, RFC 1035 4.2.2 */
#define NONCE_OPTION  65001 /* for local use, RFC 6891 section 9 */
#define CASE_LABEL    32
#define NAME_MAX_DOTS 256

/* "PREFIX.PARENT". */
static void set_name(const struct attempt *attempt, const char *prefix, char name[NAME_MAX_DOTS])
{
    struct address address;
    const char *text = attempt->planned->address;
    bool has_parent = address_parse(text, strlen(text), &address) && address.parent[0] != '\0';
    snprintf(name, NAME_MAX_DOTS, "%s.%s", prefix, has_parent ? address.parent : "bottle-gate.test");
}

static void set_nonce_name(const struct attempt *attempt, char name[NAME_MAX_DOTS])
{
    char spelled[27], prefix[40];
    encode_base32(attempt->planned->nonce, NONCE_BYTES, spelled);
    snprintf(prefix, sizeof prefix, "%s.%u", spelled, attempt->planned->seq);
    set_name(attempt, prefix, name);
}

static void set_case_name(const struct attempt *attempt, char name[NAME_MAX_DOTS])
{
    char prefix[8 * NONCE_BYTES + 8 * NONCE_BYTES / CASE_LABEL];
    size_t used = 0;
    for (unsigned bit = 0; bit < 8 * NONCE_BYTES; bit++) {
        bool upper = (attempt->planned->nonce[bit / 8] >> (7 - bit % 8) & 1) != 0;
        if (bit > 0 && bit % CASE_LABEL == 0)
            prefix[used++] = '.';
        prefix[used++] = (char)((upper ? 'A' : 'a') + bit % 26);
    }
    prefix[used] = '\0';
    set_name(attempt, prefix, name);
}

static void set_query(struct attempt *attempt, size_t prefix, enum dns_query_type type)
{
    char name[NAME_MAX_DOTS];
    uint8_t *message = attempt->request + prefix;
    set_nonce_name(attempt, name);
    size_t size = dns_query_start(message, attempt->planned->seq);
    size = dns_query_ask(message, size, name, type);
    if (prefix > 0) {
        attempt->request[0] = (uint8_t)(size >> 8);
        attempt->request[1] = (uint8_t)size;
    }
    attempt->request_size = (uint16_t)(prefix + size);
}

static bool answers_query(struct attempt *attempt, const uint8_t *data, size_t size)
{
    return size >= DNS_QUERY_HEADER && memcmp(data, attempt->request, 2) == 0 && (data[2] & 0x80) != 0;
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

static void send_query(struct attempt *attempt, uint64_t now)
{
    attempt->judge_answer = answers_query;
    datagram_start(attempt, 0, true, now);
}

static void start_udp(struct attempt *attempt, uint64_t now)
{
    set_query(attempt, 0, DNS_QUERY_A);
    send_query(attempt, now);
}

static void start_tcp(struct attempt *attempt, uint64_t now)
{
    set_query(attempt, LENGTH_PREFIX, DNS_QUERY_A);
    attempt->judge_answer = message_complete;
    stream_start(attempt, now);
}

static void start_txt(struct attempt *attempt, uint64_t now)
{
    set_query(attempt, 0, DNS_QUERY_TXT);
    send_query(attempt, now);
}

static void start_null(struct attempt *attempt, uint64_t now)
{
    set_query(attempt, 0, DNS_QUERY_NULL);
    send_query(attempt, now);
}

static void start_edns(struct attempt *attempt, uint64_t now)
{
    char name[NAME_MAX_DOTS];
    set_name(attempt, "edns", name);
    size_t size = dns_query_start(attempt->request, attempt->planned->seq);
    size = dns_query_ask(attempt->request, size, name, DNS_QUERY_A);
    size = dns_query_add_option(attempt->request, size, NONCE_OPTION, attempt->planned->nonce, NONCE_BYTES);
    attempt->request_size = (uint16_t)size;
    send_query(attempt, now);
}

static void start_questions(struct attempt *attempt, uint64_t now)
{
    char name[NAME_MAX_DOTS];
    set_name(attempt, "questions", name);
    size_t size = dns_query_start(attempt->request, attempt->planned->seq);
    size = dns_query_ask(attempt->request, size, name, DNS_QUERY_A);
    set_nonce_name(attempt, name);
    size = dns_query_ask(attempt->request, size, name, DNS_QUERY_A);
    attempt->request_size = (uint16_t)size;
    send_query(attempt, now);
}

static void start_case(struct attempt *attempt, uint64_t now)
{
    char name[NAME_MAX_DOTS];
    set_case_name(attempt, name);
    size_t size = dns_query_start(attempt->request, attempt->planned->seq);
    attempt->request_size = (uint16_t)dns_query_ask(attempt->request, size, name, DNS_QUERY_A);
    send_query(attempt, now);
}

const struct mechanism_functions dns_udp_functions = { start_udp, datagram_ready, datagram_timer };
const struct mechanism_functions dns_tcp_functions = { start_tcp, stream_ready, stream_timer };
const struct mechanism_functions dns_txt_functions = { start_txt, datagram_ready, datagram_timer };
const struct mechanism_functions dns_null_functions = { start_null, datagram_ready, datagram_timer };
const struct mechanism_functions dns_edns_functions = { start_edns, datagram_ready, datagram_timer };
const struct mechanism_functions dns_questions_functions = { start_questions, datagram_ready, datagram_timer };
const struct mechanism_functions dns_case_functions = { start_case, datagram_ready, datagram_timer };
