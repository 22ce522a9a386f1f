/*
 * See pages.h: completion for fish. A function walks the line by the same rules as parse.c and says where it is ("run 0 0":
 * the command, its operands so far, whether options have ended); each completion stands under a pattern of that.
 */
#include "pages.h"

static const char quote[] = "\\'", special[] = "\\";

static void write_kind(enum word_kind kind, const char *function, FILE *stream)
{
    if (kind == WORD_BOTTLE)
        fprintf(stream, " -a '(__%s_bottles)'", function);
    else if (kind == WORD_DIRECTORY)
        fputs(" -a '(__fish_complete_directories)'", stream);
    else if (kind == WORD_FILE)
        fputs(" -F", stream);
    else if (kind == WORD_PROGRAM)
        fputs(" -F -a '(__fish_complete_command)'", stream);
}

static void write_option(const struct program *program, const struct command *command,
                         const struct command_option *option, const char *function, FILE *stream)
{
    fprintf(stream, "complete -c %s -n '__%s_at \"%s * 0\"'", program->name, function, command->name);
    if (option->letter != 0)
        fprintf(stream, " -s %c", option->letter);
    fprintf(stream, " -l %s -d '", option->name);
    words_write_quoted(option->help, quote, special, stream);
    fputc('\'', stream);
    if (option->kind == WORD_FILE || option->kind == WORD_PROGRAM) {
        fputs(" -r", stream); /* -x would take files away again */
        write_kind(option->kind, function, stream);
    } else if (option->argument != NULL) {
        fputs(option->list ? " -x -a '(__fish_append , " : " -x -a '", stream);
        words_write_option(option, " ", stream);
        fputs(option->list ? ")'" : "'", stream);
        write_kind(option->kind, function, stream);
    }
    fputc('\n', stream);
}

static void write_operand(const struct program *program, const struct command *command, size_t index,
                          const char *function, FILE *stream)
{
    const struct command_operand *operand = &command->operands[index];
    fprintf(stream, "complete -c %s -n '__%s_at \"%s ", program->name, function, command->name);
    if (operand->most == 1)
        fprintf(stream, "%zu *\"'", index);
    else if (index > 0) /* the rows before it take one each */
        fputs("[1-9]* *\"'", stream);
    else
        fputs("*\"'", stream);
    if (operand->word_at != NULL || operand->kind == WORD_COMMAND) {
        fputs(" -a '", stream);
        words_write_operand(program, operand, " ", stream);
        fputc('\'', stream);
    }
    write_kind(operand->kind, function, stream);
    fputc('\n', stream);
}

static void write_takers(const struct program *program, FILE *stream)
{
    for (const struct command *const *at = program->commands; *at != NULL; at++)
        for (size_t i = 0; i < (*at)->option_count; i++) {
            const struct command_option *option = &(*at)->options[i];
            if (option->argument == NULL)
                continue;
            if (option->letter != 0)
                fprintf(stream, " '%s -%c'", (*at)->name, option->letter);
            fprintf(stream, " '%s --%s'", (*at)->name, option->name);
        }
}

static void write_walk(const struct program *program, const char *function, FILE *stream)
{
    fprintf(stream,
            "# fish completion for %s, made from the tables of its commands\n"
            "\n"
            "function __%s_bottles\n"
            "    " WORDS_BOTTLES "\n"
            "end\n"
            "\n"
            "function __%s_at\n"
            "    set -l words (commandline -opc)\n"
            "    set -l command -\n"
            "    set -l operands 0\n"
            "    set -l ended 0\n"
            "    set -l value 0\n"
            "    set -l takers",
            program->name, function, function);
    write_takers(program, stream);
    fputs("\n    set -l runners", stream);
    for (const struct command *const *at = program->commands; *at != NULL; at++)
        if (command_runs_command(*at))
            fprintf(stream, " %s", (*at)->name);
    fprintf(stream,
            "\n"
            "    if test (count $words) -gt 1\n"
            "        set command $words[2]\n"
            "        set -e words[2]\n"
            "    end\n"
            "    set -e words[1]\n"
            "    for word in $words\n"
            "        if test $value = 1\n"
            "            set value 0\n"
            "        else if test $ended = 0 -a \"$word\" = --\n"
            "            set ended 1\n"
            "        else if test $ended = 0; and string match -q -- '-?*' \"$word\"\n"
            "            contains -- \"$command $word\" $takers; and set value 1\n"
            "        else\n"
            "            set operands (math $operands + 1)\n"
            "            contains -- $command $runners; and set ended 1\n"
            "        end\n"
            "    end\n"
            "    string match -q -r -- '^'(string replace -a '*' '.*' -- $argv[1])'$' \"$command $operands $ended\"\n"
            "end\n"
            "\n"
            "complete -c %s -f\n"
            "complete -c %s -s h -l help -d 'show the help'\n"
            "complete -c %s -l version -d 'show the version'\n",
            program->name, program->name, program->name);
}

void completion_write_fish(const struct program *program, FILE *stream)
{
    char function[32];
    words_function_name(program, function);
    write_walk(program, function, stream);
    for (const struct command *const *at = program->commands; *at != NULL; at++) {
        fprintf(stream, "complete -c %s -n '__%s_at \"- *\"' -a %s -d '", program->name, function, (*at)->name);
        words_write_quoted((*at)->summary, quote, special, stream);
        fputs("'\n", stream);
    }
    for (const struct command *const *at = program->commands; *at != NULL; at++) {
        for (size_t i = 0; i < (*at)->option_count; i++)
            write_option(program, *at, &(*at)->options[i], function, stream);
        for (size_t i = 0; i < (*at)->operand_count; i++)
            write_operand(program, *at, i, function, stream);
    }
}
