/*
 * See fields.h. Everything here reads bytes that a hostile bottle may have written: no function looks beyond
 * the size it was given, and none accepts a second spelling of anything.
 */
#include "fields.h"

#include <string.h>

bool fields_split(const char *line, size_t size, struct field *fields, size_t count)
{
    size_t found = 0, start = 0;
    for (size_t i = 0; i <= size; i++) {
        if (i < size && line[i] != ' ') {
            if (line[i] < '!' || line[i] > '~')
                return false;
            continue;
        }
        if (i == start || found == count)
            return false;
        fields[found++] = (struct field){ line + start, i - start };
        start = i + 1;
    }
    return found == count;
}

bool field_is(struct field field, const char *word)
{
    return strlen(word) == field.size && memcmp(field.text, word, field.size) == 0;
}

bool field_decimal(struct field field, uint64_t most, uint64_t *value)
{
    if (field.size == 0 || (field.size > 1 && field.text[0] == '0'))
        return false;
    uint64_t number = 0;
    for (size_t i = 0; i < field.size; i++) {
        if (field.text[i] < '0' || field.text[i] > '9')
            return false;
        uint64_t digit = (uint64_t)(field.text[i] - '0');
        if (digit > most || number > (most - digit) / 10)
            return false;
        number = number * 10 + digit;
    }
    *value = number;
    return true;
}

bool field_is_hex(struct field field, size_t least, size_t most)
{
    if (field.size < least || field.size > most)
        return false;
    for (size_t i = 0; i < field.size; i++) {
        char c = field.text[i];
        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')))
            return false;
    }
    return true;
}

bool field_copy(struct field field, char *text, size_t capacity)
{
    if (field.size >= capacity)
        return false;
    memcpy(text, field.text, field.size);
    text[field.size] = '\0';
    return true;
}
