/*
 * `bottle-gate preflight`: what this host lacks for runs with a backend, all of it and not only the first, each with the
 * exact remedy; and what it could do without, with what is then not proved.
 */
#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>

#include "../../launcher/support/cleanup.h"
#include "../checks.h"
#include "../on_machine.h"
#include "backend_option.h"
#include "site_option.h"
#include "command.h"

struct settings {
    struct backend_choice choice;
    enum site_kind site;
    bool json;
};

static bool take_site(void *settings, const char *argument, struct error *error)
{
    return site_option_take(&((struct settings *)settings)->site, argument, error);
}

static bool take_json(void *settings, const char *argument, struct error *error)
{
    (void)argument, (void)error;
    ((struct settings *)settings)->json = true;
    return true;
}

static const struct command_option options[] = {
    BACKEND_OPTION_ROWS,
    { .name = "site",
      .argument = "sealed|host",
      .help = "for runs in a sealed site (default), or on this machine itself",
      .take = take_site,
      .word_at = site_option_at },
    { .name = "json", .help = "the same for a program", .take = take_json },
};

static void print_for_people(const struct backend *backend, const char *policy, const struct check *checks,
                             size_t count)
{
    unsigned counts[CHECK_STATES] = { 0 };
    printf("bottle-gate %s  preflight  backend %s%s%s%s%s\n\n", BOTTLE_VERSION, backend->name,
           backend->runtime != NULL ? "  runtime " : "", backend->runtime != NULL ? backend->runtime : "",
           policy != NULL ? "  policy " : "", policy != NULL ? policy : "");
    for (size_t i = 0; i < count; i++) {
        const struct check *check = &checks[i];
        counts[check->state]++;
        printf("  %-8s %-43s %s\n", check->state == CHECK_MISSING ? "MISSING" : check_state_name(check->state),
               check->name, check->purpose);
        if (check->state == CHECK_MISSING || check->state == CHECK_LESS)
            printf("           %s\n", check->problem);
        if (check->state == CHECK_LESS)
            printf("           not proved without it: %s\n", check->unproved);
    }
    if (!checks_passed(checks, count))
        printf("\nNOT USABLE  %u missing: no run can be made here before that is mended\n", counts[CHECK_MISSING]);
    else if (counts[CHECK_LESS] > 0)
        printf("\nUSABLE  a run here proves less where it says so above\n");
    else
        printf("\nUSABLE\n");
}

static bool print_json(const struct backend *backend, const char *policy, const struct check *checks, size_t count)
{
    cJSON *report = cJSON_CreateObject();
    cJSON_AddStringToObject(report, "schema", "bottle-gate/preflight/1");
    cJSON_AddStringToObject(report, "backend", backend->name);
    if (policy != NULL)
        cJSON_AddStringToObject(report, "policy", policy);
    else
        cJSON_AddNullToObject(report, "policy");
    if (backend->runtime != NULL)
        cJSON_AddStringToObject(report, "runtime", backend->runtime);
    cJSON_AddBoolToObject(report, "usable", checks_passed(checks, count));
    cJSON *list = cJSON_AddArrayToObject(report, "checks");
    for (size_t i = 0; i < count; i++) {
        cJSON *check = cJSON_CreateObject();
        cJSON_AddStringToObject(check, "name", checks[i].name);
        cJSON_AddStringToObject(check, "state", check_state_name(checks[i].state));
        cJSON_AddBoolToObject(check, "needed", checks[i].unproved == NULL);
        cJSON_AddStringToObject(check, "purpose", checks[i].purpose);
        if (checks[i].state == CHECK_OK)
            cJSON_AddNullToObject(check, "problem");
        else
            cJSON_AddStringToObject(check, "problem", checks[i].problem);
        if (checks[i].unproved == NULL)
            cJSON_AddNullToObject(check, "not_proved");
        else
            cJSON_AddStringToObject(check, "not_proved", checks[i].unproved);
        cJSON_AddItemToArray(list, check);
    }
    cleanup_free char *text = cJSON_Print(report);
    cJSON_Delete(report);
    return text != NULL && puts(text) >= 0;
}

static int preflight_command(int argc, char **argv, struct error *error)
{
    static struct check checks[CHECKS_MAX];
    struct settings settings = { .choice = backend_option_default() };
    const char *policy;
    bool helped;
    if (!command_parse(&command_preflight, argc, argv, &settings, &helped, error))
        return -1;
    if (helped)
        return EXIT_PASS;
    const struct backend *backend = backend_option_resolve(&settings.choice, &policy, error);
    if (backend == NULL)
        return -1;
    size_t count = 0;
    if (settings.site == SITE_HOST && !on_machine_knows(backend, error))
        return -1;
    if (settings.site == SITE_HOST) {
        struct error none = { 0 };
        const struct backend *there = backend_find_machine_runtime(backend, settings.choice.runtime, &none);
        backend = there != NULL ? there : backend; /* an engine that isn't there is a line of the list */
        count = checks_make_on_machine(backend, checks);
    } else {
        count = checks_make(backend, policy, checks);
    }
    if (settings.json && !print_json(backend, policy, checks, count)) {
        error_set(error, ERROR_SYSTEM, "out of memory for the list");
        return -1;
    }
    if (!settings.json)
        print_for_people(backend, policy, checks, count);
    return checks_passed(checks, count) ? EXIT_PASS : EXIT_USAGE;
}

static const struct text_row statuses[] = {
    { "0", "runs can be made here" },
    { "3", "the list could not be written" },
    { "4", "something that is needed is missing; or wrong usage" },
    { NULL, NULL },
};

static const struct text_row environment[] = {
    { "BOT_BOTTLE_BACKEND", "the backend where --backend names none" },
    { "BOTTLE_SMOLVM", "the program smolvm where --smolvm names none" },
    { "XDG_CACHE_HOME", "where it is remembered that KVM works, until this host boots again" },
    { "BOTTLE_LIBEXEC", "the directory of bottle-probe and bottle-init, if they are not where they were installed" },
    { NULL, NULL },
};

const struct command command_preflight = {
    .program = "bottle-gate",
    .name = "preflight",
    .summary = "tell what this host lacks, and the command that mends it",
    .description =
        "Looks at everything that a run needs of this host, and at what it can do without, and shows a line for each: "
        "ok; MISSING, with the exact remedy; less, with what is then not proved; unknown, where something else must be "
        "mended first. It changes nothing; that a machine has booted here is remembered, and not tried again before "
        "the host "
        "boots.",
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .statuses = statuses,
    .environment = environment,
    .see_also = "bottle-gate-run(1)",
    .run = preflight_command,
};
