/*
 * Whether this probe makes a principal's attempts in the fenced bottle. Bare and open runs and all controls see the site's
 * directory of sockets; the sweep, the listener of the second bottle and its controls have other plans, or none.
 */
#ifndef E2E_LEAKS_SESSION_H
#define E2E_LEAKS_SESSION_H

#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

static inline bool makes_attempts_in_the_fenced_bottle(void)
{
    char line[256] = "";
    if (access("/run/bottle-gate", F_OK) == 0)
        return false;
    int file = open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
    ssize_t size = file < 0 ? -1 : read(file, line, sizeof line - 1);
    close(file);
    const char *plan = size > 0 ? line + strlen(line) + 1 : line;
    return strncmp(plan, "/tmp/plan-", 10) == 0;
}

#endif
