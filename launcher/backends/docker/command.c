/*
 * See docker.h: files into a container, commands in it. The engine's archive call writes neither to a tmpfs nor to a read-only root, so
 * bottle-step takes files from its standard input; and as the engine can't kill a command, bottle-step does when its input
 * ends.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../support/cleanup.h"
#include "../../support/process.h"
#include "docker.h"

#include "../../docker/stream.h"

#define WORDS 64

/* Tells the engine of the command; it is started by who takes its streams. */
static bool create(const struct bottle *bottle, const char *const words[], size_t count, enum principal principal,
                   struct docker_exec *exec, struct error *error)
{
    char path[128];
    cleanup_json cJSON *body = cJSON_CreateObject(), *answer = NULL;
    snprintf(path, sizeof path, "/containers/%s/exec", bottle->container);
    cJSON_AddBoolToObject(body, "AttachStdin", true);
    cJSON_AddBoolToObject(body, "AttachStdout", true);
    cJSON_AddBoolToObject(body, "AttachStderr", true);
    cJSON_AddBoolToObject(body, "Tty", false);
    cJSON_AddStringToObject(body, "User", principal == PRINCIPAL_ROOT ? "0:0" : "65534:65534");
    cJSON_AddStringToObject(body, "WorkingDir", "/tmp");
    cJSON_AddItemToObject(body, "Cmd", cJSON_CreateStringArray(words, (int)count));
    return docker_call(&container_engine.client, "POST", path, body, &answer, error) &&
           (docker_id(answer, "Id", exec->id) ||
            error_set(error, ERROR_BROKEN, "Docker names no command that it has made"));
}

/* Forgets the commands that the caller has waited for, or, with `all`, ends those that it hasn't. */
static void prune(struct bottle *bottle, bool all)
{
    size_t kept = 0;
    for (size_t i = 0; i < bottle->command_count; i++) {
        siginfo_t what = { 0 };
        int handle = bottle->commands[i].handle;
        bool ours = handle >= 0 && waitid(P_PIDFD, (id_t)handle, &what, WEXITED | WNOHANG | WNOWAIT) == 0;
        if (ours && all)
            process_kill(bottle->commands[i].pid);
        if (ours && !all)
            bottle->commands[kept++] = bottle->commands[i];
        else if (handle >= 0)
            close(handle);
    }
    bottle->command_count = kept;
}

void container_end_commands(struct bottle *bottle)
{
    prune(bottle, true);
}

bool container_exec(struct bottle *bottle, char *const argv[], enum principal principal,
                    const struct exec_streams *streams, pid_t *pid, struct error *error)
{
    const char *words[WORDS] = { CONTAINER_STEP, "attend" };
    size_t count = 2;
    if (streams->terminal)
        return error_set(error, ERROR_USAGE, "this backend has no terminals");
    for (; *argv != NULL; argv++) {
        if (count == WORDS)
            return error_set(error, ERROR_USAGE, "a command of more than %d words", WORDS - 2);
        words[count++] = *argv;
    }
    prune(bottle, false);
    if (bottle->command_count == CONTAINER_COMMANDS)
        return error_set(error, ERROR_USAGE, "a bottle runs at most %d commands at once", CONTAINER_COMMANDS);
    struct docker_exec exec = {
        .input = streams->input, .output = streams->output, .errors = streams->errors, .framed = true
    };
    if (!create(bottle, words, count, principal, &exec, error) ||
        !docker_exec_start(&container_engine.client, &exec, pid, error))
        return false;
    bottle->commands[bottle->command_count].pid = *pid;
    bottle->commands[bottle->command_count++].handle = (int)syscall(SYS_pidfd_open, *pid, 0);
    return true;
}

static bool is_name(const char *name)
{
    return *name != '\0' && *name != '.' && strlen(name) < 48 && strchr(name, '/') == NULL;
}

bool container_step(const struct bottle *bottle, const char *const words[], size_t count, int input, char *said,
                    size_t capacity, struct error *error)
{
    cleanup_close int output = memfd_create("output", MFD_CLOEXEC);
    struct docker_exec exec = { .input = input, .output = output, .errors = output };
    pid_t pid;
    int ended = -1;
    if (output < 0)
        return error_system(error, "can't make a file for what a command says");
    if (!create(bottle, words, count, PRINCIPAL_ROOT, &exec, error) ||
        !docker_exec_start(&container_engine.client, &exec, &pid, error))
        return false;
    if (!process_wait(pid, clock_microseconds() + docker_patience * 1000ull, &ended)) {
        process_kill(pid);
        return error_set(error, ERROR_BROKEN, "the container didn't end its command \"%s\" in time", words[1]);
    }
    ssize_t got = pread(output, said, capacity - 1, 0);
    said[got > 0 ? got : 0] = '\0';
    return ended == 0 ||
           error_set(error, ERROR_BROKEN, "the container's command \"%s\" failed with exit status %d: %.*s", words[1],
                     process_exit_status(ended), (int)strcspn(said, "\n"), said);
}

bool container_put(struct bottle *bottle, const char *name, int source, mode_t mode, struct error *error)
{
    char path[80], octal[8], size[24], own[32], said[160];
    struct stat status;
    if (!is_name(name))
        return error_set(error, ERROR_USAGE, "\"%.64s\" is no name for a file in the bottle's /tmp", name);
    snprintf(own, sizeof own, "/proc/self/fd/%d", source);
    cleanup_close int file = open(own, O_RDONLY | O_CLOEXEC); /* from its start, whatever the caller's offset is */
    if (file < 0 || fstat(file, &status) != 0)
        return error_system(error, "can't read what is to be put into the bottle");
    snprintf(path, sizeof path, "/tmp/%s", name);
    snprintf(octal, sizeof octal, "%o", (unsigned)mode & 07777);
    snprintf(size, sizeof size, "%lld", (long long)status.st_size);
    const char *const words[] = { CONTAINER_STEP, "put", path, octal, size };
    return container_step(bottle, words, sizeof words / sizeof *words, file, said, sizeof said, error);
}
