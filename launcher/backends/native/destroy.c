/*
 * The end of a bottle, in reverse order of its start. Killing init makes the kernel kill the whole PID namespace, and init can
 * be waited for only when nobody is left in it: that wait is the proof that nothing remains. Commands are the caller's
 * children, so those that it hasn't waited for are reaped here first; a namespace with a zombie in it doesn't end.
 *
 * Without the pid fence there is no such proof: each command's process group and session are killed, and a process that left
 * its session by itself is reported where it can still be found.
 */
#include "native.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../support/process.h"

#define DESTROY_MICROSECONDS 20000000

/* Kills the members of session `session`, and returns how many there were. */
static int kill_session(pid_t session)
{
    int killed = 0;
    DIR *processes = opendir("/proc");
    for (struct dirent *entry; processes != NULL && (entry = readdir(processes)) != NULL;) {
        pid_t pid = (pid_t)atoi(entry->d_name);
        if (pid > 1 && pid != getpid() && (getsid(pid) == session || getpgid(pid) == session) &&
            kill(pid, SIGKILL) == 0)
            killed++;
    }
    if (processes != NULL)
        closedir(processes);
    return killed;
}

/* Ends one command and waits for it, unless the caller has done so: its pid may be another's by now. */
static bool end_command(const struct native_command *command, bool alone, uint64_t deadline)
{
    siginfo_t what = { 0 };
    bool ours = command->handle < 0 ? waitid(P_PID, (id_t)command->pid, &what, WEXITED | WNOHANG | WNOWAIT) == 0
                                    : waitid(P_PIDFD, (id_t)command->handle, &what, WEXITED | WNOHANG | WNOWAIT) == 0;
    if (ours)
        kill(command->pid, SIGKILL);
    /* A session's id stays taken while it has members, and a command that left none has none to kill. */
    if (!alone)
        kill_session(command->pid);
    return !ours || process_wait(command->pid, deadline, NULL);
}

bool native_destroy(struct bottle *bottle, struct error *error)
{
    uint64_t deadline = clock_microseconds() + DESTROY_MICROSECONDS;
    bool own_processes = native_fenced(bottle->without, FENCE_PID), gone = true;
    if (bottle->init > 0)
        kill(bottle->init, SIGKILL);
    for (size_t i = 0; i < bottle->command_count; i++)
        if (!end_command(&bottle->commands[i], own_processes, deadline))
            gone =
                error_set(error, ERROR_BROKEN, "command %d of the bottle can't be ended", (int)bottle->commands[i].pid);
    if (bottle->relay > 0) {
        kill(bottle->relay, SIGKILL);
        if (!process_wait(bottle->relay, deadline, NULL))
            gone = error_set(error, ERROR_BROKEN, "the door's relay %d can't be ended", (int)bottle->relay);
    }
    if (bottle->init > 0 && !process_wait(bottle->init, deadline, NULL))
        gone = error_set(error, ERROR_BROKEN, "the bottle's init %d can't be ended, or something in the bottle can't",
                         (int)bottle->init);
    for (size_t i = 0; i < bottle->file_count; i++)
        if (unlinkat(bottle->temporary, bottle->files[i], 0) != 0 && errno != ENOENT)
            gone = error_system(error, "can't remove /tmp/%s", bottle->files[i]);
    return gone;
}
