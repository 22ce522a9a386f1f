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
    bool json;
};

static bool take_json(void *settings, const char *argument, struct error *error)
{
    (void)argument, (void)error;
    ((struct replay_settings *)settings)->json = true;
    return true;
}

static const struct command_option options[] = {
    { "json", 0, NULL, "say it as JSON", take_json },
};

/* Takes the one operand out of the words. */
static bool take_directory(int *argc, char **argv, const char **directory, struct error *error)
{
    int kept = 1;
    *directory = NULL;
    for (int i = 1; i < *argc; i++)
        if (argv[i][0] == '-' || *directory != NULL)
            argv[kept++] = argv[i];
        else
            *directory = argv[i];
    *argc = kept;
    return *directory != NULL ||
           error_set(error, ERROR_USAGE, "replay wants the directory of a report; see bottle-gate replay --help");
}

static int tell(const struct replay *replay, bool json, struct error *error)
{
    bool told = json ? replay_print_json(replay, stdout) : replay_print(replay, stdout);
    if (!told) {
        error_set(error, ERROR_SYSTEM, "can't write to standard output: %s", strerror(errno));
        return command_fail(error);
    }
    return replay->agrees ? EXIT_PASS : EXIT_BROKEN;
}

static int replay_command(int argc, char **argv)
{
    struct replay_settings settings = { 0 };
    struct error error = { 0 }, no_operand = { 0 };
    struct replay replay;
    const char *path = NULL;
    bool helped, has_operand = take_directory(&argc, argv, &path, &no_operand);
    if (!command_parse(&command_replay, argc, argv, &settings, &helped, &error))
        return command_fail(&error);
    if (helped)
        return EXIT_PASS;
    if (!has_operand || path == NULL)
        return command_fail(&no_operand);
    cleanup_close int directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (directory < 0) {
        error_set(&error, ERROR_USAGE, "can't open the directory %.200s: %s", path, strerror(errno));
        return command_fail(&error);
    }
    return replay_directory(directory, &replay, &error) ? tell(&replay, settings.json, &error) : command_fail(&error);
}

const struct command command_replay = {
    .name = "replay",
    .summary = "Judges a run again by the evidence that --report DIR or --keep kept, and compares.",
    .details =
        "Its operand is the directory: bottle-gate replay DIR.\n"
        "Exit status: 0 evidence.json comes to what report.json says, whatever the verdict; 3 it doesn't; 4 there is\n"
        "nothing in DIR that this version can judge.",
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .run = replay_command,
};
