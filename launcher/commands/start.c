/*
 * bottle start: a bottle that lives on. The name is taken first, in this process, so that it says what is wrong; then the
 * keeper (keeper/) starts the bottle, and this process says its name and goes. If the name can't be said, the bottle ends.
 */
#include "bottle_options.h"
#include "command.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "../keeper/keeper.h"
#include "../support/cleanup.h"
#include "../support/install.h"

enum { INVENTED_LETTERS = 6, INVENTIONS = 100 };

/* A short name of letters and digits; it need not be secret, only rare. */
static bool invent_name(char name[REGISTRY_NAME], struct error *error)
{
    static const char letters[] = "abcdefghijkmnpqrstuvwxyz23456789";
    unsigned char random[INVENTED_LETTERS];
    if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random)
        return error_system(error, "can't make a name for the bottle");
    for (size_t i = 0; i < INVENTED_LETTERS; i++)
        name[i] = letters[random[i] % (i == 0 ? 24 : 32)]; /* a letter first */
    name[INVENTED_LETTERS] = '\0';
    return true;
}

static bool take_name(struct keeper *keeper, struct error *error)
{
    bool taken = false;
    if (keeper->name[0] != '\0')
        return registry_listen(keeper->directory, keeper->name, &keeper->seat, &taken, error);
    for (int i = 0; i < INVENTIONS; i++) {
        struct error failure = { 0 };
        if (!invent_name(keeper->name, error))
            return false;
        if (registry_listen(keeper->directory, keeper->name, &keeper->seat, &taken, &failure))
            return true;
        if (!taken)
            return error_set(error, failure.code, "%s", failure.text);
    }
    return error_set(error, ERROR_SYSTEM, "can't find a name that no bottle has: give one by --name");
}

struct settings {
    struct new_bottle bottle;
    char name[REGISTRY_NAME];
};

static bool take_given_name(void *settings, const char *argument, struct error *error)
{
    struct settings *own = settings;
    snprintf(own->name, sizeof own->name, "%s", argument);
    return bottle_command_check_name(argument, error);
}

static const struct command_option options[] = {
    { .name = "name",
      .argument = "NAME",
      .help = "its name: at most 32 of a-z, 0-9 and - (default: a short one that is free)",
      .take = take_given_name },
    BOTTLE_OPTION_ROWS,
};

static int run(int argc, char **argv, struct error *error)
{
    char init[PATH_MAX];
    bool helped;
    struct settings settings = { .bottle = { .options = { .system_directories = true, .init_path = init },
                                             .principal = PRINCIPAL_USER } };
    if (!command_parse(&bottle_command_start, argc, argv, &settings, &helped, error))
        return -1;
    if (helped)
        return 0;
    struct keeper keeper = { .options = settings.bottle.options, .principal = settings.bottle.principal };
    snprintf(keeper.name, sizeof keeper.name, "%s", settings.name);
    if (!install_find("bottle-init", init, error))
        return -1;
    cleanup_close int directory = registry_open(true, error);
    keeper.directory = directory;
    if (directory < 0 || !take_name(&keeper, error))
        return -1;
    cleanup_close int answer = keeper_start(&keeper, error);
    close(keeper.seat.listener); /* the keeper's alone from now on */
    if (answer < 0) {
        registry_remove(directory, keeper.name, &keeper.seat); /* a keeper that was killed could not */
        return -1;
    }
    if (puts(keeper.name) < 0 || fflush(stdout) != 0) {
        error_system(error, "can't write standard output");
        return -1;
    }
    return keeper_accept(answer, error) ? 0 : -1;
}

static const struct text_row statuses[] = {
    { "0", "the bottle lives, and its name was printed" },
    { "4", "wrong usage" },
    { "125", "the bottle could not be started, or the name is taken" },
    { NULL, NULL },
};

const struct command bottle_command_start = {
    .program = "bottle",
    .name = "start",
    .summary = "start a bottle that lives on, and print its name",
    .description = "Starts a native bottle that lives until bottle stop, and prints its name when it is ready.",
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .takes = "takes no command: bottle start, then bottle exec NAME -- COMMAND",
    .statuses = statuses,
    .files = bottle_files,
    .environment = bottle_environment,
    .see_also = "bottle-exec(1), bottle-put(1), bottle-list(1), bottle-stop(1)",
    .run = run,
};
