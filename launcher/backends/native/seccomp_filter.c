/* The rules of seccomp_rules_main.c, which the build has compiled, for the calling process. */
#include "native.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/syscall.h>
#include <unistd.h>

static const struct sock_filter filter[] = {
#include "seccomp_filter.inc"
};

bool native_filter_load(struct error *error)
{
    struct sock_fprog program = { .len = sizeof filter / sizeof *filter, .filter = (struct sock_filter *)filter };
    return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) == 0 ||
           error_system(error, "can't load the seccomp filter");
}
