/*
 * Control groups: as root, where this host's hierarchy can be written, what is in one is killed at its memory's end and can't fork at its
 * processes'; whoever holds the door goes in, whatever rights he has left; and where there is nothing to be had, nothing is left behind.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../launcher/control_group.h"
#include "../../launcher/support/process.h"

#define MEBIBYTES 32
#define PROCESSES 8
#define PATIENCE  30000000ull /* a bound on hangs */

static struct control_group group;

/* False, and the test has nothing to try, for an ordinary user and where the hierarchy is read-only. */
static bool make(void)
{
    char own[4096], name[64];
    snprintf(name, sizeof name, "bottle-unit-%d", (int)getpid());
    cr_assert(file_read("/proc/self/cgroup", own, sizeof own));
    bool made = control_group_make(&group, CONTROL_GROUP_ROOT, own, name, MEBIBYTES, PROCESSES);
    cr_expect(made || group.count == 0);
    return made;
}

static void end(void)
{
    struct stat status;
    struct control_group was = group;
    cr_expect(control_group_end(&group, clock_microseconds() + PATIENCE), "%s", strerror(errno));
    for (size_t i = 0; i < was.count; i++)
        cr_expect(stat(was.parts[i].path, &status) != 0, "%s is left", was.parts[i].path);
}

/* Its wait status. Like an engine's, the process is nobody whom the host knows before it goes in. */
static int in_the_group(int (*act)(void))
{
    int status = -1;
    pid_t pid = fork();
    if (pid == 0) {
        if (setresgid(0x70000000, 0x70000000, 0x70000000) != 0 || setresuid(0x70000000, 0x70000000, 0x70000000) != 0 ||
            !control_group_enter(&group))
            _exit(99);
        _exit(act());
    }
    cr_assert(pid > 0 && process_wait(pid, clock_microseconds() + PATIENCE, &status));
    return status;
}

static int take(size_t mebibytes)
{
    char *memory = mmap(NULL, mebibytes << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        return 98;
    memset(memory, 1, mebibytes << 20);
    return 7;
}

static int take_half(void)
{
    return take(MEBIBYTES / 2);
}

static int take_twice(void)
{
    return take(2 * MEBIBYTES);
}

/* Its children end with it: they are of its process group. */
static int fork_on(void)
{
    setpgid(0, 0);
    for (int made = 1; made < 2 * PROCESSES; made++) {
        pid_t child = fork();
        if (child == 0)
            for (;;)
                pause();
        if (child < 0)
            kill(0, made == PROCESSES && errno == EAGAIN ? SIGKILL : SIGTERM);
    }
    kill(0, SIGTERM);
    return 97;
}

Test(control_group, kills_who_takes_more_memory_than_there_is_and_nobody_else, .timeout = 120)
{
    if (!make())
        return;
    int status = in_the_group(take_half);
    cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 7, "%#x", (unsigned)status);
    status = in_the_group(take_twice);
    cr_expect(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "%#x", (unsigned)status);
    cr_expect_eq(take(2 * MEBIBYTES), 7, "the caller isn't in it");
    end();
}

Test(control_group, lets_no_more_processes_in_than_it_has_room_for, .timeout = 120)
{
    if (!make())
        return;
    int status = in_the_group(fork_on);
    cr_expect(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "%#x", (unsigned)status);
    end();
}

Test(control_group, with_a_process_in_it_is_not_removed, .timeout = 120)
{
    int ready[2];
    char byte;
    if (!make())
        return;
    cr_assert_eq(pipe2(ready, O_CLOEXEC), 0);
    pid_t pid = fork();
    if (pid == 0) {
        if (control_group_enter(&group) && write(ready[1], "", 1) == 1)
            for (;;)
                pause();
        _exit(99);
    }
    close(ready[1]);
    cr_expect_eq(read(ready[0], &byte, 1), 1);
    cr_expect_not(control_group_remove(group.parts[0].path, clock_microseconds() + 20000));
    cr_expect_eq(errno, EBUSY);
    process_kill(pid);
    close(ready[0]);
    end();
}

/* What lives holds a shared lock, which whoever removes leftovers asks for. */
Test(control_group, is_locked_while_its_run_lives, .timeout = 120)
{
    if (!make())
        return;
    for (size_t i = 0; i < group.count; i++) {
        int directory = open(group.parts[i].path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        cr_expect(directory >= 0 && flock(directory, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK);
        close(directory);
    }
    end();
}

/* In a tree of plain directories no group comes about; but where one was tried can be seen, and that nothing is left of it. */
static const char *const directories[] = { "root",           "root/on",     "root/on/below",    "root/off",
                                           "root/half",      "root/memory", "root/memory/here", "root/pids",
                                           "root/pids/here", "outside" };

static const struct {
    const char *own, *tried;
} places[] = {
    { "", NULL },
    { "0::/\n", NULL },
    { "0::/off\n", NULL },
    { "0::/half\n", NULL },
    { "0::/on\n", "root/on" },
    { "1:name=systemd:/off\n0::/on/below\n", "root/on" },
    { "0::/../outside\n", NULL },     /* another namespace's */
    { "4:memory:/\n0::/on\n", NULL }, /* a mixture */
    { "8:pids:/here\n4:memory:/here\n0::/on\n", "root/memory/here" },
    { "8:cpu,pids:/here\n4:memory:/\n0::/on", "root/memory" },
    { "8:pids:/missing\n4:memory:/missing\n0::/on\n", NULL },
};

Test(control_group, is_tried_where_it_may_be_limited_and_nowhere_else, .timeout = 120)
{
    static const struct timespec never[2] = { { 0, 0 }, { 0, 0 } };
    char base[] = "/tmp/control-group-XXXXXX", root[64], path[128], command[512];
    cr_assert_not_null(mkdtemp(base));
    snprintf(root, sizeof root, "%s/root", base);
    snprintf(command, sizeof command,
             "cd %s && mkdir -p root/on/below root/off root/half root/memory/here root/pids/here outside && "
             "echo cpu memory pids | tee outside/cgroup.subtree_control >root/on/cgroup.subtree_control && "
             "echo cpu memory >root/half/cgroup.subtree_control",
             base);
    cr_assert_eq(system(command), 0);
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        const size_t count = sizeof directories / sizeof *directories;
        for (size_t k = 0; k < count; k++) {
            snprintf(path, sizeof path, "%s/%s", base, directories[k]);
            cr_assert_eq(utimensat(AT_FDCWD, path, never, 0), 0);
        }
        cr_expect_not(control_group_make(&group, root, places[i].own, "name", MEBIBYTES, PROCESSES), "%zu", i);
        cr_expect_eq(group.count, 0);
        for (size_t k = 0; k < count; k++) {
            struct stat status;
            bool tried = places[i].tried != NULL && strcmp(directories[k], places[i].tried) == 0;
            snprintf(path, sizeof path, "%s/%s", base, directories[k]);
            cr_assert_eq(stat(path, &status), 0);
            cr_expect_eq(status.st_mtim.tv_sec != 0, tried, "%s in %s", places[i].own, directories[k]);
        }
    }
    snprintf(command, sizeof command, "test -z \"$(find %s -name name)\" && rm -r %s", base, base);
    cr_expect_eq(system(command), 0, "something is left");
}
