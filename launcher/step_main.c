/*
 * bottle-step: the one program of ours that a bottle of another engine has inside. Static, for any guest or container.
 *
 *   bottle-step USER-OR-ROOT COMMAND [ARGUMENT...]     becomes the command (machines: their agent starts everything as root)
 *   bottle-step wait                                    PID 1 of a container: reaps what is orphaned, and ends when it is killed
 *   bottle-step show                                    says that it runs, and waits to be killed
 *   bottle-step put FILE MODE SIZE                      makes FILE of the SIZE bytes on standard input, or of nothing
 *   bottle-step attend COMMAND [ARGUMENT...]            runs the command for as long as somebody outside holds its input
 *
 * An engine leaves things open in what it starts, its connection to the host among them (smolvm 1.32.2): all descriptors but
 * the first three are closed, and the ordinary user is one without groups.
 *
 * Docker has no call that kills a command. So `attend` stands between: standard input comes in frames, two bytes of length (high
 * byte first) and so many bytes, no bytes for its end; when the stream itself ends, nobody wants the command any more, and
 * it is killed. Exit status: the command's; 128+n for a signal; 127 if there is none, 126 if it can't be run.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define NOBODY       65534
#define LONGEST_SHOW 120 /* seconds */

static int fail(const char *what, int status)
{
    fprintf(stderr, "bottle-step: %s: %s\n", what, strerror(errno));
    return status;
}

static int become(char **command)
{
    execvp(command[0], command);
    return fail(command[0], errno == ENOENT || errno == ENOTDIR ? 127 : 126);
}

static int step(const char *principal, char **command)
{
    if (strcmp(principal, "user") == 0 &&
        (setgroups(0, NULL) != 0 || setresgid(NOBODY, NOBODY, NOBODY) != 0 || setresuid(NOBODY, NOBODY, NOBODY) != 0))
        return fail("can't become an ordinary user", 126);
    return become(command);
}

static _Noreturn void wait_for_ever(void)
{
    sigset_t children;
    sigemptyset(&children);
    sigaddset(&children, SIGCHLD);
    sigprocmask(SIG_BLOCK, &children, NULL);
    for (;;) {
        while (waitpid(-1, NULL, WNOHANG) > 0)
            ;
        sigwaitinfo(&children, NULL);
    }
}

/* What stands around it is looked at from outside meanwhile. */
static int show(void)
{
    static const char text[] = "bottle-step waits\n";
    alarm(LONGEST_SHOW);
    if (write(1, text, sizeof text - 1) > 0)
        pause();
    return 1;
}

static bool copy(int file, unsigned long size)
{
    static char bytes[65536];
    while (size > 0) {
        ssize_t got = read(0, bytes, size < sizeof bytes ? size : sizeof bytes);
        if (got <= 0 || write(file, bytes, (size_t)got) != got)
            return false;
        size -= (unsigned long)got;
    }
    return true;
}

static int put(const char *path, const char *mode, const char *size)
{
    umask(077);
    int file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
    if (file < 0)
        return fail(path, 1);
    if (copy(file, strtoul(size, NULL, 10)) && fchmod(file, (mode_t)strtoul(mode, NULL, 8)) == 0 && close(file) == 0)
        return 0;
    unlink(path);
    return fail(path, 1);
}

static bool read_whole(void *place, size_t size)
{
    for (size_t done = 0; done < size;) {
        ssize_t got = read(0, (char *)place + done, size - done);
        if (got <= 0)
            return false;
        done += (size_t)got;
    }
    return true;
}

/* One frame for the command, which may no longer want it. False: the stream has ended. */
static bool pass_frame(int *input)
{
    static uint8_t bytes[UINT16_MAX];
    uint8_t length[2];
    if (!read_whole(length, sizeof length))
        return false;
    size_t size = (size_t)length[0] << 8 | length[1];
    if (!read_whole(bytes, size))
        return false;
    if (*input >= 0 && (size == 0 || write(*input, bytes, size) != (ssize_t)size)) {
        close(*input);
        *input = -1;
    }
    return true;
}

static void be_attended(char **command, const int input[2])
{
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGPIPE, SIG_DFL);
    if (setsid() < 0 || dup2(input[0], 0) < 0 || syscall(SYS_close_range, 3u, (unsigned)INT_MAX, 0u) != 0)
        _exit(fail("can't prepare the command", 126));
    _exit(become(command));
}

static int attend(char **command)
{
    int input[2];
    sigset_t children;
    sigemptyset(&children);
    sigaddset(&children, SIGCHLD);
    sigprocmask(SIG_BLOCK, &children, NULL);
    signal(SIGPIPE, SIG_IGN);
    int signals = signalfd(-1, &children, SFD_CLOEXEC);
    if (signals < 0 || pipe2(input, O_CLOEXEC) != 0)
        return fail("can't attend to the command", 126);
    pid_t child = fork();
    if (child < 0)
        return fail("can't start the command", 126);
    if (child == 0)
        be_attended(command, input);
    close(input[0]);
    struct pollfd events[] = { { .fd = 0, .events = POLLIN }, { .fd = signals, .events = POLLIN } };
    int status;
    for (;;) {
        if (waitpid(child, &status, WNOHANG) == child)
            return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
        if (poll(events, 2, -1) < 0 && errno != EINTR)
            return fail("can't wait for the command", 126);
        struct signalfd_siginfo what;
        if (events[1].revents != 0)
            (void)!read(signals, &what, sizeof what);
        if (events[0].revents != 0 && !pass_frame(&input[1])) {
            kill(-child, SIGKILL);
            kill(child, SIGKILL);
            waitpid(child, NULL, 0);
            return 128 + SIGKILL;
        }
    }
}

int main(int argc, char **argv)
{
    /* Linux 5.9 and later, which every engine's guest is; where it isn't there, nothing is started. No descriptor is beyond
     * INT_MAX, and gVisor takes no larger bound. */
    if (syscall(SYS_close_range, 3u, (unsigned)INT_MAX, 0u) != 0)
        return fail("can't close what was left open", 126);
    if (argc >= 3 && (strcmp(argv[1], "user") == 0 || strcmp(argv[1], "root") == 0))
        return step(argv[1], argv + 2);
    if (argc == 2 && strcmp(argv[1], "wait") == 0)
        wait_for_ever();
    if (argc == 2 && strcmp(argv[1], "show") == 0)
        return show();
    if (argc == 5 && strcmp(argv[1], "put") == 0)
        return put(argv[2], argv[3], argv[4]);
    if (argc >= 3 && strcmp(argv[1], "attend") == 0)
        return attend(argv + 2);
    fputs("bottle-step: user|root COMMAND..., attend COMMAND..., put FILE MODE SIZE, show, wait\n", stderr);
    return 126;
}
