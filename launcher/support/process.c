/* See process.h. Every wait here is for an event, bounded by a deadline; nothing sleeps. */
#include "process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cleanup.h"

uint64_t clock_microseconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

int clock_poll_timeout(uint64_t deadline)
{
    uint64_t now = clock_microseconds();
    if (deadline <= now)
        return 0;
    uint64_t left = (deadline - now + 999) / 1000;
    return left > 0x7fffffff ? 0x7fffffff : (int)left;
}

bool write_all(int fd, const void *data, size_t size)
{
    const char *next = data;
    while (size > 0) {
        ssize_t written = write(fd, next, size);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return false;
        next += written;
        size -= (size_t)written;
    }
    return true;
}

ssize_t read_all(int fd, void *data, size_t size)
{
    char *next = data;
    size_t left = size;
    while (left > 0) {
        ssize_t got = read(fd, next, left);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -1;
        if (got == 0)
            break;
        next += got;
        left -= (size_t)got;
    }
    return (ssize_t)(size - left);
}

bool file_write(const char *path, const char *text, struct error *error)
{
    cleanup_close int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return error_system(error, "can't open %s for writing", path);
    size_t size = strlen(text);
    if (write(fd, text, size) != (ssize_t)size)
        return error_system(error, "can't write \"%.64s\" to %s", text, path);
    return true;
}

bool file_read(const char *path, char *text, size_t capacity)
{
    cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    ssize_t size = read_all(fd, text, capacity - 1);
    text[size > 0 ? size : 0] = '\0';
    return size >= 0;
}

void descriptors_close_from(int first)
{
    if (syscall(SYS_close_range, (unsigned)first, ~0u, 0) != 0) /* before Linux 5.9 */
        for (long fd = first, last = sysconf(_SC_OPEN_MAX); fd < last; fd++)
            close((int)fd);
}

bool process_wait(pid_t pid, uint64_t deadline, int *status)
{
    cleanup_close int handle = (int)syscall(SYS_pidfd_open, pid, 0);
    struct pollfd ended = { .fd = handle, .events = POLLIN };
    while (handle >= 0 && poll(&ended, 1, clock_poll_timeout(deadline)) == 0)
        if (clock_microseconds() >= deadline)
            return false;
    int result = 0;
    while (waitpid(pid, &result, 0) < 0)
        if (errno != EINTR)
            return false;
    if (status != NULL)
        *status = result;
    return true;
}

void process_kill(pid_t pid)
{
    if (pid <= 0)
        return;
    kill(pid, SIGKILL);
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        ;
}

int process_exit_status(int status)
{
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

void process_die_with_parent(int parent_lifeline)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    struct pollfd lifeline = { .fd = parent_lifeline, .events = 0 };
    if (parent_lifeline >= 0 && poll(&lifeline, 1, 0) == 1)
        _exit(128 + SIGKILL);
}
