/*
 * See machine.h: files into a machine, commands in it, and what is told of it. The engine runs every command as root of the guest,
 * with descriptors of its agent's; bottle-step starts it as who it is to be, with nothing but what it was given. Both streams are passed on as they come.
 */
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../support/cleanup.h"
#include "../../support/process.h"
#include "machine.h"

#define COMMAND_WORDS  48
#define PUT_SECONDS    60
#define PUT_TRIES      4
#define SHORTEST_PAUSE 50 /* milliseconds, doubled each time */
#define LONGEST_PAUSE  2000

/* The engine's exec of `command`; the process to wait for. */
static bool spawn(struct bottle *bottle, char *const command[], const int streams[3], unsigned seconds, pid_t *pid,
                  struct error *error)
{
    const struct smolvm_exec exec = {
        .timeout_seconds = seconds, .input = streams[0] >= 0, .live = true, .command = command
    };
    cleanup_free struct smolvm_arguments *arguments = malloc(sizeof *arguments);
    return (arguments != NULL || error_system(error, "can't make a command line")) &&
           smolvm_arguments_exec(arguments, MACHINE_NAME, &exec, error) &&
           smolvm_spawn(&bottle->engine, arguments->words, streams, pid, error);
}

/* Runs the script once; 0, or the exit status with the engine's last words in `line`, or -1 with `error`. */
static int put_once(struct bottle *bottle, char *const command[], const char *path, int source, char line[160],
                    struct error *error)
{
    char own[32], text[4096];
    int status = -1;
    pid_t pid;
    snprintf(own, sizeof own, "/proc/self/fd/%d", source);
    cleanup_close int file = open(own, O_RDONLY | O_CLOEXEC); /* from its start, whatever the caller's offset is */
    cleanup_close int errors = memfd_create("errors", MFD_CLOEXEC);
    const int streams[3] = { file, -1, errors };
    if (file < 0)
        return error_system(error, "can't read what is to be put into the bottle"), -1;
    if (!spawn(bottle, command, streams, PUT_SECONDS, &pid, error))
        return -1;
    if (!process_wait(pid, clock_microseconds() + (PUT_SECONDS + 30) * 1000000ull, &status)) {
        smolvm_kill(pid);
        error_set(error, ERROR_BROKEN, "the machine didn't take %s in time", path);
        return -1;
    }
    ssize_t size = pread(errors, text, sizeof text, 0);
    smolvm_last_line(text, size > 0 ? (size_t)size : 0, line, 160);
    return process_exit_status(status);
}

/* Whether the same may be asked once more. A connection that broke off in the middle (seen with 1.4.0) is another one's turn. An engine that
 * gets no answer within a moment calls the machine "not running" (1.32.2 on a busy host; smolvm issue 199), which it is not as long as its VMM
 * lives: then after a pause, until `deadline`. */
static bool may_pass(const struct bottle *bottle, const char *line, int tries, uint64_t deadline)
{
    if (strstr(line, "is not running") == NULL)
        return tries < PUT_TRIES && strstr(line, "connection closed") != NULL;
    struct pollfd ended = { .fd = bottle->monitor_handle, .events = POLLIN };
    int pause = tries < 6 ? SHORTEST_PAUSE << tries : LONGEST_PAUSE, left = clock_poll_timeout(deadline);
    return left > 0 && bottle->monitor_handle >= 0 && poll(&ended, 1, pause < left ? pause : left) == 0;
}

/* `script` finds the file's path as $1, its mode as $2, and as $3 how often it was tried before: what an earlier one left of the file is removed
 * then. */
static bool put(struct bottle *bottle, const char *script, const char *name, int source, mode_t mode,
                struct error *error)
{
    char path[80], octal[8], line[160] = "";
    uint64_t deadline = clock_microseconds() + machine_bounds.other * 1000ull;
    if (*name == '\0' || strlen(name) >= 48 || strchr(name, '/') != NULL || name[0] == '.' || name[0] == '-')
        return error_set(error, ERROR_USAGE, "\"%.64s\" is no name for a file in the bottle's /tmp", name);
    snprintf(path, sizeof path, "/tmp/%s", name);
    snprintf(octal, sizeof octal, "%o", (unsigned)mode & 07777);
    for (int tries = 0;;) {
        char before[16];
        snprintf(before, sizeof before, "%d", tries);
        char *const command[] = {
            (char[]){ "/bin/sh" }, (char[]){ "-c" }, (char *)script, (char[]){ "put" }, path, octal, before, NULL
        };
        int status = put_once(bottle, command, path, source, line, error);
        if (status == 0 || status < 0)
            return status == 0;
        if (!may_pass(bottle, line, ++tries, deadline)) {
            char last[MACHINE_LAST_WORDS];
            machine_last_words(bottle, last);
            return error_set(error, ERROR_BROKEN, "can't make %s in the machine: exit status %d: %s%s", path, status,
                             line, last);
        }
    }
}

#define PUT_SCRIPT "set -eC; umask 077; [ $3 = 0 ] || rm -f \"$1\"; cat >\"$1\"; chmod \"$2\" \"$1\""

bool machine_put(struct bottle *bottle, const char *name, int source, mode_t mode, struct error *error)
{
    return put(bottle, PUT_SCRIPT, name, source, mode, error);
}

/* The guest's kernel lets nobody have a ping socket until its root says so, and root of a guest can always say so: it is said here,
 * so that what is tried is the fence. */
#define STEP_SCRIPT PUT_SCRIPT "; echo 0 2147483647 >|/proc/sys/net/ipv4/ping_group_range"

bool machine_put_step(struct bottle *bottle, const char *path, struct error *error)
{
    cleanup_close int program = path != NULL ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    return program >= 0 ? put(bottle, STEP_SCRIPT, MACHINE_STEP, program, 0755, error)
                        : error_set(error, ERROR_HOST, "can't open bottle-step, which starts commands in machines");
}

bool machine_exec(struct bottle *bottle, char *const argv[], enum principal principal,
                  const struct exec_streams *streams, pid_t *pid, struct error *error)
{
    static char step[] = "/tmp/" MACHINE_STEP, user[] = "user", root[] = "root";
    char *command[COMMAND_WORDS] = { step, principal == PRINCIPAL_USER ? user : root };
    size_t count = 2;
    if (streams->terminal)
        return error_set(error, ERROR_USAGE, "this backend has no terminals");
    for (; *argv != NULL; argv++) {
        if (count == COMMAND_WORDS - 1)
            return error_set(error, ERROR_USAGE, "a command of more than %d words", COMMAND_WORDS - 3);
        command[count++] = *argv;
    }
    command[count] = NULL;
    const int passed[3] = { streams->input, streams->output, streams->errors };
    return spawn(bottle, command, passed, 0, pid, error);
}

/* All principals of a guest are one process outside: the VMM. */
bool machine_host_uid(const struct bottle *bottle, enum principal principal, uid_t *uid, struct error *error)
{
    char path[32];
    struct stat status;
    (void)principal;
    snprintf(path, sizeof path, "/proc/%d", (int)bottle->monitor);
    if (stat(path, &status) != 0)
        return error_system(error, "the machine's VMM is gone");
    *uid = status.st_uid;
    return true;
}
