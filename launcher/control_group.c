/*
 * See control_group.h. Version 1 has a hierarchy for each kind of limit, mounted by its name; there the group is made below that of the caller. In
 * version 2 a group with processes in it can't have limited ones below it (but for the host's root), so it is made there only if that is allowed already, else beside the caller's
 * own: nothing is ever switched on for others. A host that mixes the two in any other way has none.
 *
 * The kernel asks for the rights of who opened cgroup.procs, and not of who writes to it. Kernels before 5.16 ask for the writer's:
 * there version 2 refuses, and version 1 lets a process move itself.
 *
 * A lock tells `bottle-gate gc` that the run lives. Between making a directory and locking it, it may be taken for a dead
 * one's: a group that is gone can't be opened, and is made again.
 */
#include "control_group.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/cleanup.h"
#include "support/process.h"

#define TRIES        3
#define POLL_NOTICED 10 /* milliseconds: version 1 tells nobody when a group is empty */

/* Is `word` in a list of words that end where `text` does, or at a separator or newline? */
static bool has_word(const char *text, size_t length, const char *word)
{
    for (size_t at = 0; at < length;) {
        size_t size = strcspn(text + at, ", \n");
        if (size > length - at)
            size = length - at;
        if (size == strlen(word) && strncmp(text + at, word, size) == 0)
            return true;
        at += size + 1;
    }
    return false;
}

/* Where the caller is, of lines "4:memory:/user.slice"; the controller "" is version 2's. The hierarchy's root is "". */
static bool own_place(const char *own, const char *controller, char place[CONTROL_GROUP_PATH])
{
    for (const char *line = own; line != NULL && *line != '\0';) {
        const char *list = strchr(line, ':'), *path = list != NULL ? strchr(list + 1, ':') : NULL;
        if (path == NULL)
            return false;
        size_t named = (size_t)(path - list - 1), length = strcspn(++path, "\n");
        bool found = *controller == '\0' ? named == 0 && list == line + 1 && *line == '0'
                                         : has_word(list + 1, named, controller);
        if (found) {
            snprintf(place, CONTROL_GROUP_PATH, "%.*s", length > 1 ? (int)length : 0, path);
            /* Outside of what this process's control group namespace shows. */
            return length < CONTROL_GROUP_PATH && strstr(place, "..") == NULL;
        }
        line = path[length] == '\n' ? path + length + 1 : NULL;
    }
    return false;
}

static bool lets_limit(const char *root, const char *place)
{
    char path[2 * CONTROL_GROUP_PATH], said[256];
    snprintf(path, sizeof path, "%s%s/cgroup.subtree_control", root, place);
    return file_read(path, said, sizeof said) && has_word(said, strlen(said), "memory") &&
           has_word(said, strlen(said), "pids");
}

static bool set(const struct control_group_part *part, const char *file, unsigned long long value)
{
    char text[32];
    int length = snprintf(text, sizeof text, "%llu", value);
    cleanup_close int fd = openat(part->directory, file, O_WRONLY | O_CLOEXEC);
    return fd >= 0 && write(fd, text, (size_t)length) == length;
}

/* A kernel that can't swap has no such file. */
static bool set_swap(const struct control_group_part *part, const char *file, unsigned long long value)
{
    return set(part, file, value) || (errno == ENOENT && access("/proc/swaps", F_OK) != 0);
}

static const struct control_group_part *make_part(struct control_group *group, const char *root, const char *hierarchy,
                                                  const char *place, const char *name)
{
    struct control_group_part *part = &group->parts[group->count];
    *part = (struct control_group_part){ .directory = -1, .door = -1 };
    if (snprintf(part->path, sizeof part->path, "%s%s%s/%s", root, hierarchy, place, name) >= (int)sizeof part->path)
        return NULL;
    for (int tries = 0; tries < TRIES && part->door < 0; tries++) {
        cleanup_close_fd(&part->directory);
        if (tries > 0)
            rmdir(part->path);
        if (mkdir(part->path, 0755) != 0)
            return NULL;
        part->directory = open(part->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (part->directory >= 0 && flock(part->directory, LOCK_SH) == 0)
            part->door = openat(part->directory, "cgroup.procs", O_WRONLY | O_CLOEXEC);
    }
    group->count++;
    return part->door >= 0 ? part : NULL;
}

static bool make(struct control_group *group, const char *root, const char *own, const char *name)
{
    char memory[CONTROL_GROUP_PATH], pids[CONTROL_GROUP_PATH], place[CONTROL_GROUP_PATH];
    bool memory_alone = own_place(own, "memory", memory), pids_alone = own_place(own, "pids", pids);
    const unsigned long long bytes = group->mebibytes * 1048576ull;
    const struct control_group_part *part;
    if (memory_alone && pids_alone)
        return (part = make_part(group, root, "/memory", memory, name)) != NULL &&
               set(part, "memory.limit_in_bytes", bytes) && set_swap(part, "memory.memsw.limit_in_bytes", bytes) &&
               (part = make_part(group, root, "/pids", pids, name)) != NULL && set(part, "pids.max", group->processes);
    if (memory_alone || pids_alone || !own_place(own, "", place))
        return false;
    char *last = strrchr(place, '/');
    if (last != NULL && !lets_limit(root, place))
        *last = '\0';
    return lets_limit(root, place) && (part = make_part(group, root, "", place, name)) != NULL &&
           set(part, "memory.max", bytes) && set_swap(part, "memory.swap.max", 0) &&
           set(part, "pids.max", group->processes);
}

bool control_group_make(struct control_group *group, const char *root, const char *own, const char *name,
                        unsigned mebibytes, unsigned processes)
{
    *group = (struct control_group){ .mebibytes = mebibytes, .processes = processes };
    if (make(group, root, own, name))
        return true;
    control_group_end(group, 0);
    return false;
}

bool control_group_enter(const struct control_group *group)
{
    for (size_t i = 0; i < group->count; i++)
        if (write(group->parts[i].door, "0", 1) != 1)
            return false;
    return group->count > 0;
}

bool control_group_remove(const char *path, uint64_t deadline)
{
    while (rmdir(path) != 0) {
        if (errno != EBUSY || clock_microseconds() >= deadline)
            return errno == ENOENT;
        poll(NULL, 0, POLL_NOTICED);
    }
    return true;
}

bool control_group_end(struct control_group *group, uint64_t deadline)
{
    bool gone = true;
    for (; group->count > 0; group->count--) {
        struct control_group_part *part = &group->parts[group->count - 1];
        cleanup_close_fd(&part->door);
        cleanup_close_fd(&part->directory);
        gone = control_group_remove(part->path, deadline) && gone;
    }
    return gone;
}
