/*
 * User namespaces and the ids in them, shared by the native backend, the sealed site and the bare run.
 *
 * An ordinary user may map exactly one id (its own). Root may map a block of ids, and maps root of the
 * new world to an id that nothing else on the host uses, so that limits bind and no host file is its own.
 */
#ifndef LAUNCHER_NAMESPACES_H
#define LAUNCHER_NAMESPACES_H

#include <stdbool.h>
#include <sys/types.h>

#include "backend.h"
#include "support/error.h"

/* fork() into new namespaces (CLONE_NEW* `flags`, CLONE_NEWTIME excepted): 0 in the child, its pid in the
 * parent, -1 with `error` filled. The child is PID 1 of its PID namespace if CLONE_NEWPID is among them.
 * The caller must be single-threaded. Source: clone(2). */
pid_t namespaces_fork(int flags, struct error *error);

/* Writes setgroups, uid_map and gid_map of process `pid`, which has just made a user namespace and waits:
 * as real root of the initial namespace: 0 -> an unused block of 65536 host ids (so that 65534 exists too);
 * as a root of a namespace that maps 65536 ids: the identity of that block;
 * else: 0 -> the caller's one id. `inside` is the id that the one-id map gets inside (0, or 65534).
 * Source: user_namespaces(7). */
bool namespaces_map_ids(pid_t pid, uid_t inside, struct error *error);

/* True if id 65534 (and not only 0) is mapped in the calling process's user namespace. */
bool namespaces_have_block(void);

/* Turns the calling process into `principal` for good: all capabilities dropped from every set for
 * PRINCIPAL_USER; uid, gid 65534 (or 0) with no supplementary groups. Where 65534 isn't mapped,
 * PRINCIPAL_USER enters `user_namespace` (a descriptor of a namespace that maps 65534), or makes one if that
 * is -1. */
bool namespaces_become(enum principal principal, int user_namespace, struct error *error);

/* Puts the calling process into a user namespace of its own whose one id, 65534, is the process's own on the outside. */
bool namespaces_become_only_user(struct error *error);

/* What forbids user namespaces here, if anything: fills `error` (ERROR_HOST) with the exact remedy and returns false. Looks
 * at the settings, then tries one. `proc` is "/proc" (a test gives another directory for the settings). */
bool namespaces_preflight(const char *proc, struct error *error);

/* The same in parts, for who wants to know all that forbids it: each of the settings (user.max_user_namespaces,
 * kernel.unprivileged_userns_clone, kernel.apparmor_restrict_unprivileged_userns, the limits on other namespaces), whose
 * name is written to `name`; and a try with all namespaces that a bottle needs. */
size_t namespaces_settings(void);
bool namespaces_setting(const char *proc, size_t index, char name[64], struct error *error);
bool namespaces_try(struct error *error);

#endif
