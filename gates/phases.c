/*
 * See phases.h. A pipe a phase, whose write end only the gate holds, tells the phase that the gate lives; one pipe for
 * all of them brings their progress, and its end is the end of the last of them.
 *
 * A control group for a phase's engine is made here, because the phase is no longer root of the host; it is removed when the phase has ended.
 * Processes that are in it then have outlived their namespaces, and the phase is broken.
 */
#include "phases.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "../launcher/control_group.h"
#include "../launcher/namespaces.h"
#include "../launcher/support/cleanup.h"
#include "../launcher/support/process.h"
#include "leftovers.h"

#define MACHINE_FLAGS      (CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS)
#define PHASE_FLAGS        (MACHINE_FLAGS | CLONE_NEWUSER | CLONE_NEWNET)
#define HANG_MICROSECONDS  180000000ull /* beyond all deadlines of a phase: a bound on hangs */
#define GROUP_MICROSECONDS 30000000ull  /* the same, for a control group to become empty */

static volatile sig_atomic_t phase_pids[PHASES_AT_ONCE];

/* A phase whose pipe has lost its writer knows that the gate is dead. */
static int lifelines[PHASES_AT_ONCE] = { -1, -1, -1 };

static struct control_group groups[PHASES_AT_ONCE];

static void close_lifelines(void)
{
    for (int k = 0; k < PHASES_AT_ONCE; k++)
        cleanup_close_fd(&lifelines[k]);
}

void phases_interrupt(void)
{
    for (int k = 0; k < PHASES_AT_ONCE; k++)
        if (phase_pids[k] > 0)
            kill((pid_t)phase_pids[k], SIGKILL);
}

void phases_kill(size_t index)
{
    if (phase_pids[index] > 0)
        kill((pid_t)phase_pids[index], SIGKILL);
}

/* In the new process: waits for its ids, becomes root of its namespaces, sees its own processes in /proc. */
static bool settle(int mapped, struct error *error)
{
    char go;
    if (read(mapped, &go, 1) != 1)
        return error_set(error, ERROR_SYSTEM, "the gate ended before the phase began");
    if (setresgid(0, 0, 0) != 0 || setresuid(0, 0, 0) != 0)
        return error_system(error, "can't become root of the site");
    /* A change of ids makes /proc/self belong to somebody else; the maps of the bottle are written through
     * it. */
    prctl(PR_SET_DUMPABLE, 1);
    process_die_with_parent(mapped);
    if (setsid() < 0)
        return error_system(error, "can't start a session");
    if (mount("", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0)
        return error_system(error, "can't make the site's mounts private");
    if (mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) != 0)
        return error_set(error, ERROR_HOST,
                         "can't mount /proc for the site (%s): parts of this container's /proc are masked; run where "
                         "/proc is whole (docker: --security-opt systempaths=unconfined)",
                         strerror(errno));
    return true;
}

/* Where none can be made there is none, and the report says so. */
static void make_group(const struct phase_job *job, struct control_group *group)
{
    static unsigned made;
    char own[4096], name[80];
    const struct backend *backend = job->options.backend;
    *group = (struct control_group){ 0 };
    if (backend->engine_mebibytes == 0 || job->options.kind == PHASE_BARE || job->options.machine != NULL ||
        !file_read("/proc/self/cgroup", own, sizeof own))
        return;
    snprintf(name, sizeof name, LEFTOVER_GROUP "%s-%u", job->options.plan->run, made++);
    control_group_make(group, CONTROL_GROUP_ROOT, own, name, backend->engine_mebibytes, backend->engine_processes);
}

static void end_group(struct phase_result *result, struct control_group *group)
{
    if (control_group_end(group, clock_microseconds() + GROUP_MICROSECONDS))
        return;
    if (!result->broken)
        snprintf(result->broken_text, sizeof result->broken_text,
                 "the control group of the phase's engine can't be removed: something of it lives on");
    result->broken = true;
}

static pid_t start_phase(const struct phase_job *job, const struct control_group *group, int progress, int *lifeline,
                         struct error *error)
{
    int mapped[2];
    if (pipe2(mapped, O_CLOEXEC) != 0) {
        error_system(error, "can't make a pipe");
        return -1;
    }
    job->result->state = PHASE_RUNNING; /* a process that dies before it says anything was not left out on purpose */
    bool sealed = job->options.machine == NULL;
    pid_t pid = namespaces_fork(sealed ? PHASE_FLAGS : MACHINE_FLAGS, error);
    if (pid == 0) {
        close(mapped[1]);
        close_lifelines();
        for (int number = 1; number < NSIG; number++)
            signal(number, SIG_DFL);
        signal(SIGPIPE, SIG_IGN);
        job->result->state = PHASE_FAILED;
        struct phase_options options = job->options;
        options.group = group->count > 0 ? group : NULL;
        if (settle(mapped[0], &job->result->error))
            phase_run(&options, job->result, progress);
        _exit(0);
    }
    close(mapped[0]);
    *lifeline = mapped[1];
    if (pid > 0 && ((sealed && !namespaces_map_ids(pid, 0, error)) || !write_all(mapped[1], "", 1))) {
        process_kill(pid);
        pid = -1;
    }
    return pid;
}

/* Reads progress lines until every phase has ended (the pipe's last writer is gone) or the time is up. */
static bool follow_progress(int pipe, void (*progress)(const char *, void *), void *context, uint64_t deadline)
{
    char lines[1024];
    size_t used = 0;
    for (;;) {
        struct pollfd event = { .fd = pipe, .events = POLLIN };
        int ready = poll(&event, 1, clock_poll_timeout(deadline));
        if (ready < 0 && errno == EINTR)
            continue;
        if (ready <= 0)
            return false;
        ssize_t got = read(pipe, lines + used, sizeof lines - 1 - used);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return got == 0;
        used += (size_t)got;
        lines[used] = '\0';
        char *start = lines, *end;
        while ((end = strchr(start, '\n')) != NULL) {
            *end = '\0';
            if (progress != NULL)
                progress(start, context);
            start = end + 1;
        }
        used = strlen(start);
        memmove(lines, start, used + 1);
        if (used == sizeof lines - 1)
            used = 0;
    }
}

static bool run_at_once(const struct phase_job *jobs, size_t count, void (*progress)(const char *line, void *context),
                        void *context, struct error *error)
{
    int steps[2];
    bool started = true;
    uint64_t milliseconds = 0;
    if (pipe2(steps, O_CLOEXEC) != 0)
        return error_system(error, "can't make a pipe");
    for (size_t k = 0; k < count && started; k++) {
        make_group(&jobs[k], &groups[k]);
        phase_pids[k] = start_phase(&jobs[k], &groups[k], steps[1], &lifelines[k], error);
        started = phase_pids[k] > 0;
        milliseconds += jobs[k].options.deadline_milliseconds + 2ull * jobs[k].options.backend->command_milliseconds;
    }
    close(steps[1]);
    uint64_t deadline = clock_microseconds() + milliseconds * 4000 + HANG_MICROSECONDS;
    bool ended = started && follow_progress(steps[0], progress, context, deadline);
    close(steps[0]);
    for (size_t k = 0; k < count && k < PHASES_AT_ONCE; k++) {
        pid_t pid = (pid_t)phase_pids[k];
        if (pid > 0 && ended)
            process_wait(pid, deadline, NULL);
        else
            process_kill(pid);
        phase_pids[k] = 0;
        end_group(jobs[k].result, &groups[k]);
    }
    close_lifelines();
    return started;
}

bool phases_lack(const struct phase_result *result)
{
    return result->state == PHASE_FAILED && result->error.code == ERROR_HOST;
}

static bool any_lacks(const struct phase_job *jobs, size_t count)
{
    for (size_t k = 0; k < count; k++)
        if (phases_lack(jobs[k].result))
            return true;
    return false;
}

bool phases_run(const struct phase_job *jobs, size_t count, void (*progress)(const char *line, void *context),
                void *context, struct error *error)
{
    for (size_t done = 0, now; done < count && !any_lacks(jobs, done); done += now) {
        now = phases_room(&jobs[done], count - done);
        if (!run_at_once(&jobs[done], now, progress, context, error))
            return false;
    }
    return true;
}
