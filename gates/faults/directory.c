/* See directory_run in make.h. The report goes to a directory of the fault's own, where a fault that leaves half a report behind
 * is seen. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "../../launcher/support/cleanup.h"
#include "../../launcher/support/process.h"
#include "make.h"

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

bool directory_run(const struct fault *fault, struct fault_outcome *outcome, struct error *error)
{
    const struct report_of *how = &fault->report;
    char own[] = "/tmp/bottle-report-XXXXXX", size[32], report[64];
    if (mkdtemp(own) == NULL)
        return error_system(error, "can't make a directory in /tmp");
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
