/*
 * Where the project's helper binaries lie: beside the running binary, or where `install` puts them.
 */
#ifndef LAUNCHER_SUPPORT_INSTALL_H
#define LAUNCHER_SUPPORT_INSTALL_H

#include <limits.h>
#include <stdbool.h>

#include "error.h"

/* Finds executable file `name` ("bottle-init", "bottle-probe") and writes its path. Looks in $BOTTLE_LIBEXEC
 * if that is set and then nowhere else; else beside the running binary, then in ../libexec/bottle-gate/ from
 * there. */
bool install_find(const char *name, char path[PATH_MAX], struct error *error);

#endif
