/*
 * What stands behind a bottle, seen from outside: each namespace of its init is compared with the caller's own. One that was
 * asked for and is the caller's all the same is a silent downgrade, and ends the bottle at its start.
 */
#include "native.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "../../support/process.h"

/* True if the bottle's namespace is another one than the caller's. */
static bool differs(const struct bottle *bottle, size_t index)
{
    char path[64];
    struct stat inside, outside;
    snprintf(path, sizeof path, "/proc/self/ns/%s", native_namespaces[index].file);
    return bottle->namespaces[index] >= 0 && fstat(bottle->namespaces[index], &inside) == 0 &&
           stat(path, &outside) == 0 && (inside.st_ino != outside.st_ino || inside.st_dev != outside.st_dev);
}

bool native_check_namespaces(const struct bottle *bottle, struct error *error)
{
    for (size_t i = 0; i < NATIVE_NAMESPACES; i++)
        if (native_fenced(bottle->without, native_namespaces[i].fence) && !differs(bottle, i))
            return error_set(error, ERROR_BROKEN, "the bottle's %s namespace is the launcher's own",
                             native_namespaces[i].file);
    return true;
}

bool native_fingerprint(const struct bottle *bottle, struct fingerprint *fingerprint, struct error *error)
{
    struct utsname names;
    memset(fingerprint, 0, sizeof *fingerprint);
    if (uname(&names) != 0)
        return error_system(error, "can't read the kernel's release");
    snprintf(fingerprint->engine, sizeof fingerprint->engine, "native");
    snprintf(fingerprint->version, sizeof fingerprint->version, "%s", BOTTLE_VERSION);
    snprintf(fingerprint->kernel, sizeof fingerprint->kernel, "%s", names.release);
    if (!file_read("/proc/sys/kernel/random/boot_id", fingerprint->boot_id, sizeof fingerprint->boot_id))
        return error_system(error, "can't read the boot id");
    fingerprint->boot_id[strcspn(fingerprint->boot_id, "\n")] = '\0';
    size_t used = (size_t)snprintf(fingerprint->details, sizeof fingerprint->details, "own namespaces:");
    for (size_t i = 0; i < NATIVE_NAMESPACES; i++)
        if (differs(bottle, i))
            used += (size_t)snprintf(fingerprint->details + used, sizeof fingerprint->details - used, " %s",
                                     native_namespaces[i].file);
    snprintf(fingerprint->details + used, sizeof fingerprint->details - used, "; init pid %d; seccomp %s",
             (int)bottle->init, native_fenced(bottle->without, FENCE_SECCOMP) ? "on" : "off");
    return true;
}
