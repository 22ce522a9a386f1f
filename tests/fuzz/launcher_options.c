/* The words of a command line against the table of `bottle exec`, `put` or `stop` (the first byte says which): whatever the
 * words are, they are taken or told in one line, and a word is taken at most once. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../launcher/program/program.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t taken, words_given;

static bool take(void *settings, const char *value, struct error *error)
{
    (void)settings;
    taken++;
    return value == NULL || strcmp(value, "no") != 0 || error_set(error, ERROR_USAGE, "no: %.40s", value);
}

static bool take_command(void *settings, char **words, struct error *error)
{
    (void)settings, (void)error;
    for (; *words != NULL; words++)
        taken++;
    return true;
}

static const struct command_option options[] = {
    { .name = "all", .letter = 'a', .help = "all", .take = take },
    { .name = "size", .letter = 's', .argument = "BYTES", .help = "size", .take = take },
    { .name = "each", .letter = 'e', .argument = "ONE", .help = "each", .take = take, .repeatable = true },
};
static const struct command_operand operands[] = {
    { .name = "NAME", .help = "the name", .least = 1, .most = 1, .take = take },
    { .name = "COMMAND", .help = "the command", .take_command = take_command },
    { .name = "FILE", .help = "files", .least = 1, .take = take },
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1 || size > 4096)
        return 0;
    struct command command = { .program = "program",
                               .name = "name",
                               .description = "",
                               .options = options,
                               .option_count = data[0] / 16 % 4,
                               .operands = operands + data[0] / 4 % 3,
                               .operand_count = data[0] % 4 };
    if (command.operand_count > (size_t)(operands + 3 - command.operands))
        return 0;
    for (size_t i = 0; i + 1 < command.operand_count; i++)
        if (command.operands[i].take == NULL || command.operands[i].most == 0)
            return 0; /* no table is so */
    char *bytes = malloc(size), *argv[64] = { "name" };
    int argc = 1;
    memcpy(bytes, data + 1, size - 1);
    bytes[size - 1] = '\0';
    for (char *word = bytes; argc < 63 && word < bytes + size; word += strlen(word) + 1)
        argv[argc++] = word;
    words_given = 0;
    for (int i = 1; i < argc; i++)
        words_given += strlen(argv[i]) + 1;
    taken = 0;
    bool helped = false;
    struct error error = { 0 };
    int help = 0;
    for (int i = 1; i < argc; i++)
        help += strcmp(argv[i], "-h") == 0 || strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "--version") == 0;
    if (help == 0 || size % 64 == 1) { /* help is written: now and then is enough */
        bool parsed = command_parse(&command, argc, argv, NULL, &helped, &error);
        if (parsed != (error.code == ERROR_NONE) || (helped && help == 0) || taken > words_given ||
            (!parsed && (error.code != ERROR_USAGE || error.text[0] == '\0')))
            abort();
    }
    free(bytes);
    return 0;
}
