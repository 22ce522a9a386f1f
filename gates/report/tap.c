/*
 * TAP 14: a test point an attempt, one a fence that was left out (--self-proof=each), and last one for the verdict on
 * the run, so that whatever isn't PASS has a point that is not ok, an empty run too. Nothing is ever skipped: what is
 * not proved here is told in comments, and what was accepted without proof is not ok as well, but a TODO, which keeps
 * no harness from success. What isn't BLOCKED has its evidence as YAML. Source: testanything.org, TAP 14
 * specification.
 */
#include "escape.h"
#include "report.h"

static void print_field(const char *indent, const char *name, const char *text, FILE *stream)
{
    fprintf(stream, "%s%s: ", indent, name);
    escape_yaml(text, stream);
    fputc('\n', stream);
}

static void print_hit(const struct hit *hit, void *context)
{
    FILE *stream = context;
    print_field("    - ", "witness", witness_kind_name(hit->kind), stream);
    print_field("      ", "point", hit->point, stream);
    print_field("      ", "by", hit->by_tuple ? "tuple" : "nonce", stream);
    print_field("      ", "at", hit->at, stream);
    print_field("      ", "peer", hit->peer, stream);
}

static void note_hit(const struct hit *hit, void *context)
{
    (void)hit;
    *(bool *)context = true;
}

static void print_evidence(const struct run *run, const struct run_attempt_result *attempt, FILE *stream)
{
    const struct record_did *did = report_record(run, attempt);
    const struct vector *vector = run->plan.attempts[attempt->seq - 1].vector;
    bool heard = false;
    fputs("  ---\n", stream);
    print_field("  ", "verdict", verdict_name(attempt->judgement.verdict), stream);
    print_field("  ", "reason", judge_reason_text(attempt->judgement.reason), stream);
    print_field("  ", "title", vector->title, stream);
    print_field("  ", "remedy", report_remedy(run, attempt), stream);
    print_field("  ", "stage", did != NULL ? stage_name(did->stage) : "no record", stream);
    print_field("  ", "errno", did != NULL ? did->error : "", stream);
    report_each_hit(run, PHASE_FENCED, attempt, note_hit, &heard);
    if (heard) {
        fputs("  heard:\n", stream);
        report_each_hit(run, PHASE_FENCED, attempt, print_hit, stream);
    }
    fputs("  ...\n", stream);
}

static void print_attempt(const struct run *run, size_t index, FILE *stream)
{
    const struct run_attempt_result *attempt = &run->attempts[index];
    char id[8], target[160];
    vector_format_id(run->plan.attempts[attempt->seq - 1].vector->id, id);
    report_target(run, attempt, target, sizeof target);
    fprintf(stream, "%s %zu - %s ", attempt->judgement.verdict == VERDICT_BLOCKED ? "ok" : "not ok", index + 1, id);
    escape_tap(target, stream);
    fprintf(stream, " as %s%s\n", principal_name(attempt->principal),
            attempt->accepted ? " # TODO accepted without proof" : "");
    if (attempt->judgement.verdict != VERDICT_BLOCKED)
        print_evidence(run, attempt, stream);
}

static void print_pair(const struct run *run, const struct fence_pair *pair, size_t number, FILE *stream)
{
    fprintf(stream, "%s %zu - fence %s keeps its vectors in\n", pair->proved ? "ok" : "not ok", number,
            run->options.backend->fences[pair->fence].name);
    if (pair->proved)
        return;
    fputs("  ---\n", stream);
    print_field("  ", "reason", pair->reason, stream);
    fputs("  ...\n", stream);
}

static void print_verdict(const struct run *run, size_t number, FILE *stream)
{
    fprintf(stream, "%s %zu - verdict %s\n", run->verdict == RUN_PASS ? "ok" : "not ok", number,
            run_verdict_name(run->verdict));
    if (run->verdict == RUN_PASS)
        return;
    fputs("  ---\n", stream);
    print_field("  ", "verdict", run_verdict_name(run->verdict), stream);
    print_field("  ", "reason", run->reason, stream);
    fprintf(stream, "  exit: %d\n  ...\n", run_verdict_exit(run->verdict));
}

bool report_tap(const struct run *run, const struct report_style *style, FILE *stream)
{
    (void)style;
    size_t number = 0;
    fprintf(stream, "TAP version 14\n1..%zu\n", run->attempt_count + run->pair_count + 1);
    fprintf(stream, "# bottle-gate %s, backend ", BOTTLE_VERSION);
    report_print_backend(run, ", ", stream);
    fprintf(stream, ", site %s, run %s\n", site_kind_name(run->options.site), run->plan.run);
    while (number < run->attempt_count)
        print_attempt(run, number++, stream);
    for (size_t i = 0; i < run->pair_count; i++)
        print_pair(run, &run->pairs[i], ++number, stream);
    for (size_t i = 0; i < run->plan.not_proved_count; i++) {
        fprintf(stream, "# not proved here: BG-%03u: ", run->plan.not_proved[i].vector);
        escape_tap(run->plan.not_proved[i].reason, stream);
        fputc('\n', stream);
    }
    fputs("# ", stream);
    report_print_counts(run, stream);
    report_print_accepted(run, "\n# accepted without proof: ", "", stream);
    fprintf(stream, "\n# %s\n", report_caveat);
    print_verdict(run, ++number, stream);
    return fflush(stream) == 0 && !ferror(stream);
}
