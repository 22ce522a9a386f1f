/* See pages.h: completion for zsh, as specifications for its _arguments (zshcompsys(1)). */
#include "pages.h"

#include <string.h>

static const char quote[] = "'\\''", special[] = "[]:\\";

static void write_action(enum word_kind kind, const char *function, FILE *stream)
{
    static const char *const actions[] = {
        [WORD_FILE] = "_files", [WORD_DIRECTORY] = "_files -/", [WORD_PROGRAM] = "_normal"
    };
    if (kind == WORD_BOTTLE)
        fprintf(stream, "_%s_bottles", function);
    else if (kind < sizeof actions / sizeof *actions && actions[kind] != NULL)
        fputs(actions[kind], stream);
    else
        fputc(' ', stream);
}

static void write_option(const struct command_option *option, const char *function, FILE *stream)
{
    fputs(" \\\n            ", stream);
    if (option->letter != 0)
        fprintf(stream, "'%s(-%c --%s)'{-%c,--%s%s}'[", option->repeatable ? "*" : "", option->letter, option->name,
                option->letter, option->name, option->argument != NULL ? "=" : "");
    else
        fprintf(stream, "'%s--%s%s[", option->repeatable ? "*" : "", option->name, option->argument != NULL ? "=" : "");
    words_write_quoted(option->help, quote, special, stream);
    fputc(']', stream);
    if (option->argument != NULL) {
        fputc(':', stream);
        words_write_quoted(option->argument, quote, special, stream);
        bool known = option->word_at != NULL || strchr(option->argument, '|') != NULL;
        fputs(option->list ? ":_sequence compadd - " : known ? ":(" : ":", stream);
        words_write_option(option, " ", stream);
        if (!known)
            write_action(option->kind, function, stream);
        else if (!option->list)
            fputc(')', stream);
    }
    fputc('\'', stream);
}

static void write_operand(const struct program *program, const struct command_operand *operand, size_t number,
                          const char *function, FILE *stream)
{
    fputs(" \\\n            '", stream);
    if (operand->take_command != NULL)
        fputs("*::", stream);
    else if (operand->most == 1)
        fprintf(stream, "%zu:", number + 1);
    else
        fputs("*:", stream);
    words_write_quoted(operand->name, quote, special, stream);
    bool known = operand->word_at != NULL || operand->kind == WORD_COMMAND;
    fputs(known ? ":(" : ":", stream);
    words_write_operand(program, operand, " ", stream);
    if (!known)
        write_action(operand->kind, function, stream);
    fputs(known ? ")'" : "'", stream);
}

void completion_write_zsh(const struct program *program, FILE *stream)
{
    char function[32];
    words_function_name(program, function);
    fprintf(stream,
            "#compdef %s\n"
            "# zsh completion for %s, made from the tables of its commands\n"
            "\n"
            "_%s_bottles() {\n"
            "    local -a names\n"
            "    names=(${(f)\"$(" WORDS_BOTTLES ")\"})\n"
            "    compadd -a names\n"
            "}\n"
            "\n"
            "_%s() {\n"
            "    local curcontext=\"$curcontext\" state line\n"
            "    local -a known\n"
            "    typeset -A opt_args\n"
            "    _arguments -C '(- *)'{-h,--help}'[show the commands]' '(- *)--version[show the version]' \\\n"
            "        '1: :->command' '*:: :->words' && return\n"
            "    case $state in\n"
            "    command)\n"
            "        known=(",
            program->name, program->name, function, function);
    for (const struct command *const *at = program->commands; *at != NULL; at++) {
        fprintf(stream, "\n            '%s:", (*at)->name);
        words_write_quoted((*at)->summary, quote, ":\\", stream);
        fputc('\'', stream);
    }
    fputs("\n        )\n        _describe -t commands command known\n        ;;\n    words)\n        case $line[1] "
          "in\n",
          stream);
    for (const struct command *const *at = program->commands; *at != NULL; at++) {
        fprintf(stream,
                "        %s)\n            _arguments -s -S%s \\\n            '(- *)'{-h,--help}'[show the help]' "
                "'(- *)--version[show the version]'",
                (*at)->name, command_runs_command(*at) ? " -A '-*'" : "");
        for (size_t i = 0; i < (*at)->option_count; i++)
            write_option(&(*at)->options[i], function, stream);
        for (size_t i = 0; i < (*at)->operand_count; i++)
            write_operand(program, &(*at)->operands[i], i, function, stream);
        fputs("\n            ;;\n", stream);
    }
    fprintf(stream, "        esac\n        ;;\n    esac\n}\n\n_%s \"$@\"\n", function);
}
