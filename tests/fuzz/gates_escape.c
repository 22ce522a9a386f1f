/* The spellings of texts for reports. Whatever the bytes: each spelling is well-formed UTF-8, has one line, nothing
 * that can't be seen, and none of the characters that would end its field. Seeds: tests/fuzz/corpus/gates_escape. */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../gates/report/escape.h"

#define INPUT_MAX 2048

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* `escaped`: a character that takes the next one's meaning away; `forbidden`: what must not stand without it. */
static void check(void (*escape)(const char *, FILE *), const char *text, char escaped, const char *forbidden,
                  size_t quotes)
{
    static char spelling[INPUT_MAX * 12 + 3];
    FILE *stream = fmemopen(spelling, sizeof spelling, "w");
    if (stream == NULL)
        abort();
    spelling[0] = '\0'; /* what is never written to is not terminated */
    escape(text, stream);
    fclose(stream);
    size_t length = strlen(spelling);
    if (length < 2 * quotes)
        abort();
    spelling[length - quotes] = '\0';
    for (const char *next = spelling + quotes; *next != '\0';) {
        char here = *next;
        uint32_t code = escape_next(&next);
        if (code == ESCAPE_BAD || code < 0x20 || code == 0x7f || code == 0x202e || code == 0x2028)
            abort();
        if (here == escaped && escaped != '\0') {
            if (*next == '\0')
                abort();
            next++;
        } else if (code < 0x80 && strchr(forbidden, (int)code) != NULL) {
            abort();
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char copy[64];
    if (size > INPUT_MAX)
        return 0;
    char *text = malloc(size + 1); /* of exactly this size, so that a sanitizer sees who reads on */
    memcpy(text, data, size);
    text[size] = '\0';
    check(escape_xml, text, '\0', "<>\"'", 0);
    check(escape_markdown, text, '\\', "!\"#$%&'()*+,-./:;<=>@[]^_`{|}~", 0);
    check(escape_tap, text, '\\', "#", 0);
    check(escape_yaml, text, '\\', "\"", 1);
    const char *next = escape_utf8(text, copy, 1 + size % sizeof copy);
    for (uint32_t code; (code = escape_next(&next)) != 0;)
        if (code == ESCAPE_BAD)
            abort();
    free(text);
    return 0;
}
