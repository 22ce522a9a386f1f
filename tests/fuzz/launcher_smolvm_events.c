/* The engine's list of denials: counts that fit together, and nothing but printable bytes, whatever a guest has
 * asked for. */
#include <stdint.h>
#include <stdlib.h>

#include "../../launcher/smolvm/events.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const char *text)
{
    for (; *text != '\0'; text++)
        if (*text < ' ' || *text > '~')
            abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct smolvm_event list[4];
    struct smolvm_events events;
    struct error error = { 0 };
    bool read = smolvm_events_parse((const char *)data, size, list, 4, &events, &error);
    if (read == (error.code != ERROR_NONE) || (!read && events.total != 0) || events.kept > 4 ||
        events.kept + events.strange > events.total)
        abort();
    for (size_t i = 0; i < events.kept; i++) {
        check(list[i].timestamp);
        check(list[i].operation);
        check(list[i].destination);
    }
    return 0;
}
