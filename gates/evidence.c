/* See evidence.h. Every question is asked so that the answer "don't know" is the one that can't become
 * BLOCKED. */
#include "evidence.h"

#include <stdio.h>
#include <string.h>

#include "../probes/encode.h"

/* The session in which the attempt was to be made, and its number there. */
static const struct part_result *part_of(const struct findings *findings, enum phase_kind phase, uint16_t seq,
                                         enum principal principal, uint16_t *own_seq)
{
    enum plan_part part;
    *own_seq = plan_seq_in_part(findings->plan, seq, &part);
    return &findings->phases[phase]->parts[principal][part];
}

static bool token_came_back(const struct findings *findings, enum phase_kind phase, uint16_t seq,
                            enum principal principal)
{
    uint16_t own_seq;
    char token[33];
    const struct part_result *own = part_of(findings, phase, seq, principal, &own_seq);
    const struct collected_act *act = &own->collection.acts[own_seq];
    encode_hex(findings->phases[phase]->token, sizeof findings->phases[phase]->token, token);
    return strcmp(act->did.proof, token) == 0;
}

bool evidence_caught(const struct findings *findings, enum phase_kind phase, uint16_t seq, enum principal principal)
{
    const struct phase_result *result = findings->phases[phase];
    size_t watch = plan_watch_index(findings->plan, seq, principal);
    unsigned proof = findings->plan->attempts[seq - 1].vector->proof;
    bool heard = false, heard_that_way = false;
    for (size_t i = 0; i < result->hit_count; i++)
        if (result->hits[i].watch == watch) {
            heard = true;
            heard_that_way = heard_that_way || (result->hits[i].kind & proof) != 0;
        }
    /* Whatever gets out of the fenced bottle has got out. Where the attempt shows that the way exists, it must have gone
     * that way: a multipath socket that fell back to plain TCP shows nothing. */
    if (phase != PHASE_FENCED && proof != 0)
        return heard_that_way;
    return heard || token_came_back(findings, phase, seq, principal);
}

/* What the probe's greeting says of itself, against what was started: another probe, principal, kernel or boot is a
 * forgery. The boot id alone may be out of a bottle's sight. The bare run's probe is on the host itself, the others' in a bottle
 * whose fingerprint was taken (and is judged by fingerprint_fits). */
static bool greeting_fits(const struct findings *findings, enum phase_kind phase, const struct collection *collection,
                          enum principal principal)
{
    const struct fingerprint *fingerprint = &findings->phases[phase]->fingerprint;
    uint32_t uid = principal == PRINCIPAL_ROOT ? 0 : 65534;
    const char *kernel = phase == PHASE_BARE ? findings->kernel : fingerprint->kernel;
    const char *boot_id = phase == PHASE_BARE ? findings->boot_id : fingerprint->boot_id;
    bool uid_fits = collection->uid == uid || (phase != PHASE_BARE && findings->backend->own_ids);
    return uid_fits && strcmp(collection->digest, findings->probe_digest) == 0 &&
           strcmp(collection->kernel, kernel) == 0 &&
           (strcmp(collection->boot_id, "-") == 0 || strcmp(collection->boot_id, boot_id) == 0);
}

/* What the backend says stands behind the bottle, against what was asked for: a bottle that shares the host's kernel shows the
 * host's release and boot id, one with a kernel of its own shows another. A boot id that can't be seen shows
 * nothing, so then the release must be another. */
static bool fingerprint_fits(const struct findings *findings, enum phase_kind phase)
{
    const struct fingerprint *fingerprint = &findings->phases[phase]->fingerprint;
    bool unknown = !findings->shares_kernel && strcmp(fingerprint->boot_id, "-") == 0;
    bool same = strcmp(fingerprint->kernel, findings->kernel) == 0 &&
                (unknown || strcmp(fingerprint->boot_id, findings->boot_id) == 0);
    return phase == PHASE_BARE || same == findings->shares_kernel;
}

static bool controls_good(const struct phase_result *result, const struct part_result *own)
{
    return result->peer_good && result->control_before && own->control_during && own->control_after &&
           result->control_final && own->door_before && own->door_after;
}

/* A sweep that didn't come to its end has not tried what it says. */
static bool is_whole(const struct findings *findings, enum phase_kind phase, uint16_t seq,
                     const struct collected_act *act)
{
    const struct run_attempt *attempt = &findings->plan->attempts[seq - 1];
    return !plan_is_sweep(attempt) || act->did.sent >= findings->phases[phase]->sweep_ports;
}

static enum account account_of(const struct findings *findings, enum phase_kind phase, uint16_t seq,
                               enum principal principal)
{
    uint16_t own_seq;
    const struct phase_result *result = findings->phases[phase];
    const struct part_result *own = part_of(findings, phase, seq, principal, &own_seq);
    const struct collected_act *act = &own->collection.acts[own_seq];
    if (!own->ran || own->collection.state == STREAM_SILENT || !act->tried)
        return ACCOUNT_NONE;
    if (!act->done)
        return ACCOUNT_HALF;
    if (result->state != PHASE_FINISHED || own->collection.state != STREAM_COMPLETE)
        return ACCOUNT_UNTRUSTED;
    if (errno_is_unsupported(act->did.error))
        return ACCOUNT_UNSUPPORTED;
    if (act->did.sent == 0 && errno_is_starved(act->did.error))
        return ACCOUNT_STARVED;
    return is_whole(findings, phase, seq, act) ? ACCOUNT_TRIED : ACCOUNT_HALF;
}

/* Silence means no more in the bare and open runs than in the fenced one: an attempt counts as missed only if the probe's
 * account of it is whole. */
enum sighting evidence_sighting(const struct findings *findings, enum phase_kind phase, uint16_t seq,
                                enum principal principal)
{
    const struct phase_result *result = findings->phases[phase];
    if (result->state == PHASE_NOT_RUN)
        return SIGHTING_SKIPPED;
    if (evidence_caught(findings, phase, seq, principal))
        return SIGHTING_CAUGHT;
    uint16_t own_seq;
    const struct part_result *own = part_of(findings, phase, seq, principal, &own_seq);
    if (!greeting_fits(findings, phase, &own->collection, principal) || !controls_good(result, own))
        return SIGHTING_UNKNOWN;
    enum account account = account_of(findings, phase, seq, principal);
    if (account == ACCOUNT_UNSUPPORTED)
        return SIGHTING_UNSUPPORTED;
    return account == ACCOUNT_TRIED ? SIGHTING_MISSED : SIGHTING_UNKNOWN;
}

/* Did the open bottle leak, as this principal, what its backend says that it must? Every such vector that was
 * planned must have been caught at least once. */
static bool open_was_open(const struct findings *findings, enum principal principal)
{
    for (const uint16_t *must = findings->backend->open_must_leak; *must != 0; must++) {
        bool planned = false, caught = false;
        for (uint16_t seq = 1; seq <= findings->plan->count; seq++)
            if (findings->plan->attempts[seq - 1].vector->id == *must) {
                planned = true;
                caught = caught || evidence_caught(findings, PHASE_OPEN, seq, principal);
            }
        if (planned && !caught)
            return false;
    }
    return true;
}

const char *evidence_broken(const struct findings *findings, char *text, size_t size)
{
    for (int k = 0; k < PHASES; k++) {
        const struct phase_result *result = findings->phases[k];
        const char *name = phase_name((enum phase_kind)k);
        if (result->state == PHASE_NOT_RUN)
            continue;
        if (result->state == PHASE_FAILED) {
            snprintf(text, size, "%s run: %s", name, result->error.text);
            return text;
        }
        if (result->state == PHASE_RUNNING) {
            snprintf(text, size, "%s run: its process died before it was done", name);
            return text;
        }
        if (result->broken) {
            snprintf(text, size, "%s run: %s", name, result->broken_text);
            return text;
        }
        if (result->state != PHASE_ABSENT && !fingerprint_fits(findings, (enum phase_kind)k)) {
            snprintf(text, size, "%s run: the bottle runs on kernel %.40s, boot %.36s: not what was asked for", name,
                     result->fingerprint.kernel, result->fingerprint.boot_id);
            return text;
        }
        for (int i = 0; i < PRINCIPALS * PARTS; i++) {
            enum principal principal = (enum principal)(i / PARTS);
            const struct part_result *own = &result->parts[principal][i % PARTS];
            if (!own->ran)
                continue;
            if (own->collection.state == STREAM_FORGED) {
                snprintf(text, size, "%s run, %s: the probe's records can't be believed: %s", name,
                         principal_name(principal), own->collection.problem);
                return text;
            }
            if (own->collection.state == STREAM_COMPLETE &&
                !greeting_fits(findings, (enum phase_kind)k, &own->collection, principal)) {
                snprintf(text, size, "%s run, %s: another probe, uid, kernel or boot than was started has answered",
                         name, principal_name(principal));
                return text;
            }
        }
    }
    return NULL;
}

static bool kernel_lacks(const struct findings *findings, enum phase_kind phase, const struct run_attempt *attempt)
{
    for (const uint16_t *lack = findings->phases[phase]->fingerprint.lacks; *lack != 0; lack++)
        if (*lack == attempt->vector->id)
            return true;
    return false;
}

void evidence_gather(const struct findings *findings, uint16_t seq, enum principal principal, struct evidence *evidence)
{
    const struct phase_result *fenced = findings->phases[PHASE_FENCED];
    uint16_t own_seq;
    const struct part_result *own = part_of(findings, PHASE_FENCED, seq, principal, &own_seq);
    const struct run_attempt *attempt = &findings->plan->attempts[seq - 1];
    char text[200];
    *evidence = (struct evidence){
        .bare = evidence_sighting(findings, PHASE_BARE, seq, principal),
        .open = evidence_sighting(findings, PHASE_OPEN, seq, principal),
        .account = account_of(findings, PHASE_FENCED, seq, principal),
        .hit = evidence_caught(findings, PHASE_FENCED, seq, principal),
        .witness_before = fenced->control_before && fenced->peer_good,
        .witness_during = own->control_during,
        .witness_after = own->control_after && fenced->control_final,
        .door_before = own->door_before,
        .door_after = own->door_after,
        .structural = findings->backend->structural(attempt->vector->id, attempt->address),
        .stray = fenced->strays > 0,
        .open_was_open = open_was_open(findings, principal),
        .open_accepted = findings->open_accepted,
        .gate_broken = evidence_broken(findings, text, sizeof text) != NULL,
    };
    /* The host's kernel speaks for bottles that share it. Of another kernel the backend must have found something outside, and
     * the fenced bottle must run the same one as the open bottle did. */
    evidence->outside_agrees = findings->shares_kernel ? evidence->bare == SIGHTING_UNSUPPORTED
                                                       : kernel_lacks(findings, PHASE_OPEN, attempt) &&
                                                             kernel_lacks(findings, PHASE_FENCED, attempt);
}
