/*
 * What a command may use up, and what it inherits: the numbers are far above what work needs and far below what hurts. The
 * process limit binds because the ids of a bottle are its own (it counts by owner, and uid 0 of the host is exempt).
 */
#include "native.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

static const struct {
    int resource;
    rlim_t most;
} limits[] = {
    { RLIMIT_CORE, 0 },           { RLIMIT_NOFILE, 65536 },
    { RLIMIT_NPROC, 4096 },       { RLIMIT_FSIZE, (rlim_t)16 << 30 }, /* bytes; streams may lead to a file outside */
    { RLIMIT_MEMLOCK, 8 << 20 },                                      /* bytes */
    { RLIMIT_MSGQUEUE, 1 << 20 },                                     /* bytes */
    { RLIMIT_RTPRIO, 0 },         { RLIMIT_NICE, 0 },
};

bool native_limits_set(struct error *error)
{
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
        struct rlimit now;
        if (prlimit(0, (enum __rlimit_resource)limits[i].resource, NULL, &now) != 0)
            return error_system(error, "can't read limit %d", limits[i].resource);
        rlim_t most = now.rlim_max < limits[i].most ? now.rlim_max : limits[i].most;
        struct rlimit wanted = { .rlim_cur = now.rlim_cur < most ? now.rlim_cur : most, .rlim_max = most };
        if (prlimit(0, (enum __rlimit_resource)limits[i].resource, &wanted, NULL) != 0)
            return error_system(error, "can't set limit %d", limits[i].resource);
    }
    return true;
}

static bool close_range_of(unsigned first, unsigned last)
{
    return first > last || syscall(SYS_close_range, first, last, 0) == 0;
}

bool native_descriptors_close(int kept, struct error *error)
{
    unsigned skipped = kept >= 3 ? (unsigned)kept : 2;
    if ((skipped == 2 || close_range_of(3, skipped - 1)) && close_range_of(skipped + 1, ~0u))
        return true;
    if (errno != ENOSYS)
        return error_system(error, "can't close the descriptors");
    /* Before Linux 5.9. Closing while reading the directory would skip entries, so it is read again until it is clean. */
    for (bool closed = true; closed;) {
        closed = false;
        DIR *open_ones = opendir("/proc/self/fd");
        if (open_ones == NULL)
            return error_system(error, "can't list the descriptors");
        for (struct dirent *entry; !closed && (entry = readdir(open_ones)) != NULL;) {
            int fd = atoi(entry->d_name);
            if (fd >= 3 && fd != kept && fd != dirfd(open_ones))
                closed = close(fd) == 0;
        }
        closedir(open_ones);
    }
    return true;
}

bool native_descriptors_close_on_exec(struct error *error)
{
    if (syscall(SYS_close_range, 3u, ~0u, CLOSE_RANGE_CLOEXEC) == 0)
        return true;
    /* EINVAL: Linux 5.9 and 5.10 have the call and not the flag. */
    if (errno != ENOSYS && errno != EINVAL)
        return error_system(error, "can't have the descriptors closed on exec");
    for (int fd = 3, last = (int)sysconf(_SC_OPEN_MAX); fd < last; fd++)
        fcntl(fd, F_SETFD, FD_CLOEXEC);
    return true;
}
