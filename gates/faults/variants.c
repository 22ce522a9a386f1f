/* See variants.h. What stands before the line is read once: every variant goes on from the same state. */
#include "variants.h"

#include <stdlib.h>
#include <string.h>

#include "../../launcher/support/process.h"

struct crossroads {
    struct collector_state state;
    struct collection collection;
};

bool variants_hold(struct variants *variants, const char *line, const char *wanted)
{
    size_t size = strlen(line);
    if (variants->text == NULL)
        variants->text = malloc(VARIANTS_STREAM_MAX);
    if (variants->text == NULL || variants->size + size > VARIANTS_STREAM_MAX)
        return false;
    if (variants->line_size == 0 && strstr(line, wanted) != NULL) {
        variants->line = variants->size;
        variants->line_size = size;
    }
    memcpy(variants->text + variants->size, line, size);
    variants->size += size;
    return true;
}

/* The rest of the stream with `byte`, if it is not negative, at `at` of the line. */
static bool is_accepted(const struct variants *variants, const struct crossroads *crossroads, size_t at, int byte)
{
    static struct collection collection;
    struct collector_state state = crossroads->state;
    const char *rest = variants->text + variants->line, inserted = (char)byte;
    collection = crossroads->collection;
    state.result = &collection;
    collector_feed(&state, rest, at);
    if (byte >= 0)
        collector_feed(&state, &inserted, 1);
    collector_feed(&state, rest + at, variants->size - variants->line - at);
    collector_end(&state);
    return collection.state == STREAM_COMPLETE;
}

static bool any_flip_is_accepted(const struct variants *variants, const struct crossroads *crossroads)
{
    for (size_t bit = 0; bit < 8 * variants->line_size; bit++) {
        char *byte = &variants->text[variants->line + bit / 8], before = *byte;
        *byte = (char)(before ^ 1 << bit % 8);
        bool accepted = is_accepted(variants, crossroads, 0, -1);
        *byte = before;
        if (accepted)
            return true;
    }
    return false;
}

static bool any_byte_is_accepted(const struct variants *variants, const struct crossroads *crossroads)
{
    for (size_t at = 0; at <= variants->line_size; at++)
        for (int byte = 0; byte < 256; byte++)
            if (is_accepted(variants, crossroads, at, byte))
                return true;
    return false;
}

void variants_pass(struct variants *variants, const struct collector_plan *plan, bool bits, int output)
{
    static struct crossroads crossroads;
    size_t middle = variants->line + variants->line_size / 2;
    collector_begin(&crossroads.state, plan, &crossroads.collection);
    collector_feed(&crossroads.state, variants->text, variants->line);
    bool sound = variants->line_size > 0 && is_accepted(variants, &crossroads, 0, -1) &&
                 !(bits ? any_flip_is_accepted(variants, &crossroads) : any_byte_is_accepted(variants, &crossroads));
    if (sound && bits)
        variants->text[middle] ^= 1;
    if (write_all(output, variants->text, middle) && (!sound || bits || write_all(output, "\x80", 1)))
        (void)write_all(output, variants->text + middle, variants->size - middle);
}
