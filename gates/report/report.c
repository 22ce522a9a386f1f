/* See report.h: the table of formats and what they share. */
#include "report.h"

#include <string.h>

const struct report_format report_formats[] = {
    { "pretty", "a table and the remedies, for people", report_pretty },
    { "json", "the whole run, schema bottle-gate/report/1", report_json },
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
    const struct principal_result *own = &run->phases[PHASE_FENCED].principals[attempt->principal];
    const struct collected_act *act = &own->collection.acts[attempt->seq];
    return own->ran && act->done ? &act->did : NULL;
}
