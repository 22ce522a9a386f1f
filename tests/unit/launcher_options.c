/* The one parser of both programs: what fits a command's table is taken, what doesn't is told in one line. */
#include <criterion/criterion.h>
#include <criterion/redirect.h>
#include <string.h>

#include "../../launcher/commands/command.h"

/* Everything that was taken, in order: "name=value|operand|...". */
static bool take(const char *what, const char *value, void *settings)
{
    char *text = settings;
    size_t used = strlen(text);
    snprintf(text + used, 256 - used, "%s%s%s|", what, *what != '\0' && value != NULL ? "=" : "",
             value != NULL ? value : "");
    return true;
}

#define TAKER(name, what)                                                                                              \
    static bool name(void *settings, const char *value, struct error *error)                                           \
    {                                                                                                                  \
        (void)error;                                                                                                   \
        return take(what, value, settings);                                                                            \
    }
TAKER(take_size, "size")
TAKER(take_all, "all")
TAKER(take_each, "each")
TAKER(take_quiet, "quiet")
TAKER(take_operand, "")

static bool take_command(void *settings, char **words, struct error *error)
{
    (void)error;
    take("run", NULL, settings);
    for (; *words != NULL; words++)
        take("", *words, settings);
    return true;
}

static const struct command_option options[] = {
    { .name = "size", .letter = 's', .argument = "BYTES", .help = "how much", .take = take_size },
    { .name = "all", .letter = 'a', .help = "all of it", .take = take_all },
    { .name = "each", .argument = "ONE", .help = "again and again", .take = take_each, .repeatable = true },
    { .name = "quiet", .letter = 'q', .help = "say less", .take = take_quiet },
};
#define OPTIONS .program = "program", .options = options, .option_count = sizeof options / sizeof *options

static const struct command_operand two[] = {
    { .name = "FROM", .help = "the source", .least = 1, .most = 1, .take = take_operand },
    { .name = "TO", .help = "the destination", .least = 1, .most = 1, .take = take_operand },
};
static const struct command_operand any[] = { { .name = "NAME", .help = "a name", .take = take_operand } };
static const struct command_operand some[] = { { .name = "NAME", .help = "a name", .least = 2, .take = take_operand } };
static const struct command_operand perhaps[] = {
    { .name = "NAME", .help = "a name", .most = 1, .take = take_operand },
};
static const struct command_operand only_command[] = {
    { .name = "COMMAND", .help = "what to run", .take_command = take_command },
};
static const struct command_operand name_and_command[] = {
    { .name = "NAME", .help = "the name", .least = 1, .most = 1, .take = take_operand },
    { .name = "COMMAND", .help = "what to run", .take_command = take_command },
};

#define OPERANDS(rows) .operands = rows, .operand_count = sizeof rows / sizeof *(rows)
static const struct command none_command = { .name = "none", OPTIONS, .description = "Takes nothing." };
static const struct command two_command = { .name = "two", OPTIONS, .description = "Takes two.", OPERANDS(two) };
static const struct command any_command = { .name = "any", OPTIONS, .description = "Any number.", OPERANDS(any) };
static const struct command some_command = { .name = "some", OPTIONS, .description = "Two or more.", OPERANDS(some) };
static const struct command perhaps_command = { .name = "maybe", OPTIONS, OPERANDS(perhaps) };
static const struct command told_command = {
    .name = "told", OPTIONS, OPERANDS(two), .takes = "takes a source and a sink"
};
static const struct command run_command = { .name = "run", OPTIONS, .description = "Runs.", OPERANDS(only_command) };
static const struct command exec_command = { .name = "exec", OPTIONS, OPERANDS(name_and_command) };

struct row {
    const struct command *command;
    const char *words[8];
    const char *taken; /* or NULL: refused */
    const char *told;
};

static void check(const struct row *row, size_t number)
{
    char *argv[10] = { (char *)row->command->name }, text[256] = "";
    int argc = 1;
    bool helped;
    struct error error = { 0 };
    for (; row->words[argc - 1] != NULL; argc++)
        argv[argc] = (char *)row->words[argc - 1];
    bool parsed = command_parse(row->command, argc, argv, text, &helped, &error);
    cr_expect_not(helped);
    cr_expect_eq(parsed, row->taken != NULL, "row %zu: %s", number, error.text);
    if (row->taken != NULL)
        cr_expect_str_eq(text, row->taken, "row %zu", number);
    if (!parsed) {
        cr_expect_eq(error.code, ERROR_USAGE, "row %zu", number);
        cr_expect(row->told != NULL && strstr(error.text, row->told) != NULL, "row %zu: %s", number, error.text);
        cr_expect_null(strchr(error.text, '\n'));
    }
}

Test(launcher_options, what_fits_the_table_is_taken_in_its_order)
{
    static const struct row rows[] = {
        { &none_command, { NULL }, "", NULL },
        { &none_command, { "--size=4" }, "size=4|", NULL },
        { &none_command, { "--size", "4" }, "size=4|", NULL },
        { &none_command, { "--size=" }, "size=|", NULL },
        { &none_command, { "--size=a=b" }, "size=a=b|", NULL },
        { &none_command, { "--size", "-5" }, "size=-5|", NULL },
        { &none_command, { "--size", "--all" }, "size=--all|", NULL },
        { &none_command, { "-s", "4", "-a" }, "size=4|all|", NULL },
        { &none_command, { "-s4" }, "size=4|", NULL },
        { &none_command, { "-aq" }, "all|quiet|", NULL },
        { &none_command, { "-aqs4" }, "all|quiet|size=4|", NULL },
        { &none_command, { "-as", "4" }, "all|size=4|", NULL },
        { &none_command, { "--each=1", "--all", "--each", "2" }, "each=1|all|each=2|", NULL },
        { &none_command, { "--" }, "", NULL },
        { &two_command, { "a", "b" }, "a|b|", NULL },
        { &two_command, { "a", "--all", "b" }, "a|all|b|", NULL },
        { &two_command, { "a", "b", "--size", "4" }, "a|b|size=4|", NULL },
        { &two_command, { "--", "--all", "-q" }, "--all|-q|", NULL },
        { &two_command, { "-", "" }, "-||", NULL },
        { &any_command, { NULL }, "", NULL },
        { &any_command, { "a", "-q", "b", "--", "c", "--", "-d" }, "a|quiet|b|c|--|-d|", NULL },
        { &some_command, { "a", "b", "c" }, "a|b|c|", NULL },
        { &perhaps_command, { NULL }, "", NULL },
        { &perhaps_command, { "a" }, "a|", NULL },
        { &run_command, { NULL }, "", NULL },
        { &run_command, { "--all", "true", "--all", "-x" }, "all|run|true|--all|-x|", NULL },
        { &run_command, { "--", "-x" }, "run|-x|", NULL },
        { &run_command, { "--", "--", "x" }, "run|--|x|", NULL },
        { &run_command, { "--" }, "", NULL },
        { &run_command, { "echo", "--help" }, "run|echo|--help|", NULL },
        { &run_command, { "-s", "4", "echo", "-h" }, "size=4|run|echo|-h|", NULL },
        { &run_command, { "" }, "run||", NULL },
        { &exec_command, { "dev" }, "dev|", NULL },
        { &exec_command, { "dev", "--" }, "dev|", NULL },
        { &exec_command, { "dev", "echo", "--", "x" }, "dev|run|echo|--|x|", NULL },
        { &exec_command, { "dev", "--", "echo", "--version" }, "dev|run|echo|--version|", NULL },
        { &exec_command, { "--", "dev", "--", "-x" }, "dev|run|-x|", NULL },
        { &exec_command, { "-a", "dev", "-a" }, "all|dev|run|-a|", NULL },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        check(&rows[i], i);
}

Test(launcher_options, what_does_not_fit_is_told_with_the_command_and_where_its_help_is)
{
    static const char *const long_word =
        "--aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    const struct row rows[] = {
        { &none_command, { "--wrong" }, NULL, "none: unknown option --wrong; see program none --help" },
        { &none_command, { "--al" }, NULL, "unknown option --al;" },
        { &none_command, { "--alls" }, NULL, "unknown option --alls;" },
        { &none_command, { "-x" }, NULL, "unknown option -x;" },
        { &none_command, { "-ax" }, NULL, "unknown option -ax;" },
        { &none_command, { "--=4" }, NULL, "unknown option --=4;" },
        { &none_command, { "---" }, NULL, "unknown option ---;" },
        { &none_command, { "-all" }, NULL, "unknown option -all;" },
        { &none_command, { long_word }, NULL, "unknown option --aaaaaaaa" },
        { &none_command, { "--size" }, NULL, "--size needs a value: BYTES" },
        { &none_command, { "-s" }, NULL, "--size needs a value: BYTES" },
        { &none_command, { "--all=yes" }, NULL, "--all takes no value" },
        { &none_command, { "--all=" }, NULL, "--all takes no value" },
        { &none_command, { "--all", "-a" }, NULL, "--all was given twice" },
        { &none_command, { "-aa" }, NULL, "--all was given twice" },
        { &none_command, { "--size=1", "-s2" }, NULL, "--size was given twice" },
        { &none_command, { "word" }, NULL, "none: takes no operand, but \"word\" was given; see program none --help" },
        { &none_command, { "--", "--all" }, NULL, "takes no operand, but \"--all\"" },
        { &two_command, { NULL }, NULL, "two: the source is missing; see program two --help" },
        { &two_command, { "a" }, NULL, "two: the destination is missing" },
        { &two_command, { "a", "b", "c" }, NULL, "two: too many operands, \"c\"" },
        { &some_command, { "a" }, NULL, "a name is missing" },
        { &told_command, { "a" }, NULL, "told: takes a source and a sink; see program told --help" },
        { &told_command, { "a", "b", "c" }, NULL, "told: takes a source and a sink;" },
        { &exec_command, { NULL }, NULL, "exec: the name is missing" },
        { &exec_command, { "--", NULL }, NULL, "exec: the name is missing" },
        { &exec_command, { "--wrong", "dev" }, NULL, "unknown option --wrong" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        check(&rows[i], i);
}

Test(launcher_options, a_value_that_is_refused_ends_it)
{
    char *argv[] = { "start", "--name", "NO", "--fly", NULL };
    bool helped;
    struct error error = { 0 };
    char settings[4096] = "";
    cr_expect_not(command_parse(&bottle_command_start, 4, argv, settings, &helped, &error));
    cr_expect_not_null(strstr(error.text, "\"NO\""), "%s", error.text);
}

static void redirect(void)
{
    cr_redirect_stdout();
}

Test(launcher_options, help_and_version_are_given_whatever_else_is_wrong, .init = redirect)
{
    static const struct {
        const struct command *command;
        const char *words[4];
        bool helped;
    } rows[] = {
        { &none_command, { "--help" }, true },
        { &none_command, { "-h" }, true },
        { &none_command, { "--version" }, true },
        { &none_command, { "--wrong", "--help" }, true },
        { &none_command, { "--size", "--help" }, true },
        { &none_command, { "word", "-h" }, true },
        { &run_command, { "-s", "4", "--help" }, true },
        { &run_command, { "-s", "4", "--version" }, true },
        { &run_command, { "true", "--help" }, false },
        { &run_command, { "-s4", "true", "--help" }, false },
        { &run_command, { "--size=4", "true", "-h" }, false },
        { &run_command, { "--", "--help" }, false },
        { &exec_command, { "dev", "--help" }, false },
        { &any_command, { "--", "--help" }, false },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char *argv[6] = { (char *)rows[i].command->name }, text[256] = "";
        int argc = 1;
        bool helped;
        struct error error = { 0 };
        for (; argc <= 4 && rows[i].words[argc - 1] != NULL; argc++)
            argv[argc] = (char *)rows[i].words[argc - 1];
        cr_expect(command_parse(rows[i].command, argc, argv, text, &helped, &error), "row %zu: %s", i, error.text);
        cr_expect_eq(helped, rows[i].helped, "row %zu", i);
        cr_expect(!helped || text[0] == '\0', "row %zu", i);
    }
}

static bool keep_piece(void *settings, const char *piece, struct error *error)
{
    (void)error;
    return take("", piece, settings);
}

Test(launcher_options, a_list_is_split_at_its_commas_and_has_no_empty_entry)
{
    static const struct {
        const char *list, *pieces, *told;
    } rows[] = {
        { "a", "a|", NULL },     { "a,b,c", "a|b|c|", NULL }, { "", NULL, "empty entry" }, { "a,", NULL, "empty" },
        { ",a", NULL, "empty" }, { "a,,b", NULL, "empty" },   { "a,b c", "a|b c|", NULL },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[256] = "";
        struct error error = { 0 };
        bool split = command_split(rows[i].list, "list", keep_piece, text, &error);
        cr_expect_eq(split, rows[i].pieces != NULL, "row %zu: %s", i, error.text);
        if (split)
            cr_expect_str_eq(text, rows[i].pieces);
        else
            cr_expect(strstr(error.text, rows[i].told) != NULL && strstr(error.text, "--list") != NULL, "%s",
                      error.text);
    }
    for (size_t length = 60; length < 70; length++) {
        char list[80] = "", text[256] = "";
        struct error error = { 0 };
        memset(list, 'x', length);
        cr_expect_eq(command_split(list, "list", keep_piece, text, &error), length < 64, "%zu", length);
        cr_expect(length < 64 || strstr(error.text, "too long") != NULL);
    }
}

static void redirect_errors(void)
{
    cr_redirect_stderr();
}

Test(launcher_options, an_error_is_one_line_of_printable_text_whatever_words_are_in_it, .init = redirect_errors)
{
    struct error error = { 0 };
    error_set(&error, ERROR_USAGE, "%s",
              "a\nb\r\033[31m\x7f \xc3\xa9 \xff \xc3 \xe2\x82\xac \xe2\x82 \xc2\x9b \xf0\x9f\x8d\xbe \xf5\x80\x80\x80 "
              "\xc0\xaf end\xe2\x82");
    program_tell("bottle", &error);
    fflush(stderr);
    cr_assert_stderr_eq_str("bottle: a?b??[31m? \xc3\xa9 ? ? \xe2\x82\xac ?? ?? \xf0\x9f\x8d\xbe ???? ?? end??\n");
}

/* What the tables of `bottle` must keep for the parser, help and pages to be right. */
Test(launcher_options, the_tables_are_whole)
{
    for (const struct command *const *at = bottle_program.commands; *at != NULL; at++) {
        const struct command *command = *at;
        cr_expect_str_eq(command->program, "bottle");
        cr_expect(command->summary != NULL && command->description != NULL && command->option_count <= 64);
        cr_expect(command->run != NULL || strcmp(command->name, "help") == 0);
        cr_expect(command->statuses != NULL || strcmp(command->name, "help") == 0);
        for (size_t i = 0; i < command->option_count; i++)
            cr_expect(command->options[i].take != NULL && command->options[i].help != NULL, "%s", command->name);
        for (size_t i = 0; i < command->operand_count; i++) {
            bool last = i + 1 == command->operand_count;
            cr_expect((command->operands[i].take != NULL) != (last && command->operands[i].take_command != NULL));
            cr_expect(last || command->operands[i].least == command->operands[i].most);
        }
    }
}
