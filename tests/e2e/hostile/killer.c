/* Leaves a process behind that kills whatever it may: its parent, its siblings, PID 1, and whoever comes later. */
#include "hostile.h"

#include <time.h>

static void act(void)
{
    static const struct timespec pause_between = { .tv_nsec = 1000000 };
    pid_t probe = getpid();
    if (fork() != 0)
        return;
    become_stubborn();
    for (;;) {
        kill(probe, SIGKILL);
        kill(1, SIGKILL);
        kill(1, SIGTERM);
        kill(-1, SIGKILL);
        nanosleep(&pause_between, NULL);
    }
}
