/* The plan: tuples that can't be confused, nonces that differ, targets that fit the site, and what is not
 * proved. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "../../gates/controls.h"
#include "../../gates/plan.h"

static struct run_plan plan;

static const struct controls_setting all_controls = { .ipv6 = true, .vsock = true };

static void make_with(const uint16_t *asked, size_t count, bool ipv6, const char *no_vsock, enum sweep_extent sweep)
{
    struct error error = { 0 };
    struct plan_wishes wishes = { asked, count, ipv6, no_vsock, "127.0.0.1", "::1", sweep, NULL };
    cr_assert(plan_make(&plan, &wishes, &error), "%s", error.text);
}

static void make_core(bool ipv6)
{
    make_with(NULL, 0, ipv6, NULL, SWEEP_ALL);
}

/* Every row of the table, asked for by name: the rules hold for rows outside of the core profile as well. */
static void make_all(void)
{
    static uint16_t asked[1000];
    for (size_t i = 0; i < vector_count; i++)
        asked[i] = vectors[i].id;
    make_with(asked, vector_count, true, NULL, SWEEP_ALL);
}

static bool is_planned(const struct vector *vector)
{
    for (uint16_t a = 0; a < plan.count; a++)
        if (plan.attempts[a].vector == vector)
            return true;
    return false;
}

static struct watch *watches_of(enum phase_kind phase, struct secret *secret)
{
    struct error error = { 0 };
    struct watch *watches = calloc(PRINCIPALS * (size_t)plan.count, sizeof *watches);
    cr_assert(plan_watches(&plan, secret, phase, watches, &error), "%s", error.text);
    return watches;
}

Test(plan, has_targets_for_every_vector_of_this_version)
{
    make_all();
    for (size_t i = 0; i < vector_count; i++)
        cr_expect(is_planned(&vectors[i]), "BG-%03u is in the table but not in the plan", vectors[i].id);
}

Test(plan, has_the_rows_outside_of_the_core_profile_only_when_asked_for)
{
    make_core(true);
    for (size_t i = 0; i < vector_count; i++)
        cr_expect_eq(is_planned(&vectors[i]), vectors[i].core, "BG-%03u", vectors[i].id);
}

Test(plan, gives_every_attempt_a_tuple_that_no_other_attempt_of_its_principal_has)
{
    make_all();
    struct secret *secret = secret_new(NULL);
    struct watch *watches = watches_of(PHASE_FENCED, secret);
    size_t count = PRINCIPALS * (size_t)plan.count;
    for (size_t a = 0; a < count; a++)
        for (size_t b = 0; b < a; b++) {
            if (watches[a].tuple.family == AF_UNIX || watches[a].is_sweep ||
                memcmp(&watches[a].tuple, &watches[b].tuple, sizeof(struct tuple)) != 0)
                continue;
            cr_assert_eq(a % plan.count, b % plan.count, "attempts %zu and %zu share a tuple", a, b);
            enum transport transport = (enum transport)watches[a].tuple.transport;
            cr_assert(plan.attempts[a % plan.count].target->port != 0 || transport == TRANSPORT_ICMP ||
                          transport == TRANSPORT_GROUP,
                      "attempt %zu leaves its port open and yet shares its tuple with another principal", a);
        }
    free(watches);
    secret_free(secret);
}

Test(plan, never_uses_a_port_of_the_site_or_one_that_answers_come_to)
{
    make_all();
    for (uint16_t seq = 1; seq <= plan.count; seq++)
        for (int p = 0; p < PRINCIPALS; p++) {
            uint16_t port = plan_port(&plan, seq, (enum principal)p);
            cr_assert(port < SITE_PORT_FIRST || port > SITE_PORT_LAST);
            cr_assert_lt(port, 32768);
        }
}

Test(plan, never_shares_a_destination_with_a_control)
{
    make_all();
    struct secret *secret = secret_new(NULL);
    struct error error = { 0 };
    struct watch *watches = watches_of(PHASE_FENCED, secret);
    size_t control_count = (size_t)ROUNDS * controls_count(all_controls);
    struct watch *controls = calloc(control_count, sizeof *controls);
    cr_assert(controls_watches(&plan, secret, PHASE_FENCED, all_controls, controls, &error), "%s", error.text);
    for (size_t c = 0; c < control_count; c++)
        for (size_t a = 0; a < PRINCIPALS * (size_t)plan.count; a++) {
            cr_assert(controls[c].tuple.family == AF_UNIX ||
                      memcmp(&controls[c].tuple, &watches[a].tuple, sizeof(struct tuple)) != 0);
            cr_assert(memcmp(controls[c].nonce, watches[a].nonce, NONCE_BYTES) != 0);
        }
    free(watches);
    free(controls);
    secret_free(secret);
}

Test(plan, gives_no_two_attempts_the_same_nonce_whatever_the_phase_or_principal)
{
    make_all();
    struct secret *secret = secret_new(NULL);
    size_t count = PRINCIPALS * (size_t)plan.count;
    struct watch *phases[PHASES];
    for (int k = 0; k < PHASES; k++)
        phases[k] = watches_of((enum phase_kind)k, secret);
    for (size_t a = 0; a < PHASES * count; a++)
        for (size_t b = 0; b < a; b++)
            cr_assert(memcmp(phases[a / count][a % count].nonce, phases[b / count][b % count].nonce, NONCE_BYTES) != 0);
    for (int k = 0; k < PHASES; k++)
        free(phases[k]);
    secret_free(secret);
}

Test(plan, is_accepted_by_the_probe_with_the_nonces_that_the_witnesses_watch_for)
{
    make_all();
    struct error error = { 0 };
    struct secret *secret = secret_new(NULL);
    struct watch *watches = watches_of(PHASE_OPEN, secret);
    struct probe_plan *out = calloc(1, sizeof *out), *back = calloc(1, sizeof *back);
    static uint8_t masks[PLAN_ATTEMPTS_MAX][NONCE_BYTES];
    static char text[PLAN_TEXT_MAX];
    memset(masks, 0x5a, sizeof masks);
    for (int i = 0; i < PRINCIPALS * PARTS; i++) {
        enum principal principal = (enum principal)(i / PARTS);
        enum plan_part part = (enum plan_part)(i % PARTS);
        cr_assert(plan_for_probe(&plan, secret, PHASE_OPEN, principal, part, 16, out, &error), "%s", error.text);
        out->deadline_milliseconds = 1000;
        out->repeats = 3;
        size_t size = plan_format(out, (const uint8_t(*)[NONCE_BYTES])masks, text, sizeof text);
        const char *problem = "";
        cr_assert_gt(size, 0);
        cr_assert(plan_parse(text, size, back, &problem, NULL), "%s", problem);
        unsigned of_this_part = 0;
        for (uint16_t seq = 1; seq <= plan.count; seq++) {
            enum plan_part own;
            uint16_t own_seq = plan_seq_in_part(&plan, seq, &own);
            if (own != part)
                continue;
            of_this_part++;
            cr_assert_eq(back->attempts[own_seq - 1].vector, plan.attempts[seq - 1].vector->id);
            cr_assert_arr_eq(back->attempts[own_seq - 1].nonce, watches[plan_watch_index(&plan, seq, principal)].nonce,
                             NONCE_BYTES);
        }
        cr_assert_eq(back->count, of_this_part);
    }
    free(out);
    free(back);
    free(watches);
    secret_free(secret);
}

Test(plan, fills_the_star_of_a_prefix_from_the_nonce)
{
    make_core(true);
    struct secret *secret = secret_new(NULL);
    struct watch *watches = watches_of(PHASE_FENCED, secret);
    unsigned stars = 0;
    for (uint16_t seq = 1; seq <= plan.count; seq++)
        if (strstr(plan.attempts[seq - 1].address, ":*") != NULL ||
            strstr(plan.attempts[seq - 1].address, ".*") != NULL) {
            const struct watch *watch = &watches[plan_watch_index(&plan, seq, PRINCIPAL_ROOT)];
            bool v6 = watch->tuple.family == AF_INET6;
            cr_assert_arr_eq(watch->tuple.address + (v6 ? 8 : 1), watch->nonce, v6 ? 8 : 3);
            stars += v6 ? 1 : 100;
        }
    cr_assert_gt(stars % 100, 0);
    cr_assert_gt(stars / 100, 0);
    free(watches);
    secret_free(secret);
}

Test(plan, without_ipv6_has_no_ipv6_targets_and_says_so)
{
    make_core(true);
    uint16_t with = plan.count;
    make_core(false);
    cr_assert_lt(plan.count, with);
    bool told = false;
    for (uint16_t i = 0; i < plan.count; i++)
        cr_assert(!plan.attempts[i].ipv6);
    for (size_t i = 0; i < plan.not_proved_count; i++)
        told = told || (plan.not_proved[i].vector == 61 && strstr(plan.not_proved[i].reason, "IPv6") != NULL);
    cr_assert(told);
}

Test(plan, of_the_core_profile_names_every_core_vector_planned_or_not_proved)
{
    static const uint16_t core[] = { 1,  17, 18, 20, 21, 22, 23, 26, 27, 28, 34, 38, 39,  44,  45,  46, 48,
                                     49, 54, 55, 56, 60, 61, 62, 64, 68, 69, 70, 78, 106, 112, 114, 116 };
    make_core(true);
    for (size_t c = 0; c < sizeof core / sizeof *core; c++) {
        bool named = false;
        for (uint16_t i = 0; i < plan.count; i++)
            named = named || plan.attempts[i].vector->id == core[c];
        for (size_t i = 0; i < plan.not_proved_count; i++)
            named = named || plan.not_proved[i].vector == core[c];
        cr_assert(named, "BG-%03u is forgotten", core[c]);
    }
}

Test(plan, of_chosen_vectors_has_only_those)
{
    const uint16_t asked[] = { 49, 114 };
    make_with(asked, 2, true, NULL, SWEEP_ALL);
    for (uint16_t i = 0; i < plan.count; i++)
        cr_assert(plan.attempts[i].vector->id == 49 || plan.attempts[i].vector->id == 114);
    cr_assert_eq(plan.not_proved_count, 0);
}

Test(plan, refuses_a_vector_that_does_not_exist)
{
    struct error error = { 0 };
    const uint16_t asked[] = { 999 };
    struct plan_wishes wishes = { .vectors = asked, .vector_count = 1, .peer4 = "127.0.0.1", .peer6 = "::1" };
    cr_assert_not(plan_make(&plan, &wishes, &error));
    cr_assert_eq(error.code, ERROR_USAGE);
    cr_assert(strstr(error.text, "BG-999") != NULL);
}

Test(plan, gives_every_run_another_id)
{
    make_core(true);
    char first[RUN_ID_DIGITS + 1];
    memcpy(first, plan.run, sizeof first);
    make_core(true);
    cr_assert_str_neq(first, plan.run);
    cr_assert_eq(strlen(plan.run), RUN_ID_DIGITS);
}

static const char *unproved(uint16_t vector)
{
    for (size_t i = 0; i < plan.not_proved_count; i++)
        if (plan.not_proved[i].vector == vector)
            return plan.not_proved[i].reason;
    return "";
}

Test(plan, leaves_vsock_out_where_the_gate_owns_no_context_and_says_why)
{
    make_with(NULL, 0, true, "no vsock here", SWEEP_ALL);
    cr_assert_not(plan_has(&plan, 106));
    cr_assert_str_eq(unproved(106), "no vsock here");
    make_core(true);
    cr_assert(plan_has(&plan, 106));
    cr_assert_str_eq(unproved(106), "");
}

Test(plan, puts_the_sweep_last_and_tells_what_of_it_is_left_out)
{
    make_core(true);
    cr_assert_eq(plan.count - plan.sweep_start, 4);
    for (uint16_t i = 0; i < plan.count; i++)
        cr_assert_eq(plan_is_sweep(&plan.attempts[i]), i >= plan.sweep_start);
    cr_assert_str_eq(unproved(1), "");
    cr_assert_eq(plan_sweep_ports(&plan, true), 65535);
    make_with(NULL, 0, true, NULL, SWEEP_SAMPLE);
    cr_assert_eq(plan.count - plan.sweep_start, 4);
    cr_assert_eq(plan_sweep_ports(&plan, true), SWEEP_SAMPLE_PORTS);
    cr_assert(strstr(unproved(1), "sample") != NULL);
    make_with(NULL, 0, true, NULL, SWEEP_OFF);
    cr_assert_eq(plan.count, plan.sweep_start);
    cr_assert(strstr(unproved(1), "--sweep=off") != NULL);
}

Test(plan, gives_each_sweep_source_ports_and_a_place_of_its_own)
{
    make_core(true);
    struct secret *secret = secret_new(NULL);
    struct watch *watches = watches_of(PHASE_FENCED, secret);
    unsigned seen = 0;
    for (size_t a = 0; a < PRINCIPALS * (size_t)plan.count; a++) {
        if (!watches[a].is_sweep)
            continue;
        cr_assert_lt(watches[a].sweep, SWEEPS_MAX);
        cr_assert_eq(seen >> watches[a].sweep & 1, 0);
        seen |= 1u << watches[a].sweep;
        for (size_t b = 0; b < a; b++)
            cr_assert(!watches[b].is_sweep || watches[a].tuple.family != watches[b].tuple.family ||
                      watches[a].tuple.transport != watches[b].tuple.transport ||
                      watches[a].sweep_source[0] != watches[b].sweep_source[0]);
    }
    cr_assert_eq(seen, 0xff);
    free(watches);
    secret_free(secret);
}

Test(plan, gives_a_port_of_its_own_to_every_attempt_whose_address_only_the_bottle_knows)
{
    static const uint8_t nowhere[16];
    make_core(true);
    struct secret *secret = secret_new(NULL);
    struct watch *watches = watches_of(PHASE_FENCED, secret);
    size_t count = PRINCIPALS * (size_t)plan.count;
    unsigned wild = 0;
    for (size_t a = 0; a < count; a++) {
        const struct tuple *tuple = &watches[a].tuple;
        if (tuple->family == AF_UNIX || watches[a].is_sweep || memcmp(tuple->address, nowhere, 16) != 0)
            continue;
        wild++;
        for (size_t b = 0; b < count; b++)
            cr_assert(a == b || watches[b].tuple.transport != tuple->transport || watches[b].tuple.port != tuple->port);
    }
    cr_assert_gt(wild, 0);
    free(watches);
    secret_free(secret);
}

Test(plan, describes_every_target_without_a_place_name)
{
    make_core(true);
    for (uint16_t seq = 1; seq <= plan.count; seq++) {
        char text[160];
        plan_describe_target(&plan, seq, PRINCIPAL_ROOT, text, sizeof text);
        cr_expect(strchr(text, '@') == NULL || text[0] == '@', "%s", text);
        cr_expect(strchr(text, '/') != NULL, "%s", text);
        cr_expect(strstr(text, "peer") == NULL && strstr(text, "route") == NULL && strstr(text, "link-") == NULL, "%s",
                  text);
    }
}

Test(plan, spells_no_two_attempts_alike)
{
    make_core(true);
    for (uint16_t a = 1; a <= plan.count; a++)
        for (uint16_t b = 1; b < a; b++) {
            char one[160], other[160];
            plan_describe_target(&plan, a, PRINCIPAL_ROOT, one, sizeof one);
            plan_describe_target(&plan, b, PRINCIPAL_ROOT, other, sizeof other);
            bool same = plan.attempts[a - 1].vector == plan.attempts[b - 1].vector && strcmp(one, other) == 0;
            cr_expect(!same || mechanism_transport(plan.attempts[a - 1].target->mechanism) == TRANSPORT_GROUP, "%s",
                      one);
        }
}
