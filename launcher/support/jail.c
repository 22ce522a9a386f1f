/* See jail.h: an allow-list by libseccomp; everything else kills the process, so that a break-in is loud. */
#include "jail.h"

#include <errno.h>
#include <seccomp.h>
#include <sys/prctl.h>

/* What the sanitizers' run time calls by itself, in builds that have it: no product does. */
static const int runtime_calls[] = {
#ifdef BOTTLE_SANITIZED
    SCMP_SYS(sigaltstack), SCMP_SYS(mmap),         SCMP_SYS(munmap),
    SCMP_SYS(madvise),     SCMP_SYS(gettid),       SCMP_SYS(getpid),
#endif
    SCMP_SYS(exit_group),  SCMP_SYS(rt_sigreturn),
};

bool jail_shut(const int *calls, size_t count, struct error *error)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
    if (filter == NULL)
        return error_set(error, ERROR_SYSTEM, "can't make a seccomp filter: out of memory");
    int failed = 0;
    for (size_t i = 0; i < sizeof runtime_calls / sizeof *runtime_calls && failed == 0; i++)
        failed = seccomp_rule_add(filter, SCMP_ACT_ALLOW, runtime_calls[i], 0);
    for (size_t i = 0; i < count && failed == 0; i++)
        failed = seccomp_rule_add(filter, SCMP_ACT_ALLOW, calls[i], 0);
    if (failed == 0)
        failed = seccomp_load(filter);
    seccomp_release(filter);
    if (failed != 0) {
        errno = -failed;
        return error_system(error, "can't load a seccomp filter");
    }
    return true;
}
