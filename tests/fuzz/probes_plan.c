/*
 * Any bytes as a plan, as they are and with a digest that fits (no fuzzer guesses SHA-256): what is accepted
 * must be written again, with the masks it came with, as the same bytes.
 */
#include <stdlib.h>
#include <string.h>

#include "../../probes/encode.h"
#include "../../probes/plan_grammar.h"
#include "../../probes/sha256.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MASKED_DIGITS (2 * NONCE_BYTES)

static struct probe_plan plan;
static uint8_t masks[PLAN_ATTEMPTS_MAX][NONCE_BYTES];
static char sealed[PLAN_TEXT_MAX + 128], again[PLAN_TEXT_MAX + 128];

/* Reads the masks of a plan that was accepted: they stand before the last field of each attempt's line. */
static void read_masks(const char *text)
{
    for (size_t i = 0; i < plan.count; i++) {
        text = strchr(text, '\n') + 1;
        const char *mask = strchr(text, '\n') - 2 * MASKED_DIGITS - 1;
        if (!decode_hex(mask, MASKED_DIGITS, masks[i], NONCE_BYTES))
            abort();
    }
}

static void check(const char *text, size_t size)
{
    const char *problem = NULL;
    unsigned line = 0;
    if (!plan_parse(text, size, &plan, &problem, &line)) {
        if (problem == NULL || line == 0)
            abort();
        return;
    }
    read_masks(text);
    if (plan_format(&plan, (const uint8_t(*)[NONCE_BYTES])masks, again, sizeof again) != size ||
        memcmp(text, again, size) != 0)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sha256 hash;
    if (size > PLAN_TEXT_MAX)
        return 0;
    check((const char *)data, size);

    memcpy(sealed, data, size);
    memcpy(sealed + size, "BGP1 end ", 9);
    sha256_start(&hash);
    sha256_add(&hash, sealed, size);
    sha256_end_hex(&hash, sealed + size + 9);
    sealed[size + 73] = '\n';
    check(sealed, size + 74);
    return 0;
}
