/*
 * JSON from programs that aren't ours (the engine, Docker): read within bounds, whole or not at all. A field that is
 * there twice is as good as none: two readers would not agree on it.
 */
#ifndef LAUNCHER_SMOLVM_JSON_H
#define LAUNCHER_SMOLVM_JSON_H

#include <stdbool.h>
#include <stddef.h>

#include <cjson/cJSON.h>

enum { SMOLVM_JSON_BYTES = 1 << 20 }; /* most that is looked at */

/* The one value that the text is, with nothing but white space after it; NULL if it isn't. Owned by the caller
 * (cJSON_Delete). */
cJSON *smolvm_json_parse(const char *text, size_t size);

/* The field of that name, or NULL if `object` is no object, or hasn't got it exactly once. */
const cJSON *smolvm_json_field(const cJSON *object, const char *name);

/* Copies a string into `text`, cut to `capacity` - 1 bytes, with '?' for everything but printable ASCII. False: no
 * string. */
bool smolvm_json_show(const cJSON *value, char *text, size_t capacity);

#define cleanup_json __attribute__((cleanup(smolvm_json_cleanup)))
static inline void smolvm_json_cleanup(cJSON **value)
{
    cJSON_Delete(*value);
}

#endif
