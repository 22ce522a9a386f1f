/* See command.h: help, and one wording for what getopt_long couldn't make sense of. */
#include "command.h"

#include <getopt.h>
#include <stdio.h>

#include "../keeper/registry.h"

int bottle_command_other_option(const struct command *command, char *const argv[], int option, struct error *error)
{
    if (option == 'h')
        return fputs(command->help, stdout) >= 0 ? 0 : -1;
    error_set(error, ERROR_USAGE, "%s: %s %.64s: see bottle %s --help", command->name,
              option == ':' ? "a value is missing after" : "unknown option", argv[optind - 1], command->name);
    return -1;
}

bool bottle_command_check_name(const char *name, struct error *error)
{
    return registry_name_valid(name) ||
           error_set(error, ERROR_USAGE, "\"%.64s\" is no name of a bottle: at most 32 of a-z, 0-9 and -, no - first",
                     name);
}
