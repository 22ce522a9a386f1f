/*
 * See wrap.h: what stands around what a sandbox command runs, seen from outside: the process is found by its file, and compared with
 * the one that started the command. A command that is no sandbox here says nothing of it (firejail in a PID namespace runs what it is given
 * as it is, and ends with 0).
 */
#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../support/cleanup.h"
#include "../../support/process.h"
#include "wrap.h"

#define START_SECONDS   20 /* a bound on hangs */
#define VERSION_SECONDS 5
#define WAITS           "bottle-step waits"

static const char *const namespaces[] = { "user", "mnt", "pid", "net", "ipc", "uts", "cgroup", "time", NULL };

/* The process among those of this /proc that runs `file`; 0 if there is none. */
static pid_t find_process(const struct stat *file)
{
    pid_t found = 0;
    DIR *directory = opendir("/proc");
    for (struct dirent *entry; directory != NULL && found == 0 && (entry = readdir(directory)) != NULL;) {
        char path[300];
        struct stat status;
        snprintf(path, sizeof path, "/proc/%s/exe", entry->d_name);
        if (isdigit((unsigned char)entry->d_name[0]) && stat(path, &status) == 0 && status.st_dev == file->st_dev &&
            status.st_ino == file->st_ino)
            found = (pid_t)atoi(entry->d_name);
    }
    if (directory != NULL)
        closedir(directory);
    return found;
}

static bool is_other(pid_t pid, pid_t reference, const char *name)
{
    char path[64];
    struct stat its, other;
    snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, name);
    bool known = stat(path, &its) == 0;
    snprintf(path, sizeof path, "/proc/%d/%s", (int)reference, name);
    return known && stat(path, &other) == 0 && (its.st_dev != other.st_dev || its.st_ino != other.st_ino);
}

/* The value of `field` in /proc/PID/status, -1 if it isn't there. */
static long status_of(pid_t pid, const char *field)
{
    char path[32], text[8192] = "";
    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    const char *at = file_read(path, text, sizeof text) ? strstr(text, field) : NULL;
    return at != NULL ? strtol(at + strlen(field), NULL, 10) : -1;
}

static void add(struct bottle *bottle, const char *text)
{
    size_t used = strlen(bottle->around);
    snprintf(bottle->around + used, sizeof bottle->around - used, "%s", text);
}

/* `keeper` is the process that started the command, and has nothing around it but what the site has. */
static bool look_at(struct bottle *bottle, pid_t pid, pid_t keeper)
{
    size_t others = 0;
    add(bottle, "namespaces of its own:");
    for (size_t i = 0; namespaces[i] != NULL; i++) {
        char name[16];
        snprintf(name, sizeof name, "ns/%s", namespaces[i]);
        if (!is_other(pid, keeper, name))
            continue;
        add(bottle, others++ > 0 ? ", " : " ");
        add(bottle, namespaces[i]);
    }
    if (others == 0)
        add(bottle, " none");
    bool root = is_other(pid, keeper, "root"),
         filters = status_of(pid, "\nSeccomp_filters:") > status_of(keeper, "\nSeccomp_filters:"),
         no_new_privileges = status_of(pid, "\nNoNewPrivs:") > status_of(keeper, "\nNoNewPrivs:");
    add(bottle, root ? "; a root directory of its own" : "");
    add(bottle, filters ? "; a seccomp filter" : "");
    add(bottle, no_new_privileges ? "; no_new_privs" : "");
    return others > 0 || root || filters || no_new_privileges;
}

/* Reads until the text has `wanted` in it; false at the end of the stream or at the deadline. */
static bool await_text(int from, const char *wanted, char *text, size_t size, uint64_t deadline)
{
    for (size_t used = 0; used < size - 1;) {
        struct pollfd event = { .fd = from, .events = POLLIN };
        if (poll(&event, 1, clock_poll_timeout(deadline)) != 1)
            return false;
        ssize_t got = read(from, text + used, size - 1 - used);
        if (got <= 0)
            return false;
        used += (size_t)got;
        text[used] = '\0';
        if (strstr(text, wanted) != NULL)
            return true;
    }
    return false;
}

/* The last line of what was said, printable, in `line`. */
static void last_line(int said, char line[160])
{
    char text[4096];
    ssize_t size = pread(said, text, sizeof text - 1, 0);
    text[size > 0 ? size : 0] = '\0';
    size_t length = strlen(text);
    while (length > 0 && text[length - 1] == '\n')
        text[--length] = '\0';
    const char *start = strrchr(text, '\n');
    snprintf(line, 160, "%.159s", start != NULL ? start + 1 : text);
    for (char *at = line; *at != '\0'; at++)
        if (*at < ' ' || *at > '~')
            *at = '?';
}

static enum principal looker(const struct bottle *bottle)
{
    uid_t uid = 0;
    return bottle->first == PRINCIPAL_USER && wrap_backend.host_uid(bottle, PRINCIPAL_USER, &uid, NULL) && uid == 65534
               ? PRINCIPAL_USER
               : PRINCIPAL_ROOT;
}

/* Runs bottle-step in the sandbox until `pid` has been looked at. */
static bool look_inside(struct bottle *bottle, const struct stat *step, int said, int errors, pid_t keeper,
                        struct error *error)
{
    char text[4096] = "", line[160];
    if (!await_text(said, WAITS, text, sizeof text, clock_microseconds() + START_SECONDS * 1000000ull)) {
        last_line(errors, line);
        return error_set(error, ERROR_ABSENT, "the sandbox command did not run what it was given: %s",
                         line[0] != '\0' ? line : "it said nothing");
    }
    pid_t pid = find_process(step);
    if (pid == 0)
        return error_set(error, ERROR_BROKEN,
                         "what the sandbox command runs is not among this host's processes: it can't be looked at");
    return look_at(bottle, pid, keeper) || bottle->open ||
           error_set(
               error, ERROR_BROKEN,
               "there is nothing around what the sandbox command runs: no namespace, root directory, seccomp filter or "
               "no_new_privs of its own");
}

bool wrap_look(struct bottle *bottle, const char *step_path, struct error *error)
{
    static char name[] = "/tmp/bottle-step", shows[] = "show";
    char *const argv[] = { name, shows, NULL };
    char path[64];
    struct stat status;
    int ends[2];
    pid_t keeper;
    cleanup_close int step = step_path != NULL ? open(step_path, O_RDONLY | O_CLOEXEC) : -1;
    cleanup_close int errors = memfd_create("errors", MFD_CLOEXEC);
    snprintf(path, sizeof path, "%s/bottle-step", bottle->directory);
    if (step < 0 || errors < 0)
        return error_set(error, ERROR_HOST, "can't open bottle-step, which is run in the sandbox to look at it");
    if (!wrap_backend.put(bottle, "bottle-step", step, 0755, error))
        return false;
    if (stat(path, &status) != 0 || pipe2(ends, O_CLOEXEC) != 0)
        return error_system(error, "can't look at %s", path);
    cleanup_close int said = ends[0], saying = ends[1];
    const struct exec_streams streams = { .input = -1, .output = saying, .errors = errors };
    if (!wrap_backend.exec(bottle, argv, looker(bottle), &streams, &keeper, error))
        return false;
    cleanup_close_fd(&saying);
    bool seen = look_inside(bottle, &status, said, errors, keeper, error);
    wrap_end(bottle);
    return seen;
}

void wrap_ask_version(struct bottle *bottle)
{
    char text[256] = "", line[128];
    int ends[2];
    pid_t pid;
    size_t length = strcspn(bottle->command + strspn(bottle->command, " \t"), " \t");
    snprintf(line, sizeof line, "%.*s --version", (int)(length < 100 ? length : 100),
             bottle->command + strspn(bottle->command, " \t"));
    snprintf(bottle->version, sizeof bottle->version, "unknown");
    if (pipe2(ends, O_CLOEXEC) != 0)
        return;
    cleanup_close int said = ends[0], saying = ends[1];
    const struct exec_streams streams = { .input = -1, .output = saying, .errors = -1 };
    if (!wrap_start(bottle, line, looker(bottle), &streams, &pid, NULL))
        return;
    cleanup_close_fd(&saying);
    if (await_text(said, "\n", text, sizeof text, clock_microseconds() + VERSION_SECONDS * 1000000ull) &&
        text[0] > ' ') {
        text[strcspn(text, "\n")] = '\0';
        for (char *at = text; *at != '\0'; at++)
            if (*at < ' ' || *at > '~')
                *at = '?';
        snprintf(bottle->version, sizeof bottle->version, "%.63s", text);
    }
    wrap_end(bottle);
}
