/*
 * bottle-init: PID 1 of a native bottle. It reaps what is orphaned and waits to be told to end; when it ends, the kernel
 * ends everything in its PID namespace with it, which is the whole of a bottle's teardown.
 *
 * Descriptor 0 is the lifeline, a socket whose other end the launcher holds: one byte goes out when init is ready, end of
 * file on it (the launcher is gone) or SIGTERM from outside the bottle ends init. It is a socket and not a pipe because a
 * pipe could be opened again by way of /proc/1/fd and be kept alive from inside. Nobody inside can end or stop init: PID 1
 * gets no signal from its own namespace that it has no handler for, and it has none; the SIGTERM that it reads from a
 * descriptor counts only with the sender's pid 0, which is how a sender from outside the namespace looks.
 *
 * It is static, holds no capability, runs from a sealed copy in memory, and must never open or parse anything.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#define LIFELINE 0

int main(void)
{
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    prctl(PR_SET_NAME, "bottle-init", 0, 0, 0);
    /* Set again here: the system calls on the way could have cleared it. A parent that died before shows on the lifeline. */
    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);

    sigset_t all, watched;
    sigfillset(&all);
    sigemptyset(&watched);
    sigaddset(&watched, SIGCHLD);
    sigaddset(&watched, SIGTERM);
    int signals = -1;
    if (sigprocmask(SIG_SETMASK, &all, NULL) != 0 || (signals = signalfd(-1, &watched, SFD_CLOEXEC)) < 0)
        return 1;
    if (write(LIFELINE, "1", 1) != 1)
        return 1;

    struct pollfd events[] = { { .fd = LIFELINE, .events = POLLIN }, { .fd = signals, .events = POLLIN } };
    for (;;) {
        if (poll(events, 2, -1) < 0 && errno != EINTR)
            return 1;
        if (events[0].revents != 0)
            return 0;
        struct signalfd_siginfo what;
        if (events[1].revents == 0 || read(signals, &what, sizeof what) != (ssize_t)sizeof what)
            continue;
        if (what.ssi_signo == SIGTERM && (what.ssi_pid == 0 || getpid() != 1))
            return 0;
        while (waitpid(-1, NULL, WNOHANG) > 0)
            ;
    }
}
