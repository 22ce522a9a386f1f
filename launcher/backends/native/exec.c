/*
 * Running a command in a bottle. A helper, forked from the caller, enters the bottle's namespaces by the descriptors kept
 * since the start, then forks the command as the *caller's* child (a process is in a PID namespace from birth only), says who
 * it is and ends. So the process that the caller waits for and kills is the command itself.
 *
 * The command puts its fences on in an order in which each is still allowed to: the streams, the session and the limits, the
 * principal with no_new_privs and the seccomp filter, and the descriptors last, because one of them leads to the principal. Until it runs, the process can't be looked into from inside: it is
 * undumpable, and owned by nobody there. Errors up to the very execve come back as one line.
 */
#include "native.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../capabilities.h"
#include "../../namespaces.h"
#include "../../support/channel.h"
#include "../../support/cleanup.h"
#include "../../support/process.h"

#define EXEC_MICROSECONDS 20000000
#define COMMAND_STARTED   (CHANNEL_ERROR + 1)
#define PATH_INSIDE       "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/run/current-system/sw/bin"

bool native_enter(const struct bottle *bottle, struct error *error)
{
    for (size_t i = 0; i < NATIVE_NAMESPACES; i++)
        if (bottle->namespaces[i] >= 0 && setns(bottle->namespaces[i], native_namespaces[i].flag) != 0)
            return error_system(error, "can't enter the bottle's %s namespace", native_namespaces[i].file);
    if (native_fenced(bottle->without, FENCE_USER) && (setresgid(0, 0, 0) != 0 || setresuid(0, 0, 0) != 0))
        return error_system(error, "can't become root of the bottle");
    return true;
}

static bool take_streams(const struct exec_streams *streams, int channel, struct error *error)
{
    const int wanted[] = { streams->input, streams->output, streams->errors };
    int held[3];
    /* First all out of the way of 0 to 2: one may be another's place. */
    for (int i = 0; i < 3; i++) {
        cleanup_close int null = wanted[i] < 0 ? open("/dev/null", O_RDWR | O_CLOEXEC) : -1;
        held[i] = fcntl(wanted[i] < 0 ? null : wanted[i], F_DUPFD_CLOEXEC, channel + 1);
        if (held[i] < 0)
            return error_system(error, "can't take stream %d of the command", i);
    }
    for (int i = 0; i < 3; i++) {
        if (dup2(held[i], i) < 0)
            return error_system(error, "can't set stream %d of the command", i);
        close(held[i]);
    }
    return true;
}

static bool take_session(const struct bottle *bottle, bool terminal, struct error *error)
{
    if (native_fenced(bottle->without, FENCE_SESSION) || terminal) {
        if (setsid() < 0)
            return error_system(error, "can't make a session for the command");
    } else if (setpgid(0, 0) != 0) {
        return error_system(error, "can't make a process group for the command");
    }
    return !terminal || ioctl(0, TIOCSCTTY, 0) == 0 || error_system(error, "can't set the command's terminal");
}

/* uid, capabilities, no_new_privs and the filter depend on each other: without no_new_privs the filter needs a capability
 * that the next step gives up, and entering a user namespace needs calls that the filter takes. */
static bool take_principal(const struct bottle *bottle, enum principal principal, struct error *error)
{
    bool filtered = native_fenced(bottle->without, FENCE_SECCOMP);
    bool privileged = !native_fenced(bottle->without, FENCE_NO_NEW_PRIVILEGES);
    if (principal == PRINCIPAL_USER && bottle->user_namespace >= 0 && setns(bottle->user_namespace, CLONE_NEWUSER) != 0)
        return error_system(error, "can't enter the user namespace of uid 65534");
    if (filtered && privileged && !native_filter_load(error))
        return false;
    if (!namespaces_become(principal, -1, error))
        return false;
    if (native_fenced(bottle->without, FENCE_CAPABILITIES) && !capabilities_drop_all(error))
        return false;
    if (!privileged && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return error_system(error, "can't set no_new_privs");
    return !filtered || privileged || native_filter_load(error);
}

/* The command's whole environment: nothing of the caller's but the name of its terminal's kind. */
static void fill_environment(const struct bottle *bottle, enum principal principal, bool terminal, char text[6][128],
                             char *environment[7])
{
    const char *kind = terminal ? getenv("TERM") : NULL;
    const char *home = !bottle->system_directories ? "/tmp" : principal == PRINCIPAL_ROOT ? "/root" : "/home";
    int count = 0;
    snprintf(text[count++], 128, "PATH=%s", PATH_INSIDE);
    snprintf(text[count++], 128, "HOME=%s", home);
    snprintf(text[count++], 128, "USER=%s", principal == PRINCIPAL_ROOT ? "root" : "nobody");
    snprintf(text[count++], 128, "LANG=C.UTF-8");
    if (bottle->door.wanted)
        snprintf(text[count++], 128, "BOTTLE_DOOR=%s:%d", NATIVE_DOOR_ADDRESS, NATIVE_DOOR_PORT);
    if (kind != NULL)
        snprintf(text[count++], 128, "TERM=%.64s", kind);
    for (int i = 0; i < count; i++)
        environment[i] = text[i];
    environment[count] = NULL;
    if (chdir(home) != 0 && chdir("/") != 0)
        _exit(126);
}

static void reset_signals(void)
{
    sigset_t none;
    sigemptyset(&none);
    for (int number = 1; number < NSIG; number++)
        signal(number, SIG_DFL);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

static _Noreturn void be_command(const struct bottle *bottle, char *const argv[], enum principal principal,
                                 const struct exec_streams *streams, int channel)
{
    struct error error = { 0 };
    char text[6][128], *environment[7];
    reset_signals();
    if (!take_streams(streams, channel, &error) || !take_session(bottle, streams->terminal, &error) ||
        (native_fenced(bottle->without, FENCE_LIMITS) && !native_limits_set(&error)))
        channel_fail(channel, &error);
    umask(022);
    process_die_with_parent(channel);
    if (!take_principal(bottle, principal, &error) ||
        (native_fenced(bottle->without, FENCE_DESCRIPTORS) && !native_descriptors_close(channel, &error)))
        channel_fail(channel, &error);
    /* Changing the uid resets both of these. */
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    process_die_with_parent(channel);
    fill_environment(bottle, principal, streams->terminal, text, environment);
    environ = environment;
    execvpe(argv[0], argv, environment);
    _exit(errno == ENOENT || errno == ENOTDIR ? 127 : 126);
}

static _Noreturn void be_helper(const struct bottle *bottle, char *const argv[], enum principal principal,
                                const struct exec_streams *streams, int channel)
{
    struct error error = { 0 };
    if (!native_enter(bottle, &error))
        channel_fail(channel, &error);
    pid_t command = namespaces_fork(CLONE_PARENT, &error);
    if (command == 0)
        be_command(bottle, argv, principal, streams, channel);
    struct channel_message started = { .kind = COMMAND_STARTED, .pid = command };
    if (command < 0 || !channel_send(channel, &started, -1))
        channel_fail(channel, &error);
    _exit(0);
}

/* Forgets the commands that the caller has waited for. */
static void prune(struct bottle *bottle)
{
    size_t kept = 0;
    for (size_t i = 0; i < bottle->command_count; i++) {
        siginfo_t what = { 0 };
        struct native_command *command = &bottle->commands[i];
        if (command->handle >= 0 && waitid(P_PIDFD, (id_t)command->handle, &what, WEXITED | WNOHANG | WNOWAIT) != 0)
            close(command->handle);
        else
            bottle->commands[kept++] = *command;
    }
    bottle->command_count = kept;
}

bool native_exec(struct bottle *bottle, char *const argv[], enum principal principal,
                 const struct exec_streams *streams, pid_t *pid, struct error *error)
{
    prune(bottle);
    if (bottle->command_count == NATIVE_COMMANDS)
        return error_set(error, ERROR_USAGE, "a bottle runs at most %d commands at once", NATIVE_COMMANDS);
    cleanup_close int channel = -1;
    pid_t helper = channel_fork(&channel, error);
    if (helper < 0)
        return false;
    if (helper == 0)
        be_helper(bottle, argv, principal, streams, channel);

    uint64_t deadline = clock_microseconds() + EXEC_MICROSECONDS;
    struct error failure = { 0 };
    pid_t command = 0;
    for (;;) {
        struct channel_message message = { .kind = -1 };
        enum channel_result result = channel_receive(channel, &message, NULL, deadline, &failure);
        if (result == CHANNEL_CLOSED || (result == CHANNEL_FAILED && message.kind != CHANNEL_ERROR))
            break;
        if (result == CHANNEL_MESSAGE)
            command = message.pid;
    }
    process_kill(helper);
    if (failure.code != ERROR_NONE || command <= 0) {
        process_kill(command);
        error_set(&failure, ERROR_SYSTEM, "can't start %.128s in the bottle", argv[0]);
        return error_set(error, failure.code, "%s", failure.text);
    }
    bottle->commands[bottle->command_count++] =
        (struct native_command){ command, (int)syscall(SYS_pidfd_open, command, 0) };
    *pid = command;
    return true;
}
