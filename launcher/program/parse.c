/*
 * See program.h: one parser over a command's tables. getopt_long is not used, because its messages name neither the command
 * nor a remedy, it accepts abbreviations that a later option would break, and it lets an option be given twice.
 */
#include "program.h"

#include <string.h>

struct parser {
    const struct command *command;
    void *settings;
    struct error *error;
    int argc;
    char **argv;
    int at;                  /* the word under way */
    unsigned long long seen; /* a bit for each option that was given */
    size_t row;              /* of the next operand */
    unsigned taken;          /* by that row */
    bool ended;              /* the options */
};

bool command_runs_command(const struct command *command)
{
    return command->operand_count > 0 && command->operands[command->operand_count - 1].take_command != NULL;
}

static bool is_option(const char *word)
{
    return word[0] == '-' && word[1] != '\0';
}

/* `word` without its dashes is `length` bytes of a name, or one letter. */
static const struct command_option *find_option(const struct command *command, const char *word, size_t length)
{
    bool is_long = word[1] == '-';
    for (size_t i = 0; i < command->option_count; i++) {
        const struct command_option *option = &command->options[i];
        if (is_long ? strlen(option->name) == length - 2 && strncmp(word + 2, option->name, length - 2) == 0
                    : option->letter != 0 && word[1] == option->letter)
            return option;
    }
    return NULL;
}

static size_t name_length(const char *word)
{
    return word[1] == '-' ? strcspn(word, "=") : 2;
}

/* Help is given to whoever asks for it, whatever else is wrong; but a word of the command that is to be run is not ours. */
static bool answer_help(const struct command *command, int argc, char **argv)
{
    bool value = false;
    for (int i = 1; i < argc; i++) {
        const char *word = argv[i];
        if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0) {
            command_write_help(command, stdout);
            return true;
        }
        if (strcmp(word, "--version") == 0) {
            printf("%s %s\n", command->program, BOTTLE_VERSION);
            return true;
        }
        if (value)
            value = false;
        else if (strcmp(word, "--") == 0 || (!is_option(word) && command_runs_command(command)))
            return false;
        else if (is_option(word)) {
            const struct command_option *option = find_option(command, word, name_length(word));
            value = option != NULL && option->argument != NULL && word[name_length(word)] == '\0';
        }
    }
    return false;
}

static bool take(struct parser *parser, const struct command_option *option, const char *argument)
{
    unsigned long long bit = 1ull << (option - parser->command->options);
    if (!option->repeatable && (parser->seen & bit) != 0)
        return error_set(parser->error, ERROR_USAGE, "--%s was given twice", option->name);
    parser->seen |= bit;
    if (option->argument != NULL && argument == NULL) {
        if (parser->at + 1 >= parser->argc)
            return error_set(parser->error, ERROR_USAGE, "--%s needs a value: %s", option->name, option->argument);
        argument = parser->argv[++parser->at];
    }
    return option->take(parser->settings, argument, parser->error);
}

static bool unknown_option(const struct parser *parser, const char *word)
{
    const struct command *command = parser->command;
    return error_set(parser->error, ERROR_USAGE, "%s: unknown option %.64s; see %s %s --help", command->name, word,
                     command->program, command->name);
}

static bool take_long(struct parser *parser, const char *word)
{
    size_t length = name_length(word);
    const char *argument = word[length] == '=' ? word + length + 1 : NULL;
    const struct command_option *option = find_option(parser->command, word, length);
    if (option == NULL)
        return unknown_option(parser, word);
    if (option->argument == NULL && argument != NULL)
        return error_set(parser->error, ERROR_USAGE, "--%s takes no value", option->name);
    return take(parser, option, argument);
}

/* -abc is -a -b -c, and -xVALUE is -x VALUE. */
static bool take_letters(struct parser *parser, const char *word)
{
    for (const char *letter = word + 1; *letter != '\0'; letter++) {
        const char one[] = { '-', *letter, '\0' };
        const struct command_option *option = find_option(parser->command, one, 2);
        if (option == NULL)
            return unknown_option(parser, word);
        bool with_value = option->argument != NULL && letter[1] != '\0';
        if (!take(parser, option, with_value ? letter + 1 : NULL))
            return false;
        if (option->argument != NULL)
            return true;
    }
    return true;
}

/* In the command's own words, if it has any for that. */
static bool wrong_number(const struct parser *parser, const char *before, const char *which, const char *after)
{
    const struct command *command = parser->command;
    if (command->takes != NULL)
        return error_set(parser->error, ERROR_USAGE, "%s: %s; see %s %s --help", command->name, command->takes,
                         command->program, command->name);
    return error_set(parser->error, ERROR_USAGE, "%s: %s%.80s%s; see %s %s --help", command->name, before, which, after,
                     command->program, command->name);
}

static bool take_operand(struct parser *parser, const char *word)
{
    const struct command *command = parser->command;
    if (command->operand_count == 0)
        return wrong_number(parser, "takes no operand, but \"", word, "\" was given");
    while (parser->row < command->operand_count && command->operands[parser->row].most != 0 &&
           parser->taken == command->operands[parser->row].most) {
        parser->row++;
        parser->taken = 0;
    }
    if (parser->row == command->operand_count)
        return wrong_number(parser, "too many operands, \"", word, "\" is one more than there may be");
    parser->taken++;
    return command->operands[parser->row].take(parser->settings, word, parser->error);
}

/* The row whose turn it is takes a command: the rest of the words is its. */
static bool at_command(const struct parser *parser)
{
    const struct command *command = parser->command;
    size_t last = command->operand_count - 1;
    return command_runs_command(command) &&
           (parser->row == last || (parser->row + 1 == last && parser->taken == command->operands[parser->row].most));
}

static bool check_enough(const struct parser *parser)
{
    const struct command *command = parser->command;
    for (size_t i = parser->row; i < command->operand_count; i++)
        if ((i == parser->row ? parser->taken : 0) < command->operands[i].least)
            return wrong_number(parser, "", command->operands[i].help, " is missing");
    return true;
}

bool command_parse(const struct command *command, int argc, char **argv, void *settings, bool *helped,
                   struct error *error)
{
    struct parser parser = { command, settings, error, argc, argv, .at = 1 };
    *helped = answer_help(command, argc, argv);
    if (*helped)
        return true;
    for (; parser.at < argc; parser.at++) {
        char *word = argv[parser.at];
        if (!parser.ended && strcmp(word, "--") == 0) {
            parser.ended = true;
            continue;
        }
        if (!parser.ended && is_option(word)) {
            if (!(word[1] == '-' ? take_long(&parser, word) : take_letters(&parser, word)))
                return false;
            continue;
        }
        parser.ended = parser.ended || command_runs_command(command);
        if (at_command(&parser)) {
            bool dashes = parser.row + parser.taken > 0 && strcmp(word, "--") == 0;
            char **words = argv + parser.at + dashes;
            return *words == NULL || command->operands[command->operand_count - 1].take_command(settings, words, error);
        }
        if (!take_operand(&parser, word))
            return false;
    }
    return check_enough(&parser);
}

bool command_split(const char *list, const char *option,
                   bool (*each)(void *settings, const char *piece, struct error *error), void *settings,
                   struct error *error)
{
    for (const char *start = list;; start++) {
        size_t length = strcspn(start, ",");
        char piece[64];
        if (length == 0)
            return error_set(error, ERROR_USAGE, "--%s has an empty entry in \"%.80s\"", option, list);
        if (length >= sizeof piece)
            return error_set(error, ERROR_USAGE, "--%s has an entry that is too long: \"%.60s...\"", option, start);
        memcpy(piece, start, length);
        piece[length] = '\0';
        if (!each(settings, piece, error))
            return false;
        start += length;
        if (*start == '\0')
            return true;
    }
}
