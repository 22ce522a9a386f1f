/* See replay.h. What is compared is what the judge, the self-proof and the verdict come to; texts that only explain may
 * change between versions, and are not. */
#include "replay.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "../../launcher/support/cleanup.h"
#include "escape.h"
#include "evidence_file.h"
#include "report.h"

static void differ(struct replay *replay, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void differ(struct replay *replay, const char *format, ...)
{
    va_list arguments;
    if (!replay->agrees)
        return;
    replay->agrees = false;
    va_start(arguments, format);
    vsnprintf(replay->difference, sizeof replay->difference, format, arguments);
    va_end(arguments);
}

/* Compares a text of report.json, NULL for null, with what it must be. */
static void compare_text(struct json_reader *reader, const cJSON *object, const char *name, const char *must,
                         const char *what, struct replay *replay)
{
    char text[256] = "";
    const cJSON *found = cJSON_GetObjectItemCaseSensitive(object, name);
    bool null = cJSON_IsNull(found);
    if (!null)
        json_text(reader, object, name, text, sizeof text);
    if (reader->failed || (null && must == NULL) || (!null && must != NULL && strcmp(text, must) == 0))
        return;
    differ(replay, "%s: %s is %.60s in report.json, and %.60s by the evidence", what, name, null ? "null" : text,
           must == NULL ? "null" : must);
}

static void compare_number(struct json_reader *reader, const cJSON *object, const char *name, uint64_t must,
                           const char *what, struct replay *replay)
{
    uint64_t number = json_number(reader, object, name, 0, UINT32_MAX);
    if (!reader->failed && number != must)
        differ(replay, "%s: %s is %llu in report.json, and %llu by the evidence", what, name,
               (unsigned long long)number, (unsigned long long)must);
}

static void compare_attempt(struct json_reader *reader, const cJSON *object, const struct run *run,
                            const struct run_attempt_result *attempt, struct replay *replay)
{
    char id[8], target[160], what[208];
    vector_format_id(run->plan.attempts[attempt->seq - 1].vector->id, id);
    report_target(run, attempt, target, sizeof target);
    snprintf(what, sizeof what, "%s %s as %s", id, target, principal_name(attempt->principal));
    compare_text(reader, object, "id", id, what, replay);
    compare_text(reader, object, "target", target, what, replay);
    compare_text(reader, object, "principal", principal_name(attempt->principal), what, replay);
    compare_text(reader, object, "verdict", verdict_name(attempt->judgement.verdict), what, replay);
    compare_text(reader, object, "how", how_name(attempt->judgement.how), what, replay);
    compare_text(reader, object, "reason", judge_reason_text(attempt->judgement.reason), what, replay);
    bool accepted = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(object, "accepted"));
    if (!reader->failed && accepted != attempt->accepted)
        differ(replay, "%s: accepted is %s in report.json, and %s by the evidence", what, accepted ? "true" : "false",
               attempt->accepted ? "true" : "false");
}

static void compare_attempts(struct json_reader *reader, const cJSON *report, const struct run *run,
                             struct replay *replay)
{
    size_t index = 0;
    const cJSON *each, *attempts = json_list(reader, report, "attempts", (size_t)PRINCIPALS * PLAN_ATTEMPTS_MAX);
    if (attempts == NULL)
        return;
    size_t told = (size_t)cJSON_GetArraySize(attempts);
    if (told != run->attempt_count) {
        differ(replay, "the run: report.json has %zu attempts, the evidence %zu", told, run->attempt_count);
        return;
    }
    cJSON_ArrayForEach(each, attempts)
    {
        snprintf(reader->where, sizeof reader->where, "attempts, entry %zu", index);
        compare_attempt(reader, each, run, &run->attempts[index++], replay);
    }
    reader->where[0] = '\0';
}

/* A fence that was proved by leaving it out, or was not. */
static void compare_pairs(struct json_reader *reader, const cJSON *report, const struct run *run, struct replay *replay)
{
    size_t index = 0;
    const cJSON *each, *proof = json_object(reader, report, "self_proof");
    const cJSON *mutants = json_list(reader, proof, "mutants", FENCES_MAX + 1);
    compare_text(reader, proof, "mode", evidence_self_proofs[run->options.self_proof], "the self-proof", replay);
    if (mutants == NULL)
        return;
    cJSON_ArrayForEach(each, mutants)
    {
        bool left_out = index == 0 && run->options.mutant >= 0;
        size_t pair = index++ - (run->options.mutant >= 0);
        if (!left_out && pair >= run->pair_count)
            break;
        size_t fence = left_out ? (size_t)run->options.mutant : run->pairs[pair].fence;
        compare_text(reader, each, "fence", run->options.backend->fences[fence].name, "the self-proof", replay);
        if (!left_out && json_bool(reader, each, "proved") != run->pairs[pair].proved)
            differ(replay, "the fence %s: proved is %s in report.json, and %s by the evidence",
                   run->options.backend->fences[fence].name, run->pairs[pair].proved ? "false" : "true",
                   run->pairs[pair].proved ? "true" : "false");
    }
    size_t must = run->pair_count + (run->options.mutant >= 0);
    if ((size_t)cJSON_GetArraySize(mutants) != must)
        differ(replay, "the self-proof: report.json has %d mutants, the evidence %zu", cJSON_GetArraySize(mutants),
               must);
}

/* What was to be accepted without proof, and what required: a list of report.json, which may lack an empty one. */
static void compare_acceptance(struct json_reader *reader, const cJSON *report, const cJSON *must,
                               struct replay *replay)
{
    const cJSON *told = cJSON_GetObjectItemCaseSensitive(report, must->string);
    bool lacks = told == NULL && cJSON_GetArraySize(must) == 0;
    if (!lacks && !cJSON_Compare(json_list(reader, report, must->string, VECTORS_ASKED_MAX + 1), must, true))
        differ(replay, "the run: %s is not the same in report.json and in the evidence", must->string);
}

static void compare_run(struct json_reader *reader, const cJSON *report, const struct run *run, struct replay *replay)
{
    static const char *const schemas[] = { "bottle-gate/report/1" };
    static const char *const counts[VERDICTS] = { "blocked", "escaped", "inconclusive", "broken" };
    json_choice(reader, report, "schema", schemas, 1);
    compare_text(reader, report, "run", run->plan.run, "the run", replay);
    compare_text(reader, report, "site", site_kind_name(run->options.site), "the run", replay);
    if (run->options.policy != NULL)
        compare_text(reader, json_object(reader, report, "backend"), "policy", run->options.policy, "the backend",
                     replay);
    if (run->options.backend->runtime != NULL)
        compare_text(reader, json_object(reader, report, "backend"), "runtime", run->options.backend->runtime,
                     "the backend", replay);
    cJSON *each, *must = cJSON_CreateObject();
    evidence_add_acceptance(must, &run->options);
    cJSON_ArrayForEach(each, must)
    {
        compare_acceptance(reader, report, each, replay);
    }
    cJSON_Delete(must);
    compare_attempts(reader, report, run, replay);
    compare_pairs(reader, report, run, replay);
    const cJSON *told = json_object(reader, report, "counts");
    for (int verdict = 0; verdict < VERDICTS; verdict++)
        compare_number(reader, told, counts[verdict], run->counts[verdict], "the counts", replay);
    compare_text(reader, report, "verdict", run_verdict_name(run->verdict), "the run", replay);
    compare_number(reader, report, "exit", (uint64_t)run_verdict_exit(run->verdict), "the run", replay);
}

bool replay_compare(const cJSON *evidence, const cJSON *report, struct replay *replay, struct error *error)
{
    struct json_reader reader = { .error = error, .file = "report.json" };
    struct run *run = evidence_read(evidence, error);
    if (run == NULL)
        return false;
    run_judge(run);
    *replay = (struct replay){ .verdict = run->verdict, .agrees = true };
    compare_run(&reader, report, run, replay);
    run_free(run);
    return !reader.failed;
}

bool replay_directory(int directory, struct replay *replay, struct error *error)
{
    cJSON *evidence = json_read_file(directory, "evidence.json", error);
    cJSON *report = evidence == NULL ? NULL : json_read_file(directory, "report.json", error);
    bool compared = report != NULL && replay_compare(evidence, report, replay, error);
    cJSON_Delete(evidence);
    cJSON_Delete(report);
    return compared;
}

bool replay_print(const struct replay *replay, FILE *stream)
{
    fputs(replay->agrees ? "agrees: " : "differs: ", stream);
    for (const char *next = replay->agrees ? run_verdict_name(replay->verdict) : replay->difference; *next != '\0';
         next++)
        fputc(*next >= ' ' && *next <= '~' ? *next : '?', stream);
    fputc('\n', stream);
    return fflush(stream) == 0 && !ferror(stream);
}

bool replay_print_json(const struct replay *replay, FILE *stream)
{
    cJSON *object = cJSON_CreateObject();
    json_add_text(object, "schema", "bottle-gate/replay/1");
    cJSON_AddBoolToObject(object, "agrees", replay->agrees);
    json_add_text(object, "verdict", run_verdict_name(replay->verdict));
    json_add_text_or_null(object, "difference", replay->agrees ? NULL : replay->difference);
    cleanup_free char *text = cJSON_Print(object);
    cJSON_Delete(object);
    return text != NULL && fprintf(stream, "%s\n", text) > 0 && fflush(stream) == 0 && !ferror(stream);
}
