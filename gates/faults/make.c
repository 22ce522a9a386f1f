/* See make.h. */
#include "make.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../launcher/support/process.h"
#include "../phases.h"
#include "../residue.h"
#include "../run.h"
#include "backends.h"

#define ORPHANS_SECONDS 30 /* a bound on hangs */

const uint16_t fault_vectors[] = { 20, 28, 49, 62, 112, 114, 116 };
const size_t fault_vector_count = sizeof fault_vectors / sizeof *fault_vectors;

static void watch_progress(const char *line, void *context)
{
    const struct fault *fault = context;
    if (fault->phase_dies_at != NULL && strstr(line, fault->phase_dies_at) != NULL)
        phases_kill((size_t)(fault->phase_dies_at[0] == 'b'   ? PHASE_BARE
                             : fault->phase_dies_at[0] == 'o' ? PHASE_OPEN
                                                              : PHASE_FENCED));
}

static void run_here(const struct fault *fault, struct fault_outcome *outcome)
{
    struct error error = { 0 };
    struct run_options options = { .backend =
                                       fault->backend != NULL ? backends_native_but(fault->backend) : &native_backend,
                                   .principals = { true, true },
                                   .deadline_milliseconds = 2000,
                                   .self_proof = SELF_PROOF_OPEN,
                                   .sweep = fault->sweep ? SWEEP_SAMPLE : SWEEP_OFF,
                                   .mutant = -1,
                                   .fault = fault,
                                   .progress = watch_progress,
                                   .context = (void *)(uintptr_t)fault };
    memcpy(options.vectors, fault_vectors, sizeof fault_vectors);
    options.vector_count = fault_vector_count;
    if (fault->sweep)
        options.vectors[options.vector_count++] = FAULT_VECTOR_SWEEP;
    struct run *run = run_execute(&options, &error);
    outcome->status = run != NULL ? run_verdict_exit(run->verdict) : error.code == ERROR_HOST ? 4 : 3;
    snprintf(outcome->reason, sizeof outcome->reason, "%.255s", run != NULL ? run->reason : error.text);
    run_free(run);
}

static void stop_waiting(int number)
{
    (void)number;
}

/* What a killed gate leaves ends by itself; it only takes the kernel a moment. What doesn't is told as residue. */
static void await_orphans(void)
{
    struct sigaction wake = { .sa_handler = stop_waiting };
    sigaction(SIGALRM, &wake, NULL);
    alarm(ORPHANS_SECONDS);
    while (waitpid(-1, NULL, 0) > 0)
        ;
    alarm(0);
}

static void make_it(const struct fault *fault, struct fault_outcome *outcome)
{
    struct error error = { 0 };
    struct residue before;
    uint64_t began = clock_microseconds();
    bool prepared = fault_prepare(fault, &error);
    residue_look(&before);
    if (prepared && fault->stream.how == TAMPER_REPLAY && fault->stream.number == REPLAY_OF_OLDER_RUN)
        run_here(&fault_keeper, outcome);
    if (!prepared || (fault->report.used && !directory_run(fault, outcome, &error)) ||
        (fault->command.used && !fault->report.used && !program_run(fault, NULL, outcome, &error))) {
        outcome->status = 3;
        snprintf(outcome->reason, sizeof outcome->reason, "%.255s", error.text);
    } else if (!fault->command.used) {
        run_here(fault, outcome);
    }
    if (fault->command.signal == SIGKILL)
        await_orphans();
    residue_none(&before, outcome->left, sizeof outcome->left);
    outcome->milliseconds = (clock_microseconds() - began) / 1000;
    outcome->made = true;
}

pid_t fault_make(const struct fault *fault, struct fault_outcome *outcome, struct error *error)
{
    *outcome = (struct fault_outcome){ .skipped = fault_impossible(fault) };
    pid_t pid = fork();
    if (pid < 0)
        error_system(error, "can't start the process that makes a fault");
    if (pid != 0)
        return pid;
    process_die_with_parent(-1);
    signal(SIGPIPE, SIG_IGN);
    residue_keep_apart();
    if (outcome->skipped == NULL)
        make_it(fault, outcome);
    _exit(0);
}

bool fault_is_as_it_must(const struct fault *fault, const struct fault_outcome *outcome, char *why, size_t size)
{
    why[0] = '\0';
    if (outcome->skipped != NULL)
        return true;
    if (!outcome->made)
        snprintf(why, size, "the process that made it died");
    else if (outcome->status != fault->exit && (fault->also == 0 || outcome->status != fault->also))
        snprintf(why, size, "it must end with %d", fault->exit);
    else if (fault->says != NULL && strstr(outcome->reason, fault->says) == NULL)
        snprintf(why, size, "it must say \"%s\"", fault->says);
    else if (outcome->left[0] != '\0')
        snprintf(why, size, "nothing may be left behind");
    return why[0] == '\0';
}
