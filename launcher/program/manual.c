/* See pages.h: manual pages in scdoc(5), which makes man(7) of them. All that is no letter, digit or space is escaped. */
#include "pages.h"

#include <ctype.h>
#include <string.h>

static void write_text(const char *text, FILE *stream)
{
    for (; *text != '\0'; text++) {
        if ((unsigned char)*text < 0x80 && !isalnum((unsigned char)*text) && *text != ' ' && *text != '\n')
            fputc('\\', stream);
        fputc(*text, stream);
    }
}

static void write_marked(char mark, const char *text, FILE *stream)
{
    fputc(mark, stream);
    write_text(text, stream);
    fputc(mark, stream);
}

static void write_heading(const char *program, const char *command, const char *summary, FILE *stream)
{
    fprintf(stream, "%s%s%s(1) \"%s %s\" \"%s\"\n\n# NAME\n\n", program, command != NULL ? "-" : "",
            command != NULL ? command : "", program, BOTTLE_VERSION, program);
    write_text(program, stream);
    if (command != NULL) {
        fputs("\\-", stream);
        write_text(command, stream);
    }
    fputs(" - ", stream);
    write_text(summary, stream);
    fputs("\n\n# SYNOPSIS\n\n", stream);
}

static void write_option(char letter, const char *name, const char *argument, const char *help, FILE *stream)
{
    if (letter != 0)
        fprintf(stream, "*\\-%c*, ", letter);
    fputs("*\\-\\-", stream);
    write_text(name, stream);
    fputc('*', stream);
    if (argument != NULL) {
        fputc('=', stream);
        write_marked('_', argument, stream);
    }
    fputs("\n\t", stream);
    write_text(help, stream);
    fputs("\n\n", stream);
}

static void write_rows(const char *title, const struct text_row *rows, FILE *stream)
{
    if (rows == NULL)
        return;
    fprintf(stream, "# %s\n\n", title);
    for (; rows->name != NULL; rows++) {
        write_marked('*', rows->name, stream);
        fputs("\n\t", stream);
        write_text(rows->text, stream);
        fputs("\n\n", stream);
    }
}

void manual_write_program(const struct program *program, FILE *stream)
{
    write_heading(program->name, NULL, program->summary, stream);
    write_marked('*', program->name, stream);
    fputs(" _COMMAND_ \\[_OPTION_\\.\\.\\.\\]\n\n# DESCRIPTION\n\n", stream);
    write_text(program->description, stream);
    fputs("\n\n# COMMANDS\n\n", stream);
    for (const struct command *const *command = program->commands; *command != NULL; command++) {
        char page[64];
        snprintf(page, sizeof page, "%s-%s", program->name, (*command)->name);
        write_marked('*', page, stream);
        fputs("\\(1\\)\n\t", stream);
        write_text((*command)->summary, stream);
        fputs("\n\n", stream);
    }
    fputs("# OPTIONS\n\n", stream);
    write_option('h', "help", NULL, "show the commands; after a command, its help", stream);
    write_option(0, "version", NULL, "show the version", stream);
    write_rows("EXIT STATUS", program->statuses, stream);
    write_rows("ENVIRONMENT", program->environment, stream);
    write_rows("FILES", program->files, stream);
    fputs("# SEE ALSO\n\n", stream);
    for (const struct command *const *command = program->commands; *command != NULL; command++) {
        char page[64];
        snprintf(page, sizeof page, "%s-%s(1), ", program->name, (*command)->name);
        write_text(page, stream);
    }
    write_text(program->see_also, stream);
    fputc('\n', stream);
}

static void write_synopsis(const struct command *command, FILE *stream)
{
    char usage[256], name[64];
    command_usage(command, usage, sizeof usage);
    snprintf(name, sizeof name, "%s %s", command->program, command->name);
    write_marked('*', name, stream);
    write_text(usage + strlen(name), stream);
}

void manual_write_command(const struct program *program, const struct command *command, FILE *stream)
{
    write_heading(program->name, command->name, command->summary, stream);
    write_synopsis(command, stream);
    fputs("\n\n# DESCRIPTION\n\n", stream);
    write_text(command->description, stream);
    fputs("\n\n", stream);
    for (size_t i = 0; i < command->operand_count; i++) {
        write_marked('_', command->operands[i].name, stream);
        fputs("\n\t", stream);
        write_text(command->operands[i].help, stream);
        fputs("\n\n", stream);
    }
    fputs("# OPTIONS\n\n", stream);
    for (size_t i = 0; i < command->option_count; i++)
        write_option(command->options[i].letter, command->options[i].name, command->options[i].argument,
                     command->options[i].help, stream);
    write_option('h', "help", NULL, "show a short form of this page", stream);
    write_option(0, "version", NULL, "show the version", stream);
    write_rows("EXIT STATUS", command->statuses, stream);
    write_rows("ENVIRONMENT", command->environment, stream);
    write_rows("FILES", command->files, stream);
    fputs("# SEE ALSO\n\n", stream);
    if (command->see_also != NULL) {
        write_text(command->see_also, stream);
        fputs(", ", stream);
    }
    write_text(program->name, stream);
    fputs("\\(1\\)\n", stream);
}
