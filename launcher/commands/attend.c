/*
 * See attend.h. One poll loop; signals are read from a descriptor, so nothing happens between two system calls.
 */
#include "attend.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "command.h"

int attend_signals(struct error *error)
{
    static const int watched[] = { SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGCHLD, SIGWINCH, SIGTSTP };
    sigset_t set;
    sigemptyset(&set);
    for (size_t i = 0; i < sizeof watched / sizeof *watched; i++)
        sigaddset(&set, watched[i]);
    signal(SIGPIPE, SIG_IGN);
    int signals = sigprocmask(SIG_BLOCK, &set, NULL) == 0 ? signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK) : -1;
    if (signals < 0)
        error_system(error, "can't watch signals");
    return signals;
}

int attend(int signals, struct terminal_relay *terminal, int connection, bool (*ended)(void *context, int *status),
           void *context, bool *told)
{
    enum { SIGNALS, CONNECTION, TERMINAL };
    for (;;) {
        int status;
        struct signalfd_siginfo what;
        struct pollfd events[TERMINAL + TERMINAL_RELAY_EVENTS] = { { .fd = signals, .events = POLLIN },
                                                                   { .fd = connection, .events = POLLIN } };
        terminal_relay_prepare(terminal, events + TERMINAL);
        if (poll(events, TERMINAL + TERMINAL_RELAY_EVENTS, -1) < 0 && errno != EINTR)
            return STATUS_LAUNCH;
        terminal_relay_move(terminal, events + TERMINAL);
        if (events[CONNECTION].revents != 0 && ended(context, &status))
            return status;
        while (read(signals, &what, sizeof what) == (ssize_t)sizeof what) {
            if (what.ssi_signo == SIGWINCH)
                terminal_relay_resize(terminal);
            else if (what.ssi_signo == SIGCHLD && ended(context, &status))
                return status;
            else if (what.ssi_signo != SIGCHLD && what.ssi_signo != SIGTSTP) {
                if (told != NULL)
                    *told = true;
                return 128 + (int)what.ssi_signo;
            }
        }
    }
}
