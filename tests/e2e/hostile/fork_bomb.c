/* Forks without end. Every process ignores signals and has left its session; when the limit is reached, one word says so
 * and all of them go on trying, a little slower. */
#include "hostile.h"

#include <time.h>

static void act(void)
{
    static const struct timespec pause_between = { .tv_sec = 1 };
    pid_t first = getpid();
    become_stubborn();
    for (;;) {
        pid_t child = fork();
        if (child == 0)
            setsid();
        if (child >= 0)
            continue;
        if (getpid() == first && write(1, "full\n", 5) < 0)
            signal(SIGPIPE, SIG_IGN);
        nanosleep(&pause_between, NULL);
    }
}
