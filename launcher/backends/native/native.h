/*
 * The native backend's own parts and what they share: a bottle made of Linux namespaces, held together by
 * its PID 1 (bottle-init). Only the files in this folder, and bottle_main's commands for
 * native_open_terminal, include this.
 */
#ifndef LAUNCHER_BACKENDS_NATIVE_NATIVE_H
#define LAUNCHER_BACKENDS_NATIVE_NATIVE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "../../backend.h"

/* Index of each fence in the backend's table. */
enum native_fence {
    FENCE_NETWORK,
    FENCE_MOUNT,
    FENCE_PID,
    FENCE_USER,
    FENCE_IPC,
    FENCE_UTS,
    FENCE_CGROUP,
    FENCE_TIME,
    FENCE_NO_NEW_PRIVILEGES,
    FENCE_CAPABILITIES,
    FENCE_SECCOMP,
    FENCE_LIMITS,
    FENCE_DESCRIPTORS,
    FENCE_SESSION,
    FENCE_NESTING,
    NATIVE_FENCES,
};

extern const struct fence native_fences[NATIVE_FENCES];

/* The namespaces in the order in which they are entered: the user namespace first, because it gives the right to enter the
 * others; the mount namespace last, because the host's files go with it. */
enum { NATIVE_NAMESPACES = 8 };
struct native_namespace {
    const char *file; /* in /proc/PID/ns */
    int flag;         /* CLONE_NEW* */
    enum native_fence fence;
};
extern const struct native_namespace native_namespaces[NATIVE_NAMESPACES];

/* True if the kernel has this namespace. */
bool native_namespace_exists(const struct native_namespace *wanted);

enum { NATIVE_COMMANDS = 64, NATIVE_FILES = 16, NATIVE_NAME = 64 };

struct bottle {
    uint32_t without;
    struct door door;
    bool system_directories;
    pid_t init;
    pid_t relay;                       /* 0 without a door */
    int lifeline;                      /* init ends when it closes */
    int namespaces[NATIVE_NAMESPACES]; /* -1: shared with the caller */
    int user_namespace;                /* of the `user` principal where the bottle maps one id only, else -1 */
    int temporary;                     /* /tmp of the bottle, O_PATH */
    struct native_command {
        pid_t pid;
        int handle; /* pidfd, or -1 on a kernel without */
    } commands[NATIVE_COMMANDS];
    size_t command_count;
    char files[NATIVE_FILES][NATIVE_NAME]; /* put into the caller's own /tmp: the mount fence was left out */
    size_t file_count;
};

static inline bool native_fenced(uint32_t without, enum native_fence fence)
{
    return (without >> fence & 1) == 0;
}

#define NATIVE_DOOR_ADDRESS "127.0.0.1"
#define NATIVE_DOOR_PORT    7702

/* --- set-up operations; each works on the calling process --- */

/* Brings lo up in the calling process's new network namespace; and lets its groups make ping sockets, once there are any. */
bool native_network_set_up(struct error *error);
bool native_network_allow_ping(struct error *error);

/* Makes the door's listening socket in the calling process's network namespace. Returns it, or -1. */
int native_door_listen(struct error *error);

/* Builds the bottle's root from a tmpfs, mounts and enters it; the host's root is gone afterwards. `own_processes`: the
 * calling process is PID 1 of a PID namespace, so that /proc can be mounted afresh. */
bool native_root_enter(bool system_directories, bool own_processes, struct error *error);

/* What system_directories adds to a root under construction, which is the current directory. */
bool native_root_add_system(struct error *error);

/* Binds `source` at `target` (which exists), read-only unless `writable`, without losing what the kernel locked. */
bool native_mount_bind(const char *source, const char *target, bool writable, struct error *error);

/* Writes the limits that a command gets. */
bool native_limits_set(struct error *error);

/* Closes every descriptor from 3 up but `kept` (-1: none). */
bool native_descriptors_close(int kept, struct error *error);

/* Has every descriptor from 3 up closed when the calling process runs another program. */
bool native_descriptors_close_on_exec(struct error *error);

/* Loads the seccomp rules into the calling process (which has no_new_privs or CAP_SYS_ADMIN). */
bool native_filter_load(struct error *error);

/* --- the life of a bottle --- */

/* Starts the namespaces and init of `bottle`, whose `without` and `door` are set. *listener is the door's socket
 * afterwards, or -1. On failure everything that was started is gone again. native_build_finish waits until bottle-init says
 * that it runs, while the caller could do something else. */
bool native_build(struct bottle *bottle, const char *init_path, int *listener, struct error *error);
bool native_build_finish(const struct bottle *bottle, struct error *error);

bool native_put(struct bottle *bottle, const char *name, int source, mode_t mode, struct error *error);
bool native_exec(struct bottle *bottle, char *const argv[], enum principal principal,
                 const struct exec_streams *streams, pid_t *pid, struct error *error);
bool native_fingerprint(const struct bottle *bottle, struct fingerprint *fingerprint, struct error *error);
bool native_destroy(struct bottle *bottle, struct error *error);

/* See struct backend's host_uid. */
bool native_host_uid(const struct bottle *bottle, enum principal principal, uid_t *uid, struct error *error);

/* Enters the bottle's namespaces and becomes its root. The calling process's children are in its PID namespace. */
bool native_enter(const struct bottle *bottle, struct error *error);

/* A pseudo-terminal of the bottle's own /dev/pts (the host's where the mount fence is left out), owned by `principal`:
 * both ends, owned by the caller. See struct backend's open_terminal. */
bool native_open_terminal(struct bottle *bottle, enum principal principal, int *master, int *slave,
                          struct error *error);

/* Fails unless every namespace that was asked for is another one than the caller's. */
bool native_check_namespaces(const struct bottle *bottle, struct error *error);

#endif
