/* The verdict on a run from the judgements on its attempts. An escape is always told: 1 goes before 3
 * before 2. A run with nothing BLOCKED proves nothing, whatever was accepted, and a mutant is never a PASS: a fence was
 * left out on purpose. */
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

bool vector_list_has(const struct vector_list *list, uint16_t vector)
{
    for (size_t i = 0; i < list->count; i++)
        if (list->ids[i] == vector)
            return true;
    return false;
}

/* The judge gives these reasons only where all evidence is there. Whatever is missing besides can't be accepted. */
static bool is_accepted(const struct run *run, const struct run_attempt_result *attempt)
{
    enum reason reason = attempt->judgement.reason;
    return (reason == REASON_NOT_DETECTABLE || reason == REASON_OPEN_SHOULD_HAVE_LEAKED ||
            reason == REASON_UNSUPPORTED_NOT_CONFIRMED) &&
           vector_list_has(&run->options.accepted, run->plan.attempts[attempt->seq - 1].vector->id);
}

/* Why a vector isn't proved here, or not all of it; NULL if it is tried as it should. */
static const char *why_not_proved(const struct run_plan *plan, uint16_t vector)
{
    for (size_t i = 0; i < plan->not_proved_count; i++)
        if (plan->not_proved[i].vector == vector)
            return plan->not_proved[i].reason;
    return plan_has(plan, vector) ? NULL : "this run doesn't try it";
}

/* The first vector that is required and not proved here, 0 if there is none. */
static uint16_t unmet_requirement(const struct run *run)
{
    for (size_t i = 0; i < run->options.required.count; i++)
        if (why_not_proved(&run->plan, run->options.required.ids[i]) != NULL)
            return run->options.required.ids[i];
    return 0;
}

/* Nothing that was tried keeps the run from PASS, and yet it isn't one. */
static bool proves_too_little(const struct run *run)
{
    return run->counts[VERDICT_BLOCKED] == 0 || unmet_requirement(run) != 0;
}

static void judge_mutant(struct run *run)
{
    const struct fence *fence = &run->options.backend->fences[run->options.mutant];
    if (!self_proof_exercised(run, fence)) {
        run->verdict = RUN_INCONCLUSIVE;
        snprintf(run->reason, sizeof run->reason,
                 "the fence `%s` was left out, and no vector of this run exercises it: nothing is proved", fence->name);
    } else {
        run->verdict = RUN_VOID;
        snprintf(run->reason, sizeof run->reason,
                 "the fence `%s` was left out and nothing got out: it is not what keeps these vectors in", fence->name);
    }
}

/* A fence that isn't what keeps its vectors in makes every BLOCKED of them worthless, whatever stopped them. */
static void judge_pairs(struct run *run)
{
    const struct fence_pair *pair = self_proof_void(run);
    if (pair == NULL)
        return;
    run->verdict = RUN_VOID;
    snprintf(run->reason, sizeof run->reason, "the fence `%s` is not proved: %s",
             run->options.backend->fences[pair->fence].name, pair->reason);
}

/* The first control that was not heard in any of the three runs, or NULL. */
static const char *missing_control(const struct run *run)
{
    for (int k = 0; k < PHASES; k++)
        if (run->phases[k].control_missing[0] != '\0')
            return run->phases[k].control_missing;
    return NULL;
}

/* The first of the three runs whose bottle never was there: false if there is none. */
static bool explain_by_absence(struct run *run)
{
    for (int k = 0; k < PHASES; k++)
        if (run->phases[k].state == PHASE_ABSENT) {
            snprintf(run->reason, sizeof run->reason, "%s run: %.240s", phase_name((enum phase_kind)k),
                     run->phases[k].error.text);
            return true;
        }
    return false;
}

/* The first session of the three runs whose records fell short: false if there is none. */
static bool explain_by_records(struct run *run)
{
    for (int k = 0; k < PHASES; k++)
        for (int i = 0; i < PRINCIPALS * PARTS; i++) {
            const struct part_result *own = &run->phases[k].parts[i / PARTS][i % PARTS];
            if (!own->ran || own->collection.state == STREAM_COMPLETE)
                continue;
            snprintf(run->reason, sizeof run->reason, "%s run, %s: the probe's records fall short: %s",
                     phase_name((enum phase_kind)k), principal_name((enum principal)(i / PARTS)),
                     own->collection.problem);
            return true;
        }
    return false;
}

/* See proves_too_little. */
static void explain_without_attempt(struct run *run)
{
    uint16_t unmet = unmet_requirement(run);
    if (unmet != 0)
        snprintf(run->reason, sizeof run->reason, "BG-%03u is required, and not proved here: %s", unmet,
                 why_not_proved(&run->plan, unmet));
    else if (run->attempt_count == 0)
        snprintf(run->reason, sizeof run->reason, "nothing was planned: see what is not proved here");
    else
        snprintf(run->reason, sizeof run->reason,
                 "nothing is BLOCKED: all that was tried was accepted without proof, which proves nothing");
}

/* The one sentence behind a verdict that isn't PASS or a plain FAIL: what is wrong with the run as a whole, or else the
 * judge's words on the first attempt that is neither BLOCKED nor accepted. */
static void explain(struct run *run, const struct run_attempt_result *unblocked)
{
    size_t size = sizeof run->reason;
    const struct phase_result *fenced = &run->phases[PHASE_FENCED];
    const char *control = missing_control(run);
    if (evidence_broken(&run->findings, run->reason, size) != NULL || run->verdict != RUN_INCONCLUSIVE)
        return;
    if (unblocked == NULL)
        explain_without_attempt(run);
    else if (run->options.self_proof == SELF_PROOF_OFF)
        snprintf(run->reason, size,
                 "--self-proof=off: without the open run nothing shows that these ways out would have been "
                 "noticed");
    else if (explain_by_absence(run))
        return;
    else if (control != NULL)
        snprintf(run->reason, size, "%s", control);
    else if (fenced->strays > 0)
        snprintf(run->reason, size, "unexplained traffic in the fenced run: %s", fenced->stray_text);
    else if (!explain_by_records(run))
        snprintf(run->reason, size, "%s%s", judge_reason_text(unblocked->judgement.reason),
                 unblocked->judgement.reason == REASON_OPEN_SKIPPED
                     ? " --accept-unproved=open takes the bare run for enough."
                     : "");
}

void verdict_on_run(struct run *run)
{
    char broken[200];
    const struct run_attempt_result *unblocked = NULL;
    for (size_t i = 0; i < run->attempt_count; i++) {
        enum verdict verdict = run->attempts[i].judgement.verdict;
        run->counts[verdict]++;
        run->attempts[i].accepted = is_accepted(run, &run->attempts[i]);
        run->accepted_count += run->attempts[i].accepted;
        if (verdict != VERDICT_BLOCKED && !run->attempts[i].accepted && unblocked == NULL)
            unblocked = &run->attempts[i];
    }
    if (run->counts[VERDICT_ESCAPED] > 0)
        run->verdict = RUN_FAIL;
    else if (evidence_broken(&run->findings, broken, sizeof broken) != NULL || run->counts[VERDICT_BROKEN] > 0)
        run->verdict = RUN_BROKEN;
    else if (unblocked != NULL || (run->options.mutant < 0 && proves_too_little(run)))
        run->verdict = RUN_INCONCLUSIVE;
    else if (run->options.mutant >= 0)
        judge_mutant(run);
    else
        run->verdict = RUN_PASS;
    if (run->verdict == RUN_PASS || run->verdict == RUN_INCONCLUSIVE)
        judge_pairs(run);

    if (run->reason[0] == '\0')
        explain(run, unblocked);
}
