/* report.json, schema bottle-gate/report/1 (DESIGN 9): additions are allowed, renames are not. Built with
 * cJSON, so that whatever a bottle wrote is quoted by somebody who does nothing else. */
#include <stdlib.h>
#include <string.h>

#include "../../launcher/support/cleanup.h"
#include "evidence_file.h"
#include "report.h"

static void add_time(cJSON *object, const char *name, const struct timespec *time)
{
    char text[REPORT_TIME_TEXT];
    json_add_text(object, name, report_time(time, text));
}

static void add_hit(const struct hit *hit, void *context)
{
    cJSON *object = cJSON_CreateObject();
    json_add_text(object, "witness", witness_kind_name(hit->kind));
    json_add_text(object, "at", hit->at);
    json_add_text(object, "point", hit->point);
    json_add_text(object, "peer", hit->peer);
    json_add_text(object, "by", hit->by_tuple ? "tuple" : "nonce");
    cJSON_AddNumberToObject(object, "microseconds", (double)hit->microseconds);
    cJSON_AddItemToArray(context, object);
}

static const char *sighting_name(enum sighting sighting)
{
    static const char *const names[SIGHTINGS] = { "caught", "unsupported", "missed", "skipped", "unknown" };
    return names[sighting];
}

static cJSON *controls_of(const struct evidence *evidence)
{
    cJSON *controls = cJSON_CreateObject();
    cJSON_AddBoolToObject(controls, "witness_before", evidence->witness_before);
    cJSON_AddBoolToObject(controls, "witness_during", evidence->witness_during);
    cJSON_AddBoolToObject(controls, "witness_after", evidence->witness_after);
    cJSON_AddBoolToObject(controls, "door_before", evidence->door_before);
    cJSON_AddBoolToObject(controls, "door_after", evidence->door_after);
    json_add_text(controls, "bare", sighting_name(evidence->bare));
    json_add_text(controls, "open", sighting_name(evidence->open));
    return controls;
}

static cJSON *attempt_of(const struct run *run, const struct run_attempt_result *attempt)
{
    const struct vector *vector = run->plan.attempts[attempt->seq - 1].vector;
    char id[8], target[160];
    vector_format_id(vector->id, id);
    report_target(run, attempt, target, sizeof target);
    cJSON *object = cJSON_CreateObject();
    json_add_text(object, "id", id);
    json_add_text(object, "target", target);
    json_add_text(object, "title", vector->title);
    json_add_text(object, "family", vector_family_name(vector->family));
    json_add_text(object, "principal", principal_name(attempt->principal));
    json_add_text(object, "verdict", verdict_name(attempt->judgement.verdict));
    json_add_text_or_null(object, "how", how_name(attempt->judgement.how));
    json_add_text(object, "reason", judge_reason_text(attempt->judgement.reason));
    cJSON_AddBoolToObject(object, "accepted", attempt->accepted);
    json_add_text(object, "remedy", report_remedy(run, attempt));
    const struct record_did *did = report_record(run, attempt);
    if (did == NULL) {
        cJSON_AddNullToObject(object, "probe");
    } else {
        cJSON *probe = cJSON_AddObjectToObject(object, "probe");
        json_add_text(probe, "stage", stage_name(did->stage));
        json_add_text_or_null(probe, "errno", did->error[0] == '\0' ? NULL : did->error);
        cJSON_AddNumberToObject(probe, "sent", did->sent);
        cJSON_AddNumberToObject(probe, "received", did->received);
        cJSON_AddNumberToObject(probe, "microseconds", (double)did->microseconds);
    }
    report_each_hit(run, PHASE_FENCED, attempt, add_hit, cJSON_AddArrayToObject(object, "hits"));
    char ports[REPORT_PORTS_TEXT];
    const struct swept_ports *swept = report_swept_ports(run, attempt, ports);
    if (swept != NULL) {
        cJSON *sweep = cJSON_AddObjectToObject(object, "ports");
        cJSON_AddNumberToObject(sweep, "heard", swept->count);
        cJSON_AddNumberToObject(sweep, "first", swept->first);
        json_add_text(sweep, "ranges", ports);
    }
    cJSON_AddItemToObject(object, "controls", controls_of(&attempt->evidence));
    return object;
}

static void add_backend(cJSON *report, const struct run *run)
{
    const struct fingerprint *fingerprint = &run->phases[PHASE_FENCED].fingerprint;
    cJSON *backend = cJSON_AddObjectToObject(report, "backend");
    json_add_text(backend, "name", run->options.backend->name);
    json_add_text(backend, "engine", fingerprint->engine);
    json_add_text(backend, "version", fingerprint->version);
    json_add_text_or_null(backend, "policy", run->options.policy);
    json_add_text_or_null(backend, "runtime", run->options.backend->runtime);
    cJSON *details = cJSON_AddObjectToObject(backend, "details");
    json_add_text(details, "kernel", fingerprint->kernel);
    json_add_text(details, "boot_id", fingerprint->boot_id);
    json_add_text(details, "fingerprint", fingerprint->details);
    json_add_text(details, "fence_log", run->phases[PHASE_FENCED].fence_log);
    cJSON_AddNumberToObject(details, "drain_milliseconds", run->options.backend->drain_milliseconds);
}

static void add_not_proved(cJSON *report, const struct run *run)
{
    cJSON *list = cJSON_AddArrayToObject(report, "not_proved");
    for (size_t i = 0; i < run->plan.not_proved_count; i++) {
        char id[8];
        vector_format_id(run->plan.not_proved[i].vector, id);
        cJSON *entry = cJSON_CreateObject();
        json_add_text(entry, "id", id);
        json_add_text(entry, "reason", run->plan.not_proved[i].reason);
        cJSON_AddItemToArray(list, entry);
    }
}

static void add_acceptance(cJSON *report, const struct run *run)
{
    char text[8];
    evidence_add_acceptance(report, &run->options);
    cJSON *accepted = cJSON_AddArrayToObject(report, "accepted");
    for (size_t i = 0; report_accepted_at(run, i, text); i++)
        cJSON_AddItemToArray(accepted, cJSON_CreateString(text));
}

static cJSON *mutant_of(const char *fence, const struct run *run, const struct fence_pair *pair)
{
    cJSON *mutant = cJSON_CreateObject();
    json_add_text(mutant, "fence", fence);
    if (pair == NULL)
        return mutant;
    const struct fence *row = &run->options.backend->fences[pair->fence];
    cJSON_AddBoolToObject(mutant, "proved", pair->proved);
    cJSON_AddNumberToObject(mutant, "escaped", pair->escaped);
    cJSON_AddNumberToObject(mutant, "planned", pair->planned);
    json_add_text(mutant, "reason", pair->reason);
    cJSON *list = cJSON_AddArrayToObject(mutant, "vectors");
    for (const uint16_t *id = row->vectors; *id != 0; id++) {
        char text[8];
        vector_format_id(*id, text);
        if (plan_has(&run->plan, *id))
            cJSON_AddItemToArray(list, cJSON_CreateString(text));
    }
    return mutant;
}

static void add_self_proof(cJSON *report, const struct run *run)
{
    const struct backend *backend = run->options.backend;
    cJSON *proof = cJSON_AddObjectToObject(report, "self_proof");
    json_add_text(proof, "mode", evidence_self_proofs[run->options.self_proof]);
    cJSON *mutants = cJSON_AddArrayToObject(proof, "mutants");
    if (run->options.mutant >= 0)
        cJSON_AddItemToArray(mutants, mutant_of(backend->fences[run->options.mutant].name, run, NULL));
    for (size_t i = 0; i < run->pair_count; i++)
        cJSON_AddItemToArray(mutants, mutant_of(backend->fences[run->pairs[i].fence].name, run, &run->pairs[i]));
    cJSON *unproved = cJSON_AddArrayToObject(proof, "unproved_fences");
    for (size_t i = 0; i < backend->fence_count; i++)
        if (self_proof_leaves_out(run, i))
            cJSON_AddItemToArray(unproved, cJSON_CreateString(backend->fences[i].name));
}

static void add_principals(cJSON *report, const struct run *run)
{
    const struct phase_result *fenced = &run->phases[PHASE_FENCED];
    cJSON *principals = cJSON_AddObjectToObject(report, "principals");
    for (int p = 0; p < PRINCIPALS; p++) {
        if (!run->options.principals[p])
            continue;
        cJSON *principal = cJSON_AddObjectToObject(principals, principal_name((enum principal)p));
        cJSON_AddNumberToObject(principal, "uid", p == PRINCIPAL_ROOT ? 0 : 65534);
        if (fenced->host_uids_known)
            cJSON_AddNumberToObject(principal, "host_uid", fenced->host_uids[p]);
        else
            cJSON_AddNullToObject(principal, "host_uid");
    }
}

static cJSON *report_of(const struct run *run)
{
    static const char *const count_names[VERDICTS] = { "blocked", "escaped", "inconclusive", "broken" };
    cJSON *report = cJSON_CreateObject();
    json_add_text(report, "schema", "bottle-gate/report/1");
    json_add_text(report, "run", run->plan.run);
    add_time(report, "started", &run->started);
    add_time(report, "finished", &run->finished);
    cJSON *tool = cJSON_AddObjectToObject(report, "tool");
    json_add_text(tool, "name", "bottle-gate");
    json_add_text(tool, "version", BOTTLE_VERSION);
    add_backend(report, run);
    json_add_text(report, "site", site_kind_name(run->options.site));
    json_add_text(report, "profile", run->options.vector_count == 0 ? "core" : "selected");
    json_add_text(report, "verdict", run_verdict_name(run->verdict));
    json_add_text(report, "reason", run->reason);
    cJSON_AddNumberToObject(report, "exit", run_verdict_exit(run->verdict));
    cJSON *counts = cJSON_AddObjectToObject(report, "counts");
    for (int verdict = 0; verdict < VERDICTS; verdict++)
        cJSON_AddNumberToObject(counts, count_names[verdict], run->counts[verdict]);
    cJSON *attempts = cJSON_AddArrayToObject(report, "attempts");
    for (size_t i = 0; i < run->attempt_count; i++)
        cJSON_AddItemToArray(attempts, attempt_of(run, &run->attempts[i]));
    add_not_proved(report, run);
    add_acceptance(report, run);
    add_self_proof(report, run);
    add_principals(report, run);
    cJSON *host = cJSON_AddObjectToObject(report, "host");
    json_add_text(host, "kernel", run->kernel);
    json_add_text(host, "arch", run->arch);
    const struct phase_result *fenced = &run->phases[PHASE_FENCED];
    cJSON *milliseconds = cJSON_AddObjectToObject(report, "milliseconds");
    cJSON_AddNumberToObject(milliseconds, "total", (double)run->milliseconds);
    cJSON_AddNumberToObject(milliseconds, "boot", (double)fenced->microseconds_boot / 1000);
    cJSON_AddNumberToObject(milliseconds, "attempts", (double)fenced->microseconds_attempts / 1000);
    json_add_text(report, "caveat", report_caveat);
    return report;
}

bool report_json(const struct run *run, const struct report_style *style, FILE *stream)
{
    (void)style;
    cJSON *report = report_of(run);
    cleanup_free char *text = report == NULL ? NULL : cJSON_Print(report);
    cJSON_Delete(report);
    return text != NULL && fprintf(stream, "%s\n", text) > 0 && fflush(stream) == 0 && !ferror(stream);
}
