/*
 * --report DIR: a run in every format, and its evidence, as files of one directory. Either the complete new set is at
 * DIR, or what was there before: the set is written into a directory beside it, ".bottle-gate-NAME.xxxxxx", brought to
 * the disk, and then put into DIR's place by one rename (renameat2, RENAME_NOREPLACE or RENAME_EXCHANGE).
 *
 * DIR is made where it is missing, and replaced where it is empty or holds an earlier report and nothing else. Anything
 * else there is never touched. A gate that is killed while it writes leaves the directory beside DIR; the next one that
 * writes there removes it.
 */
#ifndef GATES_REPORT_DIRECTORY_H
#define GATES_REPORT_DIRECTORY_H

#include <limits.h>

#include "../run.h"

struct report_directory {
    char parent[PATH_MAX]; /* absolute, without links */
    char name[201];        /* in it */
};

/* Before the run: can a report be put at `path` (a directory's; what it is in must exist)? It tries to make and to
 * exchange directories there. False with ERROR_USAGE and one line that says what is in the way. */
bool report_directory_check(const char *path, struct report_directory *directory, struct error *error);

/* After the run. False (ERROR_SYSTEM) leaves what was there before, and nothing half-written. */
bool report_directory_write(const struct report_directory *directory, const struct run *run, struct error *error);

#endif
