/* The verdict on a run from the judgements on its attempts. An escape is always told: 1 goes before 3
 * before 2. A run with nothing to judge proves nothing, and a mutant is never a PASS: a fence was left out on
 * purpose. */
#include "run.h"

#include <stdio.h>

#include "verdict.h"

const char *run_verdict_name(enum run_verdict verdict)
{
    switch (verdict) {
    case RUN_PASS:
        return "PASS";
    case RUN_FAIL:
        return "FAIL";
    case RUN_BROKEN:
        return "BROKEN";
    case RUN_VOID:
        return "VOID";
    default:
        return "INCONCLUSIVE";
    }
}

int run_verdict_exit(enum run_verdict verdict)
{
    switch (verdict) {
    case RUN_PASS:
        return 0;
    case RUN_FAIL:
        return 1;
    case RUN_BROKEN:
    case RUN_VOID:
        return 3;
    default:
        return 2;
    }
}

/* Is any vector that the fence stops in this run's plan? */
static bool fence_is_exercised(const struct run *run, const struct fence *fence)
{
    for (const uint16_t *id = fence->vectors; *id != 0; id++)
        for (uint16_t i = 0; i < run->plan.count; i++)
            if (run->plan.attempts[i].vector->id == *id)
                return true;
    return false;
}

static void judge_mutant(struct run *run)
{
    const struct fence *fence = &run->options.backend->fences[run->options.mutant];
    if (!fence_is_exercised(run, fence)) {
        run->verdict = RUN_INCONCLUSIVE;
        snprintf(run->reason, sizeof run->reason,
                 "the fence `%s` was left out, and no vector of this run exercises it: nothing is proved", fence->name);
    } else {
        run->verdict = RUN_VOID;
        snprintf(run->reason, sizeof run->reason,
                 "the fence `%s` was left out and nothing got out: it is not what keeps these vectors in", fence->name);
    }
}

/* Where nothing wrong with the whole run is known: how a probe's records fell short, or else the judge's words on the
 * first attempt that isn't BLOCKED. */
static void explain_by_attempt(struct run *run)
{
    size_t size = sizeof run->reason;
    for (int k = 0; k < PHASES; k++)
        for (int p = 0; p < PRINCIPALS; p++) {
            const struct principal_result *own = &run->phases[k].principals[p];
            if (!own->ran || own->collection.state == STREAM_COMPLETE)
                continue;
            snprintf(run->reason, size, "%s run, %s: the probe's records fall short: %s",
                     phase_name((enum phase_kind)k), principal_name((enum principal)p), own->collection.problem);
            return;
        }
    for (size_t i = 0; i < run->attempt_count; i++)
        if (run->attempts[i].judgement.verdict != VERDICT_BLOCKED) {
            snprintf(run->reason, size, "%s", judge_reason_text(run->attempts[i].judgement.reason));
            return;
        }
}

/* The one sentence behind a verdict that isn't PASS or a plain FAIL. */
static void explain(struct run *run)
{
    size_t size = sizeof run->reason;
    if (evidence_broken(&run->findings, run->reason, size) != NULL)
        return;
    if (run->attempt_count == 0)
        snprintf(run->reason, size, "nothing was planned: see what is not proved here");
    if (run->verdict != RUN_INCONCLUSIVE)
        return;
    if (!run->options.self_proof) {
        snprintf(run->reason, size,
                 "--self-proof=off: without the open run nothing shows that these ways out would have been "
                 "noticed");
        return;
    }
    for (int k = 0; k < PHASES && run->reason[0] == '\0'; k++) {
        const struct phase_result *phase = &run->phases[k];
        if (phase->control_missing[0] != '\0')
            snprintf(run->reason, size, "%s", phase->control_missing);
        else if (k == PHASE_FENCED && phase->strays > 0)
            snprintf(run->reason, size, "unexplained traffic in the fenced run: %s", phase->stray_text);
    }
    if (run->reason[0] == '\0')
        explain_by_attempt(run);
}

void verdict_on_run(struct run *run)
{
    char broken[200];
    for (size_t i = 0; i < run->attempt_count; i++)
        run->counts[run->attempts[i].judgement.verdict]++;
    if (run->counts[VERDICT_ESCAPED] > 0)
        run->verdict = RUN_FAIL;
    else if (evidence_broken(&run->findings, broken, sizeof broken) != NULL || run->counts[VERDICT_BROKEN] > 0)
        run->verdict = RUN_BROKEN;
    else if (run->attempt_count == 0 || run->counts[VERDICT_BLOCKED] != run->attempt_count)
        run->verdict = RUN_INCONCLUSIVE;
    else if (run->options.mutant >= 0)
        judge_mutant(run);
    else
        run->verdict = RUN_PASS;

    if (run->reason[0] == '\0')
        explain(run);
}
