/*
 * Putting a file into a bottle: a child becomes the bottle's root and writes the file below the descriptor of /tmp that was
 * taken when the bottle was made and empty, so that nobody inside can have turned a path. It must be a new file.
 *
 * Without the mount fence /tmp is the caller's own; what was put there is removed when the bottle ends.
 */
#include "native.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../support/channel.h"
#include "../../support/cleanup.h"
#include "../../support/process.h"

#define PUT_MICROSECONDS 20000000

static bool copy(int source, int target)
{
    char bytes[65536];
    for (off_t at = 0;;) {
        ssize_t got = pread(source, bytes, sizeof bytes, at);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return got == 0;
        if (!write_all(target, bytes, (size_t)got))
            return false;
        at += got;
    }
}

/* Not native_enter: the descriptor of /tmp leads to the bottle from anywhere, only the owner must be right. */
static bool write_file(const struct bottle *bottle, const char *name, int source, mode_t mode, struct error *error)
{
    if (bottle->namespaces[0] >= 0) {
        if (setns(bottle->namespaces[0], CLONE_NEWUSER) != 0 || setresgid(0, 0, 0) != 0 || setresuid(0, 0, 0) != 0)
            return error_system(error, "can't become root of the bottle");
    }
    cleanup_close int file =
        openat(bottle->temporary, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0200);
    if (file < 0)
        return error_system(error, "can't make /tmp/%s in the bottle", name);
    if (copy(source, file) && fchmod(file, mode) == 0)
        return true;
    error_system(error, "can't write /tmp/%s in the bottle", name);
    unlinkat(bottle->temporary, name, 0);
    return false;
}

bool native_put(struct bottle *bottle, const char *name, int source, mode_t mode, struct error *error)
{
    if (*name == '\0' || strlen(name) >= NATIVE_NAME || strchr(name, '/') != NULL || strcmp(name, ".") == 0 ||
        strcmp(name, "..") == 0)
        return error_set(error, ERROR_USAGE, "\"%.64s\" is no name for a file in the bottle's /tmp", name);
    bool remember = !native_fenced(bottle->without, FENCE_MOUNT);
    if (remember && bottle->file_count == NATIVE_FILES)
        return error_set(error, ERROR_USAGE, "at most %d files can be put into a bottle without its own /tmp",
                         NATIVE_FILES);
    cleanup_close int channel = -1;
    pid_t helper = channel_fork(&channel, error);
    if (helper < 0)
        return false;
    if (helper == 0) {
        struct error failure = { 0 };
        if (!write_file(bottle, name, source, mode, &failure))
            channel_fail(channel, &failure);
        _exit(0);
    }
    struct channel_message message;
    enum channel_result result =
        channel_receive(channel, &message, NULL, clock_microseconds() + PUT_MICROSECONDS, error);
    int status = -1;
    if (result != CHANNEL_CLOSED || !process_wait(helper, clock_microseconds() + PUT_MICROSECONDS, &status) ||
        status != 0) {
        process_kill(result == CHANNEL_CLOSED ? 0 : helper);
        return error_set(error, ERROR_SYSTEM, "can't put %s into the bottle", name);
    }
    if (remember)
        snprintf(bottle->files[bottle->file_count++], NATIVE_NAME, "%s", name);
    return true;
}
