/* See machine.h: ending a machine. The engine's "deleted" is not believed: row, processes and directory are looked at, and what
 * remains of the last two is ended, removed and told. A process is the engine's if it has this bottle's directory for its own: that is
 * in its environment, or, where it lets nobody read that, in the path of the configuration that it boots from. No other process is ever
 * killed, whatever pid the engine names. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../support/cleanup.h"
#include "../../support/process.h"
#include "machine.h"

static bool forget(struct bottle *bottle, struct error *error)
{
    char path[PATH_MAX];
    struct smolvm_state state;
    struct error why = { 0 };
    bool row = false;
    /* Stopping a machine that never started may fail; what counts is what remains. */
    machine_command(bottle, SMOLVM_STOP, NULL, NULL);
    /* Whatever the engine calls it: the host had all that was needed, or there would be no machine to end. */
    if (!machine_command(bottle, SMOLVM_DELETE, NULL, &why) || !machine_state(bottle, path, &state, &why) ||
        !smolvm_state_has(&state, MACHINE_NAME, &row, &why))
        return error_set(error, ERROR_BROKEN, "%s", why.text);
    return !row ||
           error_set(error, ERROR_BROKEN, "the engine says that it deleted the machine, and its row is still there");
}

/* Reads a file of words, each ended with a 0. */
static size_t read_words(pid_t pid, const char *file, char *words, size_t capacity)
{
    char path[40];
    snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, file);
    cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t size = fd >= 0 ? read_all(fd, words, capacity - 1) : 0;
    words[size > 0 ? size : 0] = '\0';
    return size > 0 ? (size_t)size : 0;
}

static bool is_of(const struct bottle *bottle, pid_t pid)
{
    char words[SMOLVM_VARIABLE_BYTES], variable[SMOLVM_DIRECTORY + 32];
    int length = snprintf(variable, sizeof variable, "XDG_DATA_HOME=%s/data", bottle->directory);
    size_t size = read_words(pid, "environ", words, sizeof words);
    if (memmem(words, size, variable, (size_t)length + 1) != NULL)
        return true;
    /* "smolvm _boot-vm DIRECTORY/.../boot-config.json" (smolvm, src/agent/manager.rs). */
    size = read_words(pid, "cmdline", words, sizeof words);
    const char *verb = words + strlen(words) + 1;
    if (verb >= words + size || strcmp(verb, "_boot-vm") != 0)
        return false;
    const char *place = verb + strlen(verb) + 1;
    size_t own = strlen(bottle->directory);
    return place < words + size && strncmp(place, bottle->directory, own) == 0 && place[own] == '/';
}

static bool has_ended(int handle, uint64_t deadline)
{
    struct pollfd ended = { .fd = handle, .events = POLLIN };
    while (poll(&ended, 1, clock_poll_timeout(deadline)) != 1)
        if (clock_microseconds() >= deadline)
            return false;
    return true;
}

/* Ends what is still there past `deadline`; true if there was nothing to end. */
static bool end_process(int handle, uint64_t deadline)
{
    bool ended = has_ended(handle, deadline);
    if (!ended) {
        syscall(SYS_pidfd_send_signal, handle, SIGKILL, NULL, 0);
        has_ended(handle, clock_microseconds() + machine_bounds.gone * 1000ull);
    }
    return ended;
}

/* All processes of the engine's, until a look finds none that lives. */
static bool end_processes(const struct bottle *bottle, uint64_t deadline, struct error *error)
{
    uint64_t last = deadline + machine_bounds.gone * 1000ull;
    pid_t lived_on = 0;
    for (bool found = true; found && clock_microseconds() < last;) {
        DIR *processes = opendir("/proc");
        if (processes == NULL)
            return error_system(error, "can't look for the engine's processes in /proc");
        found = false;
        for (struct dirent *entry; (entry = readdir(processes)) != NULL;) {
            pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);
            cleanup_close int handle = pid > 0 ? (int)syscall(SYS_pidfd_open, pid, 0) : -1;
            /* A look at the process behind the handle: the pid may be another's by now, the handle not. */
            if (handle < 0 || !is_of(bottle, pid) || has_ended(handle, 0))
                continue;
            found = true;
            if (!end_process(handle, deadline))
                lived_on = lived_on == 0 || pid == bottle->monitor ? pid : lived_on;
        }
        closedir(processes);
    }
    return lived_on == 0 || error_set(error, ERROR_BROKEN, "the %s, process %d, lived on after its machine was deleted",
                                      lived_on == bottle->monitor ? "machine's VMM" : "engine", (int)lived_on);
}

/* The one that the engine named may show nothing by which it is known. */
static bool is_vmm_gone(struct bottle *bottle, uint64_t deadline, struct error *error)
{
    bool gone = bottle->monitor_handle < 0 || has_ended(bottle->monitor_handle, deadline);
    cleanup_close_fd(&bottle->monitor_handle);
    if (gone && bottle->monitor > 0)
        waitpid(bottle->monitor, NULL, WNOHANG); /* an orphan of the engine's comes to us where we are PID 1 */
    return gone ||
           error_set(error, ERROR_BROKEN,
                     "process %d, which the engine called the machine's VMM, lives on, and doesn't look like one: "
                     "it was left alone",
                     (int)bottle->monitor);
}

/* The whole directory, also where the engine shut a part of it. */
static bool remove_directory(struct bottle *bottle, struct error *error)
{
    char *const roots[] = { bottle->directory, NULL };
    FTS *walk = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR | FTS_XDEV, NULL);
    if (walk == NULL)
        return error_system(error, "can't remove %s", bottle->directory);
    for (FTSENT *entry; (entry = fts_read(walk)) != NULL;)
        if (entry->fts_info == FTS_D)
            chmod(entry->fts_accpath, 0700);
        else
            remove(entry->fts_accpath);
    fts_close(walk);
    return (access(bottle->directory, F_OK) != 0 && errno == ENOENT) ||
           error_set(error, ERROR_BROKEN, "can't remove %s, the directory of the machine's engine", bottle->directory);
}

bool machine_end(struct bottle *bottle, struct error *error)
{
    if (*bottle->directory == '\0')
        return true;
    bool ended = !bottle->created || forget(bottle, error);
    /* What the engine failed to end won't end by itself. */
    uint64_t deadline = clock_microseconds() + (ended ? machine_bounds.gone * 1000ull : 0);
    ended = end_processes(bottle, deadline, error) && ended;
    ended = is_vmm_gone(bottle, deadline, error) && ended;
    return remove_directory(bottle, error) && ended;
}
