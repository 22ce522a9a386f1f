/* See keep.h. The directory above must belong to the caller: in /tmp somebody else could have made it first.
 */
#include "keep.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "report/directory.h"

static bool make_directory(const char *path, struct error *error)
{
    struct stat found;
    if (mkdir(path, 0700) != 0 && errno != EEXIST)
        return error_system(error, "can't make the directory %.200s", path);
    if (lstat(path, &found) != 0 || !S_ISDIR(found.st_mode) || found.st_uid != geteuid())
        return error_set(error, ERROR_HOST, "%.200s is not a directory of yours; remove it or set XDG_RUNTIME_DIR",
                         path);
    return true;
}

bool keep_run(const struct run *run, char *path, size_t size, struct error *error)
{
    const char *runtime = getenv("XDG_RUNTIME_DIR");
    char base[160];
    struct report_directory directory;
    if (runtime != NULL && runtime[0] == '/' && strlen(runtime) < 100)
        snprintf(base, sizeof base, "%s/bottle-gate", runtime);
    else
        snprintf(base, sizeof base, "/tmp/bottle-gate-%u", (unsigned)geteuid());
    snprintf(path, size, "%s/%s", base, run->plan.run);
    return make_directory(base, error) && report_directory_check(path, &directory, error) &&
           report_directory_write(&directory, run, error);
}
