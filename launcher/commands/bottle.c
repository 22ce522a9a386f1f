/*
 * The table of the commands of `bottle`, and what they share: names of bottles, files, environment.
 */
#include "command.h"

#include "../keeper/registry.h"

static const struct command_operand help_operand[] = { PROGRAM_HELP_OPERAND };
static const struct command command_help = PROGRAM_HELP_COMMAND("bottle", help_operand);

static const struct command *const commands[] = { &bottle_command_run,      &bottle_command_start, &bottle_command_exec,
                                                  &bottle_command_put,      &bottle_command_list,  &bottle_command_stop,
                                                  &bottle_command_backends, &command_help,         NULL };

static const struct text_row statuses[] = {
    { "0", "it did what it was asked for; of run and exec: the command's own status" },
    { "4", "wrong usage" },
    { "125", "a bottle could not be started or reached, or something of it remained" },
    { "126, 127", "run, exec: the command is not executable, is not found" },
    { "128+n", "run, exec: signal n ended the command, or bottle" },
    { NULL, NULL },
};

const struct text_row bottle_files[] = {
    { "$XDG_RUNTIME_DIR/bottle-gate/bottles",
      "a socket for each bottle that lives on; without XDG_RUNTIME_DIR below /run/user/UID, or in "
      "/tmp/bottle-gate-UID/bottles" },
    { NULL, NULL },
};

const struct text_row bottle_environment[] = {
    { "XDG_RUNTIME_DIR", "where bottles that live on are found by name" },
    { "BOTTLE_LIBEXEC", "the directory of bottle-init, if it is not where it was installed" },
    { NULL, NULL },
};

const struct program bottle_program = {
    .name = "bottle",
    .summary = "start sandboxes that reach nothing but one door",
    .description = "Starts bottles: commands that reach nothing but the one door they are given.",
    .commands = commands,
    .statuses = statuses,
    .files = bottle_files,
    .environment = bottle_environment,
    .see_also = "bottle-gate(1)",
    .host_status = STATUS_LAUNCH,
    .failure_status = STATUS_LAUNCH,
};

bool bottle_command_check_name(const char *name, struct error *error)
{
    return registry_name_valid(name) ||
           error_set(error, ERROR_USAGE, "\"%.64s\" is no name of a bottle: at most 32 of a-z, 0-9 and -, no - first",
                     name);
}
