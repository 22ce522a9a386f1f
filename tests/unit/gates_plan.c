/* The plan: tuples that can't be confused, nonces that differ, targets that fit the site, and what is not
 * proved. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "../../gates/controls.h"
#include "../../gates/plan.h"

static struct run_plan plan;

static void make_core(bool ipv6)
{
    struct error error = { 0 };
    cr_assert(plan_make(&plan, NULL, 0, ipv6, &error), "%s", error.text);
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
    make_core(true);
    for (size_t i = 0; i < vector_count; i++) {
        bool planned = false;
        for (uint16_t a = 0; a < plan.count; a++)
            planned = planned || plan.attempts[a].vector == &vectors[i];
        cr_assert(planned, "BG-%03u is in the table but not in the plan", vectors[i].id);
    }
}

Test(plan, gives_every_attempt_a_tuple_that_no_other_attempt_of_its_principal_has)
{
    make_core(true);
    struct secret *secret = secret_new(NULL);
    struct watch *watches = watches_of(PHASE_FENCED, secret);
    size_t count = PRINCIPALS * (size_t)plan.count;
    for (size_t a = 0; a < count; a++)
        for (size_t b = 0; b < a; b++) {
            if (watches[a].tuple.family == AF_UNIX ||
                memcmp(&watches[a].tuple, &watches[b].tuple, sizeof(struct tuple)) != 0)
                continue;
            cr_assert_eq(a % plan.count, b % plan.count, "attempts %zu and %zu share a tuple", a, b);
            enum transport transport = (enum transport)watches[a].tuple.transport;
            cr_assert(plan.attempts[a % plan.count].target->port != 0 || transport == TRANSPORT_ICMP,
                      "attempt %zu leaves its port open and yet shares its tuple with another principal", a);
        }
    free(watches);
    secret_free(secret);
}

Test(plan, never_uses_a_port_of_the_site_or_one_that_answers_come_to)
{
    make_core(true);
    for (uint16_t seq = 1; seq <= plan.count; seq++)
        for (int p = 0; p < PRINCIPALS; p++) {
            uint16_t port = plan_port(&plan, seq, (enum principal)p);
            cr_assert(port < SITE_PORT_FIRST || port > SITE_PORT_LAST);
            cr_assert_lt(port, 32768);
        }
}

Test(plan, never_shares_a_destination_with_a_control)
{
    make_core(true);
    struct secret *secret = secret_new(NULL);
    struct error error = { 0 };
    struct watch *watches = watches_of(PHASE_FENCED, secret);
    size_t control_count = (size_t)ROUNDS * controls_count(true);
    struct watch *controls = calloc(control_count, sizeof *controls);
    cr_assert(controls_watches(&plan, secret, PHASE_FENCED, true, controls, &error), "%s", error.text);
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
    make_core(true);
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
    make_core(true);
    struct error error = { 0 };
    struct secret *secret = secret_new(NULL);
    struct watch *watches = watches_of(PHASE_OPEN, secret);
    struct probe_plan *out = calloc(1, sizeof *out), *back = calloc(1, sizeof *back);
    static uint8_t masks[PLAN_ATTEMPTS_MAX][NONCE_BYTES];
    static char text[PLAN_TEXT_MAX];
    memset(masks, 0x5a, sizeof masks);
    for (int p = 0; p < PRINCIPALS; p++) {
        cr_assert(plan_for_probe(&plan, secret, PHASE_OPEN, (enum principal)p, out, &error), "%s", error.text);
        out->deadline_milliseconds = 1000;
        out->repeats = 3;
        size_t size = plan_format(out, (const uint8_t(*)[NONCE_BYTES])masks, text, sizeof text);
        const char *problem = "";
        cr_assert_gt(size, 0);
        cr_assert(plan_parse(text, size, back, &problem, NULL), "%s", problem);
        for (uint16_t seq = 1; seq <= plan.count; seq++)
            cr_assert_arr_eq(back->attempts[seq - 1].nonce,
                             watches[plan_watch_index(&plan, seq, (enum principal)p)].nonce, NONCE_BYTES);
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
        if (strchr(plan.attempts[seq - 1].address, '*') != NULL) {
            const struct watch *watch = &watches[plan_watch_index(&plan, seq, PRINCIPAL_ROOT)];
            cr_assert_arr_eq(watch->tuple.address + 8, watch->nonce, 8);
            stars++;
        }
    cr_assert_gt(stars, 0);
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
    struct error error = { 0 };
    const uint16_t asked[] = { 49, 114 };
    cr_assert(plan_make(&plan, asked, 2, true, &error));
    for (uint16_t i = 0; i < plan.count; i++)
        cr_assert(plan.attempts[i].vector->id == 49 || plan.attempts[i].vector->id == 114);
    cr_assert_eq(plan.not_proved_count, 0);
}

Test(plan, refuses_a_vector_that_does_not_exist)
{
    struct error error = { 0 };
    const uint16_t asked[] = { 999 };
    cr_assert_not(plan_make(&plan, asked, 1, true, &error));
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
