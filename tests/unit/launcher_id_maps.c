/* Which ids a bottle's namespace gets, for the three kinds of caller, and who its principals are. */
#include <criterion/criterion.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../launcher/id_block.h"
#include "../../launcher/namespaces.h"
#include "../../launcher/support/process.h"

Test(launcher_id_maps, an_id_is_mapped_only_where_one_line_covers_all_of_the_range)
{
    static const struct {
        const char *map;
        uint32_t first, count;
        bool mapped;
    } rows[] = {
        { "         0          0 4294967295\n", 65534, 1, true },
        { "         0       1000          1\n", 0, 1, true },
        { "         0       1000          1\n", 65534, 1, false },
        { "0 0 65536\n", 0, 65536, true },
        { "0 0 65536\n", 1, 65536, false },
        { "0 5 1\n65534 6 1\n", 65534, 1, true },
        { "0 5 1\n65534 6 1\n", 0, 65536, false },
        { "", 0, 1, false },
        { "garbage\n", 0, 1, false },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        cr_expect_eq(id_block_mapped(rows[i].map, rows[i].first, rows[i].count), rows[i].mapped, "row %zu", i);
}

Test(launcher_id_maps, a_block_lies_in_the_unused_range_and_two_of_one_process_differ)
{
    uint32_t first = id_block_find(), second = id_block_find();
    cr_expect(first >= ID_BLOCK_LOW && first - ID_BLOCK_LOW <= ID_BLOCK_RANGE - ID_BLOCK_SIZE);
    cr_expect_eq(first % ID_BLOCK_SIZE, 0);
    cr_expect_neq(first, second);
}

/* A child in a user namespace whose ids are mapped, doing `work` when they are; its exit status. */
static int in_mapped_child(int flags, uid_t inside, int (*work)(void))
{
    struct error error = { 0 };
    int go[2], status = -1;
    cr_assert_eq(pipe(go), 0);
    pid_t child = namespaces_fork(CLONE_NEWUSER | flags, &error);
    cr_assert(child >= 0, "%s", error.text);
    if (child == 0) {
        char byte;
        close(go[1]);
        _exit(read(go[0], &byte, 1) == 1 ? work() : 99);
    }
    cr_assert(namespaces_map_ids(child, inside, &error), "%s", error.text);
    cr_assert_eq(write(go[1], "1", 1), 1);
    cr_assert(process_wait(child, clock_microseconds() + 10000000, &status));
    close(go[0]);
    close(go[1]);
    return process_exit_status(status);
}

static bool map_is(unsigned long inside, unsigned long least_outside, unsigned long count)
{
    unsigned long map[3];
    char text[4096], extra[2];
    return file_read("/proc/self/uid_map", text, sizeof text) &&
           sscanf(text, "%lu %lu %lu %1s", &map[0], &map[1], &map[2], extra) == 3 && map[0] == inside &&
           map[1] >= least_outside && map[2] == count;
}

static int check_high_block(void)
{
    return map_is(0, ID_BLOCK_LOW, 65536) && namespaces_have_block() ? 0 : 1;
}

static int check_only_root(void)
{
    char groups[16];
    return map_is(0, 0, 1) && geteuid() == 0 && getegid() == 0 && !namespaces_have_block() &&
                   file_read("/proc/self/setgroups", groups, sizeof groups) && strncmp(groups, "deny", 4) == 0
               ? 0
               : 1;
}

static int check_only_user(void)
{
    return map_is(65534, 0, 1) && geteuid() == 65534 ? 0 : 1;
}

Test(launcher_id_maps, root_gets_a_high_block_and_an_ordinary_user_its_own_id)
{
    cr_expect_eq(in_mapped_child(0, 0, geteuid() == 0 ? check_high_block : check_only_root), 0);
}

Test(launcher_id_maps, the_one_id_may_be_65534_inside)
{
    cr_expect_eq(in_mapped_child(0, 65534, check_only_user), 0);
}

static int check_identity(void)
{
    return map_is(0, 0, 65536) && namespaces_have_block() ? 0 : 1;
}

static int make_identity_inside(void)
{
    if (setresgid(0, 0, 0) != 0 || setresuid(0, 0, 0) != 0)
        return 1;
    return in_mapped_child(0, 0, check_identity);
}

static int make_one_inside(void)
{
    return in_mapped_child(0, 0, check_only_root);
}

Test(launcher_id_maps, inside_a_site_its_block_is_handed_on_and_its_one_id_too)
{
    cr_expect_eq(in_mapped_child(0, 0, geteuid() == 0 ? make_identity_inside : make_one_inside), 0);
}

static bool no_capability_left(void)
{
    char status[4096];
    static const char *const sets[] = { "CapInh:", "CapPrm:", "CapEff:", "CapAmb:" };
    bool none = file_read("/proc/self/status", status, sizeof status);
    for (size_t i = 0; none && i < sizeof sets / sizeof *sets; i++) {
        const char *line = strstr(status, sets[i]);
        none = line != NULL && strncmp(line + 7, "\t0000000000000000\n", 18) == 0;
    }
    return none;
}

static int become_user(void)
{
    struct error error = { 0 };
    if (geteuid() != 0 && (setresgid(0, 0, 0) != 0 || setresuid(0, 0, 0) != 0))
        return 1;
    if (!namespaces_become(PRINCIPAL_USER, -1, &error))
        return fprintf(stderr, "%s\n", error.text), 2;
    return getuid() == 65534 && geteuid() == 65534 && getgid() == 65534 && no_capability_left() && setuid(0) != 0 ? 0
                                                                                                                  : 3;
}

Test(launcher_id_maps, the_user_principal_is_65534_without_capabilities_whatever_is_mapped)
{
    cr_expect_eq(in_mapped_child(0, 0, become_user), 0);
}

static int become_root(void)
{
    struct error error = { 0 };
    return namespaces_become(PRINCIPAL_ROOT, -1, &error) && getuid() == 0 && getgid() == 0 ? 0 : 1;
}

Test(launcher_id_maps, the_root_principal_is_0)
{
    cr_expect_eq(in_mapped_child(0, 0, become_root), 0);
}
