/*
 * A control group of the kernel for a whole family of processes: how much memory they take together, and how many they are. It is made by
 * who may write the host's hierarchy, before it goes into namespaces where nobody may; the group's door goes along as an open
 * descriptor, and whoever has it can go through by himself. Source: cgroups(7).
 */
#ifndef LAUNCHER_CONTROL_GROUP_H
#define LAUNCHER_CONTROL_GROUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CONTROL_GROUP_ROOT "/sys/fs/cgroup"
#define CONTROL_GROUP_PATH 512

/* One directory with version 2, one for memory and one for processes with version 1. */
struct control_group {
    unsigned mebibytes, processes;
    struct control_group_part {
        char path[CONTROL_GROUP_PATH];
        int directory; /* under a shared lock: its run lives */
        int door;      /* its cgroup.procs */
    } parts[2];
    size_t count; /* 0: there is no group */
};

/* Makes the group `name` with no swap beyond the memory, below that of the calling process or beside it, so that the limits above it
 * hold on. `root` is CONTROL_GROUP_ROOT and `own` the text of /proc/self/cgroup. False where nobody lets us, and then there is nothing of it. */
bool control_group_make(struct control_group *group, const char *root, const char *own, const char *name,
                        unsigned mebibytes, unsigned processes);

/* The calling process goes in, for good, with all that it starts. False if the kernel forbids it. */
bool control_group_enter(const struct control_group *group);

/* Removes it, once its last process has ended; false if there are processes in it past the deadline, or the kernel doesn't let us. Nothing
 * happens where there is none. */
bool control_group_end(struct control_group *group, uint64_t deadline);

/* Removes the directory of one, the same way; errno says why not. */
bool control_group_remove(const char *path, uint64_t deadline);

#endif
