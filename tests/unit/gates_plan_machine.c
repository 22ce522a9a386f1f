/* The plan of a run on the machine itself: nothing in it leads to an address that isn't the machine's, the bottles' or the world's. */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <string.h>

#include "../../gates/controls.h"
#include "../../gates/plan.h"
#include "../../gates/site/machine.h"

static struct run_plan plan;
static const char *const networks[] = { "172.31.77.0/24", "172.31.78.0/24", "fd31:78::/64", NULL };

static void make(bool everything, bool no_ping)
{
    static uint16_t asked[VECTORS_ASKED_MAX];
    struct machine_places places = { "198.18.7.2", "fd88::2", "172.31.77.1", networks, no_ping };
    struct plan_wishes wishes = { .ipv6 = true,
                                  .no_vsock = "not here",
                                  .peer4 = "172.31.78.3",
                                  .peer6 = "fd31:78::3",
                                  .sweep = SWEEP_ALL,
                                  .machine = &places };
    struct error error = { 0 };
    for (size_t i = 0; everything && i < vector_count; i++)
        asked[wishes.vector_count++] = vectors[i].id;
    wishes.vectors = asked;
    cr_assert(plan_make(&plan, &wishes, &error), "%s", error.text);
}

static bool has_target(uint16_t vector, const char *wire)
{
    for (uint16_t i = 0; i < plan.count; i++)
        if (plan.attempts[i].vector->id == vector && strcmp(plan.attempts[i].wire, wire) == 0)
            return true;
    return false;
}

static const char *not_proved(uint16_t vector)
{
    for (size_t i = 0; i < plan.not_proved_count; i++)
        if (plan.not_proved[i].vector == vector)
            return plan.not_proved[i].reason;
    return "";
}

/* Said by this test's own words: which addresses a probe may be told on a machine with the addresses 198.18.7.2 and fd88::2. */
Test(plan_machine, leads_nowhere_but_to_the_machine_its_bottles_and_the_world)
{
    static const char *const prefixes[] = { "127.",       "10.77.0.",   "192.0.2.",   "198.51.100.", "203.0.113.",
                                            "172.31.77.", "172.31.78.", "2001:db8:",  "fd77::",      "fd31:78::",
                                            "198.18.7.2", "fd88::2",    "@abstract:", "@inherited" };
    static const char *const whole[] = { "0.0.0.0", "::", "::1", "::ffff:127.0.0.1" };
    make(true, false);
    cr_assert(plan.count > 20);
    for (uint16_t i = 0; i < plan.count; i++) {
        const char *address = plan.attempts[i].address;
        bool known = false;
        for (size_t k = 0; k < sizeof prefixes / sizeof *prefixes; k++)
            known = known || strncmp(address, prefixes[k], strlen(prefixes[k])) == 0;
        for (size_t k = 0; k < sizeof whole / sizeof *whole; k++)
            known = known || strcmp(address, whole[k]) == 0;
        cr_expect(known, "BG-%03u leads to %s", plan.attempts[i].vector->id, address);
        enum mechanism mechanism = plan.attempts[i].target->mechanism;
        cr_expect(mechanism != MECHANISM_UDP_BROADCAST && mechanism != MECHANISM_MULTICAST_JOIN &&
                      mechanism != MECHANISM_UDP_ON_LINK && mechanism != MECHANISM_VSOCK,
                  "BG-%03u is tried on %s by a mechanism that reaches others", plan.attempts[i].vector->id, address);
    }
}

Test(plan_machine,
     tries_the_machines_own_address_its_loopback_the_bottles_gateway_a_neighbour_and_documentation_addresses)
{
    make(false, false);
    cr_expect(has_target(1, "127.0.0.1"));
    cr_expect(has_target(17, "172.31.77.1"));
    cr_expect(has_target(20, "127.9.9.9"));
    cr_expect(has_target(22, "198.18.7.2"));
    cr_expect(has_target(22, "fd88::2"));
    cr_expect(has_target(26, "10.77.0.33"));
    cr_expect(has_target(28, "172.31.78.3"));
    cr_expect(has_target(48, "10.77.0.254"));
    cr_expect(has_target(61, "203.0.113.61"));
    cr_expect(has_target(64, "198.51.100.64"));
    cr_expect(has_target(114, ""));
}

Test(plan_machine, says_of_all_that_it_leaves_out_why)
{
    make(false, false);
    static const uint16_t wholly[] = { 34, 39, 44, 45, 46, 54, 78, 112 }, partly[] = { 17, 21, 26, 48, 61 };
    for (size_t i = 0; i < sizeof wholly / sizeof *wholly; i++) {
        cr_expect(!plan_has(&plan, wholly[i]), "BG-%03u", wholly[i]);
        cr_expect(strstr(not_proved(wholly[i]), "--site=host sends nothing there") != NULL, "BG-%03u", wholly[i]);
    }
    for (size_t i = 0; i < sizeof partly / sizeof *partly; i++) {
        cr_expect(plan_has(&plan, partly[i]), "BG-%03u", partly[i]);
        cr_expect(strstr(not_proved(partly[i]), "--site=host sends nothing there") != NULL, "BG-%03u", partly[i]);
    }
    cr_expect(strcmp(not_proved(106), "not here") == 0);
    cr_expect(*not_proved(1) == '\0' && *not_proved(22) == '\0');
    for (size_t i = 0; i < vector_count; i++)
        cr_expect(!vectors[i].core || plan_has(&plan, vectors[i].id) || *not_proved(vectors[i].id) != '\0',
                  "BG-%03u is neither planned nor told of", vectors[i].id);
}

Test(plan_machine, pings_nobody_where_the_machine_lets_nobody_ping)
{
    make(false, true);
    cr_expect(!plan_has(&plan, 64));
    cr_expect(strstr(not_proved(64), "ping_group_range") != NULL, "%s", not_proved(64));
}

Test(plan_machine, has_no_place_of_a_sealed_site_for_what_the_machine_has_itself)
{
    make(true, false);
    for (uint16_t i = 0; i < plan.count; i++) {
        cr_expect(strcmp(plan.attempts[i].wire, "10.77.0.1") != 0, "BG-%03u", plan.attempts[i].vector->id);
        cr_expect(strncmp(plan.attempts[i].address, "@route", 6) != 0, "BG-%03u", plan.attempts[i].vector->id);
    }
}

/* All controls go there, too: none of them leaves the machine. */
Test(plan_machine, sends_its_controls_to_the_world_and_the_machine_alone)
{
    static struct watch watches[ROUNDS * CONTROLS_MAX];
    static struct probe_plan out;
    const struct controls_setting setting = { .ipv6 = true };
    struct error error = { 0 };
    make(false, false);
    struct secret *secret = secret_new(&error);
    cr_assert(controls_watches(&plan, secret, PHASE_FENCED, setting, watches, &error), "%s", error.text);
    controls_plan(&plan, watches, ROUND_BEFORE, setting, 0, &out);
    for (uint16_t i = 0; i < out.count; i++)
        cr_expect(out.attempts[i].address[0] == '@' || machine_owns(out.attempts[i].address, NULL), "control to %s",
                  out.attempts[i].address);
    secret_free(secret);
}
