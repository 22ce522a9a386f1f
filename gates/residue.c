/* See residue.h. Orphans come to the nearest subreaper: with PR_SET_CHILD_SUBREAPER that is the caller, so
 * any child that it still has after a run was left behind by the run. */
#include "residue.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../launcher/capabilities.h"

/* The mounts that there are: how many, and the ids of the first RESIDUE_MOUNTS of them. */
static size_t list_mounts(uint32_t ids[RESIDUE_MOUNTS])
{
    size_t count = 0;
    char line[8192];
    FILE *file = fopen("/proc/self/mountinfo", "re");
    for (; file != NULL && fgets(line, sizeof line, file) != NULL; count++)
        if (count < RESIDUE_MOUNTS)
            ids[count] = (uint32_t)strtoul(line, NULL, 10);
    if (file != NULL)
        fclose(file);
    return count;
}

/* Is there a mount that wasn't there before? One may be gone: who removes a directory unmounts in every namespace what is on it. */
static bool mounts_are_new(const struct residue *before)
{
    uint32_t now[RESIDUE_MOUNTS];
    size_t count = list_mounts(now);
    if (count > RESIDUE_MOUNTS || before->mount_count > RESIDUE_MOUNTS)
        return count > before->mount_count;
    for (size_t i = 0; i < count; i++) {
        bool known = false;
        for (size_t k = 0; k < before->mount_count && !known; k++)
            known = before->mounts[k] == now[i];
        if (!known)
            return true;
    }
    return count == 0;
}

/* The names only: counters beside them change by themselves. */
static uint64_t hash_interfaces(void)
{
    uint64_t hash = 14695981039346656037u;
    char line[512];
    FILE *file = fopen("/proc/self/net/dev", "re");
    while (file != NULL && fgets(line, sizeof line, file) != NULL)
        for (const char *c = line; *c != '\0' && *c != ':'; c++)
            hash = (hash ^ (uint64_t)*c) * 1099511628211u;
    if (file != NULL)
        fclose(file);
    return hash;
}

/* Entries that begin with `prefix`, and not with `but` (NULL: none). */
static unsigned count_entries(const char *path, const char *prefix, const char *but)
{
    unsigned count = 0;
    DIR *directory = opendir(path);
    const struct dirent *entry;
    struct stat status;
    while (directory != NULL && (entry = readdir(directory)) != NULL)
        count += strncmp(entry->d_name, prefix, strlen(prefix)) == 0 &&
                 (but == NULL || strncmp(entry->d_name, but, strlen(but)) != 0) &&
                 fstatat(dirfd(directory), entry->d_name, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
                 status.st_uid == geteuid();
    if (directory != NULL)
        closedir(directory);
    return count;
}

/* What this account has in the run-time directory, but for the directory of its bottles that live on, which belongs to whoever
 * started them. A run that is kept has a directory named by its id. Nothing of ours goes elsewhere. */
static unsigned count_files(void)
{
    const char *runtime = getenv("XDG_RUNTIME_DIR");
    bool named = runtime != NULL && runtime[0] == '/';
    char base[256];
    snprintf(base, sizeof base, "%.200s/bottle-gate", named ? runtime : "");
    if (!named)
        snprintf(base, sizeof base, "/tmp/bottle-gate-%u", (unsigned)geteuid());
    return (named ? count_entries(runtime, "bottle", NULL) : 0) + count_entries(base, "", "bottles");
}

void residue_keep_apart(void)
{
    if (unshare(CLONE_NEWNS | CLONE_NEWNET) == 0)
        (void)mount("", "/", NULL, MS_REC | MS_PRIVATE, NULL);
}

void residue_look(struct residue *residue)
{
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    residue->may_mount = capabilities_have(CAP_SYS_ADMIN);
    residue->mount_count = list_mounts(residue->mounts);
    residue->interfaces = capabilities_have(CAP_NET_ADMIN) ? hash_interfaces() : 0;
    residue->descriptors = count_entries("/proc/self/fd", "", NULL);
    residue->files = count_files();
}

struct kind {
    bool left;
    const char *what;
};

static bool tell(const struct kind *kinds, size_t count, char *text, size_t size)
{
    size_t used = 0;
    text[0] = '\0';
    for (size_t i = 0; i < count; i++)
        if (kinds[i].left && used < size)
            used += (size_t)snprintf(text + used, size - used, "%s%s", used > 0 ? ", " : "", kinds[i].what);
    return used == 0;
}

bool residue_none(const struct residue *before, char *text, size_t size)
{
    struct residue now;
    unsigned processes = 0;
    siginfo_t info = { 0 };
    residue_look(&now);
    if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0)
        processes = 1;
    const struct kind kinds[] = {
        { processes > 0, "a process" },
        { before->may_mount && mounts_are_new(before), "a mount" },
        { now.interfaces != before->interfaces, "a network interface" },
        { now.descriptors != before->descriptors, "an open descriptor" },
        { now.files != before->files, "a file" },
    };
    return tell(kinds, sizeof kinds / sizeof *kinds, text, size);
}

/* A zombie has ended; whoever started it may not have waited for it. */
static bool is_living(pid_t pid)
{
    char path[48], line[512];
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *file = fopen(path, "re");
    bool read = file != NULL && fgets(line, sizeof line, file) != NULL;
    if (file != NULL)
        fclose(file);
    const char *state = read ? strrchr(line, ')') : NULL;
    return state != NULL && strncmp(state, ") Z", 3) != 0 && strncmp(state, ") X", 3) != 0;
}

bool residue_no_bottle(const struct residue *before, pid_t known, char *text, size_t size)
{
    bool lives = false;
    DIR *processes = opendir("/proc");
    for (const struct dirent *entry; processes != NULL && (entry = readdir(processes)) != NULL;) {
        pid_t pid = (pid_t)atoi(entry->d_name);
        lives = lives || (pid > 0 && pid != getpid() && pid != known && is_living(pid));
    }
    if (processes != NULL)
        closedir(processes);
    const struct kind kinds[] = {
        { processes == NULL || lives, "a process" },
        { mounts_are_new(before), "a mount" },
    };
    return tell(kinds, sizeof kinds / sizeof *kinds, text, size);
}
