/*
 * See docker.h: what the kernel says of a container's first process, whatever its engine says: capabilities, no_new_privs, the seccomp filter,
 * the network namespace against ours, and that it is gone afterwards. It is looked at through its directory in /proc, opened once, so
 * that no other process can take its number meanwhile. With gVisor that process is runsc, which stands between the bottle and the kernel: see
 * gvisor.c.
 *
 * A machine's engine is spoken to by a socket, which may have been forwarded from another machine or a virtual one. So what it names has to
 * show here what only our container has: a token in its environment. runsc shows none of its container's environment, but the id
 * of it on its command line.
 */
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../support/cleanup.h"
#include "../../support/process.h"
#include "docker.h"

#define RUNC_BECOMES_IT     "_LIBCONTAINER_" /* in the environment of a process that is about to be the container's first */
#define BECOME_MICROSECONDS 10000000ull      /* a bound on hangs */

/* The bytes that it has; -1: it can't be read, or its process is gone. */
static ssize_t read_entry(int process, const char *name, char *text, size_t capacity)
{
    cleanup_close int file = openat(process, name, O_RDONLY | O_CLOEXEC);
    ssize_t got = file >= 0 ? read_all(file, text, capacity - 1) : -1;
    text[got > 0 ? got : 0] = '\0';
    return got;
}

static bool shows(int process, const char *name, const char *wanted)
{
    char text[16384];
    ssize_t size = read_entry(process, name, text, sizeof text);
    return size > 0 && memmem(text, (size_t)size, wanted, strlen(wanted)) != NULL;
}

/* What the engine calls started may still be runc, which sets the last of the fences and then executes the container's program; while the
 * kernel does that, there is no environment at all. It tells nobody when it has. */
static void wait_until_it_runs(int process)
{
    char text[16384];
    uint64_t deadline = clock_microseconds() + BECOME_MICROSECONDS;
    ssize_t size;
    while ((size = read_entry(process, "environ", text, sizeof text)) >= 0 &&
           (size == 0 || memmem(text, (size_t)size, RUNC_BECOMES_IT, strlen(RUNC_BECOMES_IT)) != NULL) &&
           clock_microseconds() < deadline)
        poll(NULL, 0, 1);
}

bool first_process_is_ours(const struct bottle *bottle, int process, const char *id, struct error *error)
{
    char token[64];
    bool runsc = bottle->gvisor && id == bottle->container;
    snprintf(token, sizeof token, CONTAINER_TOKEN "%s", container_engine.token);
    if (!runsc) /* which has no environment */
        wait_until_it_runs(process);
    return !container_engine.of_machine || shows(process, runsc ? "cmdline" : "environ", runsc ? id : token) ||
           error_set(error, ERROR_BROKEN,
                     "the Docker Engine is not this machine's: the process that it names for its container is none of "
                     "it here (is its socket forwarded from another machine?)");
}

/* One line of proc(5)'s status, as a number of the given base; false if it isn't there. */
static bool status_says(const char *status, const char *name, int base, unsigned long long wanted)
{
    const char *line = strstr(status, name);
    return line != NULL && strtoull(line + strlen(name), NULL, base) == wanted;
}

bool first_process_has_fences(const struct bottle *bottle, int process, uint32_t without, struct error *error)
{
    char status[4096];
    struct stat its, ours;
    if (read_entry(process, "status", status, sizeof status) <= 0)
        return error_system(error, "can't look at the container's first process");
    const char *missing = NULL;
    bool sentry = bottle->gvisor && process == bottle->process; /* which has a capability that the bottle hasn't */
    if (!sentry && container_fenced(without, CONTAINER_CAPABILITIES) && !status_says(status, "\nCapBnd:", 16, 0))
        missing = "capabilities";
    if (container_fenced(without, CONTAINER_NO_NEW_PRIVILEGES) && !status_says(status, "\nNoNewPrivs:", 10, 1))
        missing = "no-new-privs";
    if (container_fenced(without, CONTAINER_SECCOMP) && !status_says(status, "\nSeccomp:", 10, 2))
        missing = "seccomp";
    if (fstatat(process, "ns/net", &its, 0) != 0 || stat("/proc/self/ns/net", &ours) != 0)
        return error_system(error, "can't look at the container's network namespace");
    if (bottle->networked && its.st_ino == ours.st_ino)
        missing = "network";
    if (missing != NULL)
        return error_set(error, ERROR_BROKEN, "Docker started the container without its fence \"%s\"", missing);
    return bottle->networked || its.st_ino == ours.st_ino ||
           error_set(error, ERROR_BROKEN, "Docker started the open container in another network than the host's");
}

bool first_process_is_gone(int *process, struct error *error)
{
    char text[8];
    cleanup_close int directory = take_fd(process);
    return directory < 0 || !container_engine.of_machine || read_entry(directory, "stat", text, sizeof text) <= 0 ||
           error_set(error, ERROR_BROKEN,
                     "Docker says that it has removed the container, and its first process lives on");
}

/* Lines of "inside outside count": user_namespaces(7). */
bool first_process_uid(int process, uid_t inside, uid_t *outside, struct error *error)
{
    char map[4096], *rest = map;
    ssize_t size = read_entry(process, "uid_map", map, sizeof map);
    for (char *line; size > 0 && (line = strsep(&rest, "\n")) != NULL;) {
        unsigned first, there, count;
        if (sscanf(line, "%u %u %u", &first, &there, &count) == 3 && inside >= first && inside - first < count &&
            there != (uid_t)-1) {
            *outside = there + (inside - first);
            return true;
        }
    }
    return error_set(error, ERROR_BROKEN, "uid %u of the container is no uid of this machine", (unsigned)inside);
}
