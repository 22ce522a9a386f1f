/*
 * See request.h. Everything is checked before anything is used: magic and version first, so that another version is told
 * from junk; the size that the header names against what came; every enum against its range; the words against the end of
 * the bytes. Fields that a kind does not have must be 0, so that one request has one spelling.
 */
#include "request.h"

#include <stdio.h>
#include <string.h>

#define MAGIC   0x424f5454u
#define VERSION 1u

struct header {
    uint32_t magic, version, kind, size;
    uint32_t principal, terminals, rows, columns, mode, words;
};

static const struct {
    size_t least, most; /* words */
} lengths[REQUEST_KINDS] = {
    [REQUEST_ASK] = { 0, 0 },
    [REQUEST_EXEC] = { 2, REQUEST_WORDS + 1 }, /* the terminal's kind, and the command */
    [REQUEST_PUT] = { 1, 1 },
    [REQUEST_STOP] = { 0, 0 },
};

size_t request_descriptors(const struct request *request)
{
    if (request->kind == REQUEST_EXEC)
        return REQUEST_STREAMS - (size_t)__builtin_popcount(request->terminals);
    return request->kind == REQUEST_PUT;
}

static bool add_word(char bytes[REQUEST_SIZE], size_t *size, const char *word)
{
    size_t length = strlen(word) + 1;
    if (length > REQUEST_SIZE - *size)
        return false;
    memcpy(bytes + *size, word, length);
    *size += length;
    return true;
}

size_t request_write(const struct request *request, char bytes[REQUEST_SIZE], struct error *error)
{
    struct header header = { .magic = MAGIC,
                             .version = VERSION,
                             .kind = request->kind,
                             .principal = request->principal,
                             .terminals = request->terminals,
                             .rows = request->rows,
                             .columns = request->columns,
                             .mode = request->mode,
                             .words = (uint32_t)request->word_count };
    size_t size = sizeof header;
    bool fits = request->word_count <= REQUEST_WORDS;
    if (request->kind == REQUEST_EXEC) {
        header.words++;
        fits = fits && add_word(bytes, &size, request->term);
    }
    for (size_t i = 0; fits && i < request->word_count; i++)
        fits = add_word(bytes, &size, request->words[i]);
    if (!fits) {
        error_set(error, ERROR_USAGE,
                  "the command is too long: at most %d words and %d bytes; put a script into the bottle", REQUEST_WORDS,
                  REQUEST_SIZE);
        return 0;
    }
    header.size = (uint32_t)size;
    memcpy(bytes, &header, sizeof header);
    return size;
}

static bool valid_terminal_kind(const char *text)
{
    size_t length = strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._+-");
    return length < REQUEST_TERMINAL_KIND && text[length] == '\0';
}

static bool junk(struct error *error, const char *what)
{
    return error_set(error, ERROR_USAGE, "the keeper can't make sense of the request: %s", what);
}

bool request_read(char *bytes, size_t size, size_t descriptors, struct request *request, struct error *error)
{
    struct header header;
    if (size < 2 * sizeof(uint32_t))
        return junk(error, "too short");
    memset(&header, 0, sizeof header);
    memcpy(&header, bytes, size < sizeof header ? size : sizeof header);
    if (header.magic != MAGIC)
        return junk(error, "not from bottle");
    if (header.version != VERSION)
        return error_set(error, ERROR_HOST,
                         "this bottle was started by another version of bottle: use that one, or stop it");
    if (size < sizeof header || header.size != size || size > REQUEST_SIZE || header.kind >= REQUEST_KINDS)
        return junk(error, "wrong size or kind");
    if (header.words < lengths[header.kind].least || header.words > lengths[header.kind].most)
        return junk(error, "wrong number of words");
    bool exec = header.kind == REQUEST_EXEC, put = header.kind == REQUEST_PUT;
    if (header.principal > (exec ? REQUEST_DEFAULT_PRINCIPAL : 0u) ||
        header.terminals >= (exec ? 1u << REQUEST_STREAMS : 1u) || header.rows > (exec ? UINT16_MAX : 0u) ||
        header.columns > (exec ? UINT16_MAX : 0u) || header.mode > (put ? 0777u : 0u))
        return junk(error, "a number out of range");
    memset(request, 0, sizeof *request);
    request->kind = (enum request_kind)header.kind;
    request->principal = header.principal;
    request->terminals = header.terminals;
    request->rows = (uint16_t)header.rows;
    request->columns = (uint16_t)header.columns;
    request->mode = header.mode;
    size_t at = sizeof header;
    for (uint32_t i = 0; i < header.words; i++) {
        const char *end = at < size ? memchr(bytes + at, '\0', size - at) : NULL;
        if (end == NULL)
            return junk(error, "a word without an end");
        if (exec && i == 0)
            request->term = bytes + at;
        else
            request->words[request->word_count++] = bytes + at;
        at = (size_t)(end - bytes) + 1;
    }
    if (at != size)
        return junk(error, "bytes after the last word");
    if (request->word_count > 0 && request->words[0][0] == '\0')
        return junk(error, "an empty name");
    if (exec && !valid_terminal_kind(request->term))
        return junk(error, "no name of a terminal");
    return request_descriptors(request) == descriptors || junk(error, "wrong number of descriptors");
}

struct reply reply_make(enum reply_kind kind)
{
    struct reply reply;
    memset(&reply, 0, sizeof reply); /* padding too: it goes to another process */
    reply.magic = MAGIC;
    reply.version = VERSION;
    reply.kind = kind;
    return reply;
}

bool reply_check(struct reply *reply, size_t size, struct error *error)
{
    if (size < 2 * sizeof(uint32_t) || reply->magic != MAGIC)
        return error_set(error, ERROR_SYSTEM, "the keeper's answer makes no sense");
    if (reply->version != VERSION)
        return error_set(error, ERROR_HOST, "this bottle was started by another version of bottle: use that one");
    reply->door_host[sizeof reply->door_host - 1] = '\0';
    reply->error_text[sizeof reply->error_text - 1] = '\0';
    return (size == sizeof *reply && reply->kind < REPLY_KINDS && reply->principal < PRINCIPALS &&
            reply->error_code <= ERROR_ABSENT && (reply->kind != REPLY_ERROR || reply->error_code != ERROR_NONE)) ||
           error_set(error, ERROR_SYSTEM, "the keeper's answer makes no sense");
}
