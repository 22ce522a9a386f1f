/* What killed runs leave is removed, and nothing else: not whole evidence, not what lives, not what isn't ours. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../gates/leftovers.h"
#include "../../launcher/keeper/registry.h"

#define RUN(digit) "000000000000000000000000000000" digit digit

static char base[64], told[1024];

static void begin(void)
{
    snprintf(base, sizeof base, "/tmp/leftovers-XXXXXX");
    cr_assert_not_null(mkdtemp(base));
    told[0] = '\0';
}

static void end(void)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", base);
    cr_assert_eq(system(command), 0);
}

static const char *path_of(const char *name)
{
    static char path[256];
    snprintf(path, sizeof path, "%s/%s", base, name);
    return path;
}

static void make_directory(const char *name)
{
    cr_assert_eq(mkdir(path_of(name), 0700), 0);
}

static void make_file(const char *name, const char *text)
{
    FILE *file = fopen(path_of(name), "w");
    cr_assert_not_null(file);
    fputs(text, file);
    fclose(file);
}

static bool exists(const char *name)
{
    struct stat status;
    return lstat(path_of(name), &status) == 0;
}

static void tell(const char *path, const char *what, void *context)
{
    (void)what, (void)context;
    size_t used = strlen(told);
    snprintf(told + used, sizeof told - used, "%s ", path + strlen(base) + 1);
}

static bool collect(bool dry, struct error *error)
{
    return leftovers_collect(base, dry, tell, NULL, error);
}

Test(leftovers, of_a_killed_run_are_removed_and_whole_evidence_stays, .init = begin, .fini = end)
{
    struct error error = { 0 };
    make_directory(RUN("a"));
    make_directory(RUN("b"));
    make_file(RUN("b") "/evidence.txt", "half");
    make_directory(RUN("c"));
    make_file(RUN("c") "/evidence.txt", "all\n");
    make_file(RUN("c") "/report.json", "{\n}\n");
    make_directory(RUN("d"));
    make_file(RUN("d") "/report.json", "{ \"half\": [");
    make_directory("somebody-elses");
    make_file(RUN("e"), "no directory");
    cr_expect(collect(true, &error), "%s", error.text);
    cr_expect_str_eq(told, RUN("a") " " RUN("b") " " RUN("d") " ");
    cr_expect(exists(RUN("a")) && exists(RUN("b")) && exists(RUN("d")));
    told[0] = '\0';
    cr_expect(collect(false, &error), "%s", error.text);
    cr_expect_str_eq(told, RUN("a") " " RUN("b") " " RUN("d") " ");
    cr_expect(!exists(RUN("a")) && !exists(RUN("b")) && !exists(RUN("d")));
    cr_expect(exists(RUN("c") "/report.json") && exists("somebody-elses") && exists(RUN("e")));
    told[0] = '\0';
    cr_expect(collect(false, &error));
    cr_expect_str_empty(told);
}

Test(leftovers, of_a_run_that_is_keeping_its_evidence_are_none, .init = begin, .fini = end)
{
    struct error error = { 0 };
    make_directory(RUN("a"));
    int keeper = open(base, O_RDONLY | O_DIRECTORY);
    cr_assert_eq(flock(keeper, LOCK_SH), 0);
    cr_expect_not(collect(false, &error));
    cr_expect_eq(error.code, ERROR_HOST);
    cr_expect(exists(RUN("a")));
    cr_expect_str_empty(told);
    close(keeper);
    error = (struct error){ 0 };
    cr_expect(collect(false, &error), "%s", error.text);
    cr_expect_not(exists(RUN("a")));
}

Test(leftovers, with_something_unknown_in_them_stay_and_are_told_as_an_error, .init = begin, .fini = end)
{
    struct error error = { 0 };
    make_directory(RUN("a"));
    make_directory(RUN("a") "/below");
    make_directory(RUN("b"));
    cr_expect_not(collect(false, &error));
    cr_expect_not_null(strstr(error.text, RUN("a")), "%s", error.text);
    cr_expect(exists(RUN("a") "/below"));
    cr_expect_not(exists(RUN("b")), "the others are removed all the same");
}

Test(leftovers, behind_a_link_are_not_followed, .init = begin, .fini = end)
{
    char target[] = "/tmp/leftovers-target-XXXXXX";
    struct error error = { 0 };
    cr_assert_not_null(mkdtemp(target));
    cr_assert_eq(symlink(target, path_of(RUN("a"))), 0);
    cr_expect(collect(false, &error), "%s", error.text);
    cr_expect_str_empty(told);
    cr_expect_eq(rmdir(target), 0);
}

Test(leftovers, of_somebody_else_are_left_alone, .init = begin, .fini = end)
{
    struct error error = { 0 };
    if (geteuid() != 0)
        cr_skip("not root: nobody else's file can be made");
    make_directory(RUN("a"));
    cr_assert_eq(chown(path_of(RUN("a")), 65534, 65534), 0);
    cr_expect(collect(false, &error));
    cr_expect(exists(RUN("a")));
    cr_assert_eq(chown(base, 65534, 65534), 0);
    make_directory(RUN("b"));
    cr_expect(collect(false, &error));
    cr_expect(exists(RUN("b")));
}

Test(leftovers, of_bottles_are_sockets_that_nobody_listens_on, .init = begin, .fini = end)
{
    bool taken;
    struct error error = { 0 };
    struct registry_seat dead, living;
    make_directory("bottles");
    int directory = open(path_of("bottles"), O_RDONLY | O_DIRECTORY);
    cr_assert(registry_listen(directory, "dead", &dead, &taken, &error), "%s", error.text);
    cr_assert(registry_listen(directory, "living", &living, &taken, &error), "%s", error.text);
    close(dead.listener);
    make_file("bottles/file", "no socket");
    cr_expect(collect(true, &error), "%s", error.text);
    cr_expect_str_eq(told, "bottles/dead ");
    cr_expect(exists("bottles/dead"));
    told[0] = '\0';
    cr_expect(collect(false, &error), "%s", error.text);
    cr_expect_str_eq(told, "bottles/dead ");
    cr_expect(!exists("bottles/dead") && exists("bottles/living") && exists("bottles/file"));
    close(living.listener);
    close(directory);
}

static bool collect_selftests(bool dry, struct error *error)
{
    return leftovers_collect_selftests(base, dry, tell, NULL, error);
}

#define SELFTEST(letter) SELFTEST_DIRECTORY "aB3dE" letter

Test(leftovers, of_a_killed_selftest_are_the_directories_that_nobody_locks, .init = begin, .fini = end)
{
    struct error error = { 0 };
    make_directory(SELFTEST("1"));
    make_directory(SELFTEST("1") "/report");
    make_file(SELFTEST("1") "/report/report.json", "{\n}\n");
    make_directory(SELFTEST("1") "/.bottle-gate-" RUN("a") ".x1y2z3");
    make_file(SELFTEST("1") "/.bottle-gate-" RUN("a") ".x1y2z3/evidence.json", "half");
    make_directory(SELFTEST("2"));
    make_directory(SELFTEST("3"));
    make_directory(SELFTEST("3") "/report");
    make_directory(SELFTEST("34"));
    make_directory(SELFTEST_DIRECTORY "mine");
    make_file(SELFTEST("4"), "no directory");
    int living = open(path_of(SELFTEST("3")), O_RDONLY | O_DIRECTORY);
    cr_assert_eq(flock(living, LOCK_SH), 0);
    cr_expect(collect_selftests(true, &error), "%s", error.text);
    cr_expect_str_eq(told, SELFTEST("1") " " SELFTEST("2") " ");
    cr_expect(exists(SELFTEST("1") "/report/report.json") && exists(SELFTEST("2")));
    told[0] = '\0';
    cr_expect(collect_selftests(false, &error), "%s", error.text);
    cr_expect_str_eq(told, SELFTEST("1") " " SELFTEST("2") " ");
    cr_expect(!exists(SELFTEST("1")) && !exists(SELFTEST("2")));
    cr_expect(exists(SELFTEST("3") "/report") && exists(SELFTEST("34")) && exists(SELFTEST_DIRECTORY "mine") &&
              exists(SELFTEST("4")));
    close(living);
    told[0] = '\0';
    cr_expect(collect_selftests(false, &error), "%s", error.text);
    cr_expect_str_eq(told, SELFTEST("3") " ");
}

Test(leftovers, of_a_selftest_stay_with_what_is_unknown_in_them, .init = begin, .fini = end)
{
    struct error error = { 0 };
    make_directory(SELFTEST("1"));
    make_file(SELFTEST("1") "/notes", "somebody's");
    make_directory(SELFTEST("2"));
    make_directory(SELFTEST("2") "/report");
    make_directory(SELFTEST("2") "/report/below");
    make_directory(SELFTEST("3"));
    cr_expect_not(collect_selftests(false, &error));
    cr_expect_not_null(strstr(error.text, SELFTEST("1")), "%s", error.text);
    cr_expect_str_eq(told, SELFTEST("3") " ");
    cr_expect(exists(SELFTEST("1") "/notes") && exists(SELFTEST("2") "/report/below") && !exists(SELFTEST("3")));
}

Test(leftovers, of_a_selftest_are_not_followed_and_not_somebody_elses, .init = begin, .fini = end)
{
    char target[] = "/tmp/leftovers-target-XXXXXX", report[64];
    struct error error = { 0 };
    cr_assert_not_null(mkdtemp(target));
    snprintf(report, sizeof report, "%s/report", target);
    cr_assert_eq(mkdir(report, 0700), 0);
    cr_assert_eq(symlink(target, path_of(SELFTEST("1"))), 0);
    make_directory(SELFTEST("2"));
    cr_assert_eq(symlink(report, path_of(SELFTEST("2") "/report")), 0);
    if (geteuid() == 0) {
        make_directory(SELFTEST("3"));
        cr_assert_eq(chown(path_of(SELFTEST("3")), 65534, 65534), 0);
    }
    cr_expect_not(collect_selftests(false, &error), "the link in the second one is unknown");
    cr_expect_str_empty(told);
    cr_expect(geteuid() != 0 || exists(SELFTEST("3")));
    cr_expect_eq(rmdir(report), 0);
    cr_expect_eq(rmdir(target), 0);
}

Test(leftovers, are_looked_for_wherever_a_run_can_have_kept_them)
{
    char path[256], other[256];
    unsetenv("XDG_RUNTIME_DIR");
    cr_expect(leftovers_base(0, path) && leftovers_base(1, other));
    cr_expect_not_null(strstr(path, "/tmp/bottle-gate-"));
    cr_expect_not_null(strstr(other, "/run/user/"));
    cr_expect_not(leftovers_base(2, path));
    setenv("XDG_RUNTIME_DIR", "/somewhere", 1);
    cr_expect(leftovers_base(2, path));
    cr_expect_str_eq(path, "/somewhere/bottle-gate");
    cr_expect_not(leftovers_base(3, path));
    setenv("XDG_RUNTIME_DIR", "relative", 1);
    cr_expect_not(leftovers_base(2, path));
}

static bool collect_groups(bool dry, struct error *error)
{
    return leftovers_collect_groups(base, dry, tell, NULL, error);
}

#define GROUP(digit) "bottle-gate-" RUN(digit) "-0"

Test(leftovers, that_are_control_groups_are_found_at_any_depth_and_known_by_their_names, .init = begin, .fini = end)
{
    static const char *const others[] = { "bottle-gate",  "bottle-gate-" RUN("a"),     GROUP("g"),
                                          GROUP("a") "x", "bottle-gate-" RUN("a") "-", "x" GROUP("a") };
    struct error error = { 0 };
    make_directory("memory");
    make_directory("memory/user");
    make_directory("memory/user/" GROUP("a"));
    make_directory("pids");
    make_directory("pids/" GROUP("a") "7");
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        make_directory(others[i]);
    make_file(GROUP("b"), "no group");
    cr_assert_eq(symlink("memory", path_of("link")), 0);
    cr_expect(collect_groups(true, &error) && exists("memory/user/" GROUP("a")));
    cr_expect_str_eq(told, "memory/user/" GROUP("a") " pids/" GROUP("a") "7 ");
    cr_expect(collect_groups(false, &error) && !exists("memory/user/" GROUP("a")) && !exists("pids/" GROUP("a") "7"));
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        cr_expect(exists(others[i]), "%s", others[i]);
    cr_expect(exists("memory/user") && exists(GROUP("b")));
}

Test(leftovers, that_are_control_groups_of_a_living_run_or_with_groups_below_stay, .init = begin, .fini = end)
{
    struct error error = { 0 };
    make_directory(GROUP("a"));
    make_directory(GROUP("b"));
    make_directory(GROUP("b") "/below");
    int alive = open(path_of(GROUP("a")), O_RDONLY | O_DIRECTORY);
    cr_assert_eq(flock(alive, LOCK_SH), 0);
    cr_expect_not(collect_groups(false, &error));
    cr_expect_not_null(strstr(error.text, GROUP("b")), "%s", error.text);
    cr_expect(exists(GROUP("a")) && exists(GROUP("b") "/below"));
    cr_expect_str_empty(told);
    close(alive);
    error = (struct error){ 0 };
    collect_groups(false, &error);
    cr_expect_not(exists(GROUP("a")));
}
