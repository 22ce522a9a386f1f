/*
 * See capabilities.h. libcap would do the same in more files; two system calls and a loop over prctl are all there is.
 * The order matters: the bounding set goes while CAP_SETPCAP is still there, the rest last.
 */
#include "capabilities.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

bool capabilities_have(int capability)
{
    struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
    struct __user_cap_data_struct sets[2] = { 0 };
    if (syscall(SYS_capget, &header, sets) != 0)
        return false;
    return (sets[capability / 32].effective >> (capability % 32) & 1) != 0;
}

bool capabilities_drop_bounding(struct error *error)
{
    if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) != 0 && errno != EINVAL)
        return error_system(error, "can't clear the ambient capabilities");
    if (capabilities_have(CAP_SETPCAP)) {
        /* EINVAL is how the kernel says that there is no capability with this number any more. */
        for (unsigned long capability = 0; prctl(PR_CAPBSET_READ, capability, 0, 0, 0) >= 0; capability++)
            if (prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0)
                return error_system(error, "can't drop capability %lu from the bounding set", capability);
    }
    return true;
}

bool capabilities_drop_all(struct error *error)
{
    if (!capabilities_drop_bounding(error))
        return false;
    struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
    struct __user_cap_data_struct none[2];
    memset(none, 0, sizeof none);
    if (syscall(SYS_capset, &header, none) != 0)
        return error_system(error, "can't drop the capabilities");
    return true;
}
