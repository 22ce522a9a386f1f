/*
 * See plan_grammar.h. The plan is read inside a bottle, by a probe that then does what it says, so it is
 * accepted as a whole or not at all: its lines are counted, its numbers bounded, each address must fit its
 * mechanism, and the digest on the last line covers every byte before it. Written and read by the same
 * checks: what is written can be read again.
 */
#include "plan_grammar.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "address.h"
#include "encode.h"
#include "fields.h"
#include "sha256.h"

#define DEADLINE_MOST 600000
#define REPEATS_MOST  9
#define FIELDS_MAX    12

static bool is_dns(enum mechanism mechanism)
{
    switch (mechanism) {
    case MECHANISM_DNS_UDP:
    case MECHANISM_DNS_TCP:
    case MECHANISM_DNS_TXT:
    case MECHANISM_DNS_NULL:
    case MECHANISM_DNS_EDNS:
    case MECHANISM_DNS_QUESTIONS:
    case MECHANISM_DNS_CASE:
        return true;
    default:
        return false;
    }
}

/* Whether a mechanism can be tried at this address and port at all. */
static bool target_fits(enum mechanism mechanism, const char *text, size_t size, uint64_t port)
{
    struct address address;
    if (!address_parse(text, size, &address) || (address.parent[0] != '\0' && !is_dns(mechanism)))
        return false;
    bool ip = address.kind == ADDRESS_IP;
    switch (mechanism_transport(mechanism)) {
    case TRANSPORT_UNIX:
        return address.family == AF_UNIX && port == 0;
    case TRANSPORT_ICMP:
        return ip && port == 0;
    case TRANSPORT_GROUP:
        return ip && address_is_multicast(&address) && port == 0;
    case TRANSPORT_VSOCK:
        return address.kind == ADDRESS_VSOCK && port == 0;
    case TRANSPORT_DESCRIPTOR:
        return address.kind == ADDRESS_INHERITED && port == 0;
    case TRANSPORT_TCP:
    case TRANSPORT_UDP:
    case TRANSPORT_UDPLITE:
        if (mechanism == MECHANISM_SWEEP_TCP || mechanism == MECHANISM_SWEEP_UDP)
            return ip && address.scope[0] == '\0' && port != 0;
        if (mechanism == MECHANISM_UDP_BROADCAST && address.family != AF_INET)
            return false; /* IPv6 has none */
        return (ip || address.kind == ADDRESS_RESOLVER || address.kind == ADDRESS_ROUTE) && port != 0;
    case TRANSPORTS:
        break;
    }
    return false;
}

static bool host_is_literal(const char *text, size_t size)
{
    struct address address;
    return address_parse(text, size, &address) && address.kind == ADDRESS_IP && address.parent[0] == '\0' &&
           strcmp(address.scope, "*") != 0;
}

static bool is_zero(const uint8_t *bytes, size_t size)
{
    uint8_t any = 0;
    for (size_t i = 0; i < size; i++)
        any |= bytes[i];
    return any == 0;
}

static bool read_hex(struct field field, uint8_t *bytes, size_t size)
{
    return decode_hex(field.text, field.size, bytes, size);
}

/* Each parse_ function returns NULL, or what was wrong with its line. */
static const char *parse_head(const char *line, size_t size, struct probe_plan *plan)
{
    struct field field[FIELDS_MAX];
    uint64_t count, deadline, repeats, port;
    if (!fields_split(line, size, field, 12) || !field_is(field[0], "BGP1") || !field_is(field[1], "plan"))
        return "the first line is no plan line of version BGP1";
    if (!field_is_hex(field[2], RUN_ID_DIGITS, RUN_ID_DIGITS) || !field_copy(field[2], plan->run, sizeof plan->run))
        return "the run id is not 32 lower-case hex digits";
    plan->root = field_is(field[3], "root");
    if (!plan->root && !field_is(field[3], "user"))
        return "the principal is neither user nor root";
    if (!field_decimal(field[4], PLAN_ATTEMPTS_MAX, &count) || count == 0)
        return "the number of attempts is out of range";
    if (!field_decimal(field[5], DEADLINE_MOST, &deadline) || deadline == 0)
        return "the deadline is out of range";
    if (!field_decimal(field[6], REPEATS_MOST, &repeats) || repeats == 0)
        return "the number of repeats is out of range";
    plan->has_door = !field_is(field[7], "-");
    if (plan->has_door && (!host_is_literal(field[7].text, field[7].size) ||
                           !field_copy(field[7], plan->door_host, sizeof plan->door_host)))
        return "the door's host is neither an IP literal nor -";
    if (!field_decimal(field[8], UINT16_MAX, &port) || (port != 0) != plan->has_door)
        return "the door's port is out of range";
    if (!field_is(field[9], "-") && (!plan->has_door || !proxy_word_is_good(field[9].text, field[9].size, NULL) ||
                                     !field_copy(field[9], plan->door_proxy, sizeof plan->door_proxy)))
        return "the proxy is neither one nor -";
    if (!read_hex(field[10], plan->first_challenge, sizeof plan->first_challenge) ||
        !read_hex(field[11], plan->last_challenge, sizeof plan->last_challenge))
        return "a challenge is not 32 lower-case hex digits";
    plan->count = (uint16_t)count;
    plan->deadline_milliseconds = (uint32_t)deadline;
    plan->repeats = (uint8_t)repeats;
    plan->door_port = (uint16_t)port;
    return NULL;
}

static const char *parse_attempt(const char *line, size_t size, uint16_t seq, struct planned_attempt *attempt)
{
    struct field field[FIELDS_MAX];
    uint64_t number, port;
    char word[16];
    uint8_t mask[NONCE_BYTES];
    if (!fields_split(line, size, field, 9) || !field_is(field[0], "BGP1") || !field_is(field[1], "attempt"))
        return "the line is no attempt";
    if (!field_decimal(field[2], PLAN_ATTEMPTS_MAX, &number) || number != seq)
        return "the attempts are not numbered 1, 2, 3 and so on";
    attempt->seq = seq;
    if (!field_copy(field[3], word, sizeof word) || (attempt->vector = vector_parse_id(word)) == 0)
        return "the id is not BG-nnn";
    if (!field_copy(field[4], word, sizeof word) || !mechanism_find(word, &attempt->mechanism))
        return "the mechanism is unknown";
    if (!field_decimal(field[6], UINT16_MAX, &port) ||
        !target_fits(attempt->mechanism, field[5].text, field[5].size, port) ||
        !field_copy(field[5], attempt->address, sizeof attempt->address))
        return "the address and port don't fit the mechanism";
    attempt->port = (uint16_t)port;
    if (!read_hex(field[7], mask, sizeof mask) || !read_hex(field[8], attempt->nonce, sizeof attempt->nonce))
        return "the mask or the masked nonce is not 32 lower-case hex digits";
    if (is_zero(mask, sizeof mask))
        return "the nonce is not masked";
    for (size_t i = 0; i < NONCE_BYTES; i++)
        attempt->nonce[i] ^= mask[i];
    return NULL;
}

static const char *parse_end(const char *line, size_t size, struct sha256 *hash)
{
    struct field field[FIELDS_MAX];
    char digest[65];
    sha256_end_hex(hash, digest);
    if (!fields_split(line, size, field, 3) || !field_is(field[0], "BGP1") || !field_is(field[1], "end"))
        return "the plan has no end line where its count says";
    return field_is(field[2], digest) ? NULL : "the digest doesn't fit the plan";
}

static const char *parse_lines(const char *text, size_t size, struct probe_plan *plan, unsigned *number)
{
    const char *rest = text, *wrong = NULL;
    struct sha256 hash;
    sha256_start(&hash);
    for (*number = 1; *number <= plan->count + 2u; ++*number) {
        size_t left = (size_t)(text + size - rest);
        const char *newline = memchr(rest, '\n', left < PLAN_LINE_MAX ? left : PLAN_LINE_MAX);
        if (newline == NULL)
            return left < PLAN_LINE_MAX ? "the plan ends in the middle" : "the line is too long";
        size_t length = (size_t)(newline - rest);
        if (*number == 1)
            wrong = parse_head(rest, length, plan);
        else if (*number <= plan->count + 1u)
            wrong = parse_attempt(rest, length, (uint16_t)(*number - 1), &plan->attempts[*number - 2]);
        else
            wrong = parse_end(rest, length, &hash);
        if (wrong != NULL)
            return wrong;
        sha256_add(&hash, rest, length + 1);
        rest = newline + 1;
    }
    return rest == text + size ? NULL : "something follows the end line";
}

bool plan_parse(const char *text, size_t size, struct probe_plan *plan, const char **problem, unsigned *line)
{
    unsigned number = 1;
    memset(plan, 0, sizeof *plan);
    const char *wrong = size == 0              ? "the plan is empty"
                        : size > PLAN_TEXT_MAX ? "the plan is too long"
                                               : parse_lines(text, size, plan, &number);
    if (wrong != NULL && problem != NULL)
        *problem = wrong;
    if (wrong != NULL && line != NULL)
        *line = number;
    return wrong == NULL;
}

struct writer {
    char *text;
    size_t used, capacity;
    bool failed;
};

__attribute__((format(printf, 2, 3))) static void write_line(struct writer *writer, const char *format, ...)
{
    size_t left = writer->capacity - writer->used;
    va_list arguments;
    va_start(arguments, format);
    int length = writer->failed ? -1 : vsnprintf(writer->text + writer->used, left, format, arguments);
    va_end(arguments);
    writer->failed = length < 0 || (size_t)length >= left || length > PLAN_LINE_MAX;
    if (!writer->failed)
        writer->used += (size_t)length;
}

static bool head_writable(const struct probe_plan *plan)
{
    if (plan->has_door ? !host_is_literal(plan->door_host, strlen(plan->door_host)) || plan->door_port == 0
                       : plan->door_port != 0)
        return false;
    if (plan->door_proxy[0] != '\0' &&
        (!plan->has_door || !proxy_word_is_good(plan->door_proxy, strlen(plan->door_proxy), NULL)))
        return false;
    return field_is_hex((struct field){ plan->run, strlen(plan->run) }, RUN_ID_DIGITS, RUN_ID_DIGITS) &&
           plan->count >= 1 && plan->count <= PLAN_ATTEMPTS_MAX && plan->deadline_milliseconds >= 1 &&
           plan->deadline_milliseconds <= DEADLINE_MOST && plan->repeats >= 1 && plan->repeats <= REPEATS_MOST;
}

static bool attempt_writable(const struct planned_attempt *attempt, unsigned seq, const uint8_t mask[NONCE_BYTES])
{
    return attempt->seq == seq && attempt->vector >= 1 && attempt->vector <= 999 &&
           (unsigned)attempt->mechanism < MECHANISMS && !is_zero(mask, NONCE_BYTES) &&
           target_fits(attempt->mechanism, attempt->address, strlen(attempt->address), attempt->port);
}

size_t plan_format(const struct probe_plan *plan, const uint8_t (*masks)[NONCE_BYTES], char *text, size_t capacity)
{
    struct writer writer = { .text = text, .capacity = capacity };
    char first[33], last[33], digest[65], id[8];
    if (!head_writable(plan))
        return 0;
    encode_hex(plan->first_challenge, sizeof plan->first_challenge, first);
    encode_hex(plan->last_challenge, sizeof plan->last_challenge, last);
    write_line(&writer, "BGP1 plan %s %s %u %u %u %s %u %s %s %s\n", plan->run, plan->root ? "root" : "user",
               plan->count, plan->deadline_milliseconds, plan->repeats, plan->has_door ? plan->door_host : "-",
               plan->door_port, plan->door_proxy[0] != '\0' ? plan->door_proxy : "-", first, last);

    for (unsigned i = 0; i < plan->count; i++) {
        const struct planned_attempt *attempt = &plan->attempts[i];
        uint8_t masked[NONCE_BYTES];
        char mask_digits[2 * NONCE_BYTES + 1], masked_digits[2 * NONCE_BYTES + 1];
        if (!attempt_writable(attempt, i + 1, masks[i]))
            return 0;
        for (size_t b = 0; b < NONCE_BYTES; b++)
            masked[b] = attempt->nonce[b] ^ masks[i][b];
        encode_hex(masks[i], NONCE_BYTES, mask_digits);
        encode_hex(masked, NONCE_BYTES, masked_digits);
        vector_format_id(attempt->vector, id);
        write_line(&writer, "BGP1 attempt %u %s %s %s %u %s %s\n", attempt->seq, id, mechanism_name(attempt->mechanism),
                   attempt->address, attempt->port, mask_digits, masked_digits);
    }
    if (writer.failed)
        return 0;
    struct sha256 hash;
    sha256_start(&hash);
    sha256_add(&hash, text, writer.used);
    sha256_end_hex(&hash, digest);
    write_line(&writer, "BGP1 end %s\n", digest);
    return writer.failed ? 0 : writer.used;
}
