/* See events.h. */
#include "events.h"

#include <string.h>

#include "json.h"

static void take(const cJSON *object, struct smolvm_event *list, size_t capacity, struct smolvm_events *events)
{
    struct smolvm_event event = { .timestamp = "" };
    events->total++;
    smolvm_json_show(smolvm_json_field(object, "timestamp"), event.timestamp, sizeof event.timestamp);
    if (!smolvm_json_show(smolvm_json_field(object, "operation"), event.operation, sizeof event.operation) ||
        !smolvm_json_show(smolvm_json_field(object, "dest"), event.destination, sizeof event.destination))
        events->strange++;
    else if (events->kept < capacity)
        list[events->kept++] = event;
}

/* One object a line; empty lines are none. False at the first line that is no object. */
static bool take_lines(const char *text, size_t size, struct smolvm_event *list, size_t capacity,
                       struct smolvm_events *events)
{
    while (size > 0) {
        const char *newline = memchr(text, '\n', size);
        size_t length = newline == NULL ? size : (size_t)(newline - text), step = length + (newline != NULL);
        if (length > 0) {
            cleanup_json cJSON *object = smolvm_json_parse(text, length);
            if (!cJSON_IsObject(object))
                return false;
            take(object, list, capacity, events);
        }
        text += step;
        size -= step;
    }
    return true;
}

bool smolvm_events_parse(const char *text, size_t size, struct smolvm_event *list, size_t capacity,
                         struct smolvm_events *events, struct error *error)
{
    *events = (struct smolvm_events){ 0 };
    cleanup_json cJSON *array = smolvm_json_parse(text, size);
    if (cJSON_IsArray(array)) {
        const cJSON *item = NULL;
        cJSON_ArrayForEach(item, array)
        {
            take(item, list, capacity, events);
        }
        return true;
    }
    if (size <= SMOLVM_JSON_BYTES && take_lines(text, size, list, capacity, events))
        return true;
    *events = (struct smolvm_events){ 0 };
    return error_set(error, ERROR_HOST, "what smolvm lists as denied is not as it writes it");
}
