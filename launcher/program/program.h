/*
 * The command line of both programs: a table of commands, and for each a table of options and of operands. One parser reads
 * the words by the table (parse.c), and everything that tells about a command is made from it: --help (help.c), manual
 * pages (manual.c) and completion (complete_*.c). No second list of commands, options or exit statuses anywhere.
 */
#ifndef LAUNCHER_PROGRAM_PROGRAM_H
#define LAUNCHER_PROGRAM_PROGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "../support/error.h"

/* Wrong usage ends every command of this project with this status. */
enum { STATUS_USAGE = 4 };

/* What stands in a word's place, where it is no list of known words: what a shell offers there. */
enum word_kind {
    WORD_OTHER,
    WORD_FILE,
    WORD_DIRECTORY,
    WORD_BOTTLE,  /* a name of a bottle that lives */
    WORD_PROGRAM, /* a command and its arguments */
    WORD_COMMAND, /* a command of this program */
};

/*
 * One option: --NAME[=ARGUMENT], and -LETTER where that is not 0. `take` stores it in the command's own settings; its
 * `argument` is NULL for an option without one. Given twice, an option is refused before `take` sees it, unless it is
 * repeatable. The values that are known come from `word_at` (NULL after the last), or from the bars in ARGUMENT ("off|on");
 * they are for completion: `take` decides what it takes.
 */
struct command_option {
    const char *name;
    char letter;
    const char *argument;
    const char *help;
    bool (*take)(void *settings, const char *argument, struct error *error);
    const char *(*word_at)(size_t index);
    enum word_kind kind;
    bool list, repeatable; /* list: several values with commas between them */
};

/* One operand, or several of a kind. They are given in the order of the table; only the last may be left out or repeated. */
struct command_operand {
    const char *name;     /* "FILE" */
    const char *help;     /* "the bottle's name": also what is told to be missing */
    unsigned least, most; /* how many; most 0: any number */
    bool (*take)(void *settings, const char *operand, struct error *error);
    /* Instead of `take`, in the last row: a command with its arguments, NULL at their end, as they are. Options of this
     * program then stand before the first operand only; a "--" before the command is left out. */
    bool (*take_command)(void *settings, char **words, struct error *error);
    const char *(*word_at)(size_t index);
    enum word_kind kind;
};

/* One row of a list of exit statuses, files or environment variables. A list ends with a row without a name. */
struct text_row {
    const char *name, *text;
};

struct command {
    const char *program;     /* "bottle-gate" */
    const char *name;        /* "run" */
    const char *summary;     /* a phrase, without a full stop */
    const char *description; /* sentences; an empty line begins a paragraph */
    const struct command_option *options;
    size_t option_count; /* at most 64 */
    const struct command_operand *operands;
    size_t operand_count;
    const char *takes; /* what is said of a wrong number of operands, or NULL for the usual words */
    const struct text_row *statuses, *files, *environment;
    const char *see_also; /* manual pages of this project, or NULL: "bottle-run(1), bottle(1)" */
    /* argv[0] is the command's name. Returns the exit status, or -1 with `error` filled. */
    int (*run)(int argc, char **argv, struct error *error);
};

struct program {
    const char *name, *summary, *description;
    const struct command *const *commands; /* ends with NULL */
    const struct text_row *statuses, *files, *environment;
    const char *see_also;
    int host_status, failure_status; /* of ERROR_HOST, and of everything else that is no wrong usage */
    bool usage_alone;                /* without a command it shows its usage, on standard error */
};

/* A program's main(): fills closed standard streams, finds the command, runs it, tells its error. Returns the exit status. */
int program_main(const struct program *program, int argc, char **argv);

/* `help [COMMAND]` is a row like the others, without a run(). This is what it does with its operand. */
bool program_take_help(void *settings, const char *operand, struct error *error);
#define PROGRAM_HELP_OPERAND                                                                                           \
    {                                                                                                                  \
        .name = "COMMAND", .help = "the command", .most = 1, .take = program_take_help, .kind = WORD_COMMAND           \
    }
#define PROGRAM_HELP_COMMAND(of, operand_row)                                                                          \
    {                                                                                                                  \
        .program = (of), .name = "help", .summary = "show the commands, or the help of one",                           \
        .description = "Shows the list of commands; with COMMAND, what its --help shows.", .operands = (operand_row),  \
        .operand_count = 1                                                                                             \
    }

const struct command *program_find(const struct program *program, const char *name);

/* True if a command and its arguments are the last operand: no option of ours stands behind it. */
bool command_runs_command(const struct command *command);

/* Parses argv (argv[0] is the command's name) by the command's table. False with `error` filled (ERROR_USAGE) if it doesn't
 * fit. *helped: --help, -h or --version was given, which is answered on standard output, whatever else was. */
bool command_parse(const struct command *command, int argc, char **argv, void *settings, bool *helped,
                   struct error *error);

/* Splits `list` at commas and calls `each` for every piece (copied into a buffer of 64 bytes); refuses empty and overlong
 * ones in the name of --OPTION. */
bool command_split(const char *list, const char *option,
                   bool (*each)(void *settings, const char *piece, struct error *error), void *settings,
                   struct error *error);

/* "bottle put [OPTION...] NAME FILE" */
void command_usage(const struct command *command, char *text, size_t size);

/* The help texts. */
void command_write_help(const struct command *command, FILE *stream);
void program_write_help(const struct program *program, FILE *stream);

/* "bottle: TEXT" on standard error, as one line of printable text whatever words of the user's are in it. */
void program_tell(const char *program, const struct error *error);

#endif
