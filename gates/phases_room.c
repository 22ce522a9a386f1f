/* See phases.h: what this host has left, as the kernel tells it. A run that takes more than there is ends BROKEN when a bottle dies of
 * it, never PASS; so a guess is good enough. */
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "../launcher/support/process.h"
#include "phases.h"

#define BOTTLES 2 /* of a phase: the one under test, and its peer */

static unsigned long available_mebibytes(void)
{
    char text[512] = "";
    const char *line = file_read("/proc/meminfo", text, sizeof text) ? strstr(text, "MemAvailable:") : NULL;
    return line != NULL ? strtoul(line + strlen("MemAvailable:"), NULL, 10) / 1024 : 0;
}

static int processors(void)
{
    cpu_set_t set;
    return sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
}

size_t phases_room(const struct phase_job *jobs, size_t count)
{
    size_t most = count < PHASES_AT_ONCE ? count : PHASES_AT_ONCE, now = 0;
    unsigned bottle = jobs->options.backend->bottle_mebibytes, wanted = jobs->options.at_once;
    if (wanted != 0 && wanted < most)
        most = wanted;
    if (bottle == 0)
        return most;
    if (processors() == 1)
        return 1;
    for (unsigned long left = available_mebibytes(); now < most; now++) {
        unsigned long takes = jobs[now].options.kind == PHASE_BARE ? 0 : BOTTLES * bottle;
        if (takes > left)
            break;
        left -= takes;
    }
    return now > 0 ? now : 1;
}
