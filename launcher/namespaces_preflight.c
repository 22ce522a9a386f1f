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

/* One row a setting that can forbid it; `forbids` is the value that does. */
static const struct {
    const char *file; /* below /proc/sys; with dots for the slash it is the name that sysctl takes */
    long forbids;
    bool binds_root;
    const char *what, *remedy;
} settings[] = {
    { "user/max_user_namespaces", 0, true, "user namespaces are off here", "=15000" },
    { "kernel/unprivileged_userns_clone", 0, false, "user namespaces are off for ordinary users", "=1" },
    { "kernel/apparmor_restrict_unprivileged_userns", 1, false, "AppArmor keeps user namespaces from ordinary users",
      "=0, or give this program a profile with \"userns,\"" },
    { "user/max_net_namespaces", 0, true, "network namespaces are off here", "=15000" },
    { "user/max_mnt_namespaces", 0, true, "mount namespaces are off here", "=15000" },
    { "user/max_pid_namespaces", 0, true, "PID namespaces are off here", "=15000" },
    { "user/max_ipc_namespaces", 0, true, "IPC namespaces are off here", "=15000" },
    { "user/max_uts_namespaces", 0, true, "UTS namespaces are off here", "=15000" },
    { "user/max_cgroup_namespaces", 0, true, "cgroup namespaces are off here", "=15000" },
    { "user/max_time_namespaces", 0, true, "time namespaces are off here", "=15000" },
};
enum { SETTINGS = sizeof settings / sizeof *settings, APPARMOR = 2 };

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

bool namespaces_try(struct error *error)
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

static void setting_name(size_t index, char text[64])
{
    snprintf(text, 64, "%s", settings[index].file);
    *strchr(text, '/') = '.';
}

bool namespaces_setting(const char *proc, size_t index, char name[64], struct error *error)
{
    setting_name(index, name);
    bool exempt = !settings[index].binds_root && capabilities_have(CAP_SYS_ADMIN);
    if (exempt || setting(proc, settings[index].file) != settings[index].forbids ||
        (index == APPARMOR && has_profile(proc)))
        return true;
    return error_set(error, ERROR_HOST, "%s (%s is %ld): sudo sysctl -w %s%s", settings[index].what, name,
                     settings[index].forbids, name, settings[index].remedy);
}

size_t namespaces_settings(void)
{
    return SETTINGS;
}

bool namespaces_preflight(const char *proc, struct error *error)
{
    char name[64];
    for (size_t i = 0; i < SETTINGS; i++)
        if (!namespaces_setting(proc, i, name, error))
            return false;
    return namespaces_try(error);
}
