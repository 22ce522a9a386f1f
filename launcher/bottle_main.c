/*
 * bottle: the launcher's command line. Each sub-command is a row below; this file knows the exit statuses, prints errors and
 * nothing else.
 */
#include <stdio.h>
#include <string.h>

#include "commands/command.h"

static const struct command *const commands[] = { &bottle_command_run,     &bottle_command_start, &bottle_command_exec,
                                                  &bottle_command_put,     &bottle_command_list,  &bottle_command_stop,
                                                  &bottle_command_backends };
enum { COMMANDS = sizeof commands / sizeof *commands };

static int help(void)
{
    puts("usage: bottle COMMAND [OPTION...]\n\nStarts bottles: commands that reach nothing but the one door they are "
         "given.\n");
    for (size_t i = 0; i < COMMANDS; i++)
        printf("  %-10s %s\n", commands[i]->name, commands[i]->summary);
    puts("\n  bottle COMMAND --help tells more; bottle --version tells the version.");
    return 0;
}

static int dispatch(int argc, char **argv, struct error *error)
{
    if (argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "help") == 0))
        return help();
    if (argc > 1 && strcmp(argv[1], "--version") == 0) {
        puts("bottle " BOTTLE_VERSION);
        return 0;
    }
    for (size_t i = 0; argc > 1 && i < COMMANDS; i++)
        if (strcmp(argv[1], commands[i]->name) == 0)
            return commands[i]->run(argc - 1, argv + 1, error);
    error_set(error, ERROR_USAGE,
              argc > 1 ? "no command is named \"%.64s\": see bottle --help"
                       : "a command is missing: see bottle --help%s",
              argc > 1 ? argv[1] : "");
    return -1;
}

int main(int argc, char **argv)
{
    struct error error = { 0 };
    int status = dispatch(argc, argv, &error);
    if (fflush(stdout) != 0 || ferror(stdout)) {
        error_system(&error, "can't write standard output");
        status = -1;
    }
    if (error.code != ERROR_NONE)
        fprintf(stderr, "bottle: %s\n", error.text);
    return status >= 0 ? status : error.code == ERROR_USAGE ? STATUS_USAGE : STATUS_LAUNCH;
}
