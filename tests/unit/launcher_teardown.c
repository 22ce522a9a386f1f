/* The end of a bottle: nothing lives on, whoever ended it. Waits are for events on pidfds. */
#include "launcher_bottle.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

enum { MOST = 16 };

/* Everybody in the PID namespace of `init`, and the relay. */
static size_t find_processes(const struct bottle *bottle, pid_t found[MOST])
{
    char own[64] = "", theirs[64], path[64];
    size_t count = 0;
    snprintf(path, sizeof path, "/proc/%d/ns/pid", (int)bottle->init);
    cr_assert_gt(readlink(path, own, sizeof own - 1), 0);
    for (pid_t pid = bottle->init; pid < bottle->init + 4096 && count < MOST - 1; pid++) {
        snprintf(path, sizeof path, "/proc/%d/ns/pid", (int)pid);
        memset(theirs, 0, sizeof theirs);
        if (readlink(path, theirs, sizeof theirs - 1) > 0 && strcmp(own, theirs) == 0)
            found[count++] = pid;
    }
    if (bottle->relay > 0)
        found[count++] = bottle->relay;
    return count;
}

static struct bottle *start_busy(void)
{
    struct error error = { 0 };
    struct bottle_options options = { .system_directories = true,
                                      .door = { .wanted = true, .host = "127.0.0.1", .port = 9 } };
    struct bottle *bottle = start_with(options);
    /* A daemon that left its session, an orphan and a command that takes no SIGTERM; "ready" when all are there. */
    char *const argv[] = { "/bin/sh", "-c",
                           "trap '' TERM HUP; setsid sleep 1000 & (sleep 1001 &) ; echo ready; sleep 1002", NULL };
    int ready[2];
    char word[6];
    pid_t pid;
    cr_assert_eq(pipe2(ready, O_CLOEXEC), 0);
    struct exec_streams streams = { .input = -1, .output = ready[1], .errors = -1 };
    cr_assert(native_backend.exec(bottle, argv, PRINCIPAL_USER, &streams, &pid, &error), "%s", error.text);
    close(ready[1]);
    cr_assert_eq(read_all(ready[0], word, 5), 5);
    close(ready[0]);
    return bottle;
}

Test(launcher_teardown, destroy_leaves_no_process)
{
    struct bottle *bottle = start_busy();
    pid_t found[MOST];
    size_t count = find_processes(bottle, found);
    cr_expect_geq(count, 4, "only %zu processes were found", count);
    destroy(bottle);
    for (size_t i = 0; i < count; i++)
        cr_expect(kill(found[i], 0) != 0 && errno == ESRCH, "process %d lives", (int)found[i]);
    cr_expect(waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD, "a child is left");
}

Test(launcher_teardown, destroy_gives_every_descriptor_back)
{
    int before = open("/dev/null", O_RDONLY | O_CLOEXEC);
    close(before);
    for (int i = 0; i < 3; i++)
        destroy(start_busy());
    int after = open("/dev/null", O_RDONLY | O_CLOEXEC);
    cr_expect_eq(after, before);
    close(after);
}

Test(launcher_teardown, without_its_pid_fence_a_bottles_session_ends_all_the_same)
{
    struct bottle *bottle = start_without(WITHOUT(FENCE_PID));
    struct error error = { 0 };
    char *const argv[] = { "/bin/sh", "-c", "sleep 1000 & echo $!; exec sleep 1001", NULL };
    int told[2];
    char text[16] = "";
    pid_t pid;
    cr_assert_eq(pipe2(told, O_CLOEXEC), 0);
    struct exec_streams streams = { .input = -1, .output = told[1], .errors = -1 };
    cr_assert(native_backend.exec(bottle, argv, PRINCIPAL_USER, &streams, &pid, &error), "%s", error.text);
    cr_assert_gt(read(told[0], text, sizeof text - 1), 0);
    struct pollfd child = { .fd = (int)syscall(SYS_pidfd_open, atoi(text), 0), .events = POLLIN };
    cr_assert_geq(child.fd, 0);
    destroy(bottle);
    cr_expect_eq(poll(&child, 1, 10000), 1, "the command's child lives");
}

/* The caller is killed; its bottle must not outlive it. */
Test(launcher_teardown, a_killed_caller_leaves_nothing)
{
    int ends[2];
    cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
    pid_t caller = fork();
    if (caller == 0) {
        pid_t found[MOST];
        struct bottle *bottle = start_busy();
        size_t size = find_processes(bottle, found) * sizeof *found;
        if (write(ends[1], found, size) == (ssize_t)size)
            pause();
        _exit(1);
    }
    pid_t found[MOST];
    ssize_t size = read(ends[0], found, sizeof found);
    cr_assert_geq(size, (ssize_t)(4 * sizeof *found));
    size_t count = (size_t)size / sizeof *found;
    struct pollfd handles[MOST];
    for (size_t i = 0; i < count; i++) {
        handles[i] = (struct pollfd){ .fd = (int)syscall(SYS_pidfd_open, found[i], 0), .events = POLLIN };
        cr_assert_geq(handles[i].fd, 0);
    }
    process_kill(caller);
    uint64_t deadline = clock_microseconds() + BOUND;
    for (size_t i = 0; i < count; i++)
        cr_expect_eq(poll(&handles[i], 1, clock_poll_timeout(deadline)), 1, "process %d outlives the caller",
                     (int)found[i]);
}

/* bottle-init hears its lifeline even where the parent death signal does not come (a caller that forked and went on). */
Test(launcher_teardown, init_ends_when_the_lifeline_closes)
{
    struct bottle *bottle = start_without(0);
    close(bottle->lifeline);
    bottle->lifeline = -1;
    struct pollfd handle = { .fd = (int)syscall(SYS_pidfd_open, bottle->init, 0), .events = POLLIN };
    cr_expect_eq(poll(&handle, 1, 10000), 1);
    close(handle.fd);
    destroy(bottle);
}

Test(launcher_teardown, nobody_inside_can_end_init)
{
    char output[128];
    struct bottle *bottle = start_without(0);
    run_shell(bottle, PRINCIPAL_ROOT, "kill -TERM 1; kill -KILL 1; kill -INT 1; echo alive", output, sizeof output);
    cr_expect_not_null(strstr(output, "alive"));
    run_shell(bottle, PRINCIPAL_ROOT, "echo still here", output, sizeof output);
    cr_expect_str_eq(output, "still here");
    cr_expect_eq(waitpid(bottle->init, NULL, WNOHANG), 0);
    destroy(bottle);
}

Test(launcher_teardown, init_runs_from_a_copy_that_nobody_can_write)
{
    char path[64], target[256] = "", output[256];
    struct bottle *bottle = start_without(0);
    run_shell(bottle, PRINCIPAL_ROOT, "ls /proc/1/fd /proc/1/exe /proc/1/root/ 2>&1 | grep -c denied", output,
              sizeof output);
    cr_expect_str_neq(output, "0");
    snprintf(path, sizeof path, "/proc/%d/exe", (int)bottle->init);
    if (geteuid() == 0)
        cr_expect_gt(readlink(path, target, sizeof target - 1), 0);
    cr_expect(geteuid() != 0 || strstr(target, "memfd:bottle-init") != NULL, "%s", target);
    destroy(bottle);
}

Test(launcher_teardown, a_bottle_that_fails_to_start_leaves_nothing)
{
    struct error error = { 0 };
    struct bottle_options options = { .init_path = "/etc/passwd" };
    cr_expect_null(native_backend.start(&options, &error));
    cr_expect_neq(error.code, ERROR_NONE);
    cr_expect(waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD, "a child is left");
}
