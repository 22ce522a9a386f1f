/* See evidence_file.h: from struct run to JSON, one function a struct. */
#include <string.h>

#include "../../launcher/support/cleanup.h"
#include "../../probes/encode.h"
#include "evidence_file.h"

const char *const evidence_self_proofs[] = { "off", "bare", "open", "each" };
const char *const evidence_sweeps[] = { "all", "sample", "off" };
const char *const evidence_states[] = { "not-run", "running", "finished", "failed", "absent" };
const char *const evidence_streams[] = { "complete", "silent", "cut", "forged" };
const char *const evidence_parts[] = { "attempts", "sweep" };

static void add_number(cJSON *object, const char *name, uint64_t number)
{
    cJSON_AddNumberToObject(object, name, (double)number);
}

static void add_id(cJSON *object, const char *name, uint16_t vector)
{
    char id[8];
    vector_format_id(vector, id);
    json_add_text(object, name, id);
}

static void add_ids(cJSON *list, const uint16_t *ids, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char id[8];
        vector_format_id(ids[i], id);
        cJSON_AddItemToArray(list, cJSON_CreateString(id));
    }
}

void evidence_add_acceptance(cJSON *object, const struct run_options *options)
{
    cJSON *accepted = cJSON_AddArrayToObject(object, "accept_unproved");
    if (options->accept_open)
        cJSON_AddItemToArray(accepted, cJSON_CreateString("open"));
    add_ids(accepted, options->accepted.ids, options->accepted.count);
    add_ids(cJSON_AddArrayToObject(object, "require"), options->required.ids, options->required.count);
}

static cJSON *options_of(const struct run *run)
{
    const struct run_options *options = &run->options;
    cJSON *object = cJSON_CreateObject();
    json_add_text(object, "backend", options->backend->name);
    json_add_text_or_null(object, "policy", options->policy);
    json_add_text_or_null(object, "runtime", options->backend->runtime);
    json_add_text(object, "site", site_kind_name(options->site));
    cJSON *machine = cJSON_CreateNull();
    if (options->site == SITE_HOST) {
        cJSON_Delete(machine);
        machine = cJSON_CreateObject();
        json_add_text(machine, "host4", run->places.host4);
        json_add_text(machine, "host6", run->places.host6);
    }
    cJSON_AddItemToObject(object, "machine", machine);
    cJSON *principals = cJSON_AddArrayToObject(object, "principals");
    for (int p = 0; p < PRINCIPALS; p++)
        if (options->principals[p])
            cJSON_AddItemToArray(principals, cJSON_CreateString(principal_name((enum principal)p)));
    add_ids(cJSON_AddArrayToObject(object, "vectors"), options->vectors, options->vector_count);
    json_add_text(object, "self_proof", evidence_self_proofs[options->self_proof]);
    evidence_add_acceptance(object, options);
    json_add_text(object, "sweep", evidence_sweeps[options->sweep]);
    json_add_text_or_null(object, "mutant", report_mutant(run));
    add_number(object, "deadline_milliseconds", options->deadline_milliseconds);
    return object;
}

static cJSON *plan_of(const struct run *run)
{
    cJSON *list = cJSON_CreateArray();
    for (uint16_t seq = 1; seq <= run->plan.count; seq++) {
        const struct run_attempt *attempt = &run->plan.attempts[seq - 1];
        enum plan_part part;
        cJSON *object = cJSON_CreateObject();
        plan_seq_in_part(&run->plan, seq, &part);
        add_number(object, "seq", seq);
        add_id(object, "vector", attempt->vector->id);
        json_add_text(object, "mechanism", mechanism_name(attempt->target->mechanism));
        json_add_text(object, "target", attempt->target->address);
        add_number(object, "port", attempt->target->port);
        json_add_text(object, "address", attempt->address);
        json_add_text(object, "wire", attempt->wire);
        json_add_text(object, "part", evidence_parts[part]);
        cJSON_AddItemToArray(list, object);
    }
    return list;
}

static cJSON *not_proved_of(const struct run *run)
{
    cJSON *list = cJSON_CreateArray();
    for (size_t i = 0; i < run->plan.not_proved_count; i++) {
        cJSON *object = cJSON_CreateObject();
        add_id(object, "id", run->plan.not_proved[i].vector);
        json_add_text(object, "reason", run->plan.not_proved[i].reason);
        cJSON_AddItemToArray(list, object);
    }
    return list;
}

static cJSON *pairs_of(const struct run *run)
{
    cJSON *list = cJSON_CreateArray();
    for (size_t i = 0; i < run->pair_count; i++) {
        cJSON *object = cJSON_CreateObject();
        json_add_text(object, "fence", run->options.backend->fences[run->pairs[i].fence].name);
        add_number(object, "with", run->pairs[i].with);
        add_number(object, "without", run->pairs[i].without);
        cJSON_AddItemToArray(list, object);
    }
    return list;
}

static cJSON *act_of(const struct collected_act *act, size_t seq)
{
    cJSON *object = cJSON_CreateObject();
    add_number(object, "seq", seq);
    cJSON_AddBoolToObject(object, "tried", act->tried);
    if (!act->done) {
        cJSON_AddNullToObject(object, "did");
        return object;
    }
    cJSON *did = cJSON_AddObjectToObject(object, "did");
    json_add_text(did, "stage", stage_name(act->did.stage));
    json_add_text(did, "errno", act->did.error);
    add_number(did, "sent", act->did.sent);
    add_number(did, "received", act->did.received);
    add_number(did, "microseconds", act->did.microseconds);
    json_add_text(did, "proof", act->did.proof);
    return object;
}

static cJSON *part_of(const struct part_result *own, enum principal principal, enum plan_part part)
{
    const struct collection *collection = &own->collection;
    cJSON *object = cJSON_CreateObject();
    json_add_text(object, "principal", principal_name(principal));
    json_add_text(object, "part", evidence_parts[part]);
    cJSON_AddBoolToObject(object, "door_before", own->door_before);
    cJSON_AddBoolToObject(object, "door_after", own->door_after);
    cJSON_AddBoolToObject(object, "control_during", own->control_during);
    cJSON_AddBoolToObject(object, "control_after", own->control_after);
    json_add_text(object, "stream", evidence_streams[collection->state]);
    json_add_text(object, "problem", collection->problem);
    add_number(object, "uid", collection->uid);
    json_add_text(object, "kernel", collection->kernel);
    json_add_text(object, "boot_id", collection->boot_id);
    json_add_text(object, "digest", collection->digest);
    add_number(object, "count", collection->count);
    cJSON *acts = cJSON_AddArrayToObject(object, "acts");
    for (size_t seq = 0; seq < ACTS_MAX; seq++)
        if (collection->acts[seq].tried || collection->acts[seq].done)
            cJSON_AddItemToArray(acts, act_of(&collection->acts[seq], seq));
    return object;
}

static cJSON *hit_of(const struct run *run, const struct hit *hit)
{
    cJSON *object = cJSON_CreateObject();
    add_number(object, "seq", hit->watch % run->plan.count + 1u);
    json_add_text(object, "principal", principal_name((enum principal)(hit->watch / run->plan.count)));
    json_add_text(object, "witness", witness_kind_name(hit->kind));
    json_add_text(object, "by", hit->by_tuple ? "tuple" : "nonce");
    json_add_text(object, "point", hit->point);
    json_add_text(object, "at", hit->at);
    json_add_text(object, "peer", hit->peer);
    add_number(object, "microseconds", hit->microseconds);
    return object;
}

static void add_fingerprint(cJSON *object, const struct fingerprint *fingerprint)
{
    cJSON *found = cJSON_AddObjectToObject(object, "fingerprint");
    json_add_text(found, "engine", fingerprint->engine);
    json_add_text(found, "version", fingerprint->version);
    json_add_text(found, "kernel", fingerprint->kernel);
    json_add_text(found, "boot_id", fingerprint->boot_id);
    json_add_text(found, "details", fingerprint->details);
    cJSON *lacks = cJSON_AddArrayToObject(found, "lacks");
    for (size_t i = 0; fingerprint->lacks[i] != 0; i++) {
        cJSON *lack = cJSON_CreateObject();
        add_id(lack, "id", fingerprint->lacks[i]);
        cJSON_AddItemToArray(lacks, lack);
    }
}

static void add_world(cJSON *object, const struct phase_result *phase)
{
    char token[2 * sizeof phase->token + 1];
    encode_hex(phase->token, sizeof phase->token, token);
    json_add_text(object, "token", token);
    add_number(object, "sweep_ports", phase->sweep_ports);
    json_add_text(object, "no_sockets", phase->no_sockets);
    json_add_text(object, "fence_log", phase->fence_log);
    cJSON *uids = phase->host_uids_known ? cJSON_AddObjectToObject(object, "host_uids") : NULL;
    if (uids == NULL)
        cJSON_AddNullToObject(object, "host_uids");
    for (int p = 0; p < PRINCIPALS && uids != NULL; p++)
        add_number(uids, principal_name((enum principal)p), phase->host_uids[p]);
    add_fingerprint(object, &phase->fingerprint);
    cJSON *microseconds = cJSON_AddObjectToObject(object, "microseconds");
    add_number(microseconds, "total", phase->microseconds_total);
    add_number(microseconds, "boot", phase->microseconds_boot);
    add_number(microseconds, "attempts", phase->microseconds_attempts);
    cJSON *sweeps = cJSON_AddArrayToObject(object, "sweeps");
    for (size_t i = 0; i < SWEEPS_MAX; i++)
        if (phase->sweeps[i].count > 0) {
            cJSON *sweep = cJSON_CreateObject();
            add_number(sweep, "index", i);
            add_number(sweep, "count", phase->sweeps[i].count);
            add_number(sweep, "first", phase->sweeps[i].first);
            cJSON_AddItemToArray(sweeps, sweep);
        }
}

/* Indices: the three runs, then those of the pairs. */
static cJSON *phase_of(const struct run *run, size_t index)
{
    const struct phase_result *phase = &run->phases[index];
    cJSON *object = cJSON_CreateObject();
    add_number(object, "index", index);
    json_add_text(object, "run", index < PHASES ? phase_name((enum phase_kind)index) : "of a pair");
    json_add_text(object, "state", evidence_states[phase->state]);
    if (phase->state == PHASE_NOT_RUN)
        return object;
    json_add_text(object, "error", phase->error.text);
    cJSON_AddBoolToObject(object, "control_before", phase->control_before);
    cJSON_AddBoolToObject(object, "control_final", phase->control_final);
    cJSON_AddBoolToObject(object, "peer_good", phase->peer_good);
    json_add_text(object, "control_missing", phase->control_missing);
    add_number(object, "strays", phase->strays);
    json_add_text(object, "stray_text", phase->stray_text);
    cJSON_AddBoolToObject(object, "broken", phase->broken);
    json_add_text(object, "broken_text", phase->broken_text);
    add_world(object, phase);
    cJSON *parts = cJSON_AddArrayToObject(object, "parts");
    for (int p = 0; p < PRINCIPALS; p++)
        for (int part = 0; part < PARTS; part++)
            if (phase->parts[p][part].ran)
                cJSON_AddItemToArray(parts, part_of(&phase->parts[p][part], (enum principal)p, (enum plan_part)part));
    cJSON *hits = cJSON_AddArrayToObject(object, "hits");
    for (size_t i = 0; i < phase->hit_count && run->plan.count > 0; i++)
        cJSON_AddItemToArray(hits, hit_of(run, &phase->hits[i]));
    return object;
}

static bool print(const char *before, cJSON *value, const char *after, FILE *stream)
{
    cleanup_free char *text = value == NULL ? NULL : cJSON_PrintUnformatted(value);
    cJSON_Delete(value);
    return text != NULL && fprintf(stream, "%s%s%s", before, text, after) > 0;
}

static cJSON *head_of(const struct run *run)
{
    char text[REPORT_TIME_TEXT];
    cJSON *head = cJSON_CreateObject();
    json_add_text(head, "run", run->plan.run);
    json_add_text(head, "version", BOTTLE_VERSION);
    json_add_text(head, "started", report_time(&run->started, text));
    json_add_text(head, "finished", report_time(&run->finished, text));
    add_number(head, "milliseconds", run->milliseconds);
    json_add_text(head, "kernel", run->kernel);
    json_add_text(head, "boot_id", run->findings.boot_id);
    json_add_text(head, "arch", run->arch);
    json_add_text(head, "probe_digest", run->findings.probe_digest);
    return head;
}

bool evidence_write(const struct run *run, const struct report_style *style, FILE *stream)
{
    (void)style;
    fputs("{\"schema\":\"" EVIDENCE_SCHEMA "\",\n", stream);
    bool written = print("\"of\":", head_of(run), ",\n", stream) &&
                   print("\"options\":", options_of(run), ",\n", stream) &&
                   print("\"plan\":", plan_of(run), ",\n", stream) &&
                   print("\"not_proved\":", not_proved_of(run), ",\n", stream) &&
                   print("\"pairs\":", pairs_of(run), ",\n\"phases\":[", stream);
    size_t last = PHASES;
    for (size_t i = 0; i < run->pair_count; i++)
        last = run->pairs[i].with >= last ? run->pairs[i].with + 1 : last;
    for (size_t i = 0; i < run->pair_count; i++)
        last = run->pairs[i].without >= last ? run->pairs[i].without + 1 : last;
    for (size_t i = 0; i < last && written; i++)
        written = print(i == 0 ? "\n" : ",\n", phase_of(run, i), "", stream);
    fputs("]}\n", stream);
    return written && fflush(stream) == 0 && !ferror(stream);
}
