/*
 * See leftovers.h. A run keeps its evidence in a directory of its own, the report last, under a shared lock on the directory
 * above (keep.c). So under the exclusive lock, a directory without a whole report is one whose run is dead. Sockets of
 * bottles are the registry's to judge. A selftest holds a lock on each directory of its own. Everything is reached by descriptors, so no path is turned under our hands, and
 * only this user's own files are touched.
 */
#include "leftovers.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../launcher/keeper/registry.h"
#include "../launcher/support/cleanup.h"
#include "../probes/plan_grammar.h"

struct sweep {
    const char *base;
    bool dry;
    void (*told)(const char *path, const char *what, void *context);
    void *context;
};

bool leftovers_base(unsigned index, char path[256])
{
    const char *runtime = getenv("XDG_RUNTIME_DIR");
    bool set = runtime != NULL && runtime[0] == '/' && strlen(runtime) < 200;
    if (index == 0)
        snprintf(path, 256, "/tmp/bottle-gate-%u", (unsigned)geteuid());
    else if (index == 1)
        snprintf(path, 256, "/run/user/%u/bottle-gate", (unsigned)geteuid());
    else if (index == 2 && set)
        snprintf(path, 256, "%s/bottle-gate", runtime);
    else
        return false;
    return true;
}

static void tell(const struct sweep *sweep, const char *name, const char *what)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", sweep->base, name);
    sweep->told(path, what, sweep->context);
}

/* -1 without an error where there is none, or none of this user's. */
static int open_own(int parent, const char *name)
{
    struct stat status;
    cleanup_close int directory = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (directory < 0 || fstat(directory, &status) != 0 || status.st_uid != geteuid())
        return -1;
    return take_fd(&directory);
}

static bool is_run(const char *name)
{
    return strlen(name) == RUN_ID_DIGITS && strspn(name, "0123456789abcdef") == RUN_ID_DIGITS;
}

/* What report/directory.c writes before it puts it in its place: ".bottle-gate-RUN." and a few letters. */
static bool is_unfinished(const char *name)
{
    const char prefix[] = ".bottle-gate-";
    const size_t length = sizeof prefix - 1;
    return strncmp(name, prefix, length) == 0 && strspn(name + length, "0123456789abcdef") == RUN_ID_DIGITS &&
           name[length + RUN_ID_DIGITS] == '.';
}

/* The report is written last, and ends with a brace and a newline. */
static bool is_whole(int directory)
{
    char end[2];
    struct stat status;
    cleanup_close int report = openat(directory, "report.json", O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    return report >= 0 && fstat(report, &status) == 0 && status.st_size > 2 &&
           pread(report, end, 2, status.st_size - 2) == 2 && end[0] == '}' && end[1] == '\n';
}

/* Files only, and nothing below: a directory in it is not of a run's making, and then all of it stays. */
static bool remove_run(int base, const char *name, int directory, struct error *error)
{
    const struct dirent *entry;
    int again = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *list = again >= 0 ? fdopendir(again) : NULL;
    bool removed = list != NULL;
    while (removed && (entry = readdir(list)) != NULL)
        removed = strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 ||
                  unlinkat(directory, entry->d_name, 0) == 0;
    if (list != NULL)
        closedir(list);
    return (removed && unlinkat(base, name, AT_REMOVEDIR) == 0) || error_system(error, "can't remove %.100s", name);
}

static bool collect_run(const struct sweep *sweep, int base, const char *name, struct error *error)
{
    bool unfinished = is_unfinished(name);
    cleanup_close int directory = unfinished || is_run(name) ? open_own(base, name) : -1;
    if (directory < 0 || (!unfinished && is_whole(directory)))
        return true;
    if (!sweep->dry && !remove_run(base, name, directory, error))
        return false;
    tell(sweep, name, "evidence that a killed run had not kept whole");
    return true;
}

static bool collect_runs(const struct sweep *sweep, int base, struct error *error)
{
    struct dirent **entries = NULL;
    if (flock(base, LOCK_EX | LOCK_NB) != 0)
        return error_set(error, ERROR_HOST, "a run is keeping its evidence in %.200s at this moment: try again",
                         sweep->base);
    int count = scandirat(base, ".", &entries, NULL, alphasort);
    bool done = count >= 0 || error_system(error, "can't read %.200s", sweep->base);
    for (int i = 0; i < count; i++) {
        done = collect_run(sweep, base, entries[i]->d_name, error) && done;
        free(entries[i]);
    }
    free(entries);
    flock(base, LOCK_UN);
    return done;
}

static bool collect_sockets(const struct sweep *sweep, int base, struct error *error)
{
    cleanup_free char(*names)[REGISTRY_NAME] = NULL;
    cleanup_close int directory = open_own(base, "bottles");
    int count = directory >= 0 ? registry_list(directory, &names, error) : 0;
    for (int i = 0; i < count; i++) {
        char name[REGISTRY_NAME + 16];
        snprintf(name, sizeof name, "bottles/%s", names[i]);
        if (registry_is_dead(directory, names[i], !sweep->dry))
            tell(sweep, name, "the socket of a bottle whose keeper was killed");
    }
    return count >= 0;
}

static bool is_selftest(const char *name)
{
    const size_t length = sizeof SELFTEST_DIRECTORY - 1, letters = sizeof "XXXXXX" - 1;
    return strncmp(name, SELFTEST_DIRECTORY, length) == 0 && strlen(name + length) == letters &&
           strchr(name + length, '.') == NULL;
}

/* The reports in it; with anything else in it, it stays. */
static bool remove_selftest(int parent, const char *name, int directory, struct error *error)
{
    struct dirent **entries = NULL;
    int count = scandirat(directory, ".", &entries, NULL, alphasort);
    bool removed = count >= 0 || error_system(error, "can't read %.100s", name);
    for (int i = 0; i < count; i++) {
        const char *entry = entries[i]->d_name;
        bool made_by_it = strcmp(entry, "report") == 0 || is_unfinished(entry);
        cleanup_close int report = made_by_it ? open_own(directory, entry) : -1;
        removed = (report < 0 || remove_run(directory, entry, report, error)) && removed;
        free(entries[i]);
    }
    free(entries);
    return removed && (unlinkat(parent, name, AT_REMOVEDIR) == 0 || error_system(error, "can't remove %.100s", name));
}

static bool collect_selftest(const struct sweep *sweep, int parent, const char *name, struct error *error)
{
    cleanup_close int directory = is_selftest(name) ? open_own(parent, name) : -1;
    if (directory < 0 || flock(directory, LOCK_EX | LOCK_NB) != 0)
        return true;
    if (!sweep->dry && !remove_selftest(parent, name, directory, error))
        return false;
    tell(sweep, name, "reports of a selftest that was killed");
    return true;
}

bool leftovers_collect_selftests(const char *parent, bool dry,
                                 void (*told)(const char *path, const char *what, void *context), void *context,
                                 struct error *error)
{
    const struct sweep sweep = { parent, dry, told, context };
    struct dirent **entries = NULL;
    cleanup_close int directory = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int count = directory >= 0 ? scandirat(directory, ".", &entries, NULL, alphasort) : -1;
    bool done = count >= 0 || error_system(error, "can't read %.200s", parent);
    for (int i = 0; i < count; i++) {
        done = collect_selftest(&sweep, directory, entries[i]->d_name, error) && done;
        free(entries[i]);
    }
    free(entries);
    return done;
}

bool leftovers_collect(const char *base, bool dry, void (*told)(const char *path, const char *what, void *context),
                       void *context, struct error *error)
{
    const struct sweep sweep = { base, dry, told, context };
    cleanup_close int directory = open_own(AT_FDCWD, base);
    if (directory < 0)
        return true;
    bool runs = collect_runs(&sweep, directory, error);
    return collect_sockets(&sweep, directory, error) && runs;
}
