/* See command.h: one parser over option tables. getopt_long is not used, because its messages name neither
 * the command nor a remedy, it accepts abbreviations that a later option would break, and it lets an option
 * be given twice. */
#include "command.h"

#include <stdio.h>
#include <string.h>

void command_print_help(const struct command *command)
{
    printf("usage: bottle-gate %s%s\n\n%s\n", command->name, command->option_count > 0 ? " [OPTION...]" : "",
           command->summary);
    if (command->option_count > 0)
        printf("\n");
    for (size_t i = 0; i < command->option_count; i++) {
        const struct command_option *option = &command->options[i];
        char left[64];
        snprintf(left, sizeof left, "%c%c%s--%s%s%s", option->letter != 0 ? '-' : ' ',
                 option->letter != 0 ? option->letter : ' ', option->letter != 0 ? ", " : "  ", option->name,
                 option->argument != NULL ? "=" : "", option->argument != NULL ? option->argument : "");
        printf("  %-30s %s\n", left, option->help);
    }
    printf("  %-30s %s\n", "-h, --help", "show this");
    if (command->details != NULL)
        printf("\n%s\n", command->details);
}

static const struct command_option *find_option(const struct command *command, const char *word, size_t length)
{
    for (size_t i = 0; i < command->option_count; i++) {
        const struct command_option *option = &command->options[i];
        if (length > 2 && strlen(option->name) == length - 2 && strncmp(word + 2, option->name, length - 2) == 0)
            return option;
        if (length == 2 && word[1] == option->letter && option->letter != 0)
            return option;
    }
    return NULL;
}

static bool is_help(const char *word)
{
    return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0;
}

bool command_parse(const struct command *command, int argc, char **argv, void *settings, bool *helped,
                   struct error *error)
{
    unsigned long long seen = 0;
    *helped = false;
    for (int i = 1; i < argc; i++)
        if (is_help(argv[i])) {
            command_print_help(command);
            *helped = true;
            return true;
        }
    for (int i = 1; i < argc; i++) {
        const char *word = argv[i];
        if (word[0] != '-' || word[1] == '\0')
            return error_set(error, ERROR_USAGE,
                             "%s takes no operand, but \"%.80s\" was given; see bottle-gate %s --help", command->name,
                             word, command->name);
        const char *equals = word[1] == '-' ? strchr(word, '=') : NULL;
        size_t length = equals != NULL ? (size_t)(equals - word) : strlen(word);
        const struct command_option *option = find_option(command, word, length);
        if (option == NULL)
            return error_set(error, ERROR_USAGE, "%s has no option %.80s; see bottle-gate %s --help", command->name,
                             word, command->name);
        unsigned long long bit = 1ull << (option - command->options);
        if (seen & bit)
            return error_set(error, ERROR_USAGE, "--%s was given twice", option->name);
        seen |= bit;
        const char *argument = equals != NULL ? equals + 1 : NULL;
        if (option->argument == NULL && argument != NULL)
            return error_set(error, ERROR_USAGE, "--%s takes no value", option->name);
        if (option->argument != NULL && argument == NULL) {
            if (i + 1 == argc)
                return error_set(error, ERROR_USAGE, "--%s needs a value: %s", option->name, option->argument);
            argument = argv[++i];
        }
        if (!option->take(settings, argument, error))
            return false;
    }
    return true;
}

int command_fail(const struct error *error)
{
    fprintf(stderr, "bottle-gate: %s\n", error->text);
    return error->code == ERROR_USAGE || error->code == ERROR_HOST ? EXIT_USAGE : EXIT_BROKEN;
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
