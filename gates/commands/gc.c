/* `bottle-gate gc`: removes what killed runs and bottles have left, and says what. */
#include <stdio.h>

#include "../../launcher/control_group.h"
#include "../leftovers.h"
#include "../on_machine.h"
#include "command.h"

struct settings {
    bool dry;
    unsigned count;
};

static bool take_dry(void *settings, const char *argument, struct error *error)
{
    (void)argument, (void)error;
    ((struct settings *)settings)->dry = true;
    return true;
}

static const struct command_option options[] = {
    { .name = "dry-run", .letter = 'n', .help = "say what would be removed, and remove nothing", .take = take_dry },
};

static void tell(const char *path, const char *what, void *context)
{
    struct settings *settings = context;
    settings->count++;
    printf("%s %s: %s\n", settings->dry ? "would remove" : "removed", path, what);
}

static int gc_command(int argc, char **argv, struct error *error)
{
    struct settings settings = { 0 };
    bool helped, done = true;
    char base[256];
    if (!command_parse(&command_gc, argc, argv, &settings, &helped, error))
        return -1;
    if (helped)
        return EXIT_PASS;
    for (unsigned i = 0; leftovers_base(i, base); i++)
        done = leftovers_collect(base, settings.dry, tell, &settings, error) && done;
    done = leftovers_collect_selftests("/tmp", settings.dry, tell, &settings, error) && done;
    done = leftovers_collect_groups(CONTROL_GROUP_ROOT, settings.dry, tell, &settings, error) && done;
    done = on_machine_collect(settings.dry, tell, &settings, error) && done;
    if (settings.count == 0 && done)
        printf("nothing was left behind\n");
    return done ? EXIT_PASS : -1;
}

static const struct text_row statuses[] = {
    { "0", "nothing of a killed run is left (with --dry-run: it was listed)" },
    { "3", "something could not be removed" },
    { "4", "wrong usage, or a run is keeping its evidence at this moment" },
    { NULL, NULL },
};

static const struct text_row files[] = {
    { "$XDG_RUNTIME_DIR/bottle-gate, /run/user/UID/bottle-gate, /tmp/bottle-gate-UID", "where it looks" },
    { "/tmp/" SELFTEST_DIRECTORY "XXXXXX", "what a killed selftest has left" },
    { CONTROL_GROUP_ROOT "/.../" LEFTOVER_GROUP "RUN-N", "the control group of an engine whose run was killed" },
    { NULL, NULL },
};

static const struct text_row environment[] = {
    { "XDG_RUNTIME_DIR", "one of the places where it looks" },
    { NULL, NULL },
};

const struct command command_gc = {
    .program = "bottle-gate",
    .name = "gc",
    .summary = "remove what killed runs have left behind",
    .description =
        "Processes, mounts and namespaces of a run end with it, however it ends. Files may remain of one that was "
        "killed: evidence that was not kept whole, sockets of bottles whose keeper was killed, reports that a "
        "selftest made, and empty control groups; and of a run on this machine (--site=host) whose guardian was "
        "killed, too, its "
        "interfaces, firewall rules and containers. This removes them, this user's only, and says which. Evidence that "
        "was kept whole stays, and so does everything of a run, bottle or selftest that lives.",
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .statuses = statuses,
    .files = files,
    .environment = environment,
    .see_also = "bottle-gate-run(1), bottle-list(1)",
    .run = gc_command,
};
