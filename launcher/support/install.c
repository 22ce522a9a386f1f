/* See install.h. An explicit BOTTLE_LIBEXEC that lacks the file is an error and no reason to look elsewhere:
 * a test that names a directory must not silently run another build's helper. */
#include "install.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool usable(char path[PATH_MAX], const char *directory, const char *between, const char *name)
{
    int length = snprintf(path, PATH_MAX, "%s%s/%s", directory, between, name);
    return length > 0 && length < PATH_MAX && access(path, X_OK) == 0;
}

bool install_find(const char *name, char path[PATH_MAX], struct error *error)
{
    const char *named = getenv("BOTTLE_LIBEXEC");
    if (named != NULL && *named != '\0')
        return usable(path, named, "", name) ||
               error_set(error, ERROR_HOST,
                         "can't find %s in %.256s (BOTTLE_LIBEXEC): unset it or name the directory "
                         "that has it",
                         name, named);
    char self[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
    if (length <= 0)
        return error_system(error, "can't read /proc/self/exe to find %s", name);
    self[length] = '\0';
    *strrchr(self, '/') = '\0';
    return usable(path, self, "", name) || usable(path, self, "/../libexec/bottle-gate", name) ||
           error_set(error, ERROR_HOST,
                     "can't find %s in %.128s or its ../libexec/bottle-gate: install it there or set "
                     "BOTTLE_LIBEXEC",
                     name, self);
}
