/* See json_fields.h. */
#include "json_fields.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "../../launcher/support/cleanup.h"
#include "../../launcher/support/process.h"
#include "../../probes/encode.h"
#include "escape.h"

void json_add_text(cJSON *object, const char *name, const char *text)
{
    char copy[1024];
    cJSON_AddStringToObject(object, name, escape_utf8(text, copy, sizeof copy));
}

void json_add_text_or_null(cJSON *object, const char *name, const char *text)
{
    if (text == NULL)
        cJSON_AddNullToObject(object, name);
    else
        json_add_text(object, name, text);
}

/* What must be known before a tree is made of it; NULL if nothing is wrong. It counts by commas and brackets, which is
 * never less than the number of values. */
static const char *look_over(const char *text, size_t size)
{
    size_t depth = 0, values = 1;
    bool inside = false;
    if (size > JSON_BYTES_MAX)
        return "is too large";
    if (memchr(text, '\0', size) != NULL)
        return "has a NUL in it";
    for (const char *next = text; *next != '\0';) {
        char here = *next;
        bool escaped = inside && here == '\\';
        if (escape_next(&next) == ESCAPE_BAD)
            return "is no UTF-8";
        if (escaped && strncmp(next, "u0000", 5) == 0)
            return "has a NUL in a text";
        if (escaped && *next != '\0' && (unsigned char)*next < 0x80)
            next++; /* whatever it is, it doesn't end the text */
        else if (here == '"' && !escaped)
            inside = !inside;
        else if (inside)
            continue;
        else if (here == '{' || here == '[')
            depth++, values++;
        else if ((here == '}' || here == ']') && depth > 0)
            depth--;
        else if (here == ',')
            values++;
        if (depth > JSON_DEPTH_MAX)
            return "is nested too deeply";
        if (values > JSON_VALUES_MAX)
            return "has too many values";
    }
    return NULL;
}

cJSON *json_parse_bounded(const char *text, size_t size, const char *name, struct error *error)
{
    const char *wrong = look_over(text, size);
    cJSON *tree = wrong == NULL ? cJSON_ParseWithOpts(text, NULL, true) : NULL;
    if (tree == NULL)
        error_set(error, ERROR_USAGE, "%s %s", name, wrong != NULL ? wrong : "is no JSON");
    return tree;
}

cJSON *json_read_file(int directory, const char *name, struct error *error)
{
    struct stat found;
    /* Neither a link nor a pipe that nobody writes to may lead away or hang. */
    cleanup_close int fd = openat(directory, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
    if (fd < 0 || fstat(fd, &found) != 0) {
        if (error_system(error, "can't open %s", name), error != NULL)
            error->code = ERROR_USAGE;
        return NULL;
    }
    if (!S_ISREG(found.st_mode) || found.st_size > (off_t)JSON_BYTES_MAX) {
        error_set(error, ERROR_USAGE, "%s is %s", name, S_ISREG(found.st_mode) ? "too large" : "no regular file");
        return NULL;
    }
    size_t size = (size_t)found.st_size;
    cleanup_free char *text = malloc(size + 1);
    ssize_t got = text == NULL ? -1 : read_all(fd, text, size);
    if (got < 0) {
        error_system(error, "can't read %s", name);
        return NULL;
    }
    text[got] = '\0';
    return json_parse_bounded(text, (size_t)got, name, error);
}

void json_refuse(struct json_reader *reader, const char *name, const char *what)
{
    if (!reader->failed)
        error_set(reader->error, ERROR_USAGE, "%s: %s%s\"%s\" %s", reader->file, reader->where,
                  reader->where[0] != '\0' ? ", " : "", name, what);
    reader->failed = true;
}

static const cJSON *field(struct json_reader *reader, const cJSON *object, const char *name)
{
    const cJSON *found = NULL, *each;
    if (reader->failed)
        return NULL;
    cJSON_ArrayForEach(each, object)
    {
        if (each->string == NULL || strcmp(each->string, name) != 0)
            continue;
        if (found != NULL) {
            json_refuse(reader, name, "is there twice");
            return NULL;
        }
        found = each;
    }
    if (found == NULL)
        json_refuse(reader, name, "is missing");
    return found;
}

bool json_bool(struct json_reader *reader, const cJSON *object, const char *name)
{
    const cJSON *found = field(reader, object, name);
    if (found != NULL && !cJSON_IsBool(found))
        json_refuse(reader, name, "is neither true nor false");
    return !reader->failed && cJSON_IsTrue(found);
}

uint64_t json_number(struct json_reader *reader, const cJSON *object, const char *name, uint64_t least, uint64_t most)
{
    const cJSON *found = field(reader, object, name);
    double number = found != NULL && cJSON_IsNumber(found) ? found->valuedouble : -1;
    /* Beyond 2^53 a double is no whole number any more. */
    bool fits = number >= (double)least && number <= (double)most && number <= 9007199254740992.0;
    if (!fits || number != (double)(uint64_t)number) {
        char what[80];
        snprintf(what, sizeof what, "is no number from %llu to %llu", (unsigned long long)least,
                 (unsigned long long)most);
        json_refuse(reader, name, what);
        return least;
    }
    return (uint64_t)number;
}

static const char *text_of(struct json_reader *reader, const cJSON *object, const char *name)
{
    const cJSON *found = field(reader, object, name);
    if (found != NULL && !cJSON_IsString(found))
        json_refuse(reader, name, "is no text");
    return reader->failed || found == NULL ? NULL : found->valuestring;
}

void json_text(struct json_reader *reader, const cJSON *object, const char *name, char *copy, size_t size)
{
    const char *text = text_of(reader, object, name);
    copy[0] = '\0';
    if (text == NULL)
        return;
    if (strlen(text) >= size)
        json_refuse(reader, name, "is too long");
    else
        memcpy(copy, text, strlen(text) + 1);
}

void json_hex(struct json_reader *reader, const cJSON *object, const char *name, uint8_t *bytes, size_t size)
{
    const char *text = text_of(reader, object, name);
    if (text != NULL && (strlen(text) != 2 * size || !decode_hex(text, 2 * size, bytes, size)))
        json_refuse(reader, name, "is not as many lower-case hex digits as it must be");
}

unsigned json_choice(struct json_reader *reader, const cJSON *object, const char *name, const char *const *names,
                     unsigned count)
{
    const char *text = text_of(reader, object, name);
    for (unsigned i = 0; text != NULL && i < count; i++)
        if (names[i] != NULL && strcmp(names[i], text) == 0)
            return i;
    json_refuse(reader, name, "is none of the words that it may be");
    return 0;
}

const cJSON *json_object_or_null(struct json_reader *reader, const cJSON *object, const char *name)
{
    const cJSON *found = field(reader, object, name);
    if (found != NULL && !cJSON_IsObject(found) && !cJSON_IsNull(found))
        json_refuse(reader, name, "is no object");
    return reader->failed || cJSON_IsNull(found) ? NULL : found;
}

const cJSON *json_object(struct json_reader *reader, const cJSON *object, const char *name)
{
    const cJSON *found = json_object_or_null(reader, object, name);
    if (found == NULL)
        json_refuse(reader, name, "is no object");
    return found;
}

const cJSON *json_list(struct json_reader *reader, const cJSON *object, const char *name, size_t most)
{
    const cJSON *found = field(reader, object, name);
    if (found != NULL && !cJSON_IsArray(found))
        json_refuse(reader, name, "is no list");
    else if (found != NULL && (size_t)cJSON_GetArraySize(found) > most)
        json_refuse(reader, name, "has too many entries");
    return reader->failed ? NULL : found;
}
