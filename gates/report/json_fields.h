/*
 * Fields of JSON objects, written and read. Writing: texts are made well-formed UTF-8, which cJSON doesn't see to.
 * Reading: the text is hostile. It is looked over before cJSON sees it (size, depth, number of values, UTF-8, no NUL),
 * then every field is asked for by name, type and range; one that is missing, or there twice, is refused, one that
 * nobody asks for is ignored.
 */
#ifndef GATES_REPORT_JSON_FIELDS_H
#define GATES_REPORT_JSON_FIELDS_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../../launcher/support/error.h"

/* Adds a text of at most 1023 bytes. */
void json_add_text(cJSON *object, const char *name, const char *text);
void json_add_text_or_null(cJSON *object, const char *name, const char *text);

#define JSON_BYTES_MAX  (32u << 20)
#define JSON_DEPTH_MAX  16
#define JSON_VALUES_MAX 1000000u /* cJSON takes some 80 bytes for each */

/* Parses `size` bytes, which are followed by a NUL. The tree is the caller's (cJSON_Delete). NULL with an error
 * (ERROR_USAGE) that says what is wrong; `name` is what the text is called in it. */
cJSON *json_parse_bounded(const char *text, size_t size, const char *name, struct error *error);

/* Reads a file of the directory, a regular one of at most JSON_BYTES_MAX bytes, and parses it. */
cJSON *json_read_file(int directory, const char *name, struct error *error);

/*
 * Reading fields: the first thing that is wrong fills `error` and sets `failed`, after which every call returns nothing
 * at once; so a whole struct is read without a look at each result. `where` names the object that is being read.
 */
struct json_reader {
    struct error *error;
    const char *file;
    char where[64];
    bool failed;
};

void json_refuse(struct json_reader *reader, const char *name, const char *what);

bool json_bool(struct json_reader *reader, const cJSON *object, const char *name);
uint64_t json_number(struct json_reader *reader, const cJSON *object, const char *name, uint64_t least, uint64_t most);
/* Copies a text that fits into `size` bytes with its end; an empty one where it failed. */
void json_text(struct json_reader *reader, const cJSON *object, const char *name, char *copy, size_t size);
/* Exactly 2 * size lower-case hex digits. */
void json_hex(struct json_reader *reader, const cJSON *object, const char *name, uint8_t *bytes, size_t size);
/* The index of a text in `names`, of which some may be NULL; 0 where it failed. */
unsigned json_choice(struct json_reader *reader, const cJSON *object, const char *name, const char *const *names,
                     unsigned count);
/* NULL where it failed; an object that may be null is NULL then as well. */
const cJSON *json_object(struct json_reader *reader, const cJSON *object, const char *name);
const cJSON *json_object_or_null(struct json_reader *reader, const cJSON *object, const char *name);
const cJSON *json_list(struct json_reader *reader, const cJSON *object, const char *name, size_t most);

#endif
