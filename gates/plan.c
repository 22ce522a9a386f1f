/* See plan.h. Places of the site are resolved here and nowhere else; ports left open by a row are numbered
 * from FIRST_PORT, below the range that kernels take source ports from, so that no answer can look like an
 * attempt. */
#include "plan.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "../probes/encode.h"
#include "site/site.h"

#define FIRST_PORT 20000 /* 20000 + 2 * PLAN_ATTEMPTS_MAX is below 32768, the first ephemeral port */

static const struct {
    const char *name, *literal;
} places[] = {
    { "@host4", SITE_HOST4 },         { "@host6", SITE_HOST6 },           { "@gateway4", SITE_GATEWAY4 },
    { "@gateway6", SITE_GATEWAY6 },   { "@neighbour4", SITE_NEIGHBOUR4 }, { "@neighbour6", SITE_NEIGHBOUR6 },
    { "@resolver4", SITE_RESOLVER4 }, { "@resolver6", SITE_RESOLVER6 },
};

const char *phase_name(enum phase_kind phase)
{
    static const char *const names[PHASES] = { "bare", "open", "fenced" };
    return (unsigned)phase < PHASES ? names[phase] : "?";
}

static bool is_unix(const struct vector_target *target)
{
    return mechanism_transport(target->mechanism) == TRANSPORT_UNIX;
}

/* Puts the literal behind a place into attempt->address and attempt->wire. */
static void resolve_target(struct run_attempt *attempt)
{
    const struct vector_target *target = attempt->target;
    const char *literal = target->address;
    for (size_t i = 0; i < sizeof places / sizeof *places; i++)
        if (strcmp(places[i].name, target->address) == 0)
            literal = places[i].literal;
    bool resolver = strncmp(target->address, "@resolver", 9) == 0;
    snprintf(attempt->address, sizeof attempt->address, "%s%s", resolver ? "@resolver:" : "", literal);
    if (!is_unix(target))
        snprintf(attempt->wire, sizeof attempt->wire, "%s", target->wire != NULL ? target->wire : literal);
    attempt->ipv6 = !is_unix(target) && strchr(literal, ':') != NULL;
}

static void note_unproved(struct run_plan *plan, uint16_t vector, const char *reason)
{
    size_t last = plan->not_proved_count;
    if (last > 0 && plan->not_proved[last - 1].vector == vector)
        return;
    if (last == NOT_PROVED_MAX)
        return;
    plan->not_proved[last].vector = vector;
    snprintf(plan->not_proved[last].reason, sizeof plan->not_proved[last].reason, "%s", reason);
    plan->not_proved_count++;
}

static bool add_vector(struct run_plan *plan, const struct vector *vector, bool ipv6, struct error *error)
{
    for (const struct vector_target *target = vector->targets; target->address != NULL; target++) {
        if (plan->count == PLAN_ATTEMPTS_MAX)
            return error_set(error, ERROR_BROKEN, "the vector table has more than %d targets", PLAN_ATTEMPTS_MAX);
        struct run_attempt *attempt = &plan->attempts[plan->count];
        memset(attempt, 0, sizeof *attempt);
        attempt->vector = vector;
        attempt->target = target;
        resolve_target(attempt);
        if (attempt->ipv6 && !ipv6) {
            note_unproved(plan, vector->id, "its IPv6 targets: this kernel has no IPv6");
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
    tuple->port = transport == TRANSPORT_ICMP ? 0 : port;
    return true;
}

uint16_t plan_port(const struct run_plan *plan, uint16_t seq, enum principal principal)
{
    const struct run_attempt *attempt = &plan->attempts[seq - 1];
    enum transport transport = mechanism_transport(attempt->target->mechanism);
    if (transport == TRANSPORT_ICMP || transport == TRANSPORT_UNIX)
        return 0;
    if (attempt->target->port != 0)
        return attempt->target->port;
    return (uint16_t)(FIRST_PORT + (unsigned)principal * PLAN_ATTEMPTS_MAX + seq);
}

/* The literal with the star of a prefix filled from the nonce: "2001:db8:61::*" -> four more groups. */
static void fill_star(const char *pattern, const uint8_t *nonce, char *literal, size_t size)
{
    size_t length = strlen(pattern);
    if (length == 0 || pattern[length - 1] != '*') {
        snprintf(literal, size, "%s", pattern);
        return;
    }
    struct in6_addr address = { 0 };
    char prefix[64];
    snprintf(prefix, sizeof prefix, "%.*s", (int)(length - 1), pattern);
    inet_pton(AF_INET6, prefix, &address);
    memcpy(&address.s6_addr[8], nonce, 8);
    inet_ntop(AF_INET6, &address, literal, (socklen_t)size);
}

/* The `core` profile, for good; a row that is still missing is told in every report. */
static const uint16_t core_profile[] = { 1,  17, 18, 20, 21, 22, 23, 26, 27, 28, 34, 38, 39,  44,  45,  46,  48,
                                         49, 54, 55, 56, 60, 61, 62, 64, 68, 69, 70, 78, 106, 112, 114, 116, 0 };

static bool attempt_tuple(const struct run_plan *plan, uint16_t seq, enum principal principal, const uint8_t *nonce,
                          struct tuple *tuple)
{
    const struct run_attempt *attempt = &plan->attempts[seq - 1];
    if (is_unix(attempt->target)) {
        memset(tuple, 0, sizeof *tuple);
        tuple->family = AF_UNIX;
        tuple->transport = TRANSPORT_UNIX;
        return true;
    }
    char literal[96];
    fill_star(attempt->wire, nonce, literal, sizeof literal);
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
        for (uint16_t b = 1; b < a && first.family != AF_UNIX; b++)
            if (attempt_tuple(plan, b, PRINCIPAL_USER, zero, &second) && memcmp(&first, &second, sizeof first) == 0)
                return error_set(error, ERROR_BROKEN, "BG-%03u and BG-%03u share the target %s port %u",
                                 plan->attempts[a - 1].vector->id, plan->attempts[b - 1].vector->id,
                                 plan->attempts[a - 1].wire, first.port);
    }
    return true;
}

bool plan_make(struct run_plan *plan, const uint16_t *asked, size_t asked_count, bool ipv6, struct error *error)
{
    memset(plan, 0, sizeof *plan);
    uint8_t id[RUN_ID_DIGITS / 2];
    struct secret *random = secret_new(error);
    if (random == NULL)
        return false;
    bool derived = secret_derive(random, id, sizeof id, "run id");
    secret_free(random);
    if (!derived)
        return error_set(error, ERROR_SYSTEM, "can't make a run id: HMAC-SHA-256 is not available");
    encode_hex(id, sizeof id, plan->run);

    for (size_t i = 0; i < asked_count; i++)
        if (vector_find(asked[i]) == NULL)
            return error_set(error, ERROR_USAGE, "there is no vector BG-%03u", asked[i]);
    if (asked_count == 0)
        for (const uint16_t *core = core_profile; *core != 0; core++)
            if (vector_find(*core) == NULL)
                note_unproved(plan, *core, "this version can't try it yet");
    for (size_t i = 0; i < vector_count; i++) {
        bool wanted = asked_count == 0 && vectors[i].core;
        for (size_t k = 0; k < asked_count; k++)
            wanted = wanted || asked[k] == vectors[i].id;
        if (wanted && !add_vector(plan, &vectors[i], ipv6, error))
            return false;
    }
    return check_tuples(plan, error);
}

void plan_describe_target(const struct run_plan *plan, uint16_t seq, enum principal principal, char *text, size_t size)
{
    static const char *const transports[] = { "tcp", "udp", "icmp", "unix" };
    const struct run_attempt *attempt = &plan->attempts[seq - 1];
    const char *address = attempt->address;
    if (strncmp(address, "@resolver:", 10) == 0)
        address += 10;
    const char *transport = transports[mechanism_transport(attempt->target->mechanism)];
    uint16_t port = plan_port(plan, seq, principal);
    if (strncmp(address, "@abstract:", 10) == 0)
        snprintf(text, size, "@%s/%s", address + 10, transport);
    else if (strncmp(address, "@path:", 6) == 0)
        snprintf(text, size, "%s/%s", address + 6, transport);
    else if (port == 0)
        snprintf(text, size, "%s/%s", address, transport);
    else
        snprintf(text, size, attempt->ipv6 ? "[%s]:%u/%s" : "%s:%u/%s", address, port, transport);
}

bool plan_for_probe(const struct run_plan *plan, const struct secret *secret, enum phase_kind phase,
                    enum principal principal, struct probe_plan *out, struct error *error)
{
    memset(out, 0, sizeof *out);
    memcpy(out->run, plan->run, sizeof out->run);
    out->root = principal == PRINCIPAL_ROOT;
    out->count = plan->count;
    for (uint16_t seq = 1; seq <= plan->count; seq++) {
        const struct run_attempt *attempt = &plan->attempts[seq - 1];
        struct planned_attempt *planned = &out->attempts[seq - 1];
        planned->seq = seq;
        planned->vector = attempt->vector->id;
        planned->mechanism = attempt->target->mechanism;
        planned->port = plan_port(plan, seq, principal);
        if (!derive_nonce(plan, secret, phase, principal, seq, planned->nonce))
            return error_set(error, ERROR_BROKEN, "can't derive a nonce");
        fill_star(attempt->address, planned->nonce, planned->address, sizeof planned->address);
    }
    return true;
}

size_t plan_watch_index(const struct run_plan *plan, uint16_t seq, enum principal principal)
{
    return (size_t)principal * plan->count + seq - 1u;
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
        }
    return true;
}
