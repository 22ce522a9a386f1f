/*
 * What runs and bottles that were killed leave of themselves: processes, mounts and namespaces end with them by the kernel's
 * hand; what remains is files in this user's run-time directories, what a selftest made in /tmp, and control groups. Evidence that was kept
 * whole is no leftover.
 */
#ifndef GATES_LEFTOVERS_H
#define GATES_LEFTOVERS_H

#include <stdbool.h>

#include "../launcher/support/error.h"

/* Calls `told` for each leftover with its path and what it is; removes it unless `dry`. `base` is one of the directories of
 * leftovers_base. One that isn't there has none. False with `error` if not all could be looked at or removed; what is in
 * use by a living run is never touched. */
bool leftovers_collect(const char *base, bool dry, void (*told)(const char *path, const char *what, void *context),
                       void *context, struct error *error);

/* The same for what a killed selftest leaves in `parent`, "/tmp": directories called SELFTEST_DIRECTORY and six letters, with
 * reports in them. One that lives holds a lock on each of its own. */
#define SELFTEST_DIRECTORY "bottle-selftest-"
bool leftovers_collect_selftests(const char *parent, bool dry,
                                 void (*told)(const char *path, const char *what, void *context), void *context,
                                 struct error *error);

/* And for the control groups below `root` (CONTROL_GROUP_ROOT) that this user's killed runs have left: LEFTOVER_GROUP, the run, "-" and a
 * number. A run that lives holds a lock on its own, and the kernel removes none with processes in it. */
#define LEFTOVER_GROUP "bottle-gate-"
bool leftovers_collect_groups(const char *root, bool dry,
                              void (*told)(const char *path, const char *what, void *context), void *context,
                              struct error *error);

/* The directories in which such files lie, wherever XDG_RUNTIME_DIR pointed to: false after the last. */
bool leftovers_base(unsigned index, char path[256]);

#endif
