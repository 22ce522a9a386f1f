/* See self_proof.h. A pair's runs are fenced runs like any other, judged by the same judge against the same bare and
 * open runs; only what is expected of them differs. */
#include "self_proof.h"

#include <stdio.h>
#include <string.h>

#include "phases.h"
#include "run.h"

static bool stops(const struct run *run, const struct fence *fence, const struct run_attempt *attempt)
{
    const struct backend *backend = run->options.backend;
    for (const uint16_t *id = fence->vectors; *id != 0; id++)
        if (*id == attempt->vector->id)
            return backend->fence_stops == NULL || backend->fence_stops((size_t)(fence - backend->fences), *id,
                                                                        attempt->address, attempt->target->port);
    return false;
}

bool self_proof_has(const struct run_options *options, size_t fence)
{
    return (backend_policy_fences(options->backend, options->policy) >> fence & 1) != 0;
}

uint32_t self_proof_masks(const struct run_options *options, size_t fence)
{
    return options->backend->fences[fence].masked_by & backend_policy_fences(options->backend, options->policy);
}

/* What gets out without it may look like this or not: nothing is expected of it. */
static bool stops_partly(const struct backend *backend, size_t fence, uint16_t vector)
{
    const uint16_t *ids = backend->partly != NULL ? backend->partly[fence] : NULL;
    for (; ids != NULL && *ids != 0; ids++)
        if (*ids == vector)
            return true;
    return false;
}

bool self_proof_exercised(const struct run *run, const struct fence *fence)
{
    for (uint16_t i = 0; i < run->plan.count; i++)
        if (stops(run, fence, &run->plan.attempts[i]))
            return true;
    return false;
}

bool self_proof_leaves_out(const struct run *run, size_t fence)
{
    return self_proof_has(&run->options, fence) && !self_proof_exercised(run, &run->options.backend->fences[fence]);
}

static void add_job(struct run *run, const struct phase_options *common, const struct fence *fence, bool with,
                    size_t result, struct phase_job *job)
{
    size_t index = (size_t)(fence - run->options.backend->fences);
    *job = (struct phase_job){ *common, &run->phases[result] };
    job->options.kind = PHASE_FENCED;
    job->options.without = self_proof_masks(&run->options, index) | (with ? 0 : 1u << index);
    job->options.fault = NULL;
    snprintf(job->options.label, sizeof job->options.label, "%s %.20s", with ? "only" : "without", fence->name);
}

size_t self_proof_pairs(struct run *run)
{
    const struct backend *backend = run->options.backend;
    size_t result = PHASES;
    run->pair_count = 0;
    for (size_t i = 0; i < backend->fence_count && run->pair_count < FENCES_MAX; i++) {
        if (!self_proof_has(&run->options, i) || !self_proof_exercised(run, &backend->fences[i]))
            continue;
        struct fence_pair *pair = &run->pairs[run->pair_count++];
        *pair = (struct fence_pair){ .fence = i, .with = PHASE_FENCED, .without = result++ };
        if (self_proof_masks(&run->options, i) != 0)
            pair->with = result++;
    }
    return result;
}

bool self_proof_run(struct run *run, const struct phase_options *common, struct error *error)
{
    struct phase_job jobs[2 * FENCES_MAX];
    size_t count = 0;
    self_proof_pairs(run);
    for (size_t i = 0; i < run->pair_count; i++) {
        const struct fence_pair *pair = &run->pairs[i];
        const struct fence *fence = &run->options.backend->fences[pair->fence];
        add_job(run, common, fence, false, pair->without, &jobs[count++]);
        if (pair->with != PHASE_FENCED)
            add_job(run, common, fence, true, pair->with, &jobs[count++]);
    }
    return phases_run(jobs, count, run->options.progress, run->options.context, error);
}

/* What the bottle's make or its kernel lacks stays in without any fence, as the judge found by the open run: no fence is asked for it. */
static bool stays_in_anyway(const struct run *run, uint16_t seq, enum principal principal)
{
    struct evidence evidence;
    evidence_gather(&run->findings, seq, principal, &evidence);
    enum how how = judge(&evidence).how;
    return how == HOW_STRUCTURE || how == HOW_UNSUPPORTED;
}

/* Notes what is wrong with an attempt of one run of the pair. Its own vectors must be blocked with the fence and escape
 * without it. The others must stay blocked without it, but for those of which nothing is expected; where masking fences were left out as well, that says
 * nothing. */
static void expect(const struct run *run, struct fence_pair *pair, bool with, uint16_t seq, enum principal principal)
{
    const struct fence *fence = &run->options.backend->fences[pair->fence];
    const struct run_attempt *attempt = &run->plan.attempts[seq - 1];
    bool its_own = stops(run, fence, attempt) && !stays_in_anyway(run, seq, principal);
    if (!its_own && (with || self_proof_masks(&run->options, pair->fence) != 0 ||
                     stops_partly(run->options.backend, pair->fence, attempt->vector->id)))
        return;
    struct findings findings = run->findings;
    struct evidence evidence;
    findings.phases[PHASE_FENCED] = &run->phases[with ? pair->with : pair->without];
    evidence_gather(&findings, seq, principal, &evidence);
    struct judgement judgement = judge(&evidence);
    if (its_own && !with) {
        pair->planned++;
        pair->escaped += judgement.verdict == VERDICT_ESCAPED;
    }
    if (judgement.verdict == (its_own && !with ? VERDICT_ESCAPED : VERDICT_BLOCKED) || pair->reason[0] != '\0')
        return;
    char target[160];
    plan_describe_target(&run->plan, seq, principal, target, sizeof target);
    snprintf(pair->reason, sizeof pair->reason, "%s it, BG-%03u %.60s as %s is %s (%.60s)", with ? "with" : "without",
             attempt->vector->id, target, principal_name(principal), verdict_name(judgement.verdict),
             judge_reason_text(judgement.reason));
}

static void judge_pair(struct run *run, struct fence_pair *pair)
{
    for (int with = 1; with >= 0; with--) {
        const struct phase_result *result = &run->phases[with ? pair->with : pair->without];
        if (result->state == PHASE_FAILED || result->state == PHASE_ABSENT)
            snprintf(pair->reason, sizeof pair->reason, "its run %s it could not be made: %.120s",
                     with ? "with" : "without", result->error.text);
        for (int principal = 0; principal < PRINCIPALS; principal++)
            for (uint16_t seq = 1; run->options.principals[principal] && seq <= run->plan.count; seq++)
                expect(run, pair, with == 1, seq, (enum principal)principal);
    }
    if (pair->reason[0] == '\0' && pair->planned == 0)
        snprintf(pair->reason, sizeof pair->reason, "none of its vectors gets out of an open bottle either");
    pair->proved = pair->reason[0] == '\0' && pair->escaped > 0;
}

void self_proof_judge(struct run *run)
{
    for (size_t i = 0; i < run->pair_count; i++)
        judge_pair(run, &run->pairs[i]);
}

const struct fence_pair *self_proof_void(const struct run *run)
{
    for (size_t i = 0; i < run->pair_count; i++)
        if (!run->pairs[i].proved)
            return &run->pairs[i];
    return NULL;
}
