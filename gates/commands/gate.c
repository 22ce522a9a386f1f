/*
 * The table of the commands of bottle-gate, and what they share.
 */
#include "command.h"

static const struct command_operand help_operand[] = { PROGRAM_HELP_OPERAND };
static const struct command command_help = PROGRAM_HELP_COMMAND("bottle-gate", help_operand);

static const struct command *const commands[] = {
    &command_run,     &command_replay,  &command_preflight,
    &command_vectors, &command_explain, &command_selftest,
    &command_gc,      &command_help,    NULL,
};

const struct text_row gate_verdict_statuses[] = {
    { "0", "PASS: every planned attempt was BLOCKED" },
    { "1", "FAIL: something got out" },
    { "2", "INCONCLUSIVE: evidence is missing" },
    { "3", "BROKEN, VOID: the gate can't be trusted in this run" },
    { "4", "usage, configuration, or this host lacks something" },
    { "128+n", "signal n ended it, after everything was torn down; there is no verdict" },
    { NULL, NULL },
};

const struct text_row gate_environment[] = {
    { "BOT_BOTTLE_BACKEND", "the backend where --backend names none" },
    { "BOTTLE_SMOLVM", "the program smolvm where --smolvm names none" },
    { "BOTTLE_LIBEXEC", "the directory of bottle-probe and bottle-init, if they are not where they were installed" },
    { "NO_COLOR", "if it is set, no colours on a terminal" },
    { "XDG_RUNTIME_DIR", "where --keep keeps evidence" },
    { NULL, NULL },
};

const struct text_row gate_files[] = {
    { "$XDG_RUNTIME_DIR/bottle-gate/RUN",
      "report and evidence of a run, with --keep; without XDG_RUNTIME_DIR in /tmp/bottle-gate-UID/RUN" },
    { NULL, NULL },
};

const struct program gate_program = {
    .name = "bottle-gate",
    .summary = "tell whether anything gets out of a sandbox",
    .description =
        "Tells the truth about AI-agent sandboxes: can anything inside get a byte out, other than by the one "
        "door?",
    .commands = commands,
    .statuses = gate_verdict_statuses,
    .files = gate_files,
    .environment = gate_environment,
    .see_also = "bottle(1)",
    .host_status = EXIT_USAGE,
    .failure_status = EXIT_BROKEN,
    .usage_alone = true,
};

int command_fail(const struct error *error)
{
    program_tell(gate_program.name, error);
    return error->code == ERROR_USAGE || error->code == ERROR_HOST ? EXIT_USAGE : EXIT_BROKEN;
}
