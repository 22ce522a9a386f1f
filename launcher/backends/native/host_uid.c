/*
 * Who a principal of a bottle is on the host, asked of the kernel: the map of the bottle's user namespace, as the caller's
 * /proc shows it, leads from the id inside to the id in the caller's own namespace. Where only one id is mapped, 65534 lives
 * in a namespace below the bottle's and is root of the bottle under another name.
 */
#include "native.h"

#include <linux/capability.h>
#include <stdio.h>
#include <unistd.h>

#include "../../capabilities.h"
#include "../../id_block.h"
#include "../../support/process.h"

bool native_host_uid(const struct bottle *bottle, enum principal principal, uid_t *uid, struct error *error)
{
    bool nested = principal == PRINCIPAL_USER && bottle->user_namespace >= 0;
    uid_t inside = principal == PRINCIPAL_USER && !nested ? 65534 : 0;
    if (!native_fenced(bottle->without, FENCE_USER)) {
        if (principal == PRINCIPAL_ROOT && geteuid() != 0 && !capabilities_have(CAP_SETUID))
            return error_set(error, ERROR_USAGE, "an ordinary user's bottle without its user fence has no root");
        *uid = nested ? geteuid() : inside;
        return true;
    }
    char path[64], map[4096];
    snprintf(path, sizeof path, "/proc/%d/uid_map", (int)bottle->init);
    if (!file_read(path, map, sizeof map))
        return error_system(error, "can't read %s", path);
    return id_block_translate(map, inside, 1, uid) ||
           error_set(error, ERROR_SYSTEM, "uid %u of the bottle is nobody on the host: %s does not map it",
                     (unsigned)inside, path);
}
