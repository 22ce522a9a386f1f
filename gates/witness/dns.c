/* See dns.h. Reading and writing go through one cursor each, which never leaves its buffer. */
#include "dns.h"

#include <string.h>

#include "../../probes/sha256.h"

#define HEADER_BYTES             12
#define LABEL_MAX                63
#define FLAG_RESPONSE            0x8000
#define MASK_OPCODE              0x7800
#define FLAG_AUTHORITY           0x0400
#define FLAG_TRUNCATED           0x0200
#define FLAG_RECURSION           0x0100
#define FLAG_RECURSION_AVAILABLE 0x0080
#define CODE_NOT_IMPLEMENTED     4
#define TYPE_A                   1
#define TYPE_TXT                 16
#define TYPE_AAAA                28
#define TYPE_ANY                 255
#define CLASS_IN                 1
#define CLASS_ANY                255
#define NAME_POINTER             0xc000
#define TTL_SECONDS              5
#define POOL4                    0xc6120001u /* 198.18.0.1 */

struct reader {
    const uint8_t *at;
    size_t left;
};

static bool take_16(struct reader *reader, uint16_t *value)
{
    if (reader->left < 2)
        return false;
    *value = (uint16_t)(reader->at[0] << 8 | reader->at[1]);
    reader->at += 2;
    reader->left -= 2;
    return true;
}

static bool take_name(struct reader *reader, struct dns_question *question)
{
    size_t size = 0;
    while (size < reader->left && reader->at[size] != 0) {
        if (reader->at[size] > LABEL_MAX) /* compression, or a label type that nobody uses */
            return false;
        size += 1 + (size_t)reader->at[size];
    }
    if (size >= reader->left || ++size > DNS_NAME_MAX)
        return false;
    question->name_size = size;
    memcpy(question->name, reader->at, size);
    reader->at += size;
    reader->left -= size;
    return true;
}

bool dns_parse(const uint8_t *message, size_t size, struct dns_query *query)
{
    struct reader reader = { message, size };
    uint16_t count = 0, ignored;
    memset(query, 0, sizeof *query);
    if (!take_16(&reader, &query->id) || !take_16(&reader, &query->flags) || !take_16(&reader, &count) ||
        !take_16(&reader, &ignored) || !take_16(&reader, &ignored) || !take_16(&reader, &ignored))
        return false;
    if ((query->flags & FLAG_RESPONSE) != 0 || count == 0 || count > DNS_QUESTIONS_MAX)
        return false;
    for (; query->count < count; query->count++) {
        struct dns_question *question = &query->questions[query->count];
        if (!take_name(&reader, question) || !take_16(&reader, &question->type) || !take_16(&reader, &question->class))
            return false;
    }
    return true;
}

size_t dns_join(const struct dns_question *question, uint8_t letters[DNS_NAME_MAX])
{
    size_t used = 0;
    for (size_t at = 0; at < question->name_size && question->name[at] != 0;) {
        size_t label = question->name[at++];
        memcpy(letters + used, question->name + at, label);
        used += label;
        at += label;
    }
    return used;
}

/* The name's place in the table, from 0; DNS_NAMES_MAX if there is none for it. */
static size_t place_of(struct dns_names *names, const struct dns_question *question)
{
    uint8_t lower[DNS_NAME_MAX], digest[32];
    for (size_t i = 0; i < question->name_size; i++) {
        uint8_t byte = question->name[i];
        lower[i] = byte >= 'A' && byte <= 'Z' ? (uint8_t)(byte | 0x20) : byte;
    }
    struct sha256 hash;
    sha256_start(&hash);
    sha256_add(&hash, names->key, sizeof names->key);
    sha256_add(&hash, lower, question->name_size);
    sha256_end(&hash, digest);
    uint64_t short_digest;
    memcpy(&short_digest, digest, sizeof short_digest);
    size_t place = 0;
    while (place < names->count && names->digests[place] != short_digest)
        place++;
    if (place == names->count && place < DNS_NAMES_MAX)
        names->digests[names->count++] = short_digest;
    if (place == DNS_NAMES_MAX)
        names->full = true;
    return place;
}

struct writer {
    uint8_t *start;
    size_t used, capacity;
    bool cut;
};

static void put(struct writer *writer, const void *data, size_t size)
{
    if (writer->capacity - writer->used < size) {
        writer->cut = true;
        return;
    }
    memcpy(writer->start + writer->used, data, size);
    writer->used += size;
}

static void put_16(struct writer *writer, unsigned value)
{
    put(writer, (const uint8_t[]){ (uint8_t)(value >> 8), (uint8_t)value }, 2);
}

/* One record, all of it or nothing. Returns how many were written: 1 or 0. */
static uint16_t put_record(struct writer *writer, uint16_t name, uint16_t type, const void *data, size_t size)
{
    struct writer trial = *writer;
    put_16(&trial, NAME_POINTER | name);
    put_16(&trial, type);
    put_16(&trial, CLASS_IN);
    put_16(&trial, 0);
    put_16(&trial, TTL_SECONDS);
    put_16(&trial, (unsigned)size);
    put(&trial, data, size);
    if (trial.cut) {
        writer->cut = true;
        return 0;
    }
    *writer = trial;
    return 1;
}

static uint16_t put_addresses(struct writer *writer, struct dns_names *names, const struct dns_question *question,
                              uint16_t name)
{
    bool wants4 = question->type == TYPE_A || question->type == TYPE_ANY;
    bool wants6 = question->type == TYPE_AAAA || question->type == TYPE_ANY;
    if ((!wants4 && !wants6) || (question->class != CLASS_IN && question->class != CLASS_ANY))
        return 0;
    size_t place = place_of(names, question);
    if (place == DNS_NAMES_MAX)
        return 0;
    uint32_t v4 = POOL4 + (uint32_t)place;
    uint8_t last[4] = { (uint8_t)(v4 >> 24), (uint8_t)(v4 >> 16), (uint8_t)(v4 >> 8), (uint8_t)v4 };
    uint8_t v6[16] = { 0x20, 0x01, 0x0d, 0xb8, 0x00, 0x53 }; /* 2001:db8:53::<the IPv4 address> */
    memcpy(v6 + 12, last, sizeof last);
    uint16_t written = 0;
    if (wants4)
        written = put_record(writer, name, TYPE_A, last, sizeof last);
    if (wants6)
        written = (uint16_t)(written + put_record(writer, name, TYPE_AAAA, v6, sizeof v6));
    return written;
}

size_t dns_answer(struct dns_names *names, const struct dns_query *query, const char *token, uint8_t *answer,
                  size_t capacity)
{
    uint16_t name_at[DNS_QUESTIONS_MAX] = { 0 }, asked = 0, answered = 0, added = 0;
    unsigned code = (query->flags & MASK_OPCODE) != 0 ? CODE_NOT_IMPLEMENTED : 0;
    struct writer writer = { .start = answer, .used = HEADER_BYTES, .capacity = capacity };
    for (; asked < query->count; asked++) {
        const struct dns_question *question = &query->questions[asked];
        if (writer.capacity - writer.used < question->name_size + 4) {
            writer.cut = true;
            break;
        }
        name_at[asked] = (uint16_t)writer.used;
        put(&writer, question->name, question->name_size);
        put_16(&writer, question->type);
        put_16(&writer, question->class);
    }
    for (uint16_t i = 0; i < asked && code == 0; i++)
        answered = (uint16_t)(answered + put_addresses(&writer, names, &query->questions[i], name_at[i]));
    uint8_t text[1 + DNS_TOKEN_MAX];
    text[0] = (uint8_t)strnlen(token, DNS_TOKEN_MAX);
    memcpy(text + 1, token, text[0]);
    added = put_record(&writer, HEADER_BYTES, TYPE_TXT, text, 1u + text[0]);

    unsigned flags = FLAG_RESPONSE | FLAG_AUTHORITY | FLAG_RECURSION_AVAILABLE | code |
                     (query->flags & (MASK_OPCODE | FLAG_RECURSION)) | (writer.cut ? FLAG_TRUNCATED : 0u);
    struct writer header = { .start = answer, .capacity = HEADER_BYTES };
    put_16(&header, query->id);
    put_16(&header, flags);
    put_16(&header, asked);
    put_16(&header, answered);
    put_16(&header, 0);
    put_16(&header, added);
    return writer.used;
}
