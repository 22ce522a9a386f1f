/*
 * See run.h. The gate's main process holds no key and opens no network: it makes the plan, runs the phases (phases.h),
 * and then gathers, judges and sums up what they left in memory shared with it. Mutants are phases as well: the fenced
 * run once more, with fences left out (self_proof.h).
 */
#include "run.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "../launcher/support/cleanup.h"
#include "../launcher/support/install.h"
#include "../launcher/support/process.h"
#include "../probes/sha256.h"
#include "on_machine.h"
#include "phases.h"
#include "verdict.h"
#include "witness/vsock_owned.h"

void run_interrupt(void)
{
    phases_interrupt();
}

/* The programs that go into a bottle, as open files: a phase of root's has another uid than the files' directory may
 * ask for. */
struct binaries {
    int probe, init, step;
    char probe_path[32], init_path[32], step_path[32];
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

static uint32_t fences_without(const struct run_options *options)
{
    if (options->mutant < 0)
        return 0;
    return 1u << options->mutant | self_proof_masks(options, (size_t)options->mutant);
}

bool run_makes_phase(const struct run_options *options, enum phase_kind phase)
{
    static const enum self_proof least[PHASES] = {
        [PHASE_BARE] = SELF_PROOF_BARE, [PHASE_OPEN] = SELF_PROOF_OPEN, [PHASE_FENCED] = SELF_PROOF_OFF
    };
    return options->self_proof >= least[phase];
}

static bool run_phases(struct run *run, const struct phase_options *common, struct error *error)
{
    const struct run_options *options = &run->options;
    struct phase_job jobs[PHASES];
    size_t count = 0;
    for (int k = 0; k < PHASES; k++) {
        if (!run_makes_phase(options, (enum phase_kind)k))
            continue;
        struct phase_job *job = &jobs[count++];
        *job = (struct phase_job){ *common, &run->phases[k] };
        job->options.kind = (enum phase_kind)k;
        job->options.without = fences_without(options);
        job->options.sweep_whole = k == PHASE_FENCED && options->mutant < 0;
        snprintf(job->options.label, sizeof job->options.label, "%s", phase_name((enum phase_kind)k));
    }
    return phases_run(jobs, count, options->progress, options->context, error);
}

/* Where a bottle's ids are one id outside, whatever only file permissions would stop is open to all of them alike. */
static void note_shared_uid(struct run *run)
{
    const struct phase_result *fenced = &run->phases[PHASE_FENCED];
    if (fenced->host_uids_known && fenced->host_uids[PRINCIPAL_USER] == fenced->host_uids[PRINCIPAL_ROOT] &&
        plan_has(&run->plan, 112))
        plan_note_unproved(&run->plan, 112,
                           "what file permissions alone would stop: user, root and the gate are one uid here");
}

/* What only the phases could find out about this host. */
static void note_host(struct run *run)
{
    const struct phase_result *fenced = &run->phases[PHASE_FENCED];
    if (fenced->no_sockets[0] != '\0' && plan_has(&run->plan, 1))
        plan_note_unproved(&run->plan, 1, fenced->no_sockets);
    note_shared_uid(run);
}

void run_judge(struct run *run)
{
    for (int principal = 0; principal < PRINCIPALS; principal++)
        for (uint16_t seq = 1; run->options.principals[principal] && seq <= run->plan.count; seq++) {
            struct run_attempt_result *attempt = &run->attempts[run->attempt_count++];
            attempt->seq = seq;
            attempt->principal = (enum principal)principal;
            evidence_gather(&run->findings, seq, attempt->principal, &attempt->evidence);
            attempt->judgement = judge(&attempt->evidence);
        }
    self_proof_judge(run);
    verdict_on_run(run);
}

/* What this host lacks for a run is said in place of a verdict, but never in place of an escape that was heard. */
static bool is_whole(const struct run *run, struct error *error)
{
    for (size_t k = 0; k < PHASE_RESULTS && run->verdict != RUN_FAIL; k++)
        if (phases_lack(&run->phases[k]))
            return error_set(error, ERROR_HOST, "%s", run->phases[k].error.text);
    return true;
}

static bool execute(struct run *run, struct error *error)
{
    struct utsname host;
    uname(&host);
    snprintf(run->kernel, sizeof run->kernel, "%.64s", host.release);
    snprintf(run->arch, sizeof run->arch, "%.64s", host.machine);
    struct error no_vsock = { 0 };
    bool ipv6 = access("/proc/net/if_inet6", F_OK) == 0, vsock = vsock_owned(&no_vsock);
    struct plan_wishes wishes = { .vectors = run->options.vectors,
                                  .vector_count = run->options.vector_count,
                                  .ipv6 = ipv6,
                                  .no_vsock = vsock ? NULL : no_vsock.text,
                                  .peer4 = run->options.backend->peer4,
                                  .peer6 = run->options.backend->peer6,
                                  .sweep = run->options.sweep,
                                  .machine = run->options.site == SITE_HOST ? &run->places : NULL };
    cleanup_machine struct on_machine on = { .guardian = -1, .lock = -1 };
    if (run->options.site == SITE_HOST) {
        on_machine_places(run->options.backend, &run->places);
        wishes.no_vsock = "vsock leads to the hypervisor: --site=host sends nothing there";
    }
    if (!plan_make(&run->plan, &wishes, error) ||
        (run->options.site == SITE_HOST && !on_machine_begin(&on, run->options.backend, run->plan.run, error)))
        return false;

    struct binaries binaries = { -1, -1, -1, "", "", "" };
    memcpy(run->findings.kernel, run->kernel, sizeof run->findings.kernel);
    file_read("/proc/sys/kernel/random/boot_id", run->findings.boot_id, sizeof run->findings.boot_id);
    bool done = open_binary("bottle-probe", &binaries.probe, binaries.probe_path, error) &&
                open_binary("bottle-init", &binaries.init, binaries.init_path, error) &&
                open_binary("bottle-step", &binaries.step, binaries.step_path, error) &&
                digest_of(binaries.probe, run->findings.probe_digest, error);
    uint64_t began = clock_microseconds();
    clock_gettime(CLOCK_REALTIME, &run->started);
    struct phase_options common = { .plan = &run->plan,
                                    .backend = run->options.backend,
                                    .policy = run->options.policy,
                                    .deadline_milliseconds = run->options.deadline_milliseconds,
                                    .at_once = run->options.site == SITE_HOST ? 1 : run->options.jobs,
                                    .machine = run->options.site == SITE_HOST ? &on.machine : NULL,
                                    .ipv6 = ipv6,
                                    .no_ping = run->places.no_ping,
                                    .vsock = plan_has(&run->plan, 106),
                                    .fault = run->options.fault,
                                    .probe_path = binaries.probe_path,
                                    .init_path = binaries.init_path,
                                    .step_path = binaries.step_path };
    memcpy(common.principals, run->options.principals, sizeof common.principals);
    done = done && run_phases(run, &common, error) &&
           (run->options.self_proof != SELF_PROOF_EACH || self_proof_run(run, &common, error));
    clock_gettime(CLOCK_REALTIME, &run->finished);
    run->milliseconds = (clock_microseconds() - began) / 1000;
    cleanup_close_fd(&binaries.probe);
    cleanup_close_fd(&binaries.init);
    cleanup_close_fd(&binaries.step);
    if (run->options.site == SITE_HOST && !on_machine_end(&on, run->phases[PHASE_FENCED].broken_text))
        run->phases[PHASE_FENCED].broken = true;
    if (!done)
        return false;
    note_host(run);
    run_judge(run);
    return is_whole(run, error);
}

struct run *run_new(const struct run_options *options, struct error *error)
{
    struct run *run = calloc(1, sizeof *run);
    if (run == NULL) {
        error_set(error, ERROR_SYSTEM, "out of memory for the run");
        return NULL;
    }
    run->options = *options;
    run->attempts = calloc((size_t)PRINCIPALS * PLAN_ATTEMPTS_MAX, sizeof *run->attempts);
    run->phases =
        mmap(NULL, PHASE_RESULTS * sizeof *run->phases, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    run->findings = (struct findings){ .plan = &run->plan,
                                       .backend = options->backend,
                                       .shares_kernel = !options->backend->own_kernel,
                                       /* Never where it was to be made and left nothing. */
                                       .open_accepted = options->accept_open && !run_makes_phase(options, PHASE_OPEN) };
    if (run->phases == MAP_FAILED || run->attempts == NULL) {
        error_set(error, ERROR_SYSTEM, "out of memory for the run");
        run_free(run);
        return NULL;
    }
    for (int k = 0; k < PHASES; k++)
        run->findings.phases[k] = &run->phases[k];
    return run;
}

struct run *run_execute(const struct run_options *options, struct error *error)
{
    struct run *run = run_new(options, error);
    if (run != NULL && execute(run, error))
        return run;
    run_free(run);
    return NULL;
}

void run_free(struct run *run)
{
    if (run == NULL)
        return;
    if (run->phases != MAP_FAILED)
        munmap(run->phases, PHASE_RESULTS * sizeof *run->phases);
    free(run->attempts);
    free(run);
}
