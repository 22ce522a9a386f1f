/* `bottle-gate selftest`: breaks the gate itself, one fault at a time, in otherwise real runs, and requires
 * of each that it does not end in PASS, that it ends as a sound gate must, and that nothing is left behind.
 * The first line is a run without a fault: it must be PASS, or the rest would show nothing. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "../preflight.h"
#include "../residue.h"
#include "../run.h"
#include "command.h"

struct selftest_settings {
    bool quiet;
    int only; /* a fault, or -1 */
};

static bool take_quiet(void *settings, const char *argument, struct error *error)
{
    (void)argument, (void)error;
    ((struct selftest_settings *)settings)->quiet = true;
    return true;
}

static bool take_fault(void *settings, const char *argument, struct error *error)
{
    for (int fault = 0; fault < FAULTS; fault++)
        if (strcmp(fault_rows[fault].name, argument) == 0) {
            ((struct selftest_settings *)settings)->only = fault;
            return true;
        }
    return error_set(error, ERROR_USAGE, "there is no fault \"%.40s\"; see the lines of bottle-gate selftest",
                     argument);
}

static const char *fault_name_at(size_t index)
{
    return index < FAULTS ? fault_rows[index].name : NULL;
}

static const struct command_option options[] = {
    { .name = "fault", .argument = "NAME", .help = "only this one", .take = take_fault, .word_at = fault_name_at },
    { .name = "quiet", .letter = 'q', .help = "show only what went wrong", .take = take_quiet },
};

static bool make_fault(enum fault fault, const struct selftest_settings *settings)
{
    const struct fault_row *row = &fault_rows[fault];
    struct run_options run_options = { .backend = &native_backend,
                                       .principals = { true, true },
                                       .deadline_milliseconds = 2000,
                                       .self_proof = SELF_PROOF_OPEN,
                                       .mutant = -1,
                                       .fault = fault };
    struct residue before;
    struct error error = { 0 };
    char left[128];
    residue_look(&before);
    struct run *run = run_execute(&run_options, &error);
    int status = run != NULL ? run_verdict_exit(run->verdict) : command_fail(&error);
    char reason[256] = "";
    if (run != NULL)
        snprintf(reason, sizeof reason, "%s", run->reason);
    run_free(run);
    bool clean = residue_none(&before, left, sizeof left);
    bool good = clean && status == row->exit;
    if (!good || !settings->quiet) {
        printf("%s %-18s %s (%s): exit %d, wanted %d; left behind: %s\n", good ? "ok    " : "not ok", row->name,
               row->breaks, row->stage, status, row->exit, clean ? "nothing" : left);
        if (reason[0] != '\0' && !settings->quiet)
            printf("       %s\n", reason);
    }
    fflush(stdout);
    return good;
}

static int selftest_command(int argc, char **argv, struct error *error)
{
    struct selftest_settings settings = { .only = -1 };
    bool helped;
    if (!command_parse(&command_selftest, argc, argv, &settings, &helped, error))
        return -1;
    if (helped)
        return EXIT_PASS;
    if (!preflight(&native_backend, error))
        return -1;
    unsigned good = 0, made = 0;
    for (int fault = 0; fault < FAULTS; fault++)
        if (settings.only < 0 || settings.only == fault) {
            made++;
            good += make_fault((enum fault)fault, &settings);
        }
    printf("%u of %u as a sound gate must\n", good, made);
    return good == made ? EXIT_PASS : EXIT_BROKEN;
}

static const struct text_row statuses[] = {
    { "0", "every fault ended as it must" },
    { "3", "one did not" },
    { "4", "usage, or this host lacks something" },
    { NULL, NULL },
};

const struct command command_selftest = {
    .program = "bottle-gate",
    .name = "selftest",
    .summary = "break the gate itself, one fault at a time: none may end in PASS",
    .description =
        "Breaks the gate itself, one fault at a time, in otherwise real runs: none may end in PASS, each must end "
        "as a sound gate must, and nothing may be left behind. The first line is a run without a fault.",
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .statuses = statuses,
    .environment = gate_environment,
    .see_also = "bottle-gate-run(1)",
    .run = selftest_command,
};
