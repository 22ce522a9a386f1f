/* See program.h: the help texts, in 100 columns. */
#include "program.h"

#include <string.h>

enum { WIDTH = 100, TEXT_COLUMN = 32 };

/* Writes words from `column` on; what doesn't fit begins at `indent` of the next line. Keeps empty lines. */
static void write_wrapped(const char *text, size_t indent, size_t column, FILE *stream)
{
    bool first = true;
    while (*text != '\0') {
        size_t length = strcspn(text, " \n");
        if (!first && column + 1 + length > WIDTH) {
            fprintf(stream, "\n%*s", (int)indent, "");
            column = indent;
        } else if (!first) {
            fputc(' ', stream);
            column++;
        }
        fprintf(stream, "%.*s", (int)length, text);
        column += length;
        first = false;
        text += length;
        if (*text == '\n') {
            fprintf(stream, "%.*s%*s", (int)strspn(text, "\n"), "\n\n", (int)indent, "");
            column = indent;
            first = true;
        }
        text += strspn(text, " \n");
    }
    fputc('\n', stream);
}

/* "  LEFT        what it is" */
static void write_row(const char *left, const char *text, size_t text_column, FILE *stream)
{
    int used = fprintf(stream, "  %s", left);
    if (used < 0)
        return;
    if ((size_t)used + 2 > text_column) {
        fputc('\n', stream);
        used = 0;
    }
    fprintf(stream, "%*s", (int)text_column - used, "");
    write_wrapped(text, text_column, text_column, stream);
}

static void write_option(char letter, const char *name, const char *argument, const char *help, FILE *stream)
{
    char left[96];
    const char letters[] = { '-', letter, ',', ' ', '\0' };
    snprintf(left, sizeof left, "%s--%s%s%s", letter != 0 ? letters : "    ", name, argument != NULL ? "=" : "",
             argument != NULL ? argument : "");
    write_row(left, help, TEXT_COLUMN, stream);
}

static void write_rows(const char *title, const struct text_row *rows, FILE *stream)
{
    if (rows == NULL)
        return;
    size_t column = 8;
    for (const struct text_row *row = rows; row->name != NULL; row++)
        if (strlen(row->name) + 4 > column)
            column = strlen(row->name) + 4;
    fprintf(stream, "\n%s\n", title);
    for (const struct text_row *row = rows; row->name != NULL; row++)
        write_row(row->name, row->text, column, stream);
}

void command_write_help(const struct command *command, FILE *stream)
{
    char usage[256];
    command_usage(command, usage, sizeof usage);
    fprintf(stream, "usage: %s\n\n", usage);
    write_wrapped(command->description, 0, 0, stream);
    fputc('\n', stream);
    for (size_t i = 0; i < command->operand_count; i++)
        write_row(command->operands[i].name, command->operands[i].help, TEXT_COLUMN, stream);
    for (size_t i = 0; i < command->option_count; i++)
        write_option(command->options[i].letter, command->options[i].name, command->options[i].argument,
                     command->options[i].help, stream);
    write_option('h', "help", NULL, "show this", stream);
    write_option(0, "version", NULL, "show the version", stream);
    write_rows("Exit status:", command->statuses, stream);
    write_rows("Environment:", command->environment, stream);
    write_rows("Files:", command->files, stream);
}

void program_write_help(const struct program *program, FILE *stream)
{
    fprintf(stream, "usage: %s COMMAND [OPTION...]\n\n", program->name);
    write_wrapped(program->description, 0, 0, stream);
    fputc('\n', stream);
    for (const struct command *const *command = program->commands; *command != NULL; command++)
        write_row((*command)->name, (*command)->summary, 13, stream);
    write_rows("Exit status:", program->statuses, stream);
    fprintf(stream, "\n%s COMMAND --help tells more, and so does man %s-COMMAND; --version tells the version.\n",
            program->name, program->name);
}

void command_usage(const struct command *command, char *text, size_t size)
{
    size_t used = (size_t)snprintf(text, size, "%s %s%s", command->program, command->name,
                                   command->option_count > 0 ? " [OPTION...]" : "");
    for (size_t i = 0; i < command->operand_count && used < size; i++) {
        const struct command_operand *operand = &command->operands[i];
        if (operand->take_command != NULL)
            used += (size_t)snprintf(text + used, size - used, " [--] [%s [ARGUMENT...]]", operand->name);
        else
            used += (size_t)snprintf(text + used, size - used, " %s%s%s%s", operand->least == 0 ? "[" : "",
                                     operand->name, operand->most == 1 ? "" : "...", operand->least == 0 ? "]" : "");
    }
}
