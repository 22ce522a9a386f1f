/*
 * Binding a file or directory of the host into a bottle. In a mount namespace of a new user namespace the kernel locks the
 * flags that a mount came with (nosuid, nodev, ...), and a remount that forgets one fails; so flags are only ever added.
 * mount_setattr does that by itself, for a whole tree in one call. Before Linux 5.12 the tree is walked in mountinfo and
 * each mount is remounted with what it has and what is added.
 */
#include "native.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef MS_NOSYMFOLLOW
#define MS_NOSYMFOLLOW 256
#endif

/* mountinfo writes blank, tab, newline and backslash as three octal digits. */
static void unescape(char *text)
{
    char *to = text;
    for (const char *from = text; *from != '\0'; to++) {
        if (from[0] == '\\' && from[1] >= '0' && from[1] <= '3' && from[2] != '\0' && from[3] != '\0') {
            *to = (char)((from[1] - '0') * 64 + (from[2] - '0') * 8 + (from[3] - '0'));
            from += 4;
        } else {
            *to = *from++;
        }
    }
    *to = '\0';
}

static bool remount_one(const char *path, unsigned long added, struct error *error)
{
    static const struct {
        unsigned long has, keep;
    } flags[] = {
        { ST_RDONLY, MS_RDONLY },     { ST_NOSUID, MS_NOSUID },   { ST_NODEV, MS_NODEV },
        { ST_NOEXEC, MS_NOEXEC },     { ST_NOATIME, MS_NOATIME }, { ST_NODIRATIME, MS_NODIRATIME },
        { ST_RELATIME, MS_RELATIME },
    };
    struct statvfs status;
    if (statvfs(path, &status) != 0)
        return error_system(error, "can't look at the mount on %s", path);
    unsigned long wanted = MS_REMOUNT | MS_BIND | added;
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++)
        if ((status.f_flag & flags[i].has) != 0)
            wanted |= flags[i].keep;
    return mount(NULL, path, NULL, wanted, NULL) == 0 || error_system(error, "can't remount %s", path);
}

static bool remount_tree(const char *target, unsigned long added, struct error *error)
{
    FILE *mounts = fopen("/proc/self/mountinfo", "re");
    if (mounts == NULL)
        return error_system(error, "can't read the mount table");
    char line[8192], where[4096];
    size_t length = strlen(target);
    bool done = true;
    while (done && fgets(line, sizeof line, mounts) != NULL) {
        if (sscanf(line, "%*s %*s %*s %*s %4095s", where) != 1)
            continue;
        unescape(where);
        if (strncmp(where, target, length) == 0 && (where[length] == '\0' || where[length] == '/'))
            done = remount_one(where, added, error);
    }
    fclose(mounts);
    return done;
}

bool native_mount_bind(const char *source, const char *target, bool writable, struct error *error)
{
    char place[4096];
    if (mount(source, target, NULL, MS_BIND | MS_REC, NULL) != 0)
        return error_system(error, "can't bind %s into the bottle", source);
    if (writable)
        return true;
    struct mount_attr added = { .attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV };
    if (syscall(SYS_mount_setattr, AT_FDCWD, target, AT_RECURSIVE, &added, sizeof added) == 0)
        return true;
    if (errno != ENOSYS)
        return error_system(error, "can't make %s read-only in the bottle", source);
    if (realpath(target, place) == NULL)
        return error_system(error, "can't find %s in the bottle", target);
    return remount_tree(place, MS_RDONLY | MS_NOSUID | MS_NODEV, error);
}
