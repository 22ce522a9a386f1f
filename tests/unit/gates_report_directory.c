/* The directory of a report: the whole new set or what was there before, whatever stops the writing and wherever it
 * does. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../gates/report/directory.h"
#include "../../gates/report/report.h"
#include "../../launcher/support/process.h"
#include "gates_report_run.h"

static char home[] = "/tmp/directory-XXXXXX";
static struct run *run;

static void set_up(void)
{
    static const uint16_t asked[] = { 114 };
    cr_assert_not_null(mkdtemp(home));
    cr_assert_eq(chdir(home), 0);
    run = crafted_run(asked, 1, SELF_PROOF_OPEN);
    run_judge(run);
}

static void tear_down(void)
{
    char command[64];
    run_free(run);
    snprintf(command, sizeof command, "rm -rf %s", home);
    cr_assert(chdir("/") == 0 && system(command) == 0);
}

TestSuite(directory, .init = set_up, .fini = tear_down);

/* The names in a directory, sorted, separated by spaces. */
static const char *names_in(const char *path)
{
    static char text[1024];
    struct dirent **entries;
    int count = scandir(path, &entries, NULL, alphasort);
    text[0] = '\0';
    for (int i = 0; i < count; i++) {
        if (entries[i]->d_name[0] != '.' || strlen(entries[i]->d_name) > 2)
            snprintf(text + strlen(text), sizeof text - strlen(text), "%s ", entries[i]->d_name);
        free(entries[i]);
    }
    if (count >= 0)
        free(entries);
    return count < 0 ? "none" : text;
}

#define WHOLE_SET "evidence.json report.json report.md report.tap report.txt report.xml "

static bool write_report(const char *path, struct error *error)
{
    struct report_directory directory;
    *error = (struct error){ 0 };
    return report_directory_check(path, &directory, error) && report_directory_write(&directory, run, error);
}

static void make_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    cr_assert(file != NULL && fputs(text, file) >= 0 && fclose(file) == 0);
}

static void must_hold(const char *path, const char *text)
{
    char found[64] = "";
    FILE *file = fopen(path, "r");
    cr_assert(file != NULL && fgets(found, sizeof found, file) != NULL && fclose(file) == 0, "%s is gone", path);
    cr_assert_str_eq(found, text);
}

static bool holds_run(const char *path, const struct run *of)
{
    char name[128], text[512] = "";
    snprintf(name, sizeof name, "%s/report.json", path);
    FILE *file = fopen(name, "r");
    size_t got = file != NULL ? fread(text, 1, sizeof text - 1, file) : 0;
    if (file != NULL)
        fclose(file);
    return got > 0 && strstr(text, of->plan.run) != NULL;
}

Test(directory, a_missing_an_empty_and_an_earlier_one_become_the_new_set)
{
    struct error error;
    cr_assert_eq(mkdir("empty", 0755), 0);
    for (int again = 0; again < 2; again++) {
        run->plan.run[0] = again ? 'a' : 'b';
        cr_assert(write_report("missing", &error), "%s", error.text);
        cr_assert(write_report("empty///", &error), "%s", error.text);
        cr_expect_str_eq(names_in("missing"), WHOLE_SET);
        cr_expect(holds_run("missing", run) && holds_run("empty", run));
        cr_expect_str_eq(names_in("."), "empty missing ");
    }
}

Test(directory, anything_else_is_refused_before_the_run_and_left_alone)
{
    struct error error;
    static const char mine[] = "{\n\t\"schema\":\t\"bottle-gate/report/1\"";
    cr_assert(mkdir("notes", 0755) == 0 && mkdir("mixed", 0755) == 0 && mkdir("foreign", 0755) == 0 &&
              mkdir("deep", 0755) == 0);
    cr_assert(mkdir("deep/report.tap", 0755) == 0 && mkdir("linked", 0755) == 0);
    cr_assert(symlink("notes", "link") == 0 && symlink("/etc/passwd", "linked/report.md") == 0);
    make_file("file", "mine");
    make_file("notes/diary.txt", "mine");
    make_file("mixed/report.json", mine);
    make_file("mixed/diary.txt", "mine");
    make_file("foreign/report.json", "{\"schema\":\"other/1\"}");
    make_file("deep/report.json", mine);
    static const struct {
        const char *path, *why;
    } refused[] = {
        { "file", "no directory" },
        { "link", "no directory" },
        { "notes", "diary.txt" },
        { "mixed", "diary.txt" },
        { "foreign", "no report" },
        { "deep", "report.tap" },
        { "linked", "report.md" },
        { ".", "of its own" },
        { "..", "of its own" },
        { "/", "of its own" },
        { "", "wants the path" },
        { "no/where", "make that directory first" },
        { "file/inside", "Not a directory" },
        { "notes/..", "of its own" },
    };
    char before[1024];
    snprintf(before, sizeof before, "%s", names_in("."));
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        struct report_directory directory;
        error = (struct error){ 0 };
        cr_expect_not(report_directory_check(refused[i].path, &directory, &error), "%s", refused[i].path);
        cr_expect_eq(error.code, ERROR_USAGE);
        cr_expect(strstr(error.text, refused[i].why) != NULL, "%s: %s", refused[i].path, error.text);
    }
    cr_expect_str_eq(names_in("."), before);
    must_hold("notes/diary.txt", "mine");
    must_hold("mixed/diary.txt", "mine");
    must_hold("foreign/report.json", "{\"schema\":\"other/1\"}");
}

Test(directory, what_came_to_its_place_during_the_run_is_left_alone)
{
    struct error error = { 0 };
    struct report_directory directory;
    cr_assert(report_directory_check("out", &directory, &error), "%s", error.text);
    cr_assert_eq(mkdir("out", 0755), 0);
    make_file("out/diary.txt", "mine");
    cr_expect_not(report_directory_write(&directory, run, &error));
    cr_expect_eq(error.code, ERROR_SYSTEM);
    cr_expect(strstr(error.text, "diary.txt") != NULL, "%s", error.text);
    must_hold("out/diary.txt", "mine");
    cr_expect_str_eq(names_in("."), "out ");
}

Test(directory, one_that_cannot_be_written_is_refused_before_the_run)
{
    struct error error = { 0 };
    struct report_directory directory;
    cr_assert_eq(mkdir("shut", 0555), 0);
    pid_t child = fork();
    if (child == 0) {
        if (geteuid() == 0 && (setresgid(65534, 65534, 65534) != 0 || setresuid(65534, 65534, 65534) != 0))
            _exit(2);
        bool refused = !report_directory_check("shut/out", &directory, &error) && error.code == ERROR_USAGE &&
                       strstr(error.text, "Permission denied") != NULL;
        _exit(refused ? 0 : 1);
    }
    int status;
    chmod(home, 0755);
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_expect_eq(status, 0, "%x", status);
}

/* Writes to `out` with no file longer than `most` bytes. `fatal`: the process dies at that byte. Returns its wait
 * status. */
static int write_limited(rlim_t most, bool fatal)
{
    pid_t child = fork();
    cr_assert_geq(child, 0);
    if (child == 0) {
        struct rlimit limit = { most, most }, none = { 0, 0 };
        struct error error;
        setrlimit(RLIMIT_CORE, &none);
        signal(SIGXFSZ, fatal ? SIG_DFL : SIG_IGN);
        setrlimit(RLIMIT_FSIZE, &limit);
        bool written = write_report("out", &error);
        bool told_so = written || (error.code == ERROR_SYSTEM && strstr(error.text, "File too large") != NULL);
        _exit(written ? 0 : told_so ? 3 : 99);
    }
    int status;
    cr_assert_eq(waitpid(child, &status, 0), child);
    return status;
}

static rlim_t longest_file(void)
{
    static const char *const files[] = { "out/evidence.json", "out/report.json", "out/report.xml", "out/report.tap" };
    rlim_t longest = 0;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        struct stat found;
        cr_assert_eq(stat(files[i], &found), 0);
        longest = (rlim_t)found.st_size > longest ? (rlim_t)found.st_size : longest;
    }
    return longest;
}

Test(directory, a_write_that_fails_at_any_byte_leaves_what_was_there)
{
    struct error error;
    cr_assert(write_report("out", &error), "%s", error.text);
    rlim_t longest = longest_file();
    unsigned failed = 0;
    run->plan.run[0] = run->plan.run[0] == 'a' ? 'b' : 'a';
    for (rlim_t most = 0; most < longest; most += 211) {
        int status = write_limited(most, false);
        cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 3, "at %llu bytes: %x", (unsigned long long)most, status);
        cr_assert_str_eq(names_in("out"), WHOLE_SET);
        cr_assert_not(holds_run("out", run));
        cr_assert_str_eq(names_in("."), "out ", "something was left behind at %llu bytes", (unsigned long long)most);
        failed++;
    }
    cr_assert_gt(failed, 10);
    cr_assert_eq(write_limited(longest, false), 0);
    cr_expect(holds_run("out", run));
}

Test(directory, killed_at_any_byte_it_leaves_one_directory_that_the_next_one_removes)
{
    struct error error;
    cr_assert(write_report("out", &error), "%s", error.text);
    rlim_t longest = longest_file();
    unsigned died = 0;
    for (rlim_t most = 0; most < longest; most += 307) {
        int status = write_limited(most, true);
        cr_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGXFSZ, "%x", status);
        cr_assert_str_eq(names_in("out"), WHOLE_SET);
        const char *left = names_in(".");
        /* One, though one was left behind by the kill before: it is removed first. */
        cr_assert(strncmp(left, ".bottle-gate-out.", 17) == 0 && strcmp(left + 23, " out ") == 0, "%s", left);
        died++;
    }
    cr_assert_gt(died, 5);
    cr_assert(write_report("out", &error), "%s", error.text);
    cr_expect_str_eq(names_in("."), "out ");
}

Test(directory, one_that_another_gate_is_writing_is_not_taken_for_one_left_behind)
{
    struct error error;
    cr_assert(mkdir(".bottle-gate-out.00abcd", 0755) == 0 && mkdir(".bottle-gate-out.00abce", 0755) == 0 &&
              mkdir(".bottle-gate-outer.00abce", 0755) == 0);
    int held = open(".bottle-gate-out.00abcd", O_RDONLY | O_DIRECTORY);
    cr_assert(held >= 0 && flock(held, LOCK_EX) == 0);
    cr_assert(write_report("out", &error), "%s", error.text);
    cr_expect_str_eq(names_in("."), ".bottle-gate-out.00abcd .bottle-gate-outer.00abce out ");
    close(held);
    cr_assert(write_report("out", &error), "%s", error.text);
    cr_expect_str_eq(names_in("."), ".bottle-gate-outer.00abce out ");
}

/* In namespaces of its own, on file systems of its own: full at any page, and read-only. */
static int on_small_file_systems(void)
{
    struct error error;
    struct report_directory directory;
    char uids[32], gids[32];
    snprintf(uids, sizeof uids, "0 %u 1", (unsigned)geteuid());
    snprintf(gids, sizeof gids, "0 %u 1", (unsigned)getegid());
    if (mkdir("small", 0755) != 0 || unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0)
        return errno == EPERM || errno == ENOSPC ? 77 : 1;
    if (!file_write("/proc/self/setgroups", "deny", &error) || !file_write("/proc/self/uid_map", uids, &error) ||
        !file_write("/proc/self/gid_map", gids, &error))
        return 9;
    unsigned failed = 0, written = 0;
    for (unsigned pages = 2; pages < 40; pages++) {
        char options[32];
        snprintf(options, sizeof options, "size=%u,mode=777", pages * 4096);
        if (mount("tmpfs", "small", "tmpfs", 0, options) != 0)
            return 2;
        if (write_report("small/out", &error)) {
            if (strcmp(names_in("small/out"), WHOLE_SET) != 0)
                return 3;
            written++;
        } else {
            if (strstr(error.text, "No space left") == NULL || strcmp(names_in("small"), "") != 0)
                return 4;
            failed++;
        }
        if (umount("small") != 0)
            return 5;
    }
    if (failed == 0 || written == 0)
        return 6;
    if (mount("tmpfs", "small", "tmpfs", MS_RDONLY, NULL) != 0)
        return 7;
    error = (struct error){ 0 };
    if (report_directory_check("small/out", &directory, &error) || strstr(error.text, "Read-only") == NULL)
        return 8;
    return 0;
}

Test(directory, a_full_and_a_read_only_file_system_leave_nothing_half_written)
{
    chmod(home, 0777);
    pid_t child = fork();
    if (child == 0)
        _exit(on_small_file_systems());
    int status;
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_assert(WIFEXITED(status));
    if (WEXITSTATUS(status) == 77 && getenv("MUST_WORK") == NULL)
        cr_skip_test("no user namespaces here");
    cr_expect_eq(WEXITSTATUS(status), 0, "step %d", WEXITSTATUS(status));
}
