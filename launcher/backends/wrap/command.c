/* See wrap.h: the command line, and its process. The process that is returned is PID 1 of a namespace in which the command runs, with a
 * /proc that shows it: whatever the command leaves running ends with it. Descriptors are left as they are: whether the sandbox passes on
 * what its caller has open is one of the things that are tried. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../namespaces.h"
#include "../../support/cleanup.h"
#include "../../support/process.h"
#include "wrap.h"

/* What may stand in a word without quotes: it is put into a line of the caller's, between whatever quotes he likes. */
#define PLAIN "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/_.:-"

static bool add(char line[WRAP_LINE], size_t *used, const char *text, size_t length)
{
    if (*used + length >= WRAP_LINE)
        return false;
    memcpy(line + *used, text, length);
    *used += length;
    line[*used] = '\0';
    return true;
}

static bool add_words(const struct bottle *bottle, char *const argv[], char line[WRAP_LINE], size_t *used)
{
    for (size_t i = 0; argv[i] != NULL; i++) {
        bool inside = strncmp(argv[i], "/tmp/", 5) == 0;
        const char *rest = argv[i] + (inside ? strlen("/tmp") : 0);
        if (argv[i][strspn(argv[i], PLAIN)] != '\0' || (i > 0 && !add(line, used, " ", 1)) ||
            (inside && !add(line, used, bottle->directory, strlen(bottle->directory))) ||
            !add(line, used, rest, strlen(rest)))
            return false;
    }
    return true;
}

static bool add_door(const struct bottle *bottle, char line[WRAP_LINE], size_t *used)
{
    char host[64], text[80];
    uint16_t port;
    if (!wrap_backend.door_address(bottle, host, &port, NULL))
        return false;
    snprintf(text, sizeof text, "%s:%u", host, port);
    return add(line, used, text, strlen(text));
}

bool wrap_expand(const struct bottle *bottle, char *const argv[], char line[WRAP_LINE], struct error *error)
{
    size_t used = 0;
    bool fits = true;
    line[0] = '\0';
    for (const char *at = bottle->command; *at != '\0' && fits;) {
        if (strncmp(at, "{probe}", 7) == 0) {
            fits = add_words(bottle, argv, line, &used);
            at += 7;
        } else if (strncmp(at, "{directory}", 11) == 0) {
            fits = add(line, &used, bottle->directory, strlen(bottle->directory));
            at += 11;
        } else if (strncmp(at, "{door}", 6) == 0) {
            fits = add_door(bottle, line, &used);
            at += 6;
        } else {
            fits = add(line, &used, at++, 1);
        }
    }
    return fits || error_set(error, ERROR_USAGE,
                             "the sandbox command is too long with its words filled in, or what is to be run is more "
                             "than plain words");
}

static int open_nothing(void)
{
    return open("/dev/null", O_RDWR);
}

/* The command itself: what it is given is its line and little else. */
static void become_command(const char *line, enum principal principal)
{
    struct error error = { 0 };
    const char *path = getenv("PATH");
    char search[4096];
    snprintf(search, sizeof search, "PATH=%s",
             path != NULL ? path : "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
    char *const environment[] = { search, (char[]){ "HOME=/tmp" }, (char[]){ "LC_ALL=C.UTF-8" }, NULL };
    char *const arguments[] = { (char[]){ "sh" }, (char[]){ "-c" }, (char *)line, NULL };
    if (!namespaces_become(principal, -1, &error)) {
        dprintf(2, "%s\n", error.text);
        _exit(125);
    }
    for (int number = 1; number < NSIG; number++)
        signal(number, SIG_DFL);
    (void)!chdir("/");
    execve("/bin/sh", arguments, environment);
    _exit(127);
}

/* PID 1 of the command's namespace: ends as the command does, and with it whatever the command left. */
static int keep(const char *line, enum principal principal)
{
    int status = 0;
    if (mount("", "/", NULL, MS_REC | MS_SLAVE, NULL) != 0 ||
        mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) != 0)
        return 125;
    pid_t command = fork();
    if (command == 0) {
        setsid();
        become_command(line, principal);
    }
    descriptors_close_from(0);
    for (pid_t ended = 0; command > 0 && ended != command;) {
        ended = waitpid(-1, &status, 0);
        if (ended < 0 && errno != EINTR)
            return 125;
    }
    return command > 0 ? process_exit_status(status) : 125;
}

bool wrap_start(struct bottle *bottle, const char *line, enum principal principal, const struct exec_streams *streams,
                pid_t *pid, struct error *error)
{
    if (bottle->command_count == WRAP_COMMANDS)
        return error_set(error, ERROR_BROKEN, "more than %d commands in one bottle", WRAP_COMMANDS);
    *pid = namespaces_fork(CLONE_NEWPID | CLONE_NEWNS, error);
    if (*pid < 0)
        return false;
    if (*pid == 0) {
        const int given[3] = { streams->input, streams->output, streams->errors };
        process_die_with_parent(-1);
        for (int i = 0; i < 3; i++)
            if (dup2(given[i] >= 0 ? given[i] : open_nothing(), i) < 0)
                _exit(125);
        _exit(keep(line, principal));
    }
    int handle = (int)syscall(SYS_pidfd_open, *pid, 0);
    if (handle < 0) {
        process_kill(*pid);
        return error_system(error, "can't take hold of a command");
    }
    bottle->commands[bottle->command_count++] = handle;
    return true;
}

void wrap_end(struct bottle *bottle)
{
    for (size_t i = 0; i < bottle->command_count; i++) {
        siginfo_t ended;
        syscall(SYS_pidfd_send_signal, bottle->commands[i], SIGKILL, NULL, 0);
        while (waitid(P_PIDFD, (id_t)bottle->commands[i], &ended, WEXITED) != 0 && errno == EINTR)
            ;
        cleanup_close_fd(&bottle->commands[i]);
    }
    bottle->command_count = 0;
}

void wrap_name(const char *command, char *name, size_t size)
{
    command += strspn(command, " \t");
    size_t length = strcspn(command, " \t");
    const char *start = command;
    for (const char *at = command; at < command + length; at++)
        if (*at == '/')
            start = at + 1;
    length -= (size_t)(start - command);
    snprintf(name, size, "%.*s", (int)(length < 63 ? length : 63), start);
    for (char *at = name; *at != '\0'; at++)
        if (*at < ' ' || *at > '~')
            *at = '?';
}
