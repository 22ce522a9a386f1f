/*
 * JUnit XML, as CI systems read it: a test suite a family of vectors with a test case an attempt, and the suite "run"
 * with a case a fence that was left out (--self-proof=each) and one for the verdict, so that whatever isn't PASS has a
 * case that went wrong, an empty run too. ESCAPED is a failure; INCONCLUSIVE, BROKEN and VOID are errors. Skipped is
 * what was accepted without proof and nothing else: what is not proved here is told in the suite's output. There is no
 * standard; the schema that the tests hold it to is that of Jenkins' xUnit plugin.
 *
 * Written by hand: libxml2's writer lets characters pass that XML doesn't have, so what matters had to be made here all
 * the same, and it brings 30 MB of libraries.
 */
#include <string.h>
#include <time.h>

#include "escape.h"
#include "report.h"

static void put_attribute(const char *name, const char *text, FILE *stream)
{
    fprintf(stream, " %s=\"", name);
    escape_xml(text, stream);
    fputc('"', stream);
}

/* What begins a suite. `microseconds`: of the longest of its cases, which are made side by side. */
static void open_suite(const struct run *run, const char *name, unsigned tests, unsigned failures, unsigned errors,
                       unsigned skipped, uint64_t microseconds, FILE *stream)
{
    struct tm utc;
    char timestamp[32];
    gmtime_r(&run->started.tv_sec, &utc);
    strftime(timestamp, sizeof timestamp, "%Y-%m-%dT%H:%M:%S", &utc);
    fprintf(stream, "  <testsuite name=\"%s\" tests=\"%u\" failures=\"%u\" errors=\"%u\" skipped=\"%u\" time=\"%.3f\"",
            name, tests, failures, errors, skipped, (double)microseconds / 1e6);
    fprintf(stream, " timestamp=\"%s\">\n", timestamp);
}

static void print_hit(const struct hit *hit, void *context)
{
    FILE *stream = context;
    fprintf(stream, "heard by %s on ", witness_kind_name(hit->kind));
    escape_xml(hit->point, stream);
    fprintf(stream, ", %s at ", hit->by_tuple ? "a packet to its target" : "its nonce");
    escape_xml(hit->at, stream);
    fputs(" from ", stream);
    escape_xml(hit->peer, stream);
    fputc('\n', stream);
}

static void print_outcome(const struct run *run, const struct run_attempt_result *attempt, FILE *stream)
{
    const char *element = attempt->judgement.verdict == VERDICT_ESCAPED ? "failure"
                          : attempt->accepted                           ? "skipped"
                                                                        : "error";
    const struct vector *vector = run->plan.attempts[attempt->seq - 1].vector;
    fprintf(stream, "      <%s", element);
    put_attribute("type", verdict_name(attempt->judgement.verdict), stream);
    put_attribute("message", judge_reason_text(attempt->judgement.reason), stream);
    fputc('>', stream);
    escape_xml(vector->title, stream);
    fputc('\n', stream);
    if (attempt->accepted)
        fputs("accepted without proof\n", stream);
    report_each_hit(run, PHASE_FENCED, attempt, print_hit, stream);
    fputs("remedy: ", stream);
    escape_xml(report_remedy(run, attempt), stream);
    fprintf(stream, "</%s>\n    </testcase>\n", element);
}

static uint64_t microseconds_of(const struct run *run, const struct run_attempt_result *attempt)
{
    const struct record_did *did = report_record(run, attempt);
    return did != NULL ? did->microseconds : 0;
}

static void print_attempt(const struct run *run, const struct run_attempt_result *attempt, FILE *stream)
{
    char id[8], target[160], name[192];
    vector_format_id(run->plan.attempts[attempt->seq - 1].vector->id, id);
    report_target(run, attempt, target, sizeof target);
    snprintf(name, sizeof name, "%s as %s", target, principal_name(attempt->principal));
    fputs("    <testcase", stream);
    put_attribute("classname", id, stream);
    put_attribute("name", name, stream);
    fprintf(stream, " time=\"%.6f\"", (double)microseconds_of(run, attempt) / 1e6);
    if (attempt->judgement.verdict == VERDICT_BLOCKED) {
        fputs("/>\n", stream);
        return;
    }
    fputs(">\n", stream);
    print_outcome(run, attempt, stream);
}

static void print_family(const struct run *run, enum vector_family family, FILE *stream)
{
    unsigned counts[VERDICTS], total = 0, accepted = 0;
    uint64_t longest = 0;
    if (!report_count_family(run, family, counts))
        return;
    for (int verdict = 0; verdict < VERDICTS; verdict++)
        total += counts[verdict];
    for (size_t i = 0; i < run->attempt_count; i++)
        if (run->plan.attempts[run->attempts[i].seq - 1].vector->family == family) {
            accepted += run->attempts[i].accepted;
            if (microseconds_of(run, &run->attempts[i]) > longest)
                longest = microseconds_of(run, &run->attempts[i]);
        }
    open_suite(run, vector_family_name(family), total, counts[VERDICT_ESCAPED],
               total - counts[VERDICT_BLOCKED] - counts[VERDICT_ESCAPED] - accepted, accepted, longest, stream);
    for (size_t i = 0; i < run->attempt_count; i++)
        if (run->plan.attempts[run->attempts[i].seq - 1].vector->family == family)
            print_attempt(run, &run->attempts[i], stream);
    fputs("  </testsuite>\n", stream);
}

static void print_case(const char *kind, const char *name, bool good, const char *element, const char *type,
                       const char *why, FILE *stream)
{
    fputs("    <testcase", stream);
    put_attribute("classname", kind, stream);
    put_attribute("name", name, stream);
    if (good) {
        fputs("/>\n", stream);
        return;
    }
    fprintf(stream, ">\n      <%s", element);
    put_attribute("type", type, stream);
    put_attribute("message", why, stream);
    fputs("/>\n    </testcase>\n", stream);
}

static unsigned unproved_pairs(const struct run *run)
{
    unsigned count = 0;
    for (size_t i = 0; i < run->pair_count; i++)
        count += !run->pairs[i].proved;
    return count;
}

/* What holds for the run as a whole. */
static void print_run(const struct run *run, FILE *stream)
{
    bool failed = run->verdict == RUN_FAIL;
    open_suite(run, "run", (unsigned)run->pair_count + 1, failed,
               unproved_pairs(run) + (run->verdict != RUN_PASS && !failed), 0, run->milliseconds * 1000, stream);
    for (size_t i = 0; i < run->pair_count; i++)
        print_case("fence", run->options.backend->fences[run->pairs[i].fence].name, run->pairs[i].proved, "error",
                   "VOID", run->pairs[i].reason, stream);
    print_case("run", "verdict", run->verdict == RUN_PASS, failed ? "failure" : "error", run_verdict_name(run->verdict),
               run->reason[0] != '\0' ? run->reason
               : failed               ? "At least one attempt escaped."
                                      : "The evidence is incomplete.",
               stream);
    fputs("    <system-out>", stream);
    report_print_counts(run, stream);
    fputc('\n', stream);
    report_print_accepted(run, "accepted without proof: ", "\n", stream);
    for (size_t i = 0; i < run->plan.not_proved_count; i++) {
        fprintf(stream, "not proved here: BG-%03u: ", run->plan.not_proved[i].vector);
        escape_xml(run->plan.not_proved[i].reason, stream);
        fputc('\n', stream);
    }
    escape_xml(report_caveat, stream);
    fputs("</system-out>\n  </testsuite>\n", stream);
}

bool report_junit(const struct run *run, const struct report_style *style, FILE *stream)
{
    (void)style;
    bool failed = run->verdict == RUN_FAIL;
    unsigned escaped = run->counts[VERDICT_ESCAPED], blocked = run->counts[VERDICT_BLOCKED];
    fprintf(stream,
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
            "<testsuites name=\"bottle-gate\" tests=\"%zu\" failures=\"%u\" errors=\"%zu\" time=\"%.3f\">\n",
            run->attempt_count + run->pair_count + 1, escaped + failed,
            run->attempt_count - escaped - blocked - run->accepted_count + unproved_pairs(run) +
                (run->verdict != RUN_PASS && !failed),
            (double)run->milliseconds / 1000);
    for (int family = 0; family < FAMILIES; family++)
        print_family(run, (enum vector_family)family, stream);
    print_run(run, stream);
    fputs("</testsuites>\n", stream);
    return fflush(stream) == 0 && !ferror(stream);
}
