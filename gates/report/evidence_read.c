/* See evidence_file.h: from hostile JSON to struct run. Indices, enums and counts are checked where they are read;
 * places, ports and pairs are worked out from this build's tables and must be what the file says. */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "../plan_targets.h"
#include "evidence_file.h"

static uint16_t read_id(struct json_reader *reader, const cJSON *object, const char *name)
{
    char text[8];
    json_text(reader, object, name, text, sizeof text);
    uint16_t id = vector_parse_id(text);
    if (id == 0)
        json_refuse(reader, name, "is no vector id");
    return id;
}

static int principal_of(struct json_reader *reader, const cJSON *object, const char *name)
{
    const char *names[PRINCIPALS];
    for (int p = 0; p < PRINCIPALS; p++)
        names[p] = principal_name((enum principal)p);
    return (int)json_choice(reader, object, name, names, PRINCIPALS);
}

static void read_principals(struct json_reader *reader, const cJSON *object, struct run_options *options)
{
    int named = 0;
    const cJSON *each, *list = json_list(reader, object, "principals", PRINCIPALS);
    cJSON_ArrayForEach(each, list)
    {
        for (int p = 0; p < PRINCIPALS; p++)
            if (cJSON_IsString(each) && strcmp(each->valuestring, principal_name((enum principal)p)) == 0)
                options->principals[p] = true;
    }
    for (int p = 0; p < PRINCIPALS; p++)
        named += options->principals[p];
    if (list != NULL && named != cJSON_GetArraySize(list))
        json_refuse(reader, "principals", "names somebody else, or somebody twice");
}

static void read_asked(struct json_reader *reader, const cJSON *object, struct run_options *options)
{
    const cJSON *each, *list = json_list(reader, object, "vectors", VECTORS_ASKED_MAX);
    cJSON_ArrayForEach(each, list)
    {
        uint16_t id = cJSON_IsString(each) ? vector_parse_id(each->valuestring) : 0;
        if (id == 0)
            json_refuse(reader, "vectors", "has an entry that is no vector id");
        else
            options->vectors[options->vector_count++] = id;
    }
}

/* Evidence without these lists is of a run that accepted and required nothing. */
static bool is_there(const cJSON *object, const char *name)
{
    return cJSON_GetObjectItemCaseSensitive(object, name) != NULL;
}

static void read_list(struct json_reader *reader, const cJSON *object, const char *name, bool *open,
                      struct vector_list *ids)
{
    const cJSON *each, *list = is_there(object, name) ? json_list(reader, object, name, VECTORS_ASKED_MAX + 1) : NULL;
    cJSON_ArrayForEach(each, list)
    {
        uint16_t id = cJSON_IsString(each) ? vector_parse_id(each->valuestring) : 0;
        if (open != NULL && cJSON_IsString(each) && strcmp(each->valuestring, "open") == 0)
            *open = true;
        else if (id == 0 || ids->count == VECTORS_ASKED_MAX)
            json_refuse(reader, name, "has an entry that is no vector id, or too many");
        else
            ids->ids[ids->count++] = id;
    }
}

static bool is_null(const cJSON *object, const char *name)
{
    return cJSON_IsNull(cJSON_GetObjectItemCaseSensitive(object, name));
}

/* A backend without policies may have none in its evidence; one that has some must say which it was. */
static void read_policy(struct json_reader *reader, const cJSON *object, struct run_options *options)
{
    char name[64];
    bool there = cJSON_GetObjectItemCaseSensitive(object, "policy") != NULL && !is_null(object, "policy");
    if (!there && options->backend->policies == NULL)
        return;
    json_text(reader, object, "policy", name, sizeof name);
    options->policy = backend_find_policy(options->backend, name);
    if (options->policy == NULL)
        json_refuse(reader, "policy", "is none that this backend has");
}

/* Which table of the backend it was, and so whether its bottles share the host's kernel. Whether this host has it doesn't matter. */
static void read_runtime(struct json_reader *reader, const cJSON *object, struct run_options *options)
{
    char name[64] = "";
    if (options->backend->runtimes == NULL)
        return;
    json_text(reader, object, "runtime", name, sizeof name);
    const struct backend *backend = backend_find_runtime(options->backend, name);
    if (backend == NULL)
        json_refuse(reader, "runtime", "is none that this backend has");
    else
        options->backend = backend;
}

static void read_host(struct json_reader *reader, const cJSON *object, const char *name, char address[46])
{
    uint8_t bytes[16];
    json_text(reader, object, name, address, 46);
    if (!reader->failed && inet_pton(name[4] == '4' ? AF_INET : AF_INET6, address, bytes) != 1)
        json_refuse(reader, name, "is no IP address");
}

/* Where the machine's own addresses are planned, the file says which they were. A file without a site is of a sealed one. */
static void read_site(struct json_reader *reader, const cJSON *object, struct run_options *options,
                      struct machine_places *places)
{
    const char *kinds[SITE_KINDS];
    for (unsigned i = 0; i < SITE_KINDS; i++)
        kinds[i] = site_kind_name((enum site_kind)i);
    if (is_there(object, "site"))
        options->site = (enum site_kind)json_choice(reader, object, "site", kinds, SITE_KINDS);
    if (options->site == SITE_SEALED)
        return;
    if (options->backend->machine_open == NULL)
        json_refuse(reader, "site", "is none for bottles of that backend in this build");
    *places = (struct machine_places){ .gateway4 = options->backend->machine_gateway4,
                                       .networks = options->backend->machine_networks };
    const cJSON *machine = json_object(reader, object, "machine");
    read_host(reader, machine, "host4", places->host4);
    read_host(reader, machine, "host6", places->host6);
}

static void read_options(struct json_reader *reader, const cJSON *object, struct run_options *options,
                         struct machine_places *places)
{
    char name[64] = "";
    *options = (struct run_options){ .mutant = -1 };
    json_text(reader, object, "backend", name, sizeof name);
    options->backend = backend_find(name);
    if (options->backend == NULL) {
        json_refuse(reader, "backend", "is none that this build has");
        return;
    }
    read_runtime(reader, object, options);
    read_site(reader, object, options, places);
    read_policy(reader, object, options);
    read_principals(reader, object, options);
    read_asked(reader, object, options);
    options->self_proof =
        (enum self_proof)json_choice(reader, object, "self_proof", evidence_self_proofs, SELF_PROOF_EACH + 1);
    read_list(reader, object, "accept_unproved", &options->accept_open, &options->accepted);
    read_list(reader, object, "require", NULL, &options->required);
    options->sweep = (enum sweep_extent)json_choice(reader, object, "sweep", evidence_sweeps, SWEEP_OFF + 1);
    options->deadline_milliseconds = (uint32_t)json_number(reader, object, "deadline_milliseconds", 0, UINT32_MAX);
    if (is_null(object, "mutant"))
        return;
    json_text(reader, object, "mutant", name, sizeof name);
    options->mutant = backend_find_fence(options->backend, name);
    if (options->mutant < 0 || !self_proof_has(options, (size_t)options->mutant))
        json_refuse(reader, "mutant", "is no fence of that backend and policy in this build");
}

static bool is_planned(const struct run_plan *plan, const struct vector_target *target)
{
    for (uint16_t i = 0; i < plan->count; i++)
        if (plan->attempts[i].target == target)
            return true;
    return false;
}

/* The row's target that the entry is about; NULL if this build's row has none like it that isn't planned yet. */
static const struct vector_target *find_target(struct json_reader *reader, const cJSON *object,
                                               const struct vector *vector, const struct run_plan *plan)
{
    char mechanism[32], address[128];
    json_text(reader, object, "mechanism", mechanism, sizeof mechanism);
    json_text(reader, object, "target", address, sizeof address);
    uint64_t port = json_number(reader, object, "port", 0, UINT16_MAX);
    for (const struct vector_target *target = vector->targets; target->address != NULL && !reader->failed; target++)
        if (strcmp(mechanism_name(target->mechanism), mechanism) == 0 && strcmp(target->address, address) == 0 &&
            target->port == port && !is_planned(plan, target))
            return target;
    return NULL;
}

/* Reads one planned attempt. What stands behind its place is worked out anew, and must be what the file says. */
static void read_attempt(struct json_reader *reader, const cJSON *object, const struct run_options *options,
                         const struct machine_places *places, struct run_plan *plan)
{
    const struct backend *backend = options->backend;
    const struct plan_wishes wishes = { .peer4 = backend->peer4,
                                        .peer6 = backend->peer6,
                                        .machine = options->site == SITE_HOST ? places : NULL };
    struct run_attempt *attempt = &plan->attempts[plan->count];
    char address[sizeof attempt->address], wire[sizeof attempt->wire];
    snprintf(reader->where, sizeof reader->where, "plan, entry %u", plan->count);
    attempt->vector = vector_find(read_id(reader, object, "vector"));
    if (attempt->vector == NULL) {
        json_refuse(reader, "vector", "is none that this build has");
        return;
    }
    if ((attempt->vector->witness & WITNESS_PEER) != 0 && backend->peer4 == NULL) {
        json_refuse(reader, "vector", "needs a second bottle, which this backend never has");
        return;
    }
    attempt->target = find_target(reader, object, attempt->vector, plan);
    if (attempt->target == NULL) {
        json_refuse(reader, "target", "is none that this build has for that vector, or once too often");
        return;
    }
    plan_resolve_target(attempt, &wishes);
    if (!plan_target_is_allowed(attempt, wishes.machine))
        json_refuse(reader, "target", "is none that is tried on the machine itself");
    json_text(reader, object, "address", address, sizeof address);
    json_text(reader, object, "wire", wire, sizeof wire);
    if (strcmp(address, attempt->address) != 0 || strcmp(wire, attempt->wire) != 0)
        json_refuse(reader, "target", "leads to another address in this build");
    json_number(reader, object, "seq", plan->count + 1u, plan->count + 1u);
    bool sweep = json_choice(reader, object, "part", evidence_parts, PARTS) == PART_SWEEP;
    if (sweep != plan_is_sweep(attempt) || (!sweep && plan->sweep_start != plan->count))
        json_refuse(reader, "part", "is not where that attempt belongs");
    plan->count++;
    if (!sweep)
        plan->sweep_start = plan->count;
    else if (plan->count - plan->sweep_start > SWEEPS_MAX / PRINCIPALS)
        json_refuse(reader, "part", "has more sweeps than there can be");
}

static void read_plan(struct json_reader *reader, const cJSON *evidence, struct run *run)
{
    uint8_t id[RUN_ID_DIGITS / 2];
    const cJSON *each, *head = json_object(reader, evidence, "of");
    json_hex(reader, head, "run", id, sizeof id);
    json_text(reader, head, "run", run->plan.run, sizeof run->plan.run);
    json_text(reader, head, "kernel", run->kernel, sizeof run->kernel);
    json_text(reader, head, "boot_id", run->findings.boot_id, sizeof run->findings.boot_id);
    json_text(reader, head, "arch", run->arch, sizeof run->arch);
    json_text(reader, head, "probe_digest", run->findings.probe_digest, sizeof run->findings.probe_digest);
    run->milliseconds = json_number(reader, head, "milliseconds", 0, UINT32_MAX);
    memcpy(run->findings.kernel, run->kernel, sizeof run->findings.kernel);
    run->plan.sweep = run->options.sweep;
    const cJSON *plan = json_list(reader, evidence, "plan", PLAN_ATTEMPTS_MAX);
    cJSON_ArrayForEach(each, plan)
    {
        if (!reader->failed)
            read_attempt(reader, each, &run->options, &run->places, &run->plan);
    }
    reader->where[0] = '\0';
    const cJSON *not_proved = json_list(reader, evidence, "not_proved", NOT_PROVED_MAX);
    cJSON_ArrayForEach(each, not_proved)
    {
        struct not_proved *entry = &run->plan.not_proved[run->plan.not_proved_count++];
        snprintf(reader->where, sizeof reader->where, "not_proved");
        entry->vector = read_id(reader, each, "id");
        json_text(reader, each, "reason", entry->reason, sizeof entry->reason);
    }
}

static bool is_errno(const char *name)
{
    return name[0] == '\0' || (name[0] == 'E' && strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") == strlen(name));
}

static void read_act(struct json_reader *reader, const cJSON *object, struct collection *collection)
{
    const char *stages[STAGES];
    for (unsigned i = 0; i < STAGES; i++)
        stages[i] = stage_name((enum stage)i);
    uint64_t seq = json_number(reader, object, "seq", 0, ACTS_MAX - 1);
    struct collected_act *act = &collection->acts[seq];
    if (act->tried || act->done)
        json_refuse(reader, "seq", "is there twice");
    act->tried = json_bool(reader, object, "tried");
    const cJSON *did = json_object_or_null(reader, object, "did");
    if (did == NULL)
        return;
    act->done = true;
    act->did.seq = (uint16_t)seq;
    act->did.stage = (enum stage)json_choice(reader, did, "stage", stages, STAGES);
    json_text(reader, did, "errno", act->did.error, sizeof act->did.error);
    if (!is_errno(act->did.error))
        json_refuse(reader, "errno", "is no name of an errno value");
    act->did.sent = (uint32_t)json_number(reader, did, "sent", 0, UINT32_MAX);
    act->did.received = (uint32_t)json_number(reader, did, "received", 0, UINT32_MAX);
    act->did.microseconds = json_number(reader, did, "microseconds", 0, UINT64_MAX);
    json_text(reader, did, "proof", act->did.proof, sizeof act->did.proof);
}

static void read_part(struct json_reader *reader, const cJSON *object, struct phase_result *phase)
{
    int principal = principal_of(reader, object, "principal");
    unsigned part = json_choice(reader, object, "part", evidence_parts, PARTS);
    struct part_result *own = &phase->parts[principal][part];
    struct collection *collection = &own->collection;
    if (own->ran)
        json_refuse(reader, "part", "is there twice");
    own->ran = true;
    own->door_before = json_bool(reader, object, "door_before");
    own->door_after = json_bool(reader, object, "door_after");
    own->control_during = json_bool(reader, object, "control_during");
    own->control_after = json_bool(reader, object, "control_after");
    collection->state = (enum stream_state)json_choice(reader, object, "stream", evidence_streams, STREAM_FORGED + 1);
    json_text(reader, object, "problem", collection->problem, sizeof collection->problem);
    collection->uid = (uint32_t)json_number(reader, object, "uid", 0, UINT32_MAX);
    json_text(reader, object, "kernel", collection->kernel, sizeof collection->kernel);
    json_text(reader, object, "boot_id", collection->boot_id, sizeof collection->boot_id);
    json_text(reader, object, "digest", collection->digest, sizeof collection->digest);
    collection->count = (uint16_t)json_number(reader, object, "count", 0, ACTS_MAX);
    const cJSON *each, *acts = json_list(reader, object, "acts", ACTS_MAX);
    cJSON_ArrayForEach(each, acts)
    {
        if (!reader->failed)
            read_act(reader, each, collection);
    }
}

static void read_hit(struct json_reader *reader, const cJSON *object, const struct run_plan *plan,
                     struct phase_result *phase)
{
    const char *witnesses[WITNESS_KINDS];
    for (unsigned i = 0; i < WITNESS_KINDS; i++)
        witnesses[i] = witness_kind_name((enum witness_kind)(1u << i));
    static const char *const by[] = { "nonce", "tuple" };
    struct hit *hit = &phase->hits[phase->hit_count++];
    /* A plan without attempts has nothing to hit: then no number fits. */
    uint64_t seq = json_number(reader, object, "seq", 1, plan->count);
    int principal = principal_of(reader, object, "principal");
    hit->watch = (uint16_t)plan_watch_index(plan, (uint16_t)seq, (enum principal)principal);
    hit->kind = (enum witness_kind)(1u << json_choice(reader, object, "witness", witnesses, WITNESS_KINDS));
    hit->by_tuple = json_choice(reader, object, "by", by, 2) == 1;
    json_text(reader, object, "point", hit->point, sizeof hit->point);
    json_text(reader, object, "at", hit->at, sizeof hit->at);
    json_text(reader, object, "peer", hit->peer, sizeof hit->peer);
    hit->microseconds = json_number(reader, object, "microseconds", 0, UINT64_MAX);
}

static void read_sweeps(struct json_reader *reader, const cJSON *object, struct phase_result *phase)
{
    const cJSON *each, *list = json_list(reader, object, "sweeps", SWEEPS_MAX);
    cJSON_ArrayForEach(each, list)
    {
        struct swept_ports *swept = &phase->sweeps[json_number(reader, each, "index", 0, SWEEPS_MAX - 1)];
        swept->count = (uint32_t)json_number(reader, each, "count", 1, UINT16_MAX + 1u);
        swept->first = (uint16_t)json_number(reader, each, "first", 0, UINT16_MAX);
    }
}

static void read_world(struct json_reader *reader, const cJSON *object, struct phase_result *phase)
{
    json_hex(reader, object, "token", phase->token, sizeof phase->token);
    phase->sweep_ports = (uint16_t)json_number(reader, object, "sweep_ports", 0, UINT16_MAX);
    json_text(reader, object, "no_sockets", phase->no_sockets, sizeof phase->no_sockets);
    json_text(reader, object, "fence_log", phase->fence_log, sizeof phase->fence_log);
    const cJSON *uids = json_object_or_null(reader, object, "host_uids");
    phase->host_uids_known = uids != NULL;
    for (int p = 0; p < PRINCIPALS && uids != NULL; p++)
        phase->host_uids[p] = (uid_t)json_number(reader, uids, principal_name((enum principal)p), 0, UINT32_MAX);
    const cJSON *found = json_object(reader, object, "fingerprint");
    struct fingerprint *fingerprint = &phase->fingerprint;
    json_text(reader, found, "engine", fingerprint->engine, sizeof fingerprint->engine);
    json_text(reader, found, "version", fingerprint->version, sizeof fingerprint->version);
    json_text(reader, found, "kernel", fingerprint->kernel, sizeof fingerprint->kernel);
    json_text(reader, found, "boot_id", fingerprint->boot_id, sizeof fingerprint->boot_id);
    json_text(reader, found, "details", fingerprint->details, sizeof fingerprint->details);
    size_t count = 0;
    const cJSON *each, *lacks = json_list(reader, found, "lacks", FINGERPRINT_LACKS - 1);
    cJSON_ArrayForEach(each, lacks)
    {
        fingerprint->lacks[count++] = read_id(reader, each, "id");
    }
    const cJSON *microseconds = json_object(reader, object, "microseconds");
    phase->microseconds_total = json_number(reader, microseconds, "total", 0, UINT64_MAX);
    phase->microseconds_boot = json_number(reader, microseconds, "boot", 0, UINT64_MAX);
    phase->microseconds_attempts = json_number(reader, microseconds, "attempts", 0, UINT64_MAX);
    read_sweeps(reader, object, phase);
}

static void read_phase(struct json_reader *reader, const cJSON *object, size_t index, struct run *run)
{
    struct phase_result *phase = &run->phases[index];
    snprintf(reader->where, sizeof reader->where, "phases, entry %zu", index);
    json_number(reader, object, "index", index, index);
    phase->state = (enum phase_state)json_choice(reader, object, "state", evidence_states, PHASE_STATES);
    if (phase->state == PHASE_NOT_RUN)
        return;
    json_text(reader, object, "error", phase->error.text, sizeof phase->error.text);
    phase->control_before = json_bool(reader, object, "control_before");
    phase->control_final = json_bool(reader, object, "control_final");
    phase->peer_good = json_bool(reader, object, "peer_good");
    json_text(reader, object, "control_missing", phase->control_missing, sizeof phase->control_missing);
    phase->strays = (uint32_t)json_number(reader, object, "strays", 0, UINT32_MAX);
    json_text(reader, object, "stray_text", phase->stray_text, sizeof phase->stray_text);
    phase->broken = json_bool(reader, object, "broken");
    json_text(reader, object, "broken_text", phase->broken_text, sizeof phase->broken_text);
    read_world(reader, object, phase);
    const cJSON *each, *parts = json_list(reader, object, "parts", PRINCIPALS * PARTS);
    cJSON_ArrayForEach(each, parts)
    {
        if (!reader->failed)
            read_part(reader, each, phase);
    }
    const cJSON *hits = json_list(reader, object, "hits", HITS_MAX);
    cJSON_ArrayForEach(each, hits)
    {
        if (!reader->failed)
            read_hit(reader, each, &run->plan, phase);
    }
}

/* The pairs follow from plan and backend. A file that has others could leave out the very pair that failed. */
static void read_pairs(struct json_reader *reader, const cJSON *evidence, struct run *run)
{
    size_t count = run->options.self_proof == SELF_PROOF_EACH ? self_proof_pairs(run) : PHASES, index = 0;
    const cJSON *each, *pairs = json_list(reader, evidence, "pairs", FENCES_MAX);
    cJSON_ArrayForEach(each, pairs)
    {
        const struct fence_pair *pair = &run->pairs[index];
        char fence[64];
        snprintf(reader->where, sizeof reader->where, "pairs, entry %zu", index);
        json_text(reader, each, "fence", fence, sizeof fence);
        if (index++ >= run->pair_count ||
            (!reader->failed && strcmp(fence, run->options.backend->fences[pair->fence].name) != 0)) {
            json_refuse(reader, "fence", "is not the one that this build would prove there");
            return;
        }
        json_number(reader, each, "with", pair->with, pair->with);
        json_number(reader, each, "without", pair->without, pair->without);
    }
    reader->where[0] = '\0';
    const cJSON *phases = json_list(reader, evidence, "phases", PHASE_RESULTS);
    if (phases != NULL && ((size_t)cJSON_GetArraySize(phases) != count || index != run->pair_count))
        json_refuse(reader, "phases", "are not as many as such a run has");
    index = 0;
    cJSON_ArrayForEach(each, phases)
    {
        if (!reader->failed)
            read_phase(reader, each, index++, run);
    }
}

struct run *evidence_read(const cJSON *evidence, struct error *error)
{
    struct json_reader reader = { .error = error, .file = "evidence.json" };
    static const char *const schemas[] = { EVIDENCE_SCHEMA };
    struct run_options options;
    struct machine_places places = { 0 };
    json_choice(&reader, evidence, "schema", schemas, 1);
    read_options(&reader, json_object(&reader, evidence, "options"), &options, &places);
    struct run *run = reader.failed ? NULL : run_new(&options, error);
    if (run == NULL)
        return NULL;
    run->places = places;
    read_plan(&reader, evidence, run);
    read_pairs(&reader, evidence, run);
    if (!reader.failed)
        return run;
    run_free(run);
    return NULL;
}
