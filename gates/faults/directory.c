/* See directory_run in make.h. The report goes to a directory of the fault's own, where a fault that leaves half a report behind
 * is seen. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <unistd.h>

#include "../../launcher/support/cleanup.h"
#include "../../launcher/support/process.h"
#include "../leftovers.h"
#include "make.h"

#define PATTERN  "/tmp/" SELFTEST_DIRECTORY "XXXXXX"
#define FILE_MAX 0x400000 /* bytes of a file that is edited */

/* The first `from` in the file becomes `to`. */
static bool edit(const struct report_of *how, const char *report, struct error *error)
{
    char path[160], *text = malloc(FILE_MAX);
    snprintf(path, sizeof path, "%s/%s", report, how->file);
    bool read = text != NULL && file_read(path, text, FILE_MAX);
    char *place = read ? strstr(text, how->from) : NULL;
    FILE *file = place != NULL ? fopen(path, "we") : NULL;
    bool written = file != NULL && fwrite(text, 1, (size_t)(place - text), file) == (size_t)(place - text) &&
                   fputs(how->to, file) >= 0 && fputs(place + strlen(how->from), file) >= 0;
    if (file != NULL)
        written = fclose(file) == 0 && written;
    free(text);
    return written || error_set(error, ERROR_BROKEN, "%s has no %s to edit", path, how->from);
}

/* Removes what is in the directory, one level deep. Returns how many entries there were. */
static unsigned empty(const char *path)
{
    unsigned count = 0;
    DIR *directory = opendir(path);
    for (const struct dirent *entry; directory != NULL && (entry = readdir(directory)) != NULL;) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        count++;
        if (unlinkat(dirfd(directory), entry->d_name, 0) != 0 && errno == EISDIR) {
            char inner[400];
            snprintf(inner, sizeof inner, "%s/%s", path, entry->d_name);
            empty(inner);
            rmdir(inner);
        }
    }
    if (directory != NULL)
        closedir(directory);
    return count;
}

/* Makes the directory, and returns a lock on it that ends with this process: `bottle-gate gc` removes what nobody holds. */
static int make_own(char own[sizeof PATTERN], struct error *error)
{
    for (;;) {
        memcpy(own, PATTERN, sizeof PATTERN);
        if (mkdtemp(own) == NULL) {
            error_system(error, "can't make a directory in /tmp");
            return -1;
        }
        cleanup_close int lock = open(own, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        bool held = lock >= 0 && flock(lock, LOCK_SH) == 0;
        if (access(own, F_OK) != 0 && errno == ENOENT)
            continue; /* it was removed before it was locked */
        if (held)
            return take_fd(&lock);
        error_system(error, "can't lock %s", own);
        rmdir(own);
        return -1;
    }
}

bool directory_run(const struct fault *fault, struct fault_outcome *outcome, struct error *error)
{
    const struct report_of *how = &fault->report;
    char own[sizeof PATTERN], size[32], report[64];
    cleanup_close int lock = make_own(own, error);
    if (lock < 0)
        return false;
    snprintf(size, sizeof size, "size=%lu", how->room);
    snprintf(report, sizeof report, "%s/report", own);
    bool mounted = how->room > 0 && mount("report", own, "tmpfs", 0, size) == 0;
    bool ran = (how->room == 0 || mounted || error_system(error, "can't make a small file system")) &&
               program_run(fault, how->at != NULL ? how->at : report, outcome, error);
    if (ran && how->file != NULL)
        ran = (outcome->status == 0 ||
               error_set(error, ERROR_BROKEN, "it ended with %d: %.150s", outcome->status, outcome->reason)) &&
              edit(how, report, error) && program_replay(report, outcome, error);
    bool half = empty(own) > 0 && how->file == NULL;
    if (mounted)
        umount(own);
    if (rmdir(own) != 0 && ran)
        ran = error_system(error, "can't remove %s", own);
    return ran && (!half || error_set(error, ERROR_BROKEN, "half a report was left behind"));
}
