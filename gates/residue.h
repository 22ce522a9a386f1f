/* What a run must not leave behind, looked at from outside: child processes, mounts, network interfaces,
 * descriptors, files. And what a bottle must not leave behind in the site of its run. */
#ifndef GATES_RESIDUE_H
#define GATES_RESIDUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define RESIDUE_MOUNTS 1024 /* more than that are counted, and not told apart */

struct residue {
    bool may_mount;                  /* the process has the right to: else no new mount is its own */
    size_t mount_count;              /* all there are */
    uint32_t mounts[RESIDUE_MOUNTS]; /* ids of the first; see mountinfo in proc(5) */
    uint64_t interfaces;             /* a hash of their names; 0 if the process has no right to make any */
    unsigned descriptors, files;     /* own open descriptors; bottle-gate's entries in the run-time directory */
};

/* Gives the calling process mounts and interfaces of its own, if it may: what others put beside it meanwhile isn't seen then. Who
 * may not can't leave any there either. */
void residue_keep_apart(void);

/* Makes the calling process adopt orphans, so that a process left behind can be seen, and takes stock. */
void residue_look(struct residue *residue);

/* Compares with now. False if something was left; text says what ("a process, a mount"). */
bool residue_none(const struct residue *before, char *text, size_t size);

/* The same for a bottle that has been destroyed, asked by PID 1 of the namespaces in which it was: mounts, and living processes
 * other than the caller and `known`. Not interfaces: a socket that nobody has any more but that still waits for answers keeps its
 * namespace for minutes; what it sends is heard while the witnesses listen on, and the site ends before it can send elsewhere. */
bool residue_no_bottle(const struct residue *before, pid_t known, char *text, size_t size);

#endif
