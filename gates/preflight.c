/* See preflight.h: limits first, because everything after them would fail for want of descriptors and say something else. */
#include "preflight.h"

#include <sys/resource.h>

#include "site/site.h"

bool preflight_descriptors(struct error *error)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return error_system(error, "can't read the limit of open files");
    rlim_t wanted = limit.rlim_max < DESCRIPTORS_WANTED ? limit.rlim_max : DESCRIPTORS_WANTED;
    if (limit.rlim_cur < wanted) {
        limit.rlim_cur = wanted;
        setrlimit(RLIMIT_NOFILE, &limit); /* what is left too low is told below */
    }
    if (limit.rlim_cur < DESCRIPTORS_NEEDED)
        return error_set(error, ERROR_HOST, "the limit of open files is %llu and a run needs %d: ulimit -n %d",
                         (unsigned long long)limit.rlim_cur, DESCRIPTORS_NEEDED, DESCRIPTORS_WANTED);
    return true;
}

bool preflight(const struct backend *backend, const char *policy, struct error *error)
{
    return preflight_descriptors(error) && backend->preflight(policy, error) && site_preflight(error);
}
