/*
 * See record_grammar.h. A record's line is read and written by the same small set of checks, so that whatever
 * is written can be read again and gives the same bytes. The reader of these lines sits outside a bottle that
 * may be hostile: it must refuse everything that the probe would never write, numbers out of range and
 * unknown errno names included.
 */
#include "record_grammar.h"

#include <stdio.h>
#include <string.h>

#include "fields.h"

#define ACT_LAST   (PLAN_ATTEMPTS_MAX + 1) /* the second door round trip of a full plan */
#define FIELDS_MAX 9

static const char *const stage_words[STAGES] = {
    [STAGE_TARGET] = "target", [STAGE_SOCKET] = "socket",     [STAGE_CONNECT] = "connect",   [STAGE_SEND] = "send",
    [STAGE_SENT] = "sent",     [STAGE_ANSWERED] = "answered", [STAGE_DEADLINE] = "deadline",
};

const char *stage_name(enum stage stage)
{
    return (unsigned)stage < STAGES ? stage_words[stage] : "?";
}

static bool is_kernel_release(struct field field)
{
    if (field.size == 0 || field.size > 64)
        return false;
    for (size_t i = 0; i < field.size; i++) {
        char c = field.text[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!plain && strchr("._+~-", c) == NULL)
            return false;
    }
    return true;
}

static bool is_boot_id(struct field field)
{
    if (field_is(field, "-"))
        return true;
    for (size_t i = 0; i < field.size; i++) {
        char c = field.text[i];
        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || c == '-'))
            return false;
    }
    return field.size == 36;
}

static bool is_digest(struct field field)
{
    return field_is(field, "-") || field_is_hex(field, 64, 64);
}

static bool read_small(struct field field, uint64_t most, uint16_t *value)
{
    uint64_t number;
    if (!field_decimal(field, most, &number))
        return false;
    *value = (uint16_t)number;
    return true;
}

/* A field that may be "-" for nothing. */
static bool read_optional(struct field field, char *text, size_t capacity)
{
    if (field_is(field, "-")) {
        text[0] = '\0';
        return true;
    }
    return field_copy(field, text, capacity);
}

static bool parse_hello(const struct field *fields, struct record *record)
{
    uint64_t uid;
    if (!field_is_hex(fields[0], RUN_ID_DIGITS, RUN_ID_DIGITS) ||
        !read_small(fields[1], PLAN_ATTEMPTS_MAX + 2, &record->hello.count) ||
        !field_decimal(fields[2], UINT32_MAX, &uid) || !is_kernel_release(fields[3]) || !is_boot_id(fields[4]) ||
        !is_digest(fields[5]))
        return false;
    record->hello.uid = (uint32_t)uid;
    return field_copy(fields[0], record->hello.run, sizeof record->hello.run) &&
           field_copy(fields[3], record->hello.kernel, sizeof record->hello.kernel) &&
           field_copy(fields[4], record->hello.boot_id, sizeof record->hello.boot_id) &&
           field_copy(fields[5], record->hello.digest, sizeof record->hello.digest);
}

static bool parse_try(const struct field *fields, struct record *record)
{
    char id[8];
    record->attempt.root = field_is(fields[2], "root");
    if (!read_small(fields[0], ACT_LAST, &record->attempt.seq) || !field_copy(fields[1], id, sizeof id) ||
        (!record->attempt.root && !field_is(fields[2], "user")))
        return false;
    record->attempt.vector = vector_parse_id(id);
    return record->attempt.vector != RECORD_DOOR || strcmp(id, "door") == 0;
}

static bool parse_did(const struct field *fields, struct record *record)
{
    struct record_did *did = &record->did;
    uint64_t sent, received;
    unsigned stage = 0;
    while (stage < STAGES && !field_is(fields[1], stage_words[stage]))
        stage++;
    if (stage == STAGES || !read_small(fields[0], ACT_LAST, &did->seq) ||
        !read_optional(fields[2], did->error, sizeof did->error) ||
        (did->error[0] != '\0' && errno_value(did->error) == 0) || !field_decimal(fields[3], UINT32_MAX, &sent) ||
        !field_decimal(fields[4], UINT32_MAX, &received) || !field_decimal(fields[5], UINT64_MAX, &did->microseconds) ||
        (!field_is(fields[6], "-") && !field_is_hex(fields[6], 1, 64)))
        return false;
    did->stage = (enum stage)stage;
    did->sent = (uint32_t)sent;
    did->received = (uint32_t)received;
    return read_optional(fields[6], did->proof, sizeof did->proof);
}

static bool parse_bye(const struct field *fields, struct record *record)
{
    return read_small(fields[0], PLAN_ATTEMPTS_MAX + 2, &record->bye.tried) &&
           read_small(fields[1], PLAN_ATTEMPTS_MAX + 2, &record->bye.done) && field_is_hex(fields[2], 64, 64) &&
           field_copy(fields[2], record->bye.digest, sizeof record->bye.digest);
}

static const struct {
    const char *word;
    size_t fields; /* after "BG1" and the word */
    bool (*parse)(const struct field *fields, struct record *record);
} kinds[] = {
    [RECORD_HELLO] = { "hello", 6, parse_hello },
    [RECORD_TRY] = { "try", 3, parse_try },
    [RECORD_DID] = { "did", 7, parse_did },
    [RECORD_BYE] = { "bye", 3, parse_bye },
};

bool record_parse(const char *line, size_t size, struct record *record)
{
    struct field fields[FIELDS_MAX];
    if (size + 1 > RECORD_LINE_MAX)
        return false;
    for (unsigned kind = 0; kind < sizeof kinds / sizeof *kinds; kind++) {
        if (!fields_split(line, size, fields, kinds[kind].fields + 2) || !field_is(fields[1], kinds[kind].word))
            continue;
        *record = (struct record){ .kind = (enum record_kind)kind };
        return field_is(fields[0], "BG1") && kinds[kind].parse(fields + 2, record);
    }
    return false;
}

static const char *or_dash(const char *text)
{
    return text[0] != '\0' ? text : "-";
}

static int write_line(const struct record *record, char line[RECORD_LINE_MAX])
{
    char id[8] = "door";
    switch (record->kind) {
    case RECORD_HELLO:
        return snprintf(line, RECORD_LINE_MAX, "BG1 hello %s %u %u %s %s %s\n", record->hello.run, record->hello.count,
                        record->hello.uid, record->hello.kernel, record->hello.boot_id, record->hello.digest);
    case RECORD_TRY:
        if (record->attempt.vector != RECORD_DOOR)
            vector_format_id(record->attempt.vector, id);
        return snprintf(line, RECORD_LINE_MAX, "BG1 try %u %s %s\n", record->attempt.seq, id,
                        record->attempt.root ? "root" : "user");
    case RECORD_DID:
        return snprintf(line, RECORD_LINE_MAX, "BG1 did %u %s %s %u %u %llu %s\n", record->did.seq,
                        stage_name(record->did.stage), or_dash(record->did.error), record->did.sent,
                        record->did.received, (unsigned long long)record->did.microseconds, or_dash(record->did.proof));
    case RECORD_BYE:
        return snprintf(line, RECORD_LINE_MAX, "BG1 bye %u %u %s\n", record->bye.tried, record->bye.done,
                        record->bye.digest);
    }
    return 0;
}

size_t record_format(const struct record *record, char line[RECORD_LINE_MAX])
{
    struct record check;
    int length = write_line(record, line);
    if (length <= 0 || length >= RECORD_LINE_MAX)
        return 0;
    if (record->kind == RECORD_TRY && record->attempt.vector > 999)
        return 0;
    return record_parse(line, (size_t)length - 1, &check) ? (size_t)length : 0;
}
