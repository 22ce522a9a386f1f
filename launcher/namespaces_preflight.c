/*
 * See namespaces_preflight in namespaces.h: the settings first, because they name the remedy; then a real try, because a
 * setting that allows it proves nothing (seccomp filters, chroots and security modules have no setting).
 */
#include "namespaces.h"

#include <linux/capability.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "capabilities.h"
#include "support/process.h"

/* The number in a settings file, or -1 where this kernel doesn't have it. */
static long setting(const char *proc, const char *name)
{
    char path[512], text[64];
    snprintf(path, sizeof path, "%s/sys/%s", proc, name);
    return file_read(path, text, sizeof text) ? strtol(text, NULL, 10) : -1;
}

/* True if an AppArmor profile is on this process: it may well allow what unconfined programs may not. */
static bool has_profile(const char *proc)
{
    char path[512], label[128];
    snprintf(path, sizeof path, "%s/self/attr/apparmor/current", proc);
    if (!file_read(path, label, sizeof label))
        return false;
    return *label != '\0' && strncmp(label, "unconfined", 10) != 0;
}

static bool try_namespaces(struct error *error)
{
    int flags = CLONE_NEWUSER | CLONE_NEWNET | CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS;
    pid_t child = namespaces_fork(flags, error);
    if (child < 0)
        return false;
    if (child == 0) {
        process_die_with_parent(-1);
        for (;;)
            pause();
    }
    bool mapped = namespaces_map_ids(child, 0, error);
    process_kill(child);
    return mapped;
}

bool namespaces_preflight(const char *proc, struct error *error)
{
    bool privileged = capabilities_have(CAP_SYS_ADMIN);
    if (setting(proc, "user/max_user_namespaces") == 0)
        return error_set(error, ERROR_HOST,
                         "user namespaces are off here (user.max_user_namespaces is 0): sudo sysctl -w "
                         "user.max_user_namespaces=15000");
    if (!privileged && setting(proc, "kernel/unprivileged_userns_clone") == 0)
        return error_set(
            error, ERROR_HOST,
            "user namespaces are off for ordinary users (kernel.unprivileged_userns_clone is 0): sudo sysctl -w "
            "kernel.unprivileged_userns_clone=1");
    if (!privileged && setting(proc, "kernel/apparmor_restrict_unprivileged_userns") == 1 && !has_profile(proc))
        return error_set(
            error, ERROR_HOST,
            "AppArmor keeps user namespaces from ordinary users: sudo sysctl -w "
            "kernel.apparmor_restrict_unprivileged_userns=0, or give this program a profile with \"userns,\"");
    return try_namespaces(error);
}
