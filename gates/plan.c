/* See plan.h. Places of the site are resolved here and nowhere else; ports left open by a row are numbered
 * from FIRST_PORT, below the range that kernels take source ports from, so that no answer can look like an
 * attempt. */
#include "plan.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "../probes/encode.h"
#include "plan_targets.h"
#include "site/machine.h"

#define FIRST_PORT 20000 /* 20000 + 2 * PLAN_ATTEMPTS_MAX is below 32768, the first ephemeral port */

_Static_assert(FIRST_PORT >= MACHINE_FIRST_PORT && FIRST_PORT + PRINCIPALS * PLAN_ATTEMPTS_MAX <= MACHINE_LAST_PORT,
               "attempts need more ports than the gate takes on a machine");

const char *phase_name(enum phase_kind phase)
{
    static const char *const names[PHASES] = { "bare", "open", "fenced" };
    return (unsigned)phase < PHASES ? names[phase] : "?";
}

bool plan_is_sweep(const struct run_attempt *attempt)
{
    return attempt->target->mechanism == MECHANISM_SWEEP_TCP || attempt->target->mechanism == MECHANISM_SWEEP_UDP;
}

void plan_note_unproved(struct run_plan *plan, uint16_t vector, const char *reason)
{
    size_t last = plan->not_proved_count;
    bool again = last > 0 && plan->not_proved[last - 1].vector == vector &&
                 strcmp(plan->not_proved[last - 1].reason, reason) == 0;
    if (again || last == NOT_PROVED_MAX)
        return;
    plan->not_proved[last].vector = vector;
    snprintf(plan->not_proved[last].reason, sizeof plan->not_proved[last].reason, "%s", reason);
    plan->not_proved_count++;
}

static bool add_vector(struct run_plan *plan, const struct vector *vector, const struct plan_wishes *wishes,
                       struct error *error)
{
    if ((vector->needs & NEED_VSOCK) != 0 && wishes->no_vsock != NULL) {
        plan_note_unproved(plan, vector->id, wishes->no_vsock);
        return true;
    }
    if ((vector->witness & WITNESS_PEER) != 0 && wishes->peer4 == NULL) {
        plan_note_unproved(plan, vector->id, "this backend has no second bottle of the same make");
        return true;
    }
    for (const struct vector_target *target = vector->targets; target->address != NULL; target++) {
        if (plan->count == PLAN_ATTEMPTS_MAX)
            return error_set(error, ERROR_BROKEN, "the vector table has more than %d targets", PLAN_ATTEMPTS_MAX);
        struct run_attempt *attempt = &plan->attempts[plan->count];
        memset(attempt, 0, sizeof *attempt);
        attempt->vector = vector;
        attempt->target = target;
        plan_resolve_target(attempt, wishes);
        if (!plan_target_is_allowed(attempt, wishes->machine)) {
            plan_note_unproved(plan, vector->id,
                               "its targets that aren't this machine's: --site=host sends nothing there, sealed does");
            continue;
        }
        if (wishes->machine != NULL && wishes->machine->no_ping && target->mechanism == MECHANISM_ICMP_ECHO) {
            plan_note_unproved(plan, vector->id, "net.ipv4.ping_group_range of this machine lets nobody ping");
            continue;
        }
        if (plan_is_sweep(attempt) && wishes->sweep == SWEEP_OFF) {
            plan_note_unproved(plan, vector->id, "left out by --sweep=off");
            continue;
        }
        if (attempt->ipv6 && !wishes->ipv6) {
            plan_note_unproved(plan, vector->id, "its IPv6 targets: this kernel has no IPv6");
            continue;
        }
        plan->count++;
    }
    return true;
}

bool plan_tuple(const char *literal, enum transport transport, uint16_t port, struct tuple *tuple)
{
    memset(tuple, 0, sizeof *tuple);
    if (inet_pton(AF_INET, literal, tuple->address) == 1)
        tuple->family = AF_INET;
    else if (inet_pton(AF_INET6, literal, tuple->address) == 1)
        tuple->family = AF_INET6;
    else
        return false;
    tuple->transport = (uint8_t)transport;
    tuple->port = transport_has_ports(transport) ? port : 0;
    return true;
}

uint16_t plan_port(const struct run_plan *plan, uint16_t seq, enum principal principal)
{
    const struct run_attempt *attempt = &plan->attempts[seq - 1];
    enum transport transport = mechanism_transport(attempt->target->mechanism);
    if (!transport_has_ports(transport) || plan_is_sweep(attempt))
        return 0;
    if (attempt->target->port != 0)
        return attempt->target->port;
    return (uint16_t)(FIRST_PORT + (unsigned)principal * PLAN_ATTEMPTS_MAX + seq);
}

/* The `core` profile, for good; a row that is still missing is told in every report. */
static const uint16_t core_profile[] = { 1,  17, 18, 20, 21, 22, 23, 26, 27, 28, 34, 38, 39,  44,  45,  46,  48,
                                         49, 54, 55, 56, 60, 61, 62, 64, 68, 69, 70, 78, 106, 112, 114, 116, 0 };

static bool attempt_tuple(const struct run_plan *plan, uint16_t seq, enum principal principal, const uint8_t *nonce,
                          struct tuple *tuple)
{
    const struct run_attempt *attempt = &plan->attempts[seq - 1];
    if (plan_target_is_wireless(attempt->target)) {
        memset(tuple, 0, sizeof *tuple);
        tuple->family = AF_UNIX;
        tuple->transport = (uint8_t)mechanism_transport(attempt->target->mechanism);
        return true;
    }
    char literal[96];
    plan_fill_star(attempt->wire, nonce, literal, sizeof literal);
    return plan_tuple(literal, mechanism_transport(attempt->target->mechanism), plan_port(plan, seq, principal), tuple);
}

static bool derive_nonce(const struct run_plan *plan, const struct secret *secret, enum phase_kind phase,
                         enum principal principal, uint16_t seq, uint8_t *nonce)
{
    return secret_derive(secret, nonce, NONCE_BYTES, "nonce|%s|%d|%d|%u", plan->run, (int)phase, (int)principal, seq);
}

/* The rule on tuples; a table that breaks it would make one attempt's packet another's escape. */
static bool check_tuples(const struct run_plan *plan, struct error *error)
{
    static const uint8_t zero[NONCE_BYTES];
    for (uint16_t a = 1; a <= plan->count; a++) {
        struct tuple first, second;
        if (!attempt_tuple(plan, a, PRINCIPAL_USER, zero, &first))
            return error_set(error, ERROR_BROKEN, "BG-%03u has a target that is no address: %s",
                             plan->attempts[a - 1].vector->id, plan->attempts[a - 1].address);
        for (uint16_t b = 1; b < a && first.family != AF_UNIX && !plan_is_sweep(&plan->attempts[a - 1]); b++)
            if (attempt_tuple(plan, b, PRINCIPAL_USER, zero, &second) && memcmp(&first, &second, sizeof first) == 0)
                return error_set(error, ERROR_BROKEN, "BG-%03u and BG-%03u share the target %s port %u",
                                 plan->attempts[a - 1].vector->id, plan->attempts[b - 1].vector->id,
                                 plan->attempts[a - 1].wire, first.port);
    }
    return true;
}

static bool is_asked(const struct plan_wishes *wishes, const struct vector *vector)
{
    for (size_t i = 0; i < wishes->vector_count; i++)
        if (wishes->vectors[i] == vector->id)
            return true;
    return wishes->vector_count == 0 && vector->core;
}

static bool is_sweep_vector(const struct vector *vector)
{
    return vector->targets[0].mechanism == MECHANISM_SWEEP_TCP;
}

static bool make_run_id(struct run_plan *plan, struct error *error)
{
    uint8_t id[RUN_ID_DIGITS / 2];
    struct secret *random = secret_new(error);
    if (random == NULL)
        return false;
    bool derived = secret_derive(random, id, sizeof id, "run id");
    secret_free(random);
    if (!derived)
        return error_set(error, ERROR_SYSTEM, "can't make a run id: HMAC-SHA-256 is not available");
    encode_hex(id, sizeof id, plan->run);
    return true;
}

bool plan_make(struct run_plan *plan, const struct plan_wishes *wishes, struct error *error)
{
    memset(plan, 0, sizeof *plan);
    plan->sweep = wishes->sweep;
    if (!make_run_id(plan, error))
        return false;
    for (size_t i = 0; i < wishes->vector_count; i++)
        if (vector_find(wishes->vectors[i]) == NULL)
            return error_set(error, ERROR_USAGE, "there is no vector BG-%03u", wishes->vectors[i]);
    for (const uint16_t *core = core_profile; wishes->vector_count == 0 && *core != 0; core++)
        if (vector_find(*core) == NULL)
            plan_note_unproved(plan, *core, "this version can't try it yet");
    for (int sweeps = 0; sweeps < 2; sweeps++) {
        plan->sweep_start = plan->count;
        for (size_t i = 0; i < vector_count; i++)
            if (is_asked(wishes, &vectors[i]) && is_sweep_vector(&vectors[i]) == (sweeps == 1) &&
                !add_vector(plan, &vectors[i], wishes, error))
                return false;
    }
    if (wishes->sweep == SWEEP_SAMPLE && plan->count > plan->sweep_start)
        plan_note_unproved(plan, plan->attempts[plan->sweep_start].vector->id,
                           "the ports that --sweep=sample leaves out: 1,000 of 65,535 were tried");
    return check_tuples(plan, error);
}

bool plan_is_for_peer(const struct run_attempt *attempt)
{
    return (attempt->vector->witness & WITNESS_PEER) != 0;
}

bool plan_has(const struct run_plan *plan, uint16_t vector)
{
    for (uint16_t i = 0; i < plan->count; i++)
        if (plan->attempts[i].vector->id == vector)
            return true;
    return false;
}

uint16_t plan_sweep_ports(const struct run_plan *plan, bool whole)
{
    if (!whole)
        return SWEEP_PROOF_PORTS;
    return plan->sweep == SWEEP_ALL ? SWEEP_ALL_PORTS : SWEEP_SAMPLE_PORTS;
}

bool plan_vsock_port(const struct run_plan *plan, const struct secret *secret, enum phase_kind phase, uint32_t *port)
{
    uint8_t bytes[4];
    if (!secret_derive(secret, bytes, sizeof bytes, "vsock|%s|%d", plan->run, (int)phase))
        return false;
    memcpy(port, bytes, sizeof *port);
    *port |= 0x40000000u; /* no privileged port (below 1024) */
    *port &= 0x7fffffffu; /* nor the number that means any */
    return true;
}

uint16_t plan_seq_in_part(const struct run_plan *plan, uint16_t seq, enum plan_part *part)
{
    *part = seq > plan->sweep_start ? PART_SWEEP : PART_ATTEMPTS;
    return *part == PART_SWEEP ? (uint16_t)(seq - plan->sweep_start) : seq;
}

bool plan_for_probe(const struct run_plan *plan, const struct secret *secret, enum phase_kind phase,
                    enum principal principal, enum plan_part part, uint16_t sweep_ports, struct probe_plan *out,
                    struct error *error)
{
    uint32_t vsock_port;
    memset(out, 0, sizeof *out);
    memcpy(out->run, plan->run, sizeof out->run);
    out->root = principal == PRINCIPAL_ROOT;
    for (uint16_t seq = 1; seq <= plan->count; seq++) {
        const struct run_attempt *attempt = &plan->attempts[seq - 1];
        enum plan_part own;
        uint16_t own_seq = plan_seq_in_part(plan, seq, &own);
        if (own != part)
            continue;
        struct planned_attempt *planned = &out->attempts[out->count++];
        planned->seq = own_seq;
        planned->vector = attempt->vector->id;
        planned->mechanism = attempt->target->mechanism;
        planned->port = plan_is_sweep(attempt) ? sweep_ports : plan_port(plan, seq, principal);
        if (!derive_nonce(plan, secret, phase, principal, seq, planned->nonce) ||
            !plan_vsock_port(plan, secret, phase, &vsock_port))
            return error_set(error, ERROR_BROKEN, "can't derive a nonce");
        plan_fill_star(attempt->address, planned->nonce, planned->address, sizeof planned->address);
        if (planned->mechanism == MECHANISM_VSOCK)
            snprintf(planned->address, sizeof planned->address, "@vsock:1:%u", vsock_port);
    }
    return true;
}

size_t plan_watch_index(const struct run_plan *plan, uint16_t seq, enum principal principal)
{
    return (size_t)principal * plan->count + seq - 1u;
}

uint8_t plan_sweep_index(const struct run_plan *plan, uint16_t seq, enum principal principal)
{
    return (uint8_t)((unsigned)principal * (SWEEPS_MAX / PRINCIPALS) + seq - 1u - plan->sweep_start);
}

bool plan_watches(const struct run_plan *plan, const struct secret *secret, enum phase_kind phase,
                  struct watch *watches, struct error *error)
{
    for (int principal = 0; principal < PRINCIPALS; principal++)
        for (uint16_t seq = 1; seq <= plan->count; seq++) {
            struct watch *watch = &watches[plan_watch_index(plan, seq, (enum principal)principal)];
            memset(watch, 0, sizeof *watch);
            if (!derive_nonce(plan, secret, phase, (enum principal)principal, seq, watch->nonce) ||
                !attempt_tuple(plan, seq, (enum principal)principal, watch->nonce, &watch->tuple))
                return error_set(error, ERROR_BROKEN, "can't make the watch of attempt %u", seq);
            const struct run_attempt *attempt = &plan->attempts[seq - 1];
            watch->mp_capable = attempt->target->mechanism == MECHANISM_MPTCP;
            if (plan_is_sweep(attempt)) {
                watch->is_sweep = true;
                watch->sweep = plan_sweep_index(plan, seq, (enum principal)principal);
                watch->sweep_source[0] = sweep_source(principal == PRINCIPAL_ROOT, 1);
                watch->sweep_source[1] = sweep_source(principal == PRINCIPAL_ROOT, SWEEP_HALF);
            }
        }
    return true;
}
