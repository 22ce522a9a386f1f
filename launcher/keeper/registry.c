/*
 * See registry.h. Two starts of one name: bind(2) makes the file or fails, so nobody looks before he makes. Only replacing a
 * dead socket takes two steps, and those are done under a lock on the directory, which the kernel drops when its holder dies.
 *
 * Sockets are reached by way of the directory's descriptor (/proc/self/fd/N/NAME): a path may be longer than the 107 bytes of
 * sockaddr_un, and what was checked is what is used.
 */
#include "registry.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "../support/cleanup.h"

enum { BACKLOG = 64, CONNECT_SECONDS = 10 };

bool registry_name_valid(const char *name)
{
    size_t length = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-");
    return length > 0 && length < REGISTRY_NAME && name[length] == '\0' && *name != '-';
}

/* Opens `name` below `parent` as a directory that is ours alone. -1 with errno ENOENT: there is none. */
static int open_private(int parent, const char *name, bool make, struct error *error)
{
    struct stat status;
    if (make && mkdirat(parent, name, 0700) != 0 && errno != EEXIST) {
        error_system(error, "can't make the directory %.200s for bottles", name);
        return -1;
    }
    cleanup_close int directory = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (directory < 0 && errno == ENOENT)
        return -1;
    if (directory < 0 || fstat(directory, &status) != 0) {
        error_system(error, "can't open the directory %.200s of bottles", name);
        return -1;
    }
    if (status.st_uid != geteuid() || (status.st_mode & 077) != 0) {
        error_set(
            error, ERROR_HOST,
            "the directory %.200s of bottles is not yours alone: remove it (or chmod 700), or set XDG_RUNTIME_DIR",
            name);
        errno = EPERM;
        return -1;
    }
    return take_fd(&directory);
}

/* The user's run-time directory, or -1. */
static int open_runtime(struct error *error)
{
    char path[64];
    struct stat status;
    const char *named = getenv("XDG_RUNTIME_DIR");
    bool set = named != NULL && *named == '/'; /* the specification has relative ones ignored */
    snprintf(path, sizeof path, "/run/user/%u", (unsigned)geteuid());
    cleanup_close int runtime = open(set ? named : path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (runtime >= 0 && fstat(runtime, &status) == 0 && status.st_uid == geteuid())
        return take_fd(&runtime);
    if (set)
        error_set(error, ERROR_HOST, "XDG_RUNTIME_DIR (%.200s) is no directory of yours: unset it, or set it right",
                  named);
    return -1;
}

int registry_open(bool make, struct error *error)
{
    char fallback[64];
    struct error failure = { 0 };
    cleanup_close int runtime = open_runtime(&failure);
    snprintf(fallback, sizeof fallback, "/tmp/bottle-gate-%u", (unsigned)geteuid());
    cleanup_close int base = failure.code != ERROR_NONE ? -1
                             : runtime >= 0             ? open_private(runtime, "bottle-gate", make, &failure)
                                                        : open_private(AT_FDCWD, fallback, make, &failure);
    int directory = base >= 0 ? open_private(base, "bottles", make, &failure) : -1;
    if (failure.code != ERROR_NONE)
        error_set(error, failure.code, "%s", failure.text);
    return directory;
}

static void fill_address(int directory, const char *name, struct sockaddr_un *address)
{
    memset(address, 0, sizeof *address);
    address->sun_family = AF_UNIX;
    snprintf(address->sun_path, sizeof address->sun_path, "/proc/self/fd/%d/%s", directory, name);
}

/* A keeper whose queue is full is alive all the same: EAGAIN, where that is not waited for or lasts too long. */
static int try_connect(int directory, const char *name, bool wait)
{
    struct sockaddr_un address;
    struct timeval most = { .tv_sec = CONNECT_SECONDS };
    fill_address(directory, name, &address);
    cleanup_close int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | (wait ? 0 : SOCK_NONBLOCK), 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &most, sizeof most) != 0 ||
        connect(fd, (struct sockaddr *)&address, sizeof address) != 0)
        return -1;
    return take_fd(&fd);
}

/* True if nobody listens on the socket of `name`. The caller holds the lock. */
static bool is_dead(int directory, const char *name)
{
    struct stat status;
    cleanup_close int fd = try_connect(directory, name, false);
    return fd < 0 && errno == ECONNREFUSED && fstatat(directory, name, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
           S_ISSOCK(status.st_mode);
}

static bool remove_dead(int directory, const char *name)
{
    return is_dead(directory, name) && unlinkat(directory, name, 0) == 0;
}

static bool lock(int directory, struct error *error)
{
    int failed;
    while ((failed = flock(directory, LOCK_EX)) != 0 && errno == EINTR)
        ;
    return failed == 0 || error_system(error, "can't lock the directory of bottles");
}

/* bind and listen belong together: a socket that is bound only looks dead. The caller holds the lock. */
static bool bind_and_listen(int directory, const char *name, struct registry_seat *seat, bool *taken)
{
    struct stat status;
    struct sockaddr_un address;
    fill_address(directory, name, &address);
    int bound = bind(seat->listener, (struct sockaddr *)&address, sizeof address);
    *taken = bound != 0 && errno == EADDRINUSE;
    if (*taken && remove_dead(directory, name)) {
        bound = bind(seat->listener, (struct sockaddr *)&address, sizeof address);
        *taken = false;
    }
    if (bound != 0 || listen(seat->listener, BACKLOG) != 0 ||
        fstatat(directory, name, &status, AT_SYMLINK_NOFOLLOW) != 0)
        return false;
    seat->device = status.st_dev;
    seat->file = status.st_ino;
    return true;
}

bool registry_listen(int directory, const char *name, struct registry_seat *seat, bool *taken, struct error *error)
{
    *taken = false;
    if (!lock(directory, error))
        return false;
    seat->listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    bool listening = seat->listener >= 0 && bind_and_listen(directory, name, seat, taken);
    if (*taken)
        error_set(error, ERROR_HOST, "a bottle named %s lives already: take another name, or: bottle stop %s", name,
                  name);
    else if (!listening)
        error_system(error, "can't take the name %s in the directory of bottles", name);
    flock(directory, LOCK_UN);
    if (!listening)
        cleanup_close_fd(&seat->listener);
    return listening;
}

bool registry_is_dead(int directory, const char *name, bool remove)
{
    if (!lock(directory, NULL))
        return false;
    bool dead = remove ? remove_dead(directory, name) : is_dead(directory, name);
    flock(directory, LOCK_UN);
    return dead;
}

int registry_connect(int directory, const char *name, struct error *error)
{
    int fd = directory >= 0 ? try_connect(directory, name, true) : -1;
    if (fd >= 0)
        return fd;
    if (directory >= 0 && errno == EAGAIN) {
        error_set(error, ERROR_HOST, "the keeper of bottle %s doesn't answer: try again, or kill it", name);
        return -1;
    }
    if (directory >= 0 && errno != ENOENT && errno != ECONNREFUSED) {
        error_system(error, "can't reach the keeper of bottle %s", name);
        return -1;
    }
    if (directory >= 0 && errno == ECONNREFUSED && lock(directory, error)) {
        remove_dead(directory, name);
        flock(directory, LOCK_UN);
    }
    error_set(error, ERROR_HOST, "no bottle is named %s: bottle list shows those that live", name);
    return -1;
}

void registry_remove(int directory, const char *name, const struct registry_seat *seat)
{
    struct stat status;
    if (!lock(directory, NULL))
        return; /* a socket that nobody listens on is removed by who meets it */
    if (fstatat(directory, name, &status, AT_SYMLINK_NOFOLLOW) == 0 && status.st_dev == seat->device &&
        status.st_ino == seat->file)
        unlinkat(directory, name, 0);
    flock(directory, LOCK_UN);
}

static int is_name(const struct dirent *entry)
{
    return registry_name_valid(entry->d_name);
}

int registry_list(int directory, char (**names)[REGISTRY_NAME], struct error *error)
{
    struct dirent **entries = NULL;
    int count = scandirat(directory, ".", &entries, is_name, alphasort);
    if (count >= 0)
        *names = calloc((size_t)count + 1, sizeof **names);
    if (count < 0 || *names == NULL) {
        error_system(error, "can't read the directory of bottles");
        return -1;
    }
    for (int i = 0; i < count; i++) {
        snprintf((*names)[i], REGISTRY_NAME, "%.*s", REGISTRY_NAME - 1, entries[i]->d_name);
        free(entries[i]);
    }
    free(entries);
    return count;
}
