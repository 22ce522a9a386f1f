/*
 * See directory.h. Whoever writes holds a lock on the directory beside DIR, so that another gate can tell one that was
 * left behind from one that is being written. Nothing is ever removed but files of the names that a report has, and
 * directories that are empty then.
 */
#include "directory.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../launcher/support/cleanup.h"
#include "../../launcher/support/process.h"
#include "evidence_file.h"
#include "report.h"

#define BESIDE_MAX 256 /* NAME_MAX and an end */

/* The files of a report: one a format, and the evidence. */
static const char *file_name(size_t index)
{
    return index < report_format_count    ? report_formats[index].file
           : index == report_format_count ? "evidence.json"
                                          : NULL;
}

static bool is_own_file(const char *name)
{
    for (size_t i = 0; file_name(i) != NULL; i++)
        if (strcmp(file_name(i), name) == 0)
            return true;
    return false;
}

static bool open_parent(const struct report_directory *directory, int *fd, struct error *error)
{
    *fd = open(directory->parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return *fd >= 0 || error_system(error, "can't open the directory %.200s", directory->parent);
}

/* A report.json that begins as ours does: what else has that name stays. */
static bool is_own_report(int set)
{
    char start[128] = "";
    cleanup_close int fd = openat(set, "report.json", O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    ssize_t got = fd < 0 ? -1 : read_all(fd, start, sizeof start - 1);
    return got > 0 && strstr(start, "\"schema\"") != NULL && strstr(start, "\"bottle-gate/report/") != NULL;
}

enum standing { STANDS_NOTHING, STANDS_REPORT, STANDS_ELSE };

/* What stands at a name; for STANDS_ELSE, why it can't be replaced. */
static enum standing look_at(int parent, const char *name, char *why, size_t size)
{
    struct stat found;
    if (fstatat(parent, name, &found, AT_SYMLINK_NOFOLLOW) != 0) {
        if (errno == ENOENT)
            return STANDS_NOTHING;
        snprintf(why, size, "can't be looked at: %s", strerror(errno));
        return STANDS_ELSE;
    }
    int fd = S_ISDIR(found.st_mode) ? openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC) : -1;
    DIR *entries = fd < 0 ? NULL : fdopendir(fd);
    if (entries == NULL) {
        snprintf(why, size, "is %s", S_ISDIR(found.st_mode) ? "a directory that can't be read" : "no directory");
        if (fd >= 0)
            close(fd);
        return STANDS_ELSE;
    }
    why[0] = '\0';
    bool empty = true;
    for (struct dirent *entry; why[0] == '\0' && (entry = readdir(entries)) != NULL;) {
        struct stat inside;
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        empty = false;
        if (!is_own_file(entry->d_name) || fstatat(fd, entry->d_name, &inside, AT_SYMLINK_NOFOLLOW) != 0 ||
            !S_ISREG(inside.st_mode))
            snprintf(why, size, "holds something that is no part of a report: %.80s", entry->d_name);
    }
    if (why[0] == '\0' && !empty && !is_own_report(fd))
        snprintf(why, size, "holds files that are no report of bottle-gate's");
    if (why[0] == '\0' && found.st_uid != geteuid() && geteuid() != 0)
        snprintf(why, size, "belongs to somebody else");
    if (why[0] == '\0' && faccessat(fd, ".", W_OK | X_OK, AT_EACCESS) != 0)
        snprintf(why, size, "can't be emptied: %s", strerror(errno));
    closedir(entries);
    return why[0] == '\0' ? STANDS_REPORT : STANDS_ELSE;
}

/* Removes what write_set could have made at a name. */
static void remove_set(int parent, const char *name)
{
    cleanup_close int set = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    for (size_t i = 0; set >= 0 && file_name(i) != NULL; i++)
        unlinkat(set, file_name(i), 0);
    unlinkat(parent, name, AT_REMOVEDIR);
}

/* A new directory beside DIR, locked for as long as *fd is open; `beside` gets its name. */
static bool make_beside(int parent, const char *name, char beside[BESIDE_MAX], int *fd)
{
    for (int tries = 0; tries < 16; tries++) {
        unsigned random;
        struct stat now;
        if (getrandom(&random, sizeof random, 0) != (ssize_t)sizeof random)
            return false;
        snprintf(beside, BESIDE_MAX, ".bottle-gate-%.200s.%06x", name, random & 0xffffff);
        if (mkdirat(parent, beside, 0777) != 0) {
            if (errno != EEXIST)
                return false;
            continue;
        }
        *fd = openat(parent, beside, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        /* Before it was locked another gate may have taken it for one that was left behind. */
        if (*fd >= 0 && flock(*fd, LOCK_EX | LOCK_NB) == 0 && fstatat(parent, beside, &now, AT_SYMLINK_NOFOLLOW) == 0)
            return true;
        cleanup_close_fd(fd);
    }
    return false;
}

/* Removes directories beside DIR that nobody writes any more. */
static void remove_left_behind(int parent, const char *name)
{
    char start[BESIDE_MAX];
    size_t length = (size_t)snprintf(start, sizeof start, ".bottle-gate-%.200s.", name);
    int again = openat(parent, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *entries = again < 0 ? NULL : fdopendir(again);
    for (struct dirent *entry; entries != NULL && (entry = readdir(entries)) != NULL;) {
        struct stat found;
        if (strncmp(entry->d_name, start, length) != 0 || strspn(entry->d_name + length, "0123456789abcdef") != 6 ||
            strlen(entry->d_name) != length + 6)
            continue;
        cleanup_close int fd = openat(parent, entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd >= 0 && fstat(fd, &found) == 0 && found.st_uid == geteuid() && flock(fd, LOCK_EX | LOCK_NB) == 0)
            remove_set(parent, entry->d_name);
    }
    if (entries != NULL)
        closedir(entries);
}

static bool split_path(const char *path, struct report_directory *directory, struct error *error)
{
    char copy[PATH_MAX];
    size_t length = strlen(path);
    while (length > 1 && path[length - 1] == '/')
        length--;
    if (length == 0 || length >= sizeof copy)
        return error_set(error, ERROR_USAGE, "--report wants the path of a directory");
    memcpy(copy, path, length);
    copy[length] = '\0';
    char *slash = strrchr(copy, '/');
    const char *name = slash == NULL ? copy : slash + 1;
    if (name[0] == '\0' || strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || strlen(name) >= sizeof directory->name)
        return error_set(error, ERROR_USAGE,
                         "--report wants a directory of its own, named by at most 200 bytes: not \"%.80s\"", path);
    snprintf(directory->name, sizeof directory->name, "%.200s", name);
    if (slash != NULL)
        *slash = '\0';
    const char *parent = slash == NULL ? "." : slash == copy ? "/" : copy;
    if (realpath(parent, directory->parent) == NULL)
        return error_set(error, ERROR_USAGE, "can't put a report into %.200s: %s; make that directory first", parent,
                         strerror(errno));
    return true;
}

/* Not every file system can exchange, and on none can it be seen before it is tried. */
static bool can_exchange(int parent, const char *name, const char *beside)
{
    char second[BESIDE_MAX];
    cleanup_close int fd = -1;
    if (!make_beside(parent, name, second, &fd))
        return false;
    bool exchanged = renameat2(parent, beside, parent, second, RENAME_EXCHANGE) == 0;
    int wrong = errno;
    remove_set(parent, second);
    errno = wrong;
    return exchanged;
}

bool report_directory_check(const char *path, struct report_directory *directory, struct error *error)
{
    char why[160], beside[BESIDE_MAX];
    cleanup_close int parent = -1, fd = -1;
    if (!split_path(path, directory, error) || !open_parent(directory, &parent, error)) {
        error->code = ERROR_USAGE;
        return false;
    }
    remove_left_behind(parent, directory->name);
    enum standing standing = look_at(parent, directory->name, why, sizeof why);
    if (standing == STANDS_ELSE)
        return error_set(error, ERROR_USAGE, "--report leaves %.200s alone: it %s", path, why);
    bool able = make_beside(parent, directory->name, beside, &fd);
    int wrong = errno;
    if (able) {
        able = standing == STANDS_NOTHING || can_exchange(parent, directory->name, beside);
        wrong = errno;
        remove_set(parent, beside);
    }
    return able ||
           error_set(error, ERROR_USAGE, "can't put a report into %.200s: %s%s", directory->parent, strerror(wrong),
                     standing == STANDS_REPORT && wrong == EINVAL ? "; remove the earlier one first" : "");
}

/* One file, on the disk when this returns true. */
static bool write_file(int set, size_t index, const struct run *run)
{
    struct report_style plain = { 0 };
    int fd = openat(set, file_name(index), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
    FILE *file = fd < 0 ? NULL : fdopen(fd, "w");
    if (file == NULL) {
        cleanup_close_fd(&fd);
        return false;
    }
    errno = 0;
    bool written = index < report_format_count ? report_formats[index].write(run, &plain, file)
                                               : evidence_write(run, &plain, file);
    written = written && fflush(file) == 0 && !ferror(file) && fsync(fd) == 0;
    int wrong = errno;
    bool closed = fclose(file) == 0;
    errno = written ? errno : wrong != 0 ? wrong : EIO;
    return written && closed;
}

/* Puts the finished set into DIR's place. On success what stood there before, if anything did, is at `beside`. */
static bool put_in_place(int parent, const char *name, const char *beside, struct error *error)
{
    char why[160];
    enum standing standing = look_at(parent, name, why, sizeof why);
    if (standing == STANDS_ELSE)
        return error_set(error, ERROR_SYSTEM, "can't put the report at %.200s: since the run began, it %s", name, why);
    if (renameat2(parent, beside, parent, name, standing == STANDS_REPORT ? RENAME_EXCHANGE : RENAME_NOREPLACE) != 0 &&
        (standing == STANDS_REPORT || errno != EINVAL || renameat(parent, beside, parent, name) != 0))
        return error_system(error, "can't put the report at %.200s", name);
    if (standing == STANDS_NOTHING || look_at(parent, beside, why, sizeof why) != STANDS_ELSE)
        return true;
    /* Somebody put something else there in between. */
    (void)renameat2(parent, beside, parent, name, RENAME_EXCHANGE);
    return error_set(error, ERROR_SYSTEM, "can't put the report at %.200s: since the run began, it %s", name, why);
}

bool report_directory_write(const struct report_directory *directory, const struct run *run, struct error *error)
{
    char beside[BESIDE_MAX];
    cleanup_close int parent = -1, set = -1;
    if (!open_parent(directory, &parent, error))
        return false;
    remove_left_behind(parent, directory->name);
    if (!make_beside(parent, directory->name, beside, &set))
        return error_system(error, "can't make a directory for the report in %.200s", directory->parent);
    bool done = true;
    for (size_t i = 0; done && file_name(i) != NULL; i++)
        done = write_file(set, i, run) || error_system(error, "can't write %s of the report to %.200s/%.200s",
                                                       file_name(i), directory->parent, directory->name);
    done = done && (fsync(set) == 0 || error_system(error, "can't bring the report to the disk"));
    done = done && put_in_place(parent, directory->name, beside, error);
    remove_set(parent, beside); /* the earlier report, or what was written of this one */
    if (done && fsync(parent) != 0)
        return error_system(error, "can't bring the report's directory to the disk");
    return done;
}
