/* Ids one user namespace further out: the map's text, and the map of this very process. */
#include <criterion/criterion.h>
#include <unistd.h>

#include "../../launcher/outer_id.h"

Test(outer_id, is_read_from_the_map_line_that_covers_it)
{
    static const char map[] = "         0 1879048192      65536\n     70000       1000          1\n";
    static const struct {
        uid_t inside, outside;
        bool mapped;
    } cases[] = {
        { 0, 1879048192, true }, { 65534, 1879113726, true }, { 65535, 1879113727, true },
        { 65536, 0, false },     { 70000, 1000, true },       { 70001, 0, false },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uid_t outside = 7;
        cr_expect_eq(outer_id_in(map, cases[i].inside, &outside), cases[i].mapped, "%u", cases[i].inside);
        cr_expect_eq(outside, cases[i].mapped ? cases[i].outside : 7, "%u", cases[i].inside);
    }
}

Test(outer_id, is_not_found_in_what_is_no_map)
{
    static const char *const broken[] = { "", "0", "0 1", "x 0 1", "0 x 1", "0 0 0\n", "0 4294967295 4\n" };
    uid_t outside = 7;
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++)
        cr_expect_not(outer_id_in(broken[i], 2, &outside), "\"%s\"", broken[i]);
    cr_expect_eq(outside, 7);
}

Test(outer_id, of_this_process_is_known)
{
    uid_t outside;
    cr_expect(outer_id_find(geteuid(), &outside));
}
