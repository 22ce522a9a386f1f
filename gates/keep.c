/* See keep.h. The directory above must belong to the caller: in /tmp somebody else could have made it first.
 */
#include "keep.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../launcher/support/cleanup.h"
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

/* Held while evidence is being written: `bottle-gate gc` removes what is incomplete, and this is not yet. */
static int lock_directory(const char *path, struct error *error)
{
    cleanup_close int directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int failed = -1;
    while (directory >= 0 && (failed = flock(directory, LOCK_SH)) != 0 && errno == EINTR)
        ;
    if (failed == 0)
        return take_fd(&directory);
    error_system(error, "can't lock %.200s", path);
    return -1;
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
    if (!make_directory(base, error))
        return false;
    cleanup_close int lock = lock_directory(base, error);
    return lock >= 0 && report_directory_check(path, &directory, error) &&
           report_directory_write(&directory, run, error);
}
