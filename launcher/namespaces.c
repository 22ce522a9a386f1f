/*
 * See namespaces.h. A process that wants to be root of a new world can't give itself more than one id, so its parent
 * writes the maps: namespaces_fork makes the child with its namespaces, the child waits on something that the parent
 * holds, the parent calls namespaces_map_ids and lets it go. clone(2) and not unshare(2) makes the user namespace: the
 * kernel would make a process that unshares it undumpable in some cases, and then its maps belong to nobody.
 *
 * Three kinds of caller, told apart by what they hold and not by their name: one who may map ids that are not its own
 * and has many (real root), one who may and has one block of 65536 (root of a sealed site), and everybody else.
 */
#include "namespaces.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "capabilities.h"
#include "id_block.h"
#include "support/process.h"

#define USER_ID 65534

pid_t namespaces_fork(int flags, struct error *error)
{
    /* The maps of an undumpable process (one that has changed its uid) belong to the host's root: nobody here could write
     * them. The child is made dumpable by making the caller so for the moment of the fork. */
    int dumpable = prctl(PR_GET_DUMPABLE, 0, 0, 0, 0);
    if (dumpable != 1 && (flags & CLONE_NEWUSER) != 0)
        prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
        /* glibc's fork takes no flags and its clone wants a stack; the bare call forks. Only flags and stack are given, and
     * both are 0 or flags on every architecture but s390, which swaps them. */
#if defined(__s390__)
    long pid = syscall(SYS_clone, 0L, (long)(unsigned)flags | SIGCHLD, 0L, 0L, 0L);
#else
    long pid = syscall(SYS_clone, (long)(unsigned)flags | SIGCHLD, 0L, 0L, 0L, 0L);
#endif
    int failure = errno;
    if (dumpable != 1 && (flags & CLONE_NEWUSER) != 0 && pid != 0)
        prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    errno = failure;
    if (pid >= 0)
        return (pid_t)pid;
    if (errno == ENOSPC || errno == EUSERS)
        error_set(error, ERROR_HOST,
                  "can't make namespaces: a limit is reached (%s); raise it: sysctl -w user.max_user_namespaces=15000 "
                  "(and user.max_net_namespaces, ...)",
                  strerror(errno));
    else if (errno == EPERM)
        error_set(error, ERROR_HOST, "can't make namespaces: Operation not permitted; %s",
                  (flags & CLONE_NEWUSER) != 0
                      ? "allow user namespaces to this user (a chroot or a container's seccomp filter forbids them too)"
                      : "without a user namespace of its own this needs root");
    else
        error_system(error, "can't make namespaces (flags %#x)", (unsigned)flags);
    return -1;
}

static bool own_map_covers(uint32_t first, uint32_t count)
{
    char map[4096];
    return file_read("/proc/self/uid_map", map, sizeof map) && id_block_mapped(map, first, count) &&
           file_read("/proc/self/gid_map", map, sizeof map) && id_block_mapped(map, first, count);
}

static bool write_process_file(pid_t pid, const char *name, const char *text, struct error *error)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, name);
    return file_write(path, text, error);
}

bool namespaces_map_ids(pid_t pid, uid_t inside, struct error *error)
{
    char uids[64], gids[64];
    bool privileged = capabilities_have(CAP_SETUID) && capabilities_have(CAP_SETGID);
    if (privileged && inside == 0 && own_map_covers(ID_BLOCK_LOW, ID_BLOCK_RANGE)) {
        uint32_t block = id_block_find();
        if (block == 0)
            return error_set(error, ERROR_HOST, "can't find %u unused user ids from %u on", ID_BLOCK_SIZE,
                             ID_BLOCK_LOW);
        snprintf(uids, sizeof uids, "0 %u %u", block, ID_BLOCK_SIZE);
        memcpy(gids, uids, sizeof gids);
    } else if (privileged && inside == 0 && own_map_covers(0, ID_BLOCK_SIZE)) {
        snprintf(uids, sizeof uids, "0 0 %u", ID_BLOCK_SIZE);
        memcpy(gids, uids, sizeof gids);
    } else {
        snprintf(uids, sizeof uids, "%u %u 1", (unsigned)inside, (unsigned)geteuid());
        snprintf(gids, sizeof gids, "%u %u 1", (unsigned)inside, (unsigned)getegid());
        /* The kernel wants this before the gid map of who may not map groups: dropping a group could open a file. */
        if (!write_process_file(pid, "setgroups", "deny", error))
            return false;
    }
    return write_process_file(pid, "uid_map", uids, error) && write_process_file(pid, "gid_map", gids, error);
}

bool namespaces_have_block(void)
{
    return own_map_covers(USER_ID, 1);
}

/* Supplementary groups can't be dropped where the namespace's map was written by an ordinary user. */
static bool drop_groups(struct error *error)
{
    char state[16] = "";
    if (setgroups(0, NULL) == 0 || getgroups(0, NULL) == 0)
        return true;
    if (errno == EPERM && file_read("/proc/self/setgroups", state, sizeof state) && strncmp(state, "deny", 4) == 0)
        return true;
    return error_system(error, "can't drop the supplementary groups");
}

bool namespaces_become_only_user(struct error *error)
{
    char uids[64], gids[64];
    snprintf(uids, sizeof uids, "%d %u 1", USER_ID, (unsigned)geteuid());
    snprintf(gids, sizeof gids, "%d %u 1", USER_ID, (unsigned)getegid());
    if (unshare(CLONE_NEWUSER) != 0)
        return error_system(error, "can't make a user namespace for uid %d", USER_ID);
    return file_write("/proc/self/setgroups", "deny", error) && file_write("/proc/self/uid_map", uids, error) &&
           file_write("/proc/self/gid_map", gids, error);
}

bool namespaces_become(enum principal principal, int user_namespace, struct error *error)
{
    uid_t id = principal == PRINCIPAL_USER ? USER_ID : 0;
    if (principal == PRINCIPAL_USER && user_namespace >= 0) {
        if (setns(user_namespace, CLONE_NEWUSER) != 0)
            return error_system(error, "can't enter the user namespace of uid %d", USER_ID);
    } else if (principal == PRINCIPAL_USER && geteuid() != USER_ID &&
               !(namespaces_have_block() && capabilities_have(CAP_SETUID))) {
        if (!namespaces_become_only_user(error))
            return false;
    }
    if (!drop_groups(error))
        return false;
    /* The bounding set can only be emptied by who still holds capabilities, and leaving uid 0 takes them. */
    if (principal == PRINCIPAL_USER && !capabilities_drop_bounding(error))
        return false;
    if (principal == PRINCIPAL_ROOT && geteuid() != 0 && !capabilities_have(CAP_SETUID))
        return error_set(error, ERROR_USAGE,
                         "an ordinary user can't be root without a user namespace: run as root, or as user");
    if (setresgid(id, id, id) != 0)
        return error_system(error, "can't become gid %u", (unsigned)id);
    if (setresuid(id, id, id) != 0)
        return error_system(error, "can't become uid %u", (unsigned)id);
    return principal != PRINCIPAL_USER || capabilities_drop_all(error);
}
