/* See json.h. cJSON bounds the depth itself (CJSON_NESTING_LIMIT). */
#include "json.h"

#include <string.h>

cJSON *smolvm_json_parse(const char *text, size_t size)
{
    const char *end = NULL;
    if (size == 0 || size > SMOLVM_JSON_BYTES)
        return NULL;
    cJSON *value = cJSON_ParseWithLengthOpts(text, size, &end, 0);
    if (value == NULL)
        return NULL;
    while (end < text + size && (*end == ' ' || *end == '\n' || *end == '\r' || *end == '\t'))
        end++;
    if (end == text + size)
        return value;
    cJSON_Delete(value);
    return NULL;
}

const cJSON *smolvm_json_field(const cJSON *object, const char *name)
{
    const cJSON *found = NULL, *field = NULL;
    if (!cJSON_IsObject(object))
        return NULL;
    cJSON_ArrayForEach(field, object)
    {
        if (field->string == NULL || strcmp(field->string, name) != 0)
            continue;
        if (found != NULL)
            return NULL;
        found = field;
    }
    return found;
}

bool smolvm_json_show(const cJSON *value, char *text, size_t capacity)
{
    size_t length = 0;
    *text = '\0';
    if (!cJSON_IsString(value) || value->valuestring == NULL)
        return false;
    for (const char *next = value->valuestring; *next != '\0' && length < capacity - 1; next++)
        text[length++] = (char)(*next >= ' ' && *next <= '~' ? *next : '?');
    text[length] = '\0';
    return true;
}
