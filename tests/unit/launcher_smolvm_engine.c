/* Running one command of an engine that hangs, floods, dies, prints junk, leaves others behind or does nothing at
 * all. */
#include "launcher_smolvm_fake.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "../../launcher/smolvm/engine.h"

static char *const start[] = { "smolvm", "machine", "start", "--name", "b1", NULL };
static char *const plain_environment[] = { "PATH=/usr/sbin:/usr/bin:/sbin:/bin", NULL };

TestSuite(launcher_smolvm_engine, .init = scratch_make, .fini = scratch_remove);

static struct smolvm_engine engine_of(const char *lines)
{
    return (struct smolvm_engine){ .program = fake_engine("smolvm", lines), .environment = plain_environment };
}

static bool run_for(const char *lines, uint64_t microseconds, struct smolvm_result *result, struct error *error)
{
    struct smolvm_engine engine = engine_of(lines);
    return smolvm_run(&engine, start, clock_microseconds() + microseconds, result, error);
}

/* Waits until a process that became ours by PR_SET_CHILD_SUBREAPER has ended. */
static void expect_ended(pid_t pid)
{
    int status;
    cr_assert(process_wait(pid, clock_microseconds() + PATIENCE, &status), "process %d lives on", (int)pid);
    cr_expect(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static pid_t pid_in(const char *text)
{
    long pid = strtol(text, NULL, 10);
    cr_assert_gt(pid, 1, "\"%s\"", text);
    return (pid_t)pid;
}

Test(launcher_smolvm_engine, output_errors_and_status_come_apart)
{
    struct smolvm_result result;
    struct error error = { 0 };
    cr_assert(run_for("echo \"said $*\"; printf 'note\\0x' >&2; exit 3", PATIENCE, &result, &error), "%s", error.text);
    cr_expect_str_eq(result.output, "said machine start --name b1\n");
    cr_expect_eq(result.errors_size, 6);
    cr_expect_arr_eq(result.errors, "note\0x", 7);
    cr_expect_eq(result.status, 3);
    smolvm_result_free(&result);
    cr_expect_null(result.output);
}

Test(launcher_smolvm_engine, an_engine_that_does_nothing_and_says_so_with_0_is_told_as_that)
{
    struct smolvm_result result;
    struct error error = { 0 };
    cr_assert(run_for("exit 0", PATIENCE, &result, &error), "%s", error.text);
    cr_expect(result.status == 0 && result.output_size == 0 && result.errors_size == 0);
    cr_expect(*result.output == '\0' && *result.errors == '\0');
    smolvm_result_free(&result);
}

Test(launcher_smolvm_engine, an_engine_that_dies_midway_is_told_by_its_signal)
{
    struct smolvm_result result;
    struct error error = { 0 };
    cr_assert(run_for("printf half; kill -9 $$; echo whole", PATIENCE, &result, &error), "%s", error.text);
    cr_expect_eq(result.status, 137);
    cr_expect_str_eq(result.output, "half");
    smolvm_result_free(&result);
}

Test(launcher_smolvm_engine, a_hang_is_killed_with_its_whole_group)
{
    struct smolvm_result result;
    struct error error = { 0 };
    char text[32];
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    char lines[256];
    snprintf(lines, sizeof lines, "sleep 10000 & echo $! >%s; trap '' TERM; wait", in_scratch("pid"));
    cr_assert_not(run_for(lines, 2 * SECONDS, &result, &error));
    cr_expect_eq(error.code, ERROR_HOST);
    cr_expect_str_eq(error.text, "smolvm machine start did not end in time and was killed");
    cr_expect_null(result.output);
    cr_assert(file_read(in_scratch("pid"), text, sizeof text), "the engine never came to its hang");
    expect_ended(pid_in(text));
    cr_expect(waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD, "something is left to be reaped");
}

Test(launcher_smolvm_engine, a_flood_that_does_not_end_is_killed_at_its_bound)
{
    static const char *const floods[] = { "exec yes", "exec yes >&2", "head -c 1048577 /dev/zero" };
    for (size_t i = 0; i < sizeof floods / sizeof *floods; i++) {
        struct smolvm_result result;
        struct error error = { 0 };
        cr_expect_not(run_for(floods[i], PATIENCE, &result, &error), "%s", floods[i]);
        cr_expect_not_null(strstr(error.text, "printed more than 1048576 bytes"), "%s", error.text);
        cr_expect_null(result.output);
        cr_expect(waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD);
    }
}

Test(launcher_smolvm_engine, output_up_to_the_bound_is_whole)
{
    struct smolvm_result result;
    struct error error = { 0 };
    cr_assert(run_for("head -c 1048575 /dev/zero; printf x; head -c 70000 /dev/zero >&2", PATIENCE, &result, &error),
              "%s", error.text);
    cr_expect(result.output_size == SMOLVM_OUTPUT_BYTES && result.output[SMOLVM_OUTPUT_BYTES - 1] == 'x');
    cr_expect_eq(result.errors_size, 70000);
    smolvm_result_free(&result);
}

Test(launcher_smolvm_engine, what_a_command_leaves_behind_is_neither_waited_for_nor_killed)
{
    struct smolvm_result result;
    struct error error = { 0 };
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    cr_assert(run_for("sleep 10000 & echo $!", PATIENCE, &result, &error), "%s", error.text);
    pid_t left = pid_in(result.output);
    cr_expect_eq(waitpid(left, NULL, WNOHANG), 0, "it lives on");
    kill(left, SIGKILL);
    expect_ended(left);
    smolvm_result_free(&result);
}

Test(launcher_smolvm_engine, a_command_gets_nothing_but_what_it_is_given)
{
    struct smolvm_result result;
    struct error error = { 0 };
    int open_one = fcntl(1, F_DUPFD, 50); /* not closed on exec */
    sigset_t blocked;
    cr_assert_geq(open_one, 50);
    setenv("SMOLVM_EGRESS_ALLOW_PRIVATE", "1", 1);
    signal(SIGTERM, SIG_IGN);
    sigfillset(&blocked);
    sigprocmask(SIG_BLOCK, &blocked, NULL);
    cr_assert(
        run_for("for f in /proc/self/fd/*; do echo ${f##*/}; done | tr '\\n' ' '; read x || echo nothing to read; "
                "env | grep -v -e ^PWD= -e ^OLDPWD= -e ^_= -e ^SHLVL=; kill -TERM $$; echo survived",
                PATIENCE, &result, &error),
        "%s", error.text);
    cr_expect_eq(result.status, 143);
    cr_expect_null(strstr(result.output, "50"), "%s", result.output);
    cr_expect_not_null(strstr(result.output, "nothing to read\nPATH=/usr/sbin:/usr/bin:/sbin:/bin\n"), "%s",
                       result.output);
    cr_expect_null(strstr(result.output, "SMOLVM"), "%s", result.output);
    smolvm_result_free(&result);
}

Test(launcher_smolvm_engine, what_can_not_be_run_is_an_error_that_says_why)
{
    struct smolvm_result result;
    static const struct {
        const char *name;
        mode_t mode;
        const char *text, *told;
    } rows[] = {
        { "absent", 0, NULL, "No such file" },
        { "plain", 0644, "#!/bin/sh\n", "Permission denied" },
        { "junk", 0755,
          "\x7f"
          "ELFjunk",
          "Exec format error" },
        { "orphan", 0755, "#!/nonexistent/sh\n", "No such file" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct error error = { 0 };
        if (rows[i].text != NULL)
            write_scratch(rows[i].name, rows[i].mode, rows[i].text);
        struct smolvm_engine engine = { .program = in_scratch(rows[i].name), .environment = plain_environment };
        cr_expect_not(smolvm_run(&engine, start, clock_microseconds() + PATIENCE, &result, &error));
        cr_expect_eq(error.code, ERROR_HOST);
        cr_expect(strstr(error.text, rows[i].told) != NULL && strstr(error.text, rows[i].name) != NULL, "%s",
                  error.text);
    }
}

Test(launcher_smolvm_engine, a_status_that_is_not_0_is_an_error_with_the_engines_last_line)
{
    struct error error = { 0 };
    struct smolvm_engine engine =
        engine_of("echo out; echo 'note: x' >&2; printf 'Error: vm not found: \\033[1mb1\\n\\n' >&2; exit 1");
    cr_expect_not(smolvm_run_well(&engine, start, clock_microseconds() + PATIENCE, NULL, &error));
    cr_expect_str_eq(error.text, "smolvm machine start ended with status 1: Error: vm not found: ?[1mb1");
    error = (struct error){ 0 };
    engine = engine_of("exit 5");
    cr_expect_not(smolvm_run_well(&engine, start, clock_microseconds() + PATIENCE, NULL, &error));
    cr_expect_str_eq(error.text, "smolvm machine start ended with status 5: it said nothing");
    error = (struct error){ 0 };
    struct smolvm_result result;
    engine = engine_of("echo fine");
    cr_expect(smolvm_run_well(&engine, start, clock_microseconds() + PATIENCE, &result, &error), "%s", error.text);
    cr_expect_str_eq(result.output, "fine\n");
    smolvm_result_free(&result);
}

Test(launcher_smolvm_engine, the_last_line_is_found_and_cut)
{
    static const struct {
        const char *text, *line;
    } rows[] = {
        { "", "" },
        { "\n\n", "" },
        { "one", "one" },
        { "one\ntwo\n", "two" },
        { "one\ntwelve bytes and more\r\n", "twelve byte" },
        { "\xc3\xa4\n", "??" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char line[12];
        smolvm_last_line(rows[i].text, strlen(rows[i].text), line, sizeof line);
        cr_expect_str_eq(line, rows[i].line);
    }
}

Test(launcher_smolvm_engine, a_spawned_command_streams_and_is_killed_with_its_group)
{
    struct smolvm_engine engine = engine_of("sleep 10000 & echo $!; wait");
    struct error error = { 0 };
    int input[2], output[2];
    char text[32] = { 0 };
    pid_t pid;
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    cr_assert(pipe2(input, O_CLOEXEC) == 0 && pipe2(output, O_CLOEXEC) == 0);
    cr_assert(smolvm_spawn(&engine, start, (int[]){ input[0], output[1], -1 }, &pid, &error), "%s", error.text);
    close(output[1]);
    cr_assert_gt(read(output[0], text, sizeof text - 1), 0);
    pid_t within = pid_in(text);
    cr_expect_eq(getpgid(within), pid);
    smolvm_kill(pid);
    expect_ended(within);
    cr_expect_eq(read(output[0], text, sizeof text), 0, "somebody holds the stream");
}

Test(launcher_smolvm_engine, a_command_ends_with_its_caller)
{
    struct smolvm_engine engine = engine_of("echo here; exec sleep 10000");
    int output[2];
    char text[8];
    cr_assert_eq(pipe2(output, O_CLOEXEC), 0);
    pid_t caller = fork();
    if (caller == 0) {
        pid_t pid;
        if (!smolvm_spawn(&engine, start, (int[]){ -1, output[1], -1 }, &pid, NULL))
            _exit(1);
        for (;;)
            pause();
    }
    close(output[1]);
    cr_assert_eq(read(output[0], text, sizeof text), 5);
    process_kill(caller);
    struct pollfd ended = { .fd = output[0], .events = POLLIN };
    cr_assert_eq(poll(&ended, 1, 60000), 1, "the command lives on");
    cr_expect_eq(read(output[0], text, sizeof text), 0);
}

Test(launcher_smolvm_engine, the_ids_of_an_ordinary_user_are_mapped_back)
{
    struct smolvm_engine engine = engine_of("id -u; id -g");
    struct smolvm_result result;
    struct error error = { 0 };
    engine.own_user = true;
    engine.uid = 1234;
    engine.gid = 5678;
    cr_assert(smolvm_run(&engine, start, clock_microseconds() + PATIENCE, &result, &error), "%s", error.text);
    cr_expect_str_eq(result.output, "1234\n5678\n");
    smolvm_result_free(&result);
}
