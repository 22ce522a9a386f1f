/* The vector table keeps its own rules; see the head of probes/vectors.c. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "../../probes/address.h"
#include "../../probes/plan_grammar.h"
#include "../../probes/mechanisms/mechanism.h"
#include "../../probes/vectors.h"

static const char *const places[] = { "@host4",      "@host6",     "@gateway4",    "@gateway6",   "@neighbour4",
                                      "@neighbour6", "@resolver4", "@resolver6",   "@broadcast4", "@peer4",
                                      "@peer6",      "@link-host", "@link-gateway" };

static bool is_place(const char *text)
{
    for (size_t i = 0; i < sizeof places / sizeof *places; i++)
        if (strlen(places[i]) == strcspn(text, "%/") && strncmp(places[i], text, strlen(places[i])) == 0)
            return true;
    return false;
}

/* What the plan makes of a target, with any place and any nonce: an address that the probe's plan can have. */
static void spell(const char *text, char full[112])
{
    size_t place = strcspn(text, "%/"), size = strlen(text);
    if (is_place(text))
        snprintf(full, 112, "%s%s", text[place - 1] == '4' ? "10.77.0.1" : "fe80::1", text + place);
    else if (size > 1 && text[size - 1] == '*' && text[size - 2] == ':')
        snprintf(full, 112, "%.*s1:2:3:4", (int)size - 1, text);
    else if (size > 1 && text[size - 1] == '*' && text[size - 2] == '.')
        snprintf(full, 112, "%.*s1.2.3", (int)size - 1, text);
    else
        snprintf(full, 112, "%s", text);
}

/* The family of a target's address, or -1 for one that can't be read. */
static int target_family(const char *text)
{
    struct address address;
    char full[112];
    spell(text, full);
    return address_parse(full, strlen(full), &address) ? address.family : -1;
}

Test(vectors, have_ascending_ids_that_can_be_found)
{
    cr_assert_gt(vector_count, 0);
    for (size_t i = 0; i < vector_count; i++) {
        cr_expect_eq(vector_find(vectors[i].id), &vectors[i]);
        cr_expect_lt(vectors[i].id, 1000);
        cr_expect_gt(vectors[i].id, i == 0 ? 0 : vectors[i - 1].id);
    }
    cr_expect_null(vector_find(0));
    cr_expect_null(vector_find(999));
}

Test(vectors, of_the_core_profile_are_exactly_these_for_good)
{
    static const uint16_t core[] = { 1,  17, 18, 20, 21, 22, 23, 26, 27, 28, 34, 38, 39,  44,  45,  46, 48,
                                     49, 54, 55, 56, 60, 61, 62, 64, 68, 69, 70, 78, 106, 112, 114, 116 };
    size_t found = 0;
    for (size_t i = 0; i < vector_count; i++)
        found += vectors[i].core;
    cr_expect_eq(found, sizeof core / sizeof *core);
    for (size_t i = 0; i < sizeof core / sizeof *core; i++) {
        const struct vector *vector = vector_find(core[i]);
        cr_assert_not_null(vector, "BG-%03u", core[i]);
        cr_expect(vector->core, "BG-%03u", core[i]);
    }
}

Test(vectors, say_everything_that_a_report_tells_in_one_printable_line)
{
    for (size_t i = 0; i < vector_count; i++) {
        const char *texts[] = { vectors[i].title, vectors[i].source, vectors[i].remedy };
        for (size_t t = 0; t < 3; t++) {
            cr_assert_not_null(texts[t], "BG-%03u", vectors[i].id);
            cr_expect_gt(strlen(texts[t]), 8, "BG-%03u", vectors[i].id);
            cr_expect_lt(strlen(texts[t]), 200, "BG-%03u", vectors[i].id);
            for (const char *c = texts[t]; *c != '\0'; c++)
                cr_expect(*c >= ' ' && *c <= '~', "BG-%03u", vectors[i].id);
        }
        cr_expect_neq(vectors[i].witness, 0);
        cr_expect_eq(vectors[i].witness >> WITNESS_KINDS, 0);
        cr_expect_lt((unsigned)vectors[i].family, (unsigned)FAMILIES);
        cr_assert_not_null(vectors[i].targets);
        cr_expect_not_null(vectors[i].targets[0].address);
    }
}

/* Asks the plan's own grammar: a target that the probe would refuse makes every plan unreadable. */
Test(vectors, have_only_targets_that_a_plan_can_have)
{
    static struct probe_plan plan, back;
    static const uint8_t masks[PLAN_ATTEMPTS_MAX][NONCE_BYTES] = { { 1 } };
    static char text[4096];
    for (size_t i = 0; i < vector_count; i++) {
        for (const struct vector_target *target = vectors[i].targets; target->address != NULL; target++) {
            enum transport transport = mechanism_transport(target->mechanism);
            bool numbered = transport_has_ports(transport);
            const char *problem = "";
            plan = (struct probe_plan){ .count = 1, .deadline_milliseconds = 1, .repeats = 1 };
            memset(plan.run, 'a', RUN_ID_DIGITS);
            plan.attempts[0] =
                (struct planned_attempt){ .seq = 1, .vector = vectors[i].id, .mechanism = target->mechanism };
            plan.attempts[0].port = numbered && target->port == 0 ? 20000 : target->port;
            spell(target->address, plan.attempts[0].address);
            size_t size = plan_format(&plan, masks, text, sizeof text);
            cr_expect_gt(size, 0, "BG-%03u %s", vectors[i].id, target->address);
            cr_expect(size > 0 && plan_parse(text, size, &back, &problem, NULL), "BG-%03u %s: %s", vectors[i].id,
                      target->address, problem);
            cr_expect(numbered || target->port == 0, "BG-%03u %s", vectors[i].id, target->address);
            cr_expect(target->wire == NULL || target_family(target->wire) > 0, "BG-%03u", vectors[i].id);
        }
    }
}

Test(vectors, use_no_port_that_the_site_keeps_for_itself)
{
    for (size_t i = 0; i < vector_count; i++)
        for (const struct vector_target *target = vectors[i].targets; target->address != NULL; target++)
            cr_expect(target->port < 7700 || target->port > 7799, "BG-%03u", vectors[i].id);
}

static bool same_tuple(const struct vector_target *a, const struct vector_target *b)
{
    const char *one = a->wire != NULL ? a->wire : a->address, *other = b->wire != NULL ? b->wire : b->address;
    enum transport transport = mechanism_transport(a->mechanism);
    if (transport != mechanism_transport(b->mechanism) || strcmp(one, other) != 0 || a->port != b->port)
        return false;
    bool sweep = a->mechanism == MECHANISM_SWEEP_TCP || a->mechanism == MECHANISM_SWEEP_UDP;
    return a->port != 0 || !transport_has_ports(transport) || (sweep && a->mechanism == b->mechanism);
}

Test(vectors, never_share_a_tuple)
{
    for (size_t i = 0; i < vector_count; i++)
        for (const struct vector_target *a = vectors[i].targets; a->address != NULL; a++)
            for (size_t j = 0; j < vector_count; j++)
                for (const struct vector_target *b = vectors[j].targets; b->address != NULL; b++)
                    cr_expect(a == b || !same_tuple(a, b), "BG-%03u and BG-%03u: %s", vectors[i].id, vectors[j].id,
                              a->address);
}

Test(mechanisms, are_found_by_their_names)
{
    for (unsigned i = 0; i < MECHANISMS; i++) {
        enum mechanism found;
        cr_assert(mechanism_find(mechanism_name((enum mechanism)i), &found));
        cr_expect_eq((unsigned)found, i);
    }
    enum mechanism untouched = MECHANISM_UDP;
    cr_expect_not(mechanism_find("", &untouched));
    cr_expect_not(mechanism_find("TCP", &untouched));
    cr_expect_eq(untouched, MECHANISM_UDP);
}

Test(mechanisms, have_functions_even_where_this_probe_cannot_try_them_yet)
{
    for (unsigned i = 0; i < MECHANISMS; i++) {
        const struct mechanism_functions *functions = mechanism_functions((enum mechanism)i);
        cr_assert_not_null(functions, "%s", mechanism_name((enum mechanism)i));
        cr_expect_not_null(functions->start, "%s", mechanism_name((enum mechanism)i));
    }
}

Test(names, are_all_there)
{
    for (unsigned i = 0; i < FAMILIES; i++)
        cr_expect_neq(vector_family_name((enum vector_family)i)[0], '?');
    for (unsigned i = 0; i < WITNESS_KINDS; i++)
        cr_expect_neq(witness_kind_name((enum witness_kind)(1u << i))[0], '?');
    cr_expect_str_eq(witness_kind_name(WITNESS_UNIX_PATH), "unix-path");
    cr_expect_str_eq(witness_kind_name(WITNESS_CAPTURE), "capture");
}

Test(ids, are_read_and_written_in_one_way_only)
{
    static const char *const refused[] = { "",       "BG-",    "BG-49",  "BG-0049", "bg-049",
                                           "BG-04x", "BG-04 ", "BG_049", "BG-+49" };
    char text[8];
    vector_format_id(49, text);
    cr_expect_str_eq(text, "BG-049");
    for (uint16_t id = 1; id < 1000; id++) {
        vector_format_id(id, text);
        cr_expect_eq(vector_parse_id(text), id);
    }
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        cr_expect_eq(vector_parse_id(refused[i]), 0, "\"%s\"", refused[i]);
}
