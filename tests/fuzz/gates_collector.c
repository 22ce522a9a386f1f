/*
 * libFuzzer driver of the collector's state machine. Whatever the bytes:
 *   - the pieces in which they come make no difference;
 *   - COMPLETE only if every line, parsed and written again, gives the same bytes, and the last is a bye
 * whose digest is that of all above it. No fuzzer guesses a SHA-256, so each input is also tried with a right
 * bye behind it. Seeds: tests/fuzz/corpus/gates_collector.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../gates/collector.h"

#define INPUT_MAX 4096

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct collector_plan plan = {
    .run = "00112233445566778899aabbccddeeff",
    .first = 0,
    .count = 4,
    .vectors = { RECORD_DOOR, 49, 61, RECORD_DOOR },
};

static void collect(const char *bytes, size_t size, size_t piece, struct collection *result)
{
    struct collector_state state;
    collector_begin(&state, &plan, result);
    for (size_t at = 0; at < size; at += piece)
        collector_feed(&state, bytes + at, piece < size - at ? piece : size - at);
    collector_end(&state);
}

/* Aborts unless a complete stream is made of lines that have one spelling, and of all that the plan has. */
static void check_complete(const char *bytes, size_t size, const struct collection *result)
{
    struct record record = { .kind = RECORD_HELLO };
    struct sha256 hash;
    char line[RECORD_LINE_MAX], digest[65];
    size_t at = 0;
    unsigned lines = 0;
    sha256_start(&hash);
    while (at < size) {
        const char *end = memchr(bytes + at, '\n', size - at);
        if (end == NULL)
            abort();
        size_t length = (size_t)(end - bytes) - at;
        if (!record_parse(bytes + at, length, &record) || record_format(&record, line) != length + 1 ||
            memcmp(line, bytes + at, length + 1) != 0)
            abort();
        if (record.kind != RECORD_BYE)
            sha256_add(&hash, line, length + 1);
        at += length + 1;
        lines++;
    }
    sha256_end_hex(&hash, digest);
    if (record.kind != RECORD_BYE || strcmp(record.bye.digest, digest) != 0 || lines != 2u + 2u * plan.count)
        abort();
    for (unsigned i = 0; i < plan.count; i++)
        if (!result->acts[i].tried || !result->acts[i].done || result->acts[i].did.seq != i)
            abort();
}

static void check(const char *bytes, size_t size, size_t piece)
{
    static struct collection whole, pieces;
    collect(bytes, size, size + 1, &whole);
    collect(bytes, size, piece, &pieces);
    if (memcmp(&whole, &pieces, sizeof whole) != 0)
        abort();
    if (whole.state == STREAM_COMPLETE)
        check_complete(bytes, size, &whole);
    else if (whole.problem[0] == '\0')
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char bytes[INPUT_MAX + RECORD_LINE_MAX];
    if (size == 0 || size > INPUT_MAX)
        return 0;
    memcpy(bytes, data, size);
    check(bytes, size, 1 + data[0] % 40);

    struct sha256 hash;
    char digest[65];
    sha256_start(&hash);
    sha256_add(&hash, bytes, size);
    sha256_end_hex(&hash, digest);
    int bye = snprintf(bytes + size, RECORD_LINE_MAX, "BG1 bye %u %u %s\n", plan.count, plan.count, digest);
    check(bytes, size + (size_t)bye, 1 + data[size - 1] % 40);
    return 0;
}
