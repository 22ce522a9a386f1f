/* `bottle-gate replay DIR`: judges a run again by its evidence.json, and says whether that comes to what its
 * report.json says. Both are hostile: nothing in them is believed unchecked, and nothing that this build can't judge is
 * judged. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "../../launcher/support/cleanup.h"
#include "../report/replay.h"
#include "command.h"

struct replay_settings {
    const char *directory;
    bool json;
};

static bool take_json(void *settings, const char *argument, struct error *error)
{
    (void)argument, (void)error;
    ((struct replay_settings *)settings)->json = true;
    return true;
}

static bool take_directory(void *settings, const char *operand, struct error *error)
{
    (void)error;
    ((struct replay_settings *)settings)->directory = operand;
    return true;
}

static int tell(const struct replay *replay, bool json, struct error *error)
{
    bool told = json ? replay_print_json(replay, stdout) : replay_print(replay, stdout);
    if (!told) {
        error_set(error, ERROR_SYSTEM, "can't write to standard output: %s", strerror(errno));
        return -1;
    }
    return replay->agrees ? EXIT_PASS : EXIT_BROKEN;
}

static int replay_command(int argc, char **argv, struct error *error)
{
    struct replay_settings settings = { 0 };
    struct replay replay;
    bool helped;
    if (!command_parse(&command_replay, argc, argv, &settings, &helped, error))
        return -1;
    if (helped)
        return EXIT_PASS;
    cleanup_close int directory = open(settings.directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (directory < 0) {
        error_set(error, ERROR_USAGE, "can't open the directory %.200s: %s", settings.directory, strerror(errno));
        return -1;
    }
    return replay_directory(directory, &replay, error) ? tell(&replay, settings.json, error) : -1;
}

static const struct command_option options[] = {
    { .name = "json", .help = "say it as JSON", .take = take_json },
};

static const struct command_operand operands[] = {
    { .name = "DIR",
      .help = "the directory of a report",
      .least = 1,
      .most = 1,
      .take = take_directory,
      .kind = WORD_DIRECTORY },
};

static const struct text_row statuses[] = {
    { "0", "evidence.json comes to what report.json says, whatever the verdict" },
    { "3", "it does not" },
    { "4", "there is nothing in DIR that this version can judge" },
    { NULL, NULL },
};

const struct command command_replay = {
    .program = "bottle-gate",
    .name = "replay",
    .summary = "judge a run again by the evidence that it kept, and compare",
    .description =
        "Reads evidence.json and report.json in a directory that --report DIR or --keep has written, judges the "
        "evidence again, and says whether the verdicts are the same.",
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .operands = operands,
    .operand_count = sizeof operands / sizeof *operands,
    .statuses = statuses,
    .files = gate_files,
    .see_also = "bottle-gate-run(1)",
    .run = replay_command,
};
