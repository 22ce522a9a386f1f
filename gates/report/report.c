/* See report.h: the table of formats and what they share. */
#include "report.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

const struct report_format report_formats[] = {
    { "pretty", "report.txt", "a table and the remedies, for people", report_pretty },
    { "json", "report.json", "the whole run, schema bottle-gate/report/1", report_json },
    { "tap", "report.tap", "TAP 14, a test point an attempt", report_tap },
    { "junit", "report.xml", "JUnit XML, a test case an attempt", report_junit },
    { "markdown", "report.md", "tables for the summary of a CI job", report_markdown },
};
const size_t report_format_count = sizeof report_formats / sizeof *report_formats;

const char report_caveat[] =
    "A PASS says: these vectors, tried this way, on this host, this engine, this day, did not get out. It "
    "says nothing about "
    "unknown kernel bugs, side channels, or what the allowed endpoint itself forwards.";

const struct report_format *report_find(const char *name)
{
    for (size_t i = 0; i < report_format_count; i++)
        if (strcmp(report_formats[i].name, name) == 0)
            return &report_formats[i];
    return NULL;
}

void report_target(const struct run *run, const struct run_attempt_result *attempt, char *text, size_t size)
{
    plan_describe_target(&run->plan, attempt->seq, attempt->principal, text, size);
}

const char *report_time(const struct timespec *time, char text[REPORT_TIME_TEXT])
{
    struct tm utc;
    gmtime_r(&time->tv_sec, &utc);
    size_t used = strftime(text, REPORT_TIME_TEXT, "%Y-%m-%dT%H:%M:%S", &utc);
    snprintf(text + used, REPORT_TIME_TEXT - used, ".%03ldZ", time->tv_nsec / 1000000);
    return text;
}

static bool stands_on_bare_alone(const struct run_attempt_result *attempt)
{
    return attempt->judgement.reason == REASON_SILENT_UNLIKE_BARE ||
           attempt->judgement.reason == REASON_UNSUPPORTED_AS_BARE;
}

unsigned report_count_bare(const struct run *run)
{
    unsigned count = 0;
    for (size_t i = 0; i < run->attempt_count; i++)
        count += stands_on_bare_alone(&run->attempts[i]);
    return count;
}

static bool is_accepted(const struct run *run, uint16_t vector)
{
    for (size_t i = 0; i < run->attempt_count; i++)
        if (run->attempts[i].accepted && run->plan.attempts[run->attempts[i].seq - 1].vector->id == vector)
            return true;
    return false;
}

bool report_accepted_at(const struct run *run, size_t index, char text[8])
{
    bool open = report_count_bare(run) > 0;
    if (open && index == 0) {
        snprintf(text, 8, "open");
        return true;
    }
    index -= open;
    for (size_t i = 0; i < vector_count; i++)
        if (is_accepted(run, vectors[i].id) && index-- == 0) {
            vector_format_id(vectors[i].id, text);
            return true;
        }
    return false;
}

void report_print_accepted(const struct run *run, const char *before, const char *after, FILE *stream)
{
    char text[8];
    for (size_t i = 0; report_accepted_at(run, i, text); i++)
        fprintf(stream, "%s%s", i == 0 ? before : ", ", text);
    if (report_accepted_at(run, 0, text))
        fputs(after, stream);
}

void report_print_counts(const struct run *run, FILE *stream)
{
    char accepted[32] = "";
    if (run->accepted_count > 0)
        snprintf(accepted, sizeof accepted, " (%u accepted)", run->accepted_count);
    fprintf(stream, "%zu attempts: %u blocked, %u escaped, %u inconclusive%s, %u broken; %.1f s", run->attempt_count,
            run->counts[VERDICT_BLOCKED], run->counts[VERDICT_ESCAPED], run->counts[VERDICT_INCONCLUSIVE], accepted,
            run->counts[VERDICT_BROKEN], (double)run->milliseconds / 1000.0);
}

bool report_count_family(const struct run *run, enum vector_family family, unsigned counts[VERDICTS])
{
    bool any = false;
    memset(counts, 0, VERDICTS * sizeof *counts);
    for (size_t i = 0; i < run->attempt_count; i++)
        if (run->plan.attempts[run->attempts[i].seq - 1].vector->family == family) {
            counts[run->attempts[i].judgement.verdict]++;
            any = true;
        }
    return any;
}

const char *report_mutant(const struct run *run)
{
    return run->options.mutant >= 0 ? run->options.backend->fences[run->options.mutant].name : NULL;
}

const char *report_remedy(const struct run *run, const struct run_attempt_result *attempt)
{
    const struct vector *vector = run->plan.attempts[attempt->seq - 1].vector;
    const struct backend *backend = run->options.backend;
    const char *own = backend->remedy != NULL ? backend->remedy(vector->id) : NULL;
    return own != NULL ? own : vector->remedy;
}

void report_print_backend(const struct run *run, const char *between, FILE *stream)
{
    const char *mutant = report_mutant(run);
    fputs(run->options.backend->name, stream);
    if (run->options.backend->runtime != NULL)
        fprintf(stream, "%sruntime %s", between, run->options.backend->runtime);
    if (run->options.policy != NULL)
        fprintf(stream, "%spolicy %s", between, run->options.policy);
    if (mutant != NULL)
        fprintf(stream, " without fence %s", mutant);
}

void report_each_hit(const struct run *run, enum phase_kind phase, const struct run_attempt_result *attempt,
                     void (*each)(const struct hit *hit, void *context), void *context)
{
    const struct phase_result *result = &run->phases[phase];
    size_t watch = plan_watch_index(&run->plan, attempt->seq, attempt->principal);
    for (size_t i = 0; i < result->hit_count; i++)
        if (result->hits[i].watch == watch)
            each(&result->hits[i], context);
}

const struct record_did *report_record(const struct run *run, const struct run_attempt_result *attempt)
{
    enum plan_part part;
    uint16_t seq = plan_seq_in_part(&run->plan, attempt->seq, &part);
    const struct part_result *own = &run->phases[PHASE_FENCED].parts[attempt->principal][part];
    const struct collected_act *act = &own->collection.acts[seq];
    return own->ran && act->done ? &act->did : NULL;
}

static bool has_port(const struct swept_ports *swept, unsigned port)
{
    return port < 65536 && (swept->ports[port / 8] >> port % 8 & 1) != 0;
}

const struct swept_ports *report_swept_ports(const struct run *run, const struct run_attempt_result *attempt,
                                             char ranges[REPORT_PORTS_TEXT])
{
    if (!plan_is_sweep(&run->plan.attempts[attempt->seq - 1]))
        return NULL;
    uint8_t index = plan_sweep_index(&run->plan, attempt->seq, attempt->principal);
    const struct swept_ports *swept = &run->phases[PHASE_FENCED].sweeps[index];
    if (swept->count == 0)
        return NULL;
    size_t used = 0;
    ranges[0] = '\0';
    for (unsigned first = 0, last; first < 65536; first = last + 1) {
        last = first;
        if (!has_port(swept, first))
            continue;
        while (has_port(swept, last + 1))
            last++;
        if (used + 16 > REPORT_PORTS_TEXT) {
            snprintf(ranges + used, REPORT_PORTS_TEXT - used, "...");
            break;
        }
        used += (size_t)snprintf(ranges + used, REPORT_PORTS_TEXT - used, first == last ? "%s%u" : "%s%u-%u",
                                 used > 0 ? "," : "", first, last);
    }
    return swept;
}
