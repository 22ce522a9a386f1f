/*
 * See leftovers.h: control groups. A run may have been started anywhere in the host's hierarchies, so all of them are looked through, for a name
 * that nobody else gives. Only an empty group can be removed: that is the kernel's own rule, and the lock is asked for as well, because a group
 * is empty too before its engine has begun.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../launcher/control_group.h"
#include "../launcher/support/cleanup.h"
#include "../launcher/support/process.h"
#include "../probes/plan_grammar.h"
#include "leftovers.h"

#define DEPTH 32
#define END   5000000ull /* microseconds in which processes of a run that was just killed have ended */

struct sweep {
    bool dry;
    void (*told)(const char *path, const char *what, void *context);
    void *context;
};

static bool is_group(const char *name)
{
    const size_t length = sizeof LEFTOVER_GROUP - 1;
    if (strncmp(name, LEFTOVER_GROUP, length) != 0 || strspn(name + length, "0123456789abcdef") != RUN_ID_DIGITS ||
        name[length + RUN_ID_DIGITS] != '-')
        return false;
    const char *number = name + length + RUN_ID_DIGITS + 1;
    return *number != '\0' && strspn(number, "0123456789") == strlen(number);
}

static bool collect_group(const struct sweep *sweep, const char *path, int directory, struct error *error)
{
    struct stat status;
    if (fstat(directory, &status) != 0 || status.st_uid != geteuid() || flock(directory, LOCK_EX | LOCK_NB) != 0)
        return true;
    if (!sweep->dry && !control_group_remove(path, clock_microseconds() + END))
        return error_system(error, "can't remove the control group %.300s", path);
    sweep->told(path, "the control group of a run that was killed", sweep->context);
    return true;
}

/* A group that ends while it is looked at is no error. */
static bool collect_below(const struct sweep *sweep, const char *path, unsigned depth, struct error *error)
{
    struct dirent **entries = NULL;
    bool done = true;
    int count = scandir(path, &entries, NULL, alphasort);
    for (int i = 0; i < count; i++) {
        const char *name = entries[i]->d_name;
        char below[CONTROL_GROUP_PATH];
        if (entries[i]->d_type == DT_DIR && *name != '.' &&
            snprintf(below, sizeof below, "%s/%s", path, name) < (int)sizeof below) {
            cleanup_close int group =
                is_group(name) ? open(below, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC) : -1;
            done = (group < 0 ? depth == 0 || collect_below(sweep, below, depth - 1, error)
                              : collect_group(sweep, below, group, error)) &&
                   done;
        }
        free(entries[i]);
    }
    free(entries);
    return done;
}

bool leftovers_collect_groups(const char *root, bool dry,
                              void (*told)(const char *path, const char *what, void *context), void *context,
                              struct error *error)
{
    const struct sweep sweep = { dry, told, context };
    return collect_below(&sweep, root, DEPTH, error);
}
