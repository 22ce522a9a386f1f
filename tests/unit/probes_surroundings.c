/*
 * The real bottle-probe where it is hard to run: nothing else in its root, nobody's uid, another resolver, a
 * bad plan, no reader of its records.
 */
#include <sched.h>
#include <sys/stat.h>

#include "probes_trial.h"

static char empty_root[] = "/tmp/bottle-root-XXXXXX";

static void enter_empty_root_as_nobody(void)
{
    if (geteuid() != 0 && unshare(CLONE_NEWUSER) != 0)
        _exit(126);
    if (chroot(empty_root) != 0 || chdir("/") != 0)
        _exit(126);
    if (getuid() == 0 && (setgid(65534) != 0 || setuid(65534) != 0))
        _exit(126);
}

static void make_empty_root(void)
{
    cr_assert_not_null(mkdtemp(empty_root));
    cr_assert_eq(chmod(empty_root, 0755), 0);
}

static void remove_empty_root(void)
{
    char path[64];
    snprintf(path, sizeof path, "%s/etc/resolv.conf", empty_root);
    unlink(path);
    snprintf(path, sizeof path, "%s/etc", empty_root);
    rmdir(path);
    rmdir(empty_root);
}

Test(probe, runs_as_nobody_with_nothing_else_in_its_root, .init = make_empty_root, .fini = remove_empty_root)
{
    struct endpoint *tcp = world_add(ANSWERS_TOKEN, SOCK_STREAM, NULL);
    plan_begin(3000, NULL);
    uint16_t direct = plan_add(MECHANISM_TCP, "127.0.0.1", tcp->port);
    run(enter_empty_root_as_nobody);
    expect(direct, STAGE_ANSWERED, "", TOKEN);
    char expected[32];
    cr_expect_not_null(strstr(outcome.output, " 65534 "), "%s", outcome.output);
    snprintf(expected, sizeof expected, " - -\nBG1 try 1 ");
    cr_expect_not_null(strstr(outcome.output, expected), "neither boot id nor digest without /proc");
}

Test(probe, asks_the_resolver_that_its_root_names_rather_than_the_plans, .init = make_empty_root,
     .fini = remove_empty_root)
{
    struct endpoint *dns = world_add(ANSWERS_DNS, SOCK_DGRAM, NULL);
    char path[64];
    snprintf(path, sizeof path, "%s/etc", empty_root);
    cr_assert_eq(mkdir(path, 0755), 0);
    strcat(path, "/resolv.conf");
    int file = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    cr_assert_eq(write(file, "nameserver ::1\nnameserver 127.0.0.1\n", 36), 36);
    close(file);
    plan_begin(3000, NULL);
    uint16_t given = plan_add(MECHANISM_DNS_UDP, "@resolver:127.0.0.2", dns->port);
    uint16_t literal = plan_add(MECHANISM_DNS_UDP, "127.0.0.2", dns->port);
    run(enter_empty_root_as_nobody);
    expect(given, STAGE_ANSWERED, "", TOKEN);
    expect(literal, STAGE_SENT, "ECONNREFUSED", "");
}

Test(probe, refuses_a_bad_plan_with_one_line_and_does_nothing)
{
    static const char *const bad[] = { "", "\n", "BGP1 end x\n", "rm -rf /\n" };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        probe_run_text(bad[i], strlen(bad[i]), NULL);
        cr_expect_eq(outcome.status, 4);
        cr_expect_str_empty(outcome.output);
        char *newline = strchr(outcome.complaint, '\n');
        cr_expect(newline != NULL && newline[1] == '\0', "%s", outcome.complaint);
        cr_expect_eq(strncmp(outcome.complaint, "bottle-probe: ", 14), 0);
    }
}

static void close_output(void)
{
    close(1);
}

static void break_output(void)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0)
        _exit(126);
    dup2(ends[1], 1);
    close(ends[0]);
}

Test(probe, whose_records_nobody_reads_ends_without_an_attempt)
{
    static child_setup *const setups[] = { close_output, break_output };
    static const uint8_t mask[1][NONCE_BYTES] = { { 1 } };
    for (size_t i = 0; i < 2; i++) {
        world_size = guest_count = 0;
        struct endpoint *tcp = world_add(STAYS_SILENT, SOCK_STREAM, NULL);
        plan_begin(60000, tcp);
        plan_add(MECHANISM_TCP, "127.0.0.1", tcp->port);
        size_t size = plan_format(&plan, mask, plan_text, sizeof plan_text);
        probe_run_text(plan_text, size, setups[i]);
        cr_expect_eq(outcome.status, 3);
        cr_expect_eq(accept(tcp->fd, NULL, NULL), -1, "somebody came");
    }
}

Test(probe, ends_as_soon_as_the_reader_of_its_records_has_gone)
{
    static const uint8_t mask[1][NONCE_BYTES] = { { 1 } };
    struct endpoint *full = world_add(STAYS_SILENT, SOCK_STREAM, NULL);
    int ends[2], status;
    char line[512];
    fill_queue(full);
    plan_begin(60000, full);
    plan_add(MECHANISM_TCP, "127.0.0.1", full->port);
    size_t size = plan_format(&plan, mask, plan_text, sizeof plan_text);
    char name[] = "/tmp/bottle-plan-XXXXXX";
    int file = mkstemp(name);
    cr_assert(write(file, plan_text, size) == (ssize_t)size && pipe2(ends, O_CLOEXEC) == 0);
    close(file);
    long begun = milliseconds_now();
    pid_t child = fork();
    if (child == 0) {
        dup2(ends[1], 1);
        execl(probe_path(), "bottle-probe", name, (char *)NULL);
        _exit(127);
    }
    close(ends[1]);
    /* Its second line says that it tries the door, which holds it for 20 s. */
    for (size_t used = 0, lines = 0; lines < 2; used++) {
        cr_assert(used < sizeof line && read(ends[0], line + used, 1) == 1);
        lines += line[used] == '\n';
    }
    close(ends[0]);
    cr_assert_eq(waitpid(child, &status, 0), child);
    unlink(name);
    cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 3);
    cr_expect_lt(milliseconds_now() - begun, 10000);
}
