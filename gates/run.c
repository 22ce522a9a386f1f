/*
 * See run.h. The gate's main process holds no key and opens no network: it makes the plan, forks one process
 * a phase (PID 1 of fresh namespaces, killed by the kernel when the gate dies), reads their progress until
 * the last one has ended, and then gathers, judges and sums up what they left in memory shared with it. The
 * phases run side by side: each has a site of its own, so they can't disturb each other, and a run costs
 * about as long as its longest phase.
 */
#include "run.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "../launcher/namespaces.h"
#include "../launcher/support/cleanup.h"
#include "../launcher/support/install.h"
#include "../launcher/support/process.h"
#include "../probes/sha256.h"
#include "verdict.h"

#define PHASE_FLAGS       (CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS)
#define HANG_MICROSECONDS 180000000ull /* beyond all deadlines of a phase: a bound on hangs */

static volatile sig_atomic_t phase_pids[PHASES];

/* Write ends of pipes that only the gate holds; a phase whose pipe has lost its writer knows that the gate is
 * dead. */
static int lifelines[PHASES] = { -1, -1, -1 };

static void close_lifelines(void)
{
    for (int k = 0; k < PHASES; k++)
        cleanup_close_fd(&lifelines[k]);
}

void run_interrupt(void)
{
    for (int k = 0; k < PHASES; k++)
        if (phase_pids[k] > 0)
            kill((pid_t)phase_pids[k], SIGKILL);
}

/* The probe and bottle-init as open files: a phase of root's has another uid than the files' directory may
 * ask for. */
struct binaries {
    int probe, init;
    char probe_path[32], init_path[32];
};

static bool open_binary(const char *name, int *fd, char path[32], struct error *error)
{
    char found[PATH_MAX];
    if (!install_find(name, found, error))
        return false;
    *fd = open(found, O_RDONLY | O_CLOEXEC);
    if (*fd < 0)
        return error_system(error, "can't open %.200s", found);
    snprintf(path, 32, "/proc/self/fd/%d", *fd);
    return true;
}

static bool digest_of(int fd, char text[65], struct error *error)
{
    struct sha256 hash;
    char block[65536];
    ssize_t got;
    sha256_start(&hash);
    for (off_t at = 0; (got = pread(fd, block, sizeof block, at)) > 0; at += got)
        sha256_add(&hash, block, (size_t)got);
    if (got < 0)
        return error_system(error, "can't read the probe");
    sha256_end_hex(&hash, text);
    return true;
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

static pid_t start_phase(const struct phase_options *options, struct phase_result *result, int progress,
                         struct error *error)
{
    int mapped[2];
    if (pipe2(mapped, O_CLOEXEC) != 0) {
        error_system(error, "can't make a pipe");
        return -1;
    }
    pid_t pid = namespaces_fork(PHASE_FLAGS, error);
    if (pid == 0) {
        close(mapped[1]);
        close_lifelines();
        for (int number = 1; number < NSIG; number++)
            signal(number, SIG_DFL);
        signal(SIGPIPE, SIG_IGN);
        result->state = PHASE_FAILED;
        if (settle(mapped[0], &result->error))
            phase_run(options, result, progress);
        _exit(0);
    }
    close(mapped[0]);
    lifelines[options->kind] = mapped[1];
    if (pid > 0 && (!namespaces_map_ids(pid, 0, error) || !write_all(mapped[1], "", 1))) {
        process_kill(pid);
        pid = -1;
    }
    return pid;
}

/* Reads progress lines until every phase has ended (the pipe's last writer is gone) or the time is up. */
static bool follow_progress(const struct run_options *options, int progress, uint64_t deadline)
{
    char lines[1024];
    size_t used = 0;
    for (;;) {
        struct pollfd event = { .fd = progress, .events = POLLIN };
        int ready = poll(&event, 1, clock_poll_timeout(deadline));
        if (ready < 0 && errno == EINTR)
            continue;
        if (ready <= 0)
            return false;
        ssize_t got = read(progress, lines + used, sizeof lines - 1 - used);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return got == 0;
        used += (size_t)got;
        lines[used] = '\0';
        char *start = lines, *end;
        while ((end = strchr(start, '\n')) != NULL) {
            *end = '\0';
            if (options->progress != NULL)
                options->progress(start, options->context);
            start = end + 1;
        }
        used = strlen(start);
        memmove(lines, start, used + 1);
        if (used == sizeof lines - 1)
            used = 0;
    }
}

static uint32_t fences_without(const struct run_options *options)
{
    if (options->mutant < 0)
        return 0;
    return 1u << options->mutant | options->backend->fences[options->mutant].masked_by;
}

static bool run_phases(struct run *run, const struct binaries *binaries, bool ipv6, struct error *error)
{
    const struct run_options *options = &run->options;
    struct phase_options phases[PHASES];
    int progress[2];
    bool started = true;
    if (pipe2(progress, O_CLOEXEC) != 0)
        return error_system(error, "can't make a pipe");
    for (int k = 0; k < PHASES && started; k++) {
        phases[k] = (struct phase_options){
            .kind = (enum phase_kind)k,
            .plan = &run->plan,
            .backend = options->backend,
            .without = fences_without(options),
            .deadline_milliseconds = options->deadline_milliseconds,
            .ipv6 = ipv6,
            .fault = options->fault,
            .probe_path = binaries->probe_path,
            .init_path = binaries->init_path,
        };
        memcpy(phases[k].principals, options->principals, sizeof phases[k].principals);
        if (k != PHASE_FENCED && !options->self_proof)
            continue;
        phase_pids[k] = start_phase(&phases[k], &run->phases[k], progress[1], error);
        started = phase_pids[k] > 0;
    }
    close(progress[1]);
    uint64_t deadline = clock_microseconds() + options->deadline_milliseconds * 4000ull + HANG_MICROSECONDS;
    bool ended = started && follow_progress(options, progress[0], deadline);
    close(progress[0]);
    for (int k = 0; k < PHASES; k++) {
        pid_t pid = (pid_t)phase_pids[k];
        if (pid > 0 && ended)
            process_wait(pid, deadline, NULL);
        else
            process_kill(pid);
        phase_pids[k] = 0;
    }
    close_lifelines();
    for (int k = 0; k < PHASES && started; k++)
        if (run->phases[k].state == PHASE_FAILED && run->phases[k].error.code == ERROR_HOST)
            return error_set(error, ERROR_HOST, "%s", run->phases[k].error.text);
    return started;
}

static void judge_all(struct run *run)
{
    for (int principal = 0; principal < PRINCIPALS; principal++)
        for (uint16_t seq = 1; run->options.principals[principal] && seq <= run->plan.count; seq++) {
            struct run_attempt_result *attempt = &run->attempts[run->attempt_count++];
            attempt->seq = seq;
            attempt->principal = (enum principal)principal;
            evidence_gather(&run->findings, seq, attempt->principal, &attempt->evidence);
            attempt->judgement = judge(&attempt->evidence);
        }
    verdict_on_run(run);
}

static bool execute(struct run *run, struct error *error)
{
    struct utsname host;
    uname(&host);
    snprintf(run->kernel, sizeof run->kernel, "%.64s", host.release);
    snprintf(run->arch, sizeof run->arch, "%.64s", host.machine);
    bool ipv6 = access("/proc/net/if_inet6", F_OK) == 0;
    if (!plan_make(&run->plan, run->options.vectors, run->options.vector_count, ipv6, error))
        return false;

    struct binaries binaries = { -1, -1, "", "" };
    run->findings = (struct findings){ .plan = &run->plan, .backend = run->options.backend, .shares_kernel = true };
    memcpy(run->findings.kernel, run->kernel, sizeof run->findings.kernel);
    run->attempts = calloc((size_t)PRINCIPALS * PLAN_ATTEMPTS_MAX, sizeof *run->attempts);
    run->phases = mmap(NULL, PHASES * sizeof *run->phases, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (run->phases == MAP_FAILED || run->attempts == NULL)
        return error_set(error, ERROR_SYSTEM, "out of memory for the run");
    for (int k = 0; k < PHASES; k++)
        run->findings.phases[k] = &run->phases[k];
    bool done = open_binary("bottle-probe", &binaries.probe, binaries.probe_path, error) &&
                open_binary("bottle-init", &binaries.init, binaries.init_path, error) &&
                digest_of(binaries.probe, run->findings.probe_digest, error);
    uint64_t began = clock_microseconds();
    clock_gettime(CLOCK_REALTIME, &run->started);
    done = done && run_phases(run, &binaries, ipv6, error);
    clock_gettime(CLOCK_REALTIME, &run->finished);
    run->milliseconds = (clock_microseconds() - began) / 1000;
    cleanup_close_fd(&binaries.probe);
    cleanup_close_fd(&binaries.init);
    if (done)
        judge_all(run);
    return done;
}

struct run *run_execute(const struct run_options *options, struct error *error)
{
    struct run *run = calloc(1, sizeof *run);
    if (run == NULL) {
        error_set(error, ERROR_SYSTEM, "out of memory for the run");
        return NULL;
    }
    run->options = *options;
    run->phases = MAP_FAILED;
    if (execute(run, error))
        return run;
    run_free(run);
    return NULL;
}

void run_free(struct run *run)
{
    if (run == NULL)
        return;
    if (run->phases != MAP_FAILED)
        munmap(run->phases, PHASES * sizeof *run->phases);
    free(run->attempts);
    free(run);
}
