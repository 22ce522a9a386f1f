/* The vector table keeps its own rules; see the head of probes/vectors.c. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "../../probes/address.h"
#include "../../probes/mechanisms/mechanism.h"
#include "../../probes/vectors.h"

static const char *const places[] = { "@host4",      "@host6",      "@gateway4",  "@gateway6",
                                      "@neighbour4", "@neighbour6", "@resolver4", "@resolver6" };

static bool is_place(const char *text)
{
    for (size_t i = 0; i < sizeof places / sizeof *places; i++)
        if (strcmp(places[i], text) == 0)
            return true;
    return false;
}

/* The family of a target's address, or 0 for one that can't be read. */
static int target_family(const char *text)
{
    struct address address;
    char full[112];
    size_t size = strlen(text);
    if (is_place(text))
        return text[size - 1] == '6' ? AF_INET6 : AF_INET;
    if (size > 1 && text[size - 1] == '*') {
        /* The plan puts four groups in the star's place. */
        snprintf(full, sizeof full, "%.*s1:2:3:4", (int)size - 1, text);
        return address_parse(full, strlen(full), &address) ? address.family : 0;
    }
    return address_parse(text, size, &address) ? address.family : 0;
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

Test(vectors, contain_the_rows_that_this_release_promises)
{
    static const uint16_t promised[] = { 20, 22, 26, 27, 44, 48, 49, 54, 61, 62, 64, 114 };
    for (size_t i = 0; i < sizeof promised / sizeof *promised; i++) {
        const struct vector *vector = vector_find(promised[i]);
        cr_assert_not_null(vector, "BG-%03u", promised[i]);
        cr_expect(vector->core, "BG-%03u", promised[i]);
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

Test(vectors, have_only_targets_that_can_be_read_and_that_fit_their_mechanism)
{
    for (size_t i = 0; i < vector_count; i++) {
        for (const struct vector_target *target = vectors[i].targets; target->address != NULL; target++) {
            int family = target_family(target->address);
            bool unix_mechanism = mechanism_transport(target->mechanism) == TRANSPORT_UNIX;
            bool star = strchr(target->address, '*') != NULL;
            cr_expect_neq(family, 0, "BG-%03u %s", vectors[i].id, target->address);
            cr_expect_eq(family == AF_UNIX, unix_mechanism, "BG-%03u %s", vectors[i].id, target->address);
            cr_expect(!star || family == AF_INET6, "BG-%03u %s", vectors[i].id, target->address);
            cr_expect(target->wire == NULL || target_family(target->wire) == family, "BG-%03u", vectors[i].id);
            cr_expect(strstr(target->address, "resolver") == NULL || target->mechanism == MECHANISM_DNS_UDP ||
                      target->mechanism == MECHANISM_DNS_TCP);
            if (unix_mechanism || target->mechanism == MECHANISM_ICMP_ECHO)
                cr_expect_eq(target->port, 0, "BG-%03u %s", vectors[i].id, target->address);
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
    return a->port != 0 || transport == TRANSPORT_ICMP || transport == TRANSPORT_UNIX;
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
