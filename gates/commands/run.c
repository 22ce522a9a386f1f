/* `bottle-gate run`: parses, checks the host, runs, reports. Signals end the phases; what they started goes
 * with them. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../keep.h"
#include "../on_machine.h"
#include "../preflight.h"
#include "../report/directory.h"
#include "command.h"
#include "run_settings.h"

static volatile sig_atomic_t interrupted_by;

static void interrupt(int number)
{
    interrupted_by = number;
    run_interrupt();
}

static void catch_signals(void)
{
    struct sigaction action = { .sa_handler = interrupt };
    sigemptyset(&action.sa_mask);
    static const int numbers[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        sigaction(numbers[i], &action, NULL);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* a file that may not grow is an error to be told */
}

/* Ends as the signal would have ended us, now that everything is torn down: the shell sees 128 + number. */
static int die_of_signal(int number)
{
    fprintf(stderr, "bottle-gate: interrupted by %s; there is no verdict\n", strsignal(number));
    signal(number, SIG_DFL);
    raise(number);
    return 128 + number;
}

static void show_progress(const char *line, void *context)
{
    (void)context;
    fprintf(stderr, "\r\033[K%s", line);
    fflush(stderr);
}

static void clear_progress(void)
{
    fputs("\r\033[K", stderr);
    fflush(stderr);
}

/* A report that could not be written is no success; an escape stays one all the same. */
static int fail_to_report(const struct run *run, const struct error *error)
{
    command_fail(error);
    return run->verdict == RUN_FAIL ? EXIT_FAIL : EXIT_BROKEN;
}

static int report_on(const struct run *run, const struct run_settings *settings,
                     const struct report_directory *directory)
{
    struct error error = { 0 };
    bool kept_all = settings->report == NULL || report_directory_write(directory, run, &error);
    struct report_style style = { .colour = isatty(STDOUT_FILENO) && getenv("NO_COLOR") == NULL,
                                  .verbose = settings->verbose,
                                  .quiet = settings->quiet };
    if (settings->keep) {
        char kept[256];
        if (keep_run(run, kept, sizeof kept, &error))
            fprintf(stderr, "bottle-gate: the evidence is kept in %s\n", kept);
        else
            kept_all = false;
    }
    if (!settings->format->write(run, &style, stdout)) {
        error_set(&error, ERROR_BROKEN,
                  "can't write the report to standard output (%s): the verdict %s is not told in full", strerror(errno),
                  run_verdict_name(run->verdict));
        return fail_to_report(run, &error);
    }
    return kept_all ? run_verdict_exit(run->verdict) : fail_to_report(run, &error);
}

static bool preflight_run(const struct run_options *options, struct error *error)
{
    return options->site == SITE_HOST ? preflight_descriptors(error) && on_machine_preflight(options->backend, error)
                                      : preflight(options->backend, options->policy, error);
}

static int execute(struct run_settings *settings)
{
    struct error error = { 0 };
    struct report_directory directory;
    if (settings->report != NULL && !report_directory_check(settings->report, &directory, &error))
        return command_fail(&error);
    if (!preflight_run(&settings->options, &error))
        return interrupted_by != 0 ? die_of_signal(interrupted_by) : command_fail(&error);
    bool progress = isatty(STDERR_FILENO) && !settings->quiet;
    if (progress)
        settings->options.progress = show_progress;
    struct run *run = run_execute(&settings->options, &error);
    if (progress)
        clear_progress();
    int status = interrupted_by != 0 ? die_of_signal(interrupted_by)
                 : run == NULL       ? command_fail(&error)
                                     : report_on(run, settings, &directory);
    run_free(run);
    return status;
}

static int run_command(int argc, char **argv, struct error *error)
{
    struct run_settings settings;
    bool helped;
    run_settings_defaults(&settings);
    if (!command_parse(&command_run, argc, argv, &settings, &helped, error))
        return -1;
    if (helped)
        return EXIT_PASS;
    if (!run_settings_resolve(&settings, error))
        return -1;
    catch_signals();
    return execute(&settings);
}

const struct command command_run = {
    .program = "bottle-gate",
    .name = "run",
    .summary = "boot a bottle, try every known way out from inside, listen outside, and give a verdict",
    .description =
        "Boots a bottle, tries every known way out from inside, listens outside for each of them, and gives a verdict: "
        "PASS only when the evidence for it is complete.\n\n"
        "Every attempt is made three times: bare (does the detector work?), in an open bottle without fences (does "
        "the way exist?) and in the fenced bottle (is it shut?). For each escape the report names who heard it and "
        "the remedy; bottle-gate explain ID tells more of one way out.\n\n"
        "Interrupted by a signal it tears everything down, gives no verdict, and ends by that signal.",
    .options = run_option_table,
    .option_count = RUN_OPTIONS,
    .statuses = gate_verdict_statuses,
    .files = gate_files,
    .environment = gate_environment,
    .see_also = "bottle-gate-explain(1), bottle-gate-vectors(1), bottle-gate-preflight(1), bottle-gate-selftest(1)",
    .run = run_command,
};
