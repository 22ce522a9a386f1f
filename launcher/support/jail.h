/*
 * A jail for a process that reads hostile bytes: after jail_shut only the named system calls work, any other
 * kills the whole process. Each jailed file keeps the list of its calls beside the code that needs them.
 */
#ifndef LAUNCHER_SUPPORT_JAIL_H
#define LAUNCHER_SUPPORT_JAIL_H

#include <stdbool.h>
#include <stddef.h>

#include "error.h"

/* `calls`: system call numbers (SCMP_SYS or SYS_*) that stay allowed; exit_group and rt_sigreturn always are.
 * Sets no_new_privs. Can't be undone. Source: seccomp(2). */
bool jail_shut(const int *calls, size_t count, struct error *error);

#endif
