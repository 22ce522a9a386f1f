/* See pages.h: the words that a shell can offer, and how they are written for one. */
#include "pages.h"

#include <string.h>

static size_t write_from(const char *(*word_at)(size_t index), const char *between, FILE *stream)
{
    size_t count = 0;
    for (const char *word; (word = word_at(count)) != NULL; count++)
        fprintf(stream, "%s%s", count > 0 ? between : "", word);
    return count;
}

size_t words_write_option(const struct command_option *option, const char *between, FILE *stream)
{
    if (option->word_at != NULL)
        return write_from(option->word_at, between, stream);
    if (option->argument == NULL || strchr(option->argument, '|') == NULL)
        return 0;
    size_t count = 0;
    for (const char *word = option->argument; *word != '\0'; count++) {
        size_t length = strcspn(word, "|");
        fprintf(stream, "%s%.*s", count > 0 ? between : "", (int)length, word);
        word += length + (word[length] == '|');
    }
    return count;
}

size_t words_write_operand(const struct program *program, const struct command_operand *operand, const char *between,
                           FILE *stream)
{
    if (operand->word_at != NULL)
        return write_from(operand->word_at, between, stream);
    size_t count = 0;
    if (operand->kind == WORD_COMMAND)
        for (; program->commands[count] != NULL; count++)
            fprintf(stream, "%s%s", count > 0 ? between : "", program->commands[count]->name);
    return count;
}

void words_write_quoted(const char *text, const char *quote, const char *escaped, FILE *stream)
{
    for (; *text != '\0'; text++) {
        if (*text == '\'') {
            fputs(quote, stream);
            continue;
        }
        if (strchr(escaped, *text) != NULL)
            fputc('\\', stream);
        fputc(*text == '\n' ? ' ' : *text, stream);
    }
}

void words_function_name(const struct program *program, char name[32])
{
    snprintf(name, 32, "%s", program->name);
    for (char *dash; (dash = strchr(name, '-')) != NULL;)
        *dash = '_';
}
