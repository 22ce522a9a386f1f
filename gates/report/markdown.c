/*
 * Markdown with tables (GitHub's, GitLab's), for the summary of a CI job: the verdict, a row a family, a row for each
 * attempt that isn't BLOCKED with what to do about it, a row a fence, and what is not proved here. Every text is
 * escaped, so that a row stays a row.
 */
#include "escape.h"
#include "report.h"

static void put_cell(const char *text, FILE *stream)
{
    fputs(" ", stream);
    escape_markdown(text, stream);
    fputs(" |", stream);
}

static void print_families(const struct run *run, FILE *stream)
{
    fputs("| family | blocked | escaped | inconclusive | broken |\n| --- | --: | --: | --: | --: |\n", stream);
    for (int family = 0; family < FAMILIES; family++) {
        unsigned counts[VERDICTS];
        if (!report_count_family(run, (enum vector_family)family, counts))
            continue;
        fprintf(stream, "| %s | %u | %u | %u | %u |\n", vector_family_name((enum vector_family)family),
                counts[VERDICT_BLOCKED], counts[VERDICT_ESCAPED], counts[VERDICT_INCONCLUSIVE], counts[VERDICT_BROKEN]);
    }
}

static void take_first(const struct hit *hit, void *context)
{
    const struct hit **first = context;
    if (*first == NULL)
        *first = hit;
}

static void print_attempt(const struct run *run, const struct run_attempt_result *attempt, FILE *stream)
{
    const struct vector *vector = run->plan.attempts[attempt->seq - 1].vector;
    const struct hit *hit = NULL;
    char id[8], target[160], heard[192] = "", why[256];
    vector_format_id(vector->id, id);
    report_target(run, attempt, target, sizeof target);
    report_each_hit(run, PHASE_FENCED, attempt, take_first, &hit);
    if (hit != NULL)
        snprintf(heard, sizeof heard, "%s at %s from %s", witness_kind_name(hit->kind), hit->at, hit->peer);
    fprintf(stream, "| **%s** | %s |", verdict_name(attempt->judgement.verdict), id);
    put_cell(target, stream);
    put_cell(principal_name(attempt->principal), stream);
    snprintf(why, sizeof why, "%s%s", judge_reason_text(attempt->judgement.reason),
             attempt->accepted ? " Accepted without proof." : "");
    put_cell(why, stream);
    put_cell(heard, stream);
    put_cell(attempt->judgement.verdict == VERDICT_ESCAPED ? report_remedy(run, attempt) : "", stream);
    fputc('\n', stream);
}

static void print_attempts(const struct run *run, FILE *stream)
{
    static const enum verdict order[] = { VERDICT_ESCAPED, VERDICT_BROKEN, VERDICT_INCONCLUSIVE };
    if (run->counts[VERDICT_BLOCKED] == run->attempt_count)
        return;
    fputs("\n### Not blocked\n\n| verdict | vector | target | as | why | first heard by | remedy |\n"
          "| --- | --- | --- | --- | --- | --- | --- |\n",
          stream);
    for (size_t k = 0; k < sizeof order / sizeof *order; k++)
        for (size_t i = 0; i < run->attempt_count; i++)
            if (run->attempts[i].judgement.verdict == order[k])
                print_attempt(run, &run->attempts[i], stream);
}

static void print_pairs(const struct run *run, FILE *stream)
{
    if (run->pair_count == 0)
        return;
    fputs(
        "\n### Fences, each left out once\n\n| fence | is what keeps its vectors in | got out without it | why not |\n"
        "| --- | --- | --: | --- |\n",
        stream);
    for (size_t i = 0; i < run->pair_count; i++) {
        const struct fence_pair *pair = &run->pairs[i];
        fprintf(stream, "| %s | %s | %u of %u |", run->options.backend->fences[pair->fence].name,
                pair->proved ? "proved" : "**not proved**", pair->escaped, pair->planned);
        put_cell(pair->reason, stream);
        fputc('\n', stream);
    }
}

static void print_not_proved(const struct run *run, FILE *stream)
{
    if (run->plan.not_proved_count == 0)
        return;
    fputs("\n### Not proved here\n\n| vector | why |\n| --- | --- |\n", stream);
    for (size_t i = 0; i < run->plan.not_proved_count; i++) {
        fprintf(stream, "| BG-%03u |", run->plan.not_proved[i].vector);
        put_cell(run->plan.not_proved[i].reason, stream);
        fputc('\n', stream);
    }
}

bool report_markdown(const struct run *run, const struct report_style *style, FILE *stream)
{
    (void)style;
    fprintf(stream, "## bottle-gate: %s\n\nbackend ", run_verdict_name(run->verdict));
    report_print_backend(run, ", ", stream);
    fputs(", ", stream);
    report_print_counts(run, stream);
    fputs("\n\n", stream);
    if (run->reason[0] != '\0') {
        fputs("**Why:** ", stream);
        escape_markdown(run->reason, stream);
        fputs("\n\n", stream);
    }
    print_families(run, stream);
    print_attempts(run, stream);
    print_pairs(run, stream);
    print_not_proved(run, stream);
    report_print_accepted(run, "\n**Accepted without proof:** ", "\n", stream);
    fputs("\n", stream);
    escape_markdown(report_caveat, stream);
    fputs("\n", stream);
    return fflush(stream) == 0 && !ferror(stream);
}
