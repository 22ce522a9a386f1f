/* See escape.h. One decoder, and for each format one decision a code point. */
#include "escape.h"

#include <stdbool.h>
#include <string.h>

/* The continuation bytes that a lead byte asks for and the least code point of that length; 0 for what is none. */
static unsigned length_after(unsigned char lead, uint32_t *code, uint32_t *least)
{
    static const uint32_t smallest[] = { 0, 0x80, 0x800, 0x10000 };
    unsigned after = (lead & 0xe0) == 0xc0 ? 1 : (lead & 0xf0) == 0xe0 ? 2 : (lead & 0xf8) == 0xf0 ? 3 : 0;
    *code = lead & (0x3fu >> after);
    *least = smallest[after];
    return after;
}

uint32_t escape_next(const char **text)
{
    const unsigned char *bytes = (const unsigned char *)*text;
    uint32_t code, least;
    if (bytes[0] == 0)
        return 0;
    (*text)++;
    if (bytes[0] < 0x80)
        return bytes[0];
    unsigned after = length_after(bytes[0], &code, &least);
    for (unsigned i = 1; i <= after; i++) {
        if ((bytes[i] & 0xc0) != 0x80)
            return ESCAPE_BAD;
        code = code << 6 | (bytes[i] & 0x3fu);
    }
    if (after == 0 || code < least || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
        return ESCAPE_BAD;
    *text += after;
    return code;
}

/* Controls, line separators, zero-width and direction marks, variation and tag characters, and what is no character:
 * all that could make a report look like another. XML's illegal characters are among them. */
static bool can_be_seen(uint32_t code)
{
    static const uint32_t unseen[][2] = {
        { 0, 0x1f },        { 0x7f, 0x9f },     { 0xad, 0xad },     { 0x061c, 0x061c },   { 0x180e, 0x180e },
        { 0x200b, 0x200f }, { 0x2028, 0x202e }, { 0x2060, 0x206f }, { 0xfe00, 0xfe0f },   { 0xfdd0, 0xfdef },
        { 0xfeff, 0xfeff }, { 0xfff0, 0xfffb }, { 0xfffe, 0xffff }, { 0xe0000, 0xe0fff }, { 0x110000, ESCAPE_BAD },
    };
    for (size_t i = 0; i < sizeof unseen / sizeof *unseen; i++)
        if (code >= unseen[i][0] && code <= unseen[i][1])
            return false;
    return (code & 0xfffe) != 0xfffe;
}

/* Writes the UTF-8 of a code point into `bytes`; returns its length. */
static size_t encode(uint32_t code, char bytes[5])
{
    static const unsigned char leads[] = { 0, 0, 0xc0, 0xe0, 0xf0 };
    size_t length = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    for (size_t i = length; i-- > 1; code >>= 6)
        bytes[i] = (char)(0x80 | (code & 0x3f));
    bytes[0] = (char)(leads[length] | code);
    bytes[length] = '\0';
    return length;
}

static void put(uint32_t code, FILE *stream)
{
    char bytes[5];
    encode(can_be_seen(code) ? code : '?', bytes);
    fputs(bytes, stream);
}

static bool is_punctuation(uint32_t code)
{
    return code > 0x20 && code < 0x7f && strchr("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~", (int)code) != NULL;
}

void escape_xml(const char *text, FILE *stream)
{
    for (uint32_t code; (code = escape_next(&text)) != 0;)
        if (code < 0x80 && strchr("<>&\"'", (int)code) != NULL)
            fprintf(stream, "&#%u;", code);
        else
            put(code, stream);
}

void escape_markdown(const char *text, FILE *stream)
{
    for (uint32_t code; (code = escape_next(&text)) != 0;) {
        if (is_punctuation(code))
            fputc('\\', stream);
        put(code, stream);
    }
}

void escape_tap(const char *text, FILE *stream)
{
    for (uint32_t code; (code = escape_next(&text)) != 0;) {
        if (code == '#' || code == '\\')
            fputc('\\', stream);
        put(code, stream);
    }
}

void escape_yaml(const char *text, FILE *stream)
{
    fputc('"', stream);
    for (uint32_t code; (code = escape_next(&text)) != 0;)
        if (code == '"' || code == '\\')
            fprintf(stream, "\\%c", (int)code);
        else if (code == ESCAPE_BAD || can_be_seen(code))
            put(code, stream);
        else
            fprintf(stream, code < 0x100 ? "\\x%02x" : code < 0x10000 ? "\\u%04x" : "\\U%08x", code);
    fputc('"', stream);
}

const char *escape_utf8(const char *text, char *copy, size_t size)
{
    size_t used = 0;
    for (uint32_t code; (code = escape_next(&text)) != 0;) {
        char bytes[5];
        size_t length = encode(code == ESCAPE_BAD ? '?' : code, bytes);
        if (used + length >= size)
            break;
        memcpy(copy + used, bytes, length);
        used += length;
    }
    copy[used] = '\0';
    return copy;
}
