/*
 * Bottles of a real Docker Engine, in namespaces like a run's, as real root: commands and files, fences, and that nothing remains in the
 * namespaces afterwards: no process, mount, interface, firewall rule or file, whatever the engine did meanwhile.
 */
#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../launcher/backends/docker/docker.h"
#include "../../launcher/namespaces.h"
#include "../../launcher/support/cleanup.h"
#include "../../launcher/support/process.h"

#define ALL_NAMESPACES (CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS)
#define PATIENCE       120000000ull /* a bound on hangs */

/* Shared with the process that tries it: the first thing that was wrong. */
static struct {
    bool done;
    char wrong[600];
} * shared;

__attribute__((format(printf, 2, 3))) static bool expect(bool good, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    if (!good && shared->wrong[0] == '\0' && vsnprintf(shared->wrong, sizeof shared->wrong, format, list) == 0)
        snprintf(shared->wrong, sizeof shared->wrong, "what should have failed did not: %s", format);
    va_end(list);
    return good;
}

static char step[PATH_MAX];
static int step_file;

static struct bottle *start(uint32_t without, const char *policy, bool door)
{
    struct error error = { 0 };
    struct bottle_options options = { .without = without, .policy = policy, .step_path = step };
    options.door = (struct door){ .wanted = door, .host = "127.0.0.1", .port = 7700 };
    struct bottle *bottle = docker_backend.start(&options, &error);
    expect(bottle != NULL, "can't start: %s", error.text);
    return bottle;
}

static int finish(pid_t pid)
{
    int status = -1;
    return process_wait(pid, clock_microseconds() + PATIENCE, &status) ? process_exit_status(status) : -1;
}

/* Runs it and takes what it says. Its exit status. */
static int run(struct bottle *bottle, char *const argv[], enum principal principal, const char *input, char *output,
               size_t capacity)
{
    int in[2], out[2];
    pid_t pid;
    struct error error = { 0 };
    if (pipe2(in, O_CLOEXEC) != 0 || pipe2(out, O_CLOEXEC) != 0)
        return -1;
    struct exec_streams streams = { .input = input != NULL ? in[0] : -1, .output = out[1], .errors = out[1] };
    bool started = docker_backend.exec(bottle, argv, principal, &streams, &pid, &error);
    close(in[0]);
    close(out[1]);
    if (input != NULL)
        write_all(in[1], input, strlen(input));
    close(in[1]);
    ssize_t got = started ? read_all(out[0], output, capacity - 1) : 0;
    output[got > 0 ? got : 0] = '\0';
    close(out[0]);
    return expect(started, "can't run: %s", error.text) ? finish(pid) : -1;
}

/* Busybox, which is a whole Unix in one static program. */
static bool put_busybox(struct bottle *bottle)
{
    struct error error = { 0 };
    int file = open("/bin/busybox", O_RDONLY | O_CLOEXEC);
    bool put = docker_backend.put(bottle, "busybox", file, 0555, &error);
    close(file);
    return expect(put, "can't put: %s", error.text);
}

static int shell(struct bottle *bottle, enum principal principal, const char *script, const char *input, char *output,
                 size_t capacity)
{
    char *const argv[] = { (char[]){ "/tmp/busybox" }, (char[]){ "sh" },
                           (char[]){ "-c" },           (char *)script,
                           (char[]){ "/tmp/busybox" }, NULL };
    return run(bottle, argv, principal, input, output, capacity);
}

static void destroy(struct bottle *bottle)
{
    struct error error = { 0 };
    bool gone = docker_backend.destroy(bottle, &error);
    expect(gone, "can't destroy: %s", error.text);
}

static void expect_nothing_left(const char *mounts)
{
    static char now[1 << 16];
    char tables[CONTAINER_TABLES_MAX];
    struct error error = { 0 };
    struct if_nameindex *links = if_nameindex();
    expect(links != NULL && links[1].if_index == 0, "an interface is left: %s", links != NULL ? links[1].if_name : "?");
    expect(rules_list_tables(tables, &error) && tables[0] == '\0', "rules are left: %s%s", tables, error.text);
    expect(file_read("/proc/self/mounts", now, sizeof now) && strcmp(now, mounts) == 0, "a mount is left");
    expect(waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD, "a process is left");
    DIR *processes = opendir("/proc"), *files = opendir("/tmp");
    for (struct dirent *entry; (entry = readdir(processes)) != NULL;)
        expect(atoi(entry->d_name) <= 1, "process %s is left", entry->d_name);
    for (struct dirent *entry; (entry = readdir(files)) != NULL;)
        expect(entry->d_name[0] == '.', "/tmp/%s is left", entry->d_name);
    closedir(processes);
    closedir(files);
    char forwarding[8] = "";
    expect(file_read("/proc/sys/net/ipv4/ip_forward", forwarding, sizeof forwarding) && forwarding[0] == '0',
           "packets are forwarded afterwards");
}

static void settle(int mapped)
{
    char go;
    struct ifreq loopback = { .ifr_name = "lo", .ifr_flags = IFF_UP };
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    bool settled = read(mapped, &go, 1) == 1 && setresgid(0, 0, 0) == 0 && setresuid(0, 0, 0) == 0;
    prctl(PR_SET_DUMPABLE, 1);
    process_die_with_parent(mapped);
    settled = settled && setsid() >= 0 && mount("", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
              mount("proc", "/proc", "proc", 0, NULL) == 0 && mount("tmpfs", "/run", "tmpfs", 0, NULL) == 0 &&
              mount("tmpfs", "/tmp", "tmpfs", 0, "mode=1777") == 0 && ioctl(fd, SIOCSIFFLAGS, &loopback) == 0 &&
              file_write("/proc/sys/net/ipv4/ip_forward", "0", NULL);
    close(fd);
    expect(settled, "can't make the namespaces: %s", strerror(errno));
}

static void attempt(void (*work)(void))
{
    int mapped[2];
    struct error error = { 0 };
    char path[PATH_MAX];
    const char *build = getenv("BOTTLE_BUILD");
    snprintf(path, sizeof path, "%s/bottle-step", build != NULL ? build : ".");
    step_file = open(path, O_RDONLY | O_CLOEXEC);
    snprintf(step, sizeof step, "/proc/self/fd/%d", step_file);
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    cr_assert(step_file >= 0 && shared != MAP_FAILED && pipe2(mapped, O_CLOEXEC) == 0);
    pid_t pid = namespaces_fork(ALL_NAMESPACES, &error);
    cr_assert_geq(pid, 0, "%s", error.text);
    if (pid == 0) {
        static char mounts[1 << 16];
        close(mapped[1]);
        settle(mapped[0]);
        expect(file_read("/proc/self/mounts", mounts, sizeof mounts), "can't read the mounts");
        if (shared->wrong[0] == '\0')
            work();
        expect_nothing_left(mounts);
        shared->done = true;
        _exit(0);
    }
    close(mapped[0]);
    cr_assert(namespaces_map_ids(pid, 0, &error) && write_all(mapped[1], "", 1), "%s", error.text);
    bool ended = process_wait(pid, clock_microseconds() + PATIENCE, NULL);
    if (!ended)
        process_kill(pid);
    close(mapped[1]);
    cr_expect(ended && shared->done && shared->wrong[0] == '\0', "%s",
              shared->wrong[0] != '\0' ? shared->wrong : "it died");
}

/* An ordinary user, and a host without an engine, are told so; then there is nothing to try. */
static bool may_try(void)
{
    struct error error = { 0 };
    bool may = docker_backend.preflight(NULL, &error);
    if (geteuid() != 0)
        cr_expect(!may && strstr(error.text, "run it as root") != NULL, "%s", error.text);
    else
        cr_expect(may || getenv("MUST_WORK") == NULL, "%s", error.text);
    return may;
}

static void use_it(void)
{
    char said[512];
    struct bottle *bottle = start(0, NULL, false);
    if (bottle == NULL || !put_busybox(bottle))
        return;
    struct error error = { 0 };
    int file = open("/bin/busybox", O_RDONLY | O_CLOEXEC);
    expect(!docker_backend.put(bottle, "busybox", file, 0555, &error), "a file was put over another");
    expect(!docker_backend.put(bottle, "../x", file, 0555, NULL), "a file was put elsewhere");
    close(file);
    expect(shell(bottle, PRINCIPAL_USER, "$0 id -u; exit 7", NULL, said, sizeof said) == 7 &&
               strcmp(said, "65534\n") == 0,
           "user: %s", said);
    expect(shell(bottle, PRINCIPAL_ROOT, "$0 id -u; kill -9 $$", NULL, said, sizeof said) == 137 &&
               strcmp(said, "0\n") == 0,
           "root: %s", said);
    expect(shell(bottle, PRINCIPAL_USER, "$0 cat", "through\nit\n", said, sizeof said) == 0 &&
               strcmp(said, "through\nit\n") == 0,
           "input: %s", said);
    char *const missing[] = { (char[]){ "/tmp/nothing" }, NULL };
    expect(run(bottle, missing, PRINCIPAL_USER, NULL, said, sizeof said) == 127, "missing: %s", said);
    shell(bottle, PRINCIPAL_ROOT, "$0 grep -E '^(CapBnd|NoNewPrivs|Seccomp):' /proc/self/status; $0 touch /x 2>&1",
          NULL, said, sizeof said);
    expect(strstr(said, "CapBnd:\t0000000000000000\nNoNewPrivs:\t1\nSeccomp:\t2\n") != NULL &&
               strstr(said, "Read-only file system") != NULL,
           "fences: %s", said);
    shell(bottle, PRINCIPAL_USER, "ulimit -c; ulimit -n; ulimit -u; ulimit -d", NULL, said, sizeof said);
    expect(strcmp(said, "0\n4096\n1024\n262144\n") == 0, "limits: %s", said);
    shell(bottle, PRINCIPAL_USER, "$0 cat /proc/self/oom_score_adj /proc/1/oom_score_adj", NULL, said, sizeof said);
    expect(strcmp(said, "1000\n1000\n") == 0, "the kernel would take the engine before the bottle: %s", said);
    destroy(bottle);
}

Test(docker_bottle, runs_commands_takes_files_and_leaves_nothing, .timeout = 300)
{
    if (may_try())
        attempt(use_it);
}

static void kill_a_command(void)
{
    int out[2];
    pid_t pid;
    char byte, said[64];
    struct bottle *bottle = start(0, NULL, false);
    if (bottle == NULL || !put_busybox(bottle) || pipe2(out, O_CLOEXEC) != 0)
        return;
    char *const argv[] = {
        (char[]){ "/tmp/busybox" }, (char[]){ "sh" },
        (char[]){ "-c" },           (char[]){ "trap '' TERM HUP INT; echo x; $0 sleep 54321 & while :; do wait; done" },
        (char[]){ "/tmp/busybox" }, NULL
    };
    struct exec_streams streams = { .input = -1, .output = out[1], .errors = -1 };
    expect(docker_backend.exec(bottle, argv, PRINCIPAL_USER, &streams, &pid, NULL), "can't run");
    close(out[1]);
    expect(read(out[0], &byte, 1) == 1, "it doesn't run");
    process_kill(pid);
    /* Its end is told by nobody outside, so it is looked for from inside until it is there. */
    static const char look[] = "for p in /proc/[0-9]*; do $0 tr '\\0' ' ' <$p/cmdline; done 2>/dev/null | "
                               "$0 grep -q 'sleep 5432[1]' || echo gone";
    for (int tries = 0; tries < 100; tries++)
        if (shell(bottle, PRINCIPAL_ROOT, look, NULL, said, sizeof said) == 0 && strcmp(said, "gone\n") == 0)
            break;
    expect(strcmp(said, "gone\n") == 0, "the command lives on");
    close(out[0]);
    destroy(bottle);
}

Test(docker_bottle, a_command_that_is_killed_outside_ends_inside, .timeout = 300)
{
    if (may_try())
        attempt(kill_a_command);
}

static void two_at_once(void)
{
    char said[256];
    struct bottle *one = start(0, NULL, true), *other = start(0, "internal", false);
    if (one == NULL || other == NULL || !put_busybox(one))
        return;
    expect(one->place != other->place && strcmp(one->container, other->container) != 0, "they are the same");
    char host[64];
    uint16_t port;
    expect(docker_backend.door_address(one, host, &port, NULL) && strcmp(host, "172.31.77.2") == 0, "door %s", host);
    expect(!docker_backend.door_address(other, host, &port, NULL), "a door that nobody asked for");
    /* Nobody listens where the door leads, but the sidecar accepts. */
    expect(shell(one, PRINCIPAL_USER, "echo | $0 nc 172.31.77.2 8080", NULL, said, sizeof said) == 0, "door: %s", said);
    destroy(one);
    char tables[CONTAINER_TABLES_MAX];
    expect(rules_list_tables(tables, NULL) && strstr(tables, "bottle-") == NULL && if_nametoindex("bottle-0") == 0 &&
               if_nametoindex("bottle-1") != 0,
           "the first bottle left its rules or its bridge: %s", tables);
    expect(put_busybox(other), "the engine went with the first bottle");
    expect(shell(other, PRINCIPAL_ROOT, "echo | $0 nc -w 5 172.31.78.1 1 2>&1", NULL, said, sizeof said) == 1 &&
               strstr(said, "refused") != NULL,
           "an internal network doesn't reach its gateway: %s", said);
    destroy(other);
}

Test(docker_bottle, has_a_network_and_a_door_of_its_own_beside_another, .timeout = 300)
{
    if (may_try())
        attempt(two_at_once);
}

static void lose_the_engine(void)
{
    struct error error = { 0 };
    struct bottle *bottle = start(0, NULL, true);
    if (bottle == NULL)
        return;
    kill(container_engine.pid, SIGKILL);
    int file = open("/bin/busybox", O_RDONLY | O_CLOEXEC);
    expect(!docker_backend.put(bottle, "busybox", file, 0555, &error), "an engine that is gone takes files: %s",
           error.text);
    close(file);
    destroy(bottle);
}

Test(docker_bottle, whose_engine_was_killed_leaves_nothing, .timeout = 300)
{
    if (may_try())
        attempt(lose_the_engine);
}

static void stall_the_engine(void)
{
    struct error error = { 0 };
    struct bottle *bottle = start(0, NULL, false);
    if (bottle == NULL)
        return;
    docker_patience = 200;
    DIR *processes = opendir("/proc");
    for (struct dirent *entry; (entry = readdir(processes)) != NULL;)
        if (atoi(entry->d_name) > 1)
            kill((pid_t)atoi(entry->d_name), SIGSTOP);
    closedir(processes);
    int file = open("/bin/busybox", O_RDONLY | O_CLOEXEC);
    expect(!docker_backend.put(bottle, "busybox", file, 0555, &error) && strstr(error.text, "in time") != NULL,
           "an engine that stalls takes files: %s", error.text);
    close(file);
    destroy(bottle);
}

Test(docker_bottle, whose_engine_stalls_leaves_nothing, .timeout = 300)
{
    if (may_try())
        attempt(stall_the_engine);
}

/* Another program in the engine's place, for this process and its children. */
static bool play_engine(const char *script, char place[PATH_MAX])
{
    static const char path[] = "/run/dockerd";
    int file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);
    bool played = file >= 0 && write_all(file, script, strlen(script)) && container_find_program("dockerd", place) &&
                  mount(path, place, NULL, MS_BIND, NULL) == 0;
    close(file);
    return expect(played, "can't play the engine: %s", strerror(errno));
}

static void start_what_ends(void)
{
    char place[PATH_MAX];
    struct error error = { 0 };
    struct bottle_options options = { .step_path = step };
    if (!play_engine("#!/bin/sh\necho first words\nprintf 'no \\033 space left\\n\\n'\nexit 1\n", place))
        return;
    expect(docker_backend.start(&options, &error) == NULL && error.code == ERROR_HOST &&
               strcmp(error.text, "the Docker Engine of the site ended as it was started: no ? space left") == 0,
           "%s", error.text);
    umount(place);
}

Test(docker_bottle, whose_engine_does_not_start_is_told_with_its_last_words, .timeout = 300)
{
    if (may_try())
        attempt(start_what_ends);
}

static void start_what_lies(void)
{
    char place[PATH_MAX];
    struct error error = { 0 };
    struct bottle_options options = { .step_path = step };
    static const char script[] = "#!/usr/bin/perl\nuse Socket;\nopen(my $l, '+<&=3'); accept(my $c, $l);\n"
                                 "sysread($c, my $r, 4096); syswrite($c, \"HTTP/1.1 200 OK\\r\\n\\r\\n<html>\");\n"
                                 "close($c); sleep 1000;\n";
    if (!play_engine(script, place))
        return;
    expect(docker_backend.start(&options, &error) == NULL && strstr(error.text, "is no Docker Engine") != NULL, "%s",
           error.text);
    umount(place);
}

Test(docker_bottle, whose_engine_is_none_is_told_and_leaves_nothing, .timeout = 300)
{
    if (may_try())
        attempt(start_what_lies);
}
