/*
 * See pages.h: completion for bash. The script walks the line by the same rules as parse.c, with tables in the form of case
 * statements. It needs nothing of bash-completion, and cuts the line itself, because readline cuts at "=" as well.
 */
#include "pages.h"

static void write_patterns(const struct command *command, const struct command_option *option, FILE *stream)
{
    if (option->letter != 0)
        fprintf(stream, "'%s -%c' | ", command->name, option->letter);
    fprintf(stream, "'%s --%s'", command->name, option->name);
}

/* Which options take the next word, unless they have a "=". */
static void write_takers(const struct program *program, FILE *stream)
{
    fputs("        case \"$command $word\" in\n", stream);
    for (const struct command *const *at = program->commands; *at != NULL; at++)
        for (size_t i = 0; i < (*at)->option_count; i++) {
            if ((*at)->options[i].argument == NULL)
                continue;
            fputs("        ", stream);
            write_patterns(*at, &(*at)->options[i], stream);
            fputs(") option=$word; continue ;;\n", stream);
        }
    fputs("        esac\n", stream);
}

static void write_values(const struct program *program, FILE *stream)
{
    static const char *const kinds[] = { [WORD_FILE] = "file",
                                         [WORD_DIRECTORY] = "directory",
                                         [WORD_BOTTLE] = "bottle",
                                         [WORD_PROGRAM] = "program",
                                         [WORD_COMMAND] = "" };
    fputs("    case \"$command $option\" in\n", stream);
    for (const struct command *const *at = program->commands; *at != NULL; at++)
        for (size_t i = 0; i < (*at)->option_count; i++) {
            const struct command_option *option = &(*at)->options[i];
            if (option->argument == NULL)
                continue;
            fputs("    ", stream);
            write_patterns(*at, option, stream);
            fputs(") values='", stream);
            words_write_option(option, " ", stream);
            fprintf(stream, "' kind=%s list=%s ;;\n", kinds[option->kind] != NULL ? kinds[option->kind] : "",
                    option->list ? "yes" : "");
        }
    for (const struct command *const *at = program->commands; *at != NULL; at++)
        for (size_t i = 0; i < (*at)->operand_count; i++) {
            const struct command_operand *operand = &(*at)->operands[i];
            if (operand->most == 1)
                fprintf(stream, "    '%s %zu') values='", (*at)->name, i);
            else
                fprintf(stream, "    '%s '[0-9]*) values='", (*at)->name);
            words_write_operand(program, operand, " ", stream);
            fprintf(stream, "' kind=%s ;;\n", kinds[operand->kind] != NULL ? kinds[operand->kind] : "");
        }
    fputs("    esac\n", stream);
}

static void write_options(const struct program *program, FILE *stream)
{
    fputs("    case $command in\n    '') values='", stream);
    for (const struct command *const *at = program->commands; *at != NULL; at++)
        fprintf(stream, "%s ", (*at)->name);
    fputs("--help --version' ;;\n", stream);
    for (const struct command *const *at = program->commands; *at != NULL; at++) {
        fprintf(stream, "    %s) values='", (*at)->name);
        for (size_t i = 0; i < (*at)->option_count; i++) {
            const struct command_option *option = &(*at)->options[i];
            if (option->letter != 0)
                fprintf(stream, "-%c ", option->letter);
            fprintf(stream, "--%s%s ", option->name, option->argument != NULL ? "=" : "");
        }
        fputs("-h --help --version' ;;\n", stream);
    }
    fputs("    esac\n", stream);
}

static void write_runners(const struct program *program, FILE *stream)
{
    fputs("        case $command in\n", stream);
    for (const struct command *const *at = program->commands; *at != NULL; at++)
        if (command_runs_command(*at))
            fprintf(stream, "        %s) ended=yes ;;\n", (*at)->name);
    fputs("        esac\n", stream);
}

void completion_write_bash(const struct program *program, FILE *stream)
{
    char function[32];
    words_function_name(program, function);
    fprintf(stream,
            "# bash completion for %s, made from the tables of its commands\n"
            "\n"
            "_%s()\n{\n"
            "    local line=${COMP_LINE:0:COMP_POINT} value= option= ended= operands=0 word command before=\n"
            "    local values= kind= list=\n"
            "    local -a words\n"
            "    COMPREPLY=()\n"
            "    read -ra words <<<\"$line\"\n"
            "    if [[ $line != *[[:space:]] ]]; then\n"
            "        value=${words[${#words[@]} - 1]}\n"
            "        unset \"words[${#words[@]} - 1]\"\n"
            "    fi\n"
            "    command=${words[1]-}\n"
            "    for word in \"${words[@]:2}\"; do\n"
            "        if [[ $option ]]; then\n"
            "            option=\n"
            "            continue\n"
            "        elif [[ ! $ended && $word == -- ]]; then\n"
            "            ended=yes\n"
            "            continue\n"
            "        elif [[ ! $ended && $word == -?* ]]; then\n",
            program->name, function);
    write_takers(program, stream);
    fputs("        continue\n"
          "        fi\n"
          "        operands=$((operands + 1))\n",
          stream);
    write_runners(program, stream);
    fputs("    done\n"
          "    if [[ ! $option && ! $ended && $value == --*=* ]]; then\n"
          "        option=${value%%=*} value=${value#*=}\n"
          "        [[ $COMP_WORDBREAKS == *=* ]] || before=$option=\n"
          "    elif [[ ! $option && ( ! $command || ( ! $ended && $value == -* ) ) ]]; then\n",
          stream);
    write_options(program, stream);
    fputs("        COMPREPLY=($(compgen -W \"$values\" -- \"$value\"))\n"
          "        [[ ${#COMPREPLY[@]} == 1 && ${COMPREPLY[0]} == *= ]] && compopt -o nospace 2>/dev/null\n"
          "        return 0\n"
          "    fi\n"
          "    [[ $option ]] || option=$operands\n",
          stream);
    write_values(program, stream);
    fputs("    case $kind in\n"
          "    bottle) values=$(" WORDS_BOTTLES ") ;;\n"
          "    file) mapfile -t COMPREPLY < <(compgen -f -- \"$value\") ;;\n"
          "    directory) mapfile -t COMPREPLY < <(compgen -d -- \"$value\") ;;\n"
          "    program) mapfile -t COMPREPLY < <(compgen -c -- \"$value\"; compgen -f -- \"$value\") ;;\n"
          "    esac\n"
          "    if [[ $kind && $kind != bottle ]]; then\n"
          "        compopt -o filenames 2>/dev/null\n"
          "        return 0\n"
          "    fi\n"
          "    if [[ $list && $value == *,* ]]; then\n"
          "        before+=${value%,*},\n"
          "        value=${value##*,}\n"
          "    fi\n"
          "    COMPREPLY=($(compgen -P \"$before\" -W \"$values\" -- \"$value\"))\n"
          "}\n",
          stream);
    fprintf(stream, "complete -F _%s %s\n", function, program->name);
}
