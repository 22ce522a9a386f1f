/* `bottle-gate selftest`: breaks the gate itself, one fault at a time, in otherwise real runs, and requires of each that it
 * does not end in PASS, that it ends as a sound gate must and says why, and that nothing is left behind. The first line is a
 * run without a fault: it must be PASS, or the rest would show nothing. Faults are made side by side, each in a process
 * of its own; what they wait for is mostly the witnesses' drain. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../faults/make.h"
#include "../preflight.h"
#include "command.h"
#include "selftest_output.h"

#define JOBS_MAX 64

struct selftest_settings {
    const struct fault *only;
    bool list;
    unsigned jobs;
    struct selftest_style style;
};

static bool take_quiet(void *settings, const char *argument, struct error *error)
{
    (void)argument, (void)error;
    ((struct selftest_settings *)settings)->style.quiet = true;
    return true;
}

static bool take_verbose(void *settings, const char *argument, struct error *error)
{
    (void)argument, (void)error;
    ((struct selftest_settings *)settings)->style.verbose = true;
    return true;
}

static bool take_json(void *settings, const char *argument, struct error *error)
{
    (void)argument, (void)error;
    ((struct selftest_settings *)settings)->style.json = true;
    return true;
}

static bool take_list(void *settings, const char *argument, struct error *error)
{
    (void)argument, (void)error;
    ((struct selftest_settings *)settings)->list = true;
    return true;
}

static bool take_markdown(void *settings, const char *argument, struct error *error)
{
    (void)argument, (void)error;
    ((struct selftest_settings *)settings)->style.markdown = true;
    return true;
}

static bool take_jobs(void *settings, const char *argument, struct error *error)
{
    char *end;
    unsigned long jobs = strtoul(argument, &end, 10);
    if (argument[0] < '1' || argument[0] > '9' || *end != '\0' || jobs > JOBS_MAX)
        return error_set(error, ERROR_USAGE, "--jobs is a number from 1 to %d, not \"%.40s\"", JOBS_MAX, argument);
    ((struct selftest_settings *)settings)->jobs = (unsigned)jobs;
    return true;
}

static bool take_fault(void *settings, const char *argument, struct error *error)
{
    const struct fault *fault = ((struct selftest_settings *)settings)->only = fault_find(argument);
    return fault != NULL ||
           error_set(error, ERROR_USAGE, "there is no fault \"%.40s\"; see bottle-gate selftest --list", argument);
}

static const char *fault_name_at(size_t index)
{
    const struct fault *fault = fault_at(index);
    return fault != NULL ? fault->name : NULL;
}

static const struct command_option options[] = {
    { .name = "fault", .argument = "NAME", .help = "only this one", .take = take_fault, .word_at = fault_name_at },
    { .name = "list", .help = "tell which faults there are, and make none", .take = take_list },
    { .name = "jobs",
      .argument = "N",
      .help = "faults made side by side (default: two a processor)",
      .take = take_jobs },
    { .name = "json", .help = "for machines", .take = take_json },
    { .name = "markdown", .help = "the list as a table for a document", .take = take_markdown },
    { .name = "verbose", .letter = 'v', .help = "show what each run said", .take = take_verbose },
    { .name = "quiet", .letter = 'q', .help = "show only what went wrong", .take = take_quiet },
};

struct making {
    const struct fault *fault;
    pid_t pid; /* 0: not yet started, -1: done */
};

static size_t choose(const struct selftest_settings *settings, struct making **makings)
{
    size_t count = 1; /* the row without a fault, at least */
    const struct fault *fault;
    while (fault_at(count) != NULL)
        count++;
    *makings = calloc(count, sizeof **makings);
    size_t chosen = 0;
    for (size_t i = 0; *makings != NULL && (fault = fault_at(i)) != NULL; i++)
        if (settings->only == NULL || settings->only == fault)
            (*makings)[chosen++].fault = fault;
    return chosen;
}

/* Waits for one of them to end. */
static bool reap(struct making *makings, size_t count)
{
    pid_t ended;
    do
        ended = waitpid(-1, NULL, 0);
    while (ended < 0 && errno == EINTR);
    for (size_t i = 0; ended > 0 && i < count; i++)
        if (makings[i].pid == ended)
            makings[i].pid = -1;
    return ended > 0;
}

/* Makes them all, `jobs` at a time, and tells them in their order. */
static bool make_all(struct making *makings, struct fault_outcome *outcomes, size_t count, unsigned jobs,
                     struct selftest_output *output, struct error *error)
{
    size_t started = 0, ended = 0, told = 0;
    while (told < count) {
        for (; started < count && started - ended < jobs; started++)
            if ((makings[started].pid = fault_make(makings[started].fault, &outcomes[started], error)) < 0)
                return false;
        if (!reap(makings, started))
            return error_system(error, "can't wait for the processes that make faults");
        ended++;
        for (; told < started && makings[told].pid < 0; told++)
            selftest_tell(output, makings[told].fault, &outcomes[told]);
    }
    return true;
}

static int make_faults(const struct selftest_settings *settings, struct error *error)
{
    struct making *makings;
    size_t count = choose(settings, &makings), size = count * sizeof(struct fault_outcome);
    struct fault_outcome *outcomes = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (makings == NULL || outcomes == MAP_FAILED) {
        free(makings);
        error_set(error, ERROR_SYSTEM, "out of memory for the selftest");
        return -1;
    }
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    unsigned jobs = settings->jobs > 0                            ? settings->jobs
                    : processors > 0 && processors < JOBS_MAX / 2 ? 2 * (unsigned)processors
                                                                  : 4;
    struct selftest_output output;
    selftest_begin(&output, &settings->style);
    bool made = make_all(makings, outcomes, count, jobs, &output, error);
    bool good = selftest_end(&output);
    munmap(outcomes, size);
    free(makings);
    if (made && (fflush(stdout) != 0 || ferror(stdout)))
        made = error_set(error, ERROR_BROKEN, "can't write to standard output: what became of the faults is not told");
    return !made ? -1 : good ? EXIT_PASS : EXIT_BROKEN;
}

static int selftest_command(int argc, char **argv, struct error *error)
{
    struct selftest_settings settings = { 0 };
    bool helped;
    if (!command_parse(&command_selftest, argc, argv, &settings, &helped, error))
        return -1;
    if (helped)
        return EXIT_PASS;
    if (settings.list)
        return selftest_list(&settings.style) ? EXIT_PASS : EXIT_BROKEN;
    if (settings.style.markdown) {
        error_set(error, ERROR_USAGE, "--markdown goes with --list");
        return -1;
    }
    return preflight(&native_backend, NULL, error) ? make_faults(&settings, error) : -1;
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
