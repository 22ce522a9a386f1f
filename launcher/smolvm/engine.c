/*
 * See engine.h. The child reports why it couldn't run the program through a pipe that a successful execve closes. The
 * end of the command is its own end and not the end of its output: `machine start` leaves a VMM behind that may hold
 * both streams. So the wait is on the process and on the streams at once, and what the streams still hold is taken
 * after it.
 */
#include "engine.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../support/cleanup.h"
#include "../support/process.h"

#define REPORT_DESCRIPTOR 3
#define FIRST_ROOM        4096

struct report {
    int number;
    char step[40];
};

static bool file_of_map(const char *path, const char *text)
{
    cleanup_close int file = open(path, O_WRONLY | O_CLOEXEC);
    return file >= 0 && write(file, text, strlen(text)) == (ssize_t)strlen(text);
}

/* Inside, the ids of the engine; outside, the caller's own, which are all that may be mapped without a privilege. */
static bool become_own_user(uid_t uid, gid_t gid)
{
    char uids[64], gids[64];
    snprintf(uids, sizeof uids, "%u %u 1", (unsigned)uid, (unsigned)geteuid());
    snprintf(gids, sizeof gids, "%u %u 1", (unsigned)gid, (unsigned)getegid());
    return unshare(CLONE_NEWUSER) == 0 && file_of_map("/proc/self/setgroups", "deny") &&
           file_of_map("/proc/self/uid_map", uids) && file_of_map("/proc/self/gid_map", gids);
}

static bool take_streams(const int streams[3], int report)
{
    int held[3];
    for (int i = 0; i < 3; i++) {
        /* First all out of the way of 0 to 3: one may be another's place. */
        int stream = streams[i] >= 0 ? streams[i] : open("/dev/null", O_RDWR | O_CLOEXEC);
        held[i] = stream < 0 ? -1 : fcntl(stream, F_DUPFD_CLOEXEC, REPORT_DESCRIPTOR + 1);
        if (held[i] < 0)
            return false;
    }
    int kept = fcntl(report, F_DUPFD_CLOEXEC, REPORT_DESCRIPTOR + 1);
    for (int i = 0; i < 3; i++)
        if (dup2(held[i], i) < 0)
            return false;
    if (kept < 0 || dup3(kept, REPORT_DESCRIPTOR, O_CLOEXEC) < 0)
        return false;
    descriptors_close_from(REPORT_DESCRIPTOR + 1);
    return true;
}

static _Noreturn void give_up(int report, const char *step)
{
    struct report failure = { .number = errno };
    snprintf(failure.step, sizeof failure.step, "%s", step);
    (void)!write(report, &failure, sizeof failure);
    _exit(127);
}

static _Noreturn void become(const struct smolvm_engine *engine, char *const arguments[], const int streams[3],
                             int report)
{
    sigset_t none;
    sigemptyset(&none);
    for (int number = 1; number < NSIG; number++)
        signal(number, SIG_DFL); /* an ignored signal would stay ignored in the engine */
    sigprocmask(SIG_SETMASK, &none, NULL);
    if (setpgid(0, 0) != 0 && errno != EPERM)
        give_up(report, "make a process group for");
    if (!take_streams(streams, report))
        give_up(report, "set the streams of");
    report = REPORT_DESCRIPTOR;
    if (engine->own_user && !become_own_user(engine->uid, engine->gid))
        give_up(report, "map the ids of");
    process_die_with_parent(report); /* its other end is the caller's alone */
    execve(engine->program, arguments, engine->environment);
    give_up(report, "run");
}

bool smolvm_spawn(const struct smolvm_engine *engine, char *const arguments[], const int streams[3], pid_t *pid,
                  struct error *error)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0)
        return error_system(error, "can't make a pipe to %.128s", engine->program);
    cleanup_close int reads = ends[0];
    cleanup_close int writes = ends[1];
    *pid = fork();
    if (*pid < 0)
        return error_system(error, "can't start %.128s", engine->program);
    if (*pid == 0) {
        close(reads);
        become(engine, arguments, streams, writes);
    }
    setpgid(*pid, *pid); /* in both, so that neither has to wait for the other */
    cleanup_close_fd(&writes);
    struct report failure;
    ssize_t told = read_all(reads, &failure, sizeof failure);
    if (told == 0)
        return true;
    process_kill(*pid);
    *pid = -1;
    if (told != (ssize_t)sizeof failure)
        return error_set(error, ERROR_SYSTEM, "can't learn whether %.128s was started", engine->program);
    return error_set(error, ERROR_HOST, "can't %s %.256s: %s", failure.step, engine->program, strerror(failure.number));
}

void smolvm_kill(pid_t pid)
{
    if (pid <= 0)
        return;
    kill(-pid, SIGKILL);
    process_kill(pid);
}

/* One of the two streams: a pipe without blocking, and what came out of it. */
struct stream {
    int reads;
    char *bytes;
    size_t size, room;
};

enum taken { TAKEN_SOME, TAKEN_ALL, TAKEN_TOO_MUCH, TAKEN_FAILED };

/* Takes what there is. TAKEN_ALL: the other end is closed. */
static enum taken take(struct stream *stream)
{
    for (;;) {
        if (stream->room - stream->size < 2) {
            size_t room = stream->room == 0 ? FIRST_ROOM : stream->room * 2;
            char *more = realloc(stream->bytes, room);
            if (more == NULL)
                return TAKEN_FAILED;
            stream->bytes = more;
            stream->room = room;
        }
        ssize_t got = read(stream->reads, stream->bytes + stream->size, stream->room - stream->size - 1);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return errno == EAGAIN ? TAKEN_SOME : TAKEN_FAILED;
        stream->size += (size_t)got;
        stream->bytes[stream->size] = '\0';
        if (stream->size > SMOLVM_OUTPUT_BYTES)
            return TAKEN_TOO_MUCH;
        if (got == 0)
            return TAKEN_ALL;
    }
}

/* Reads both streams until the process has ended, and then what they still hold. */
static enum taken follow(struct stream streams[2], int process, uint64_t deadline, bool *late)
{
    enum taken took = TAKEN_SOME;
    bool ended = false;
    while (!ended && took <= TAKEN_ALL) {
        struct pollfd ready[3] = { { .fd = streams[0].reads, .events = POLLIN },
                                   { .fd = streams[1].reads, .events = POLLIN },
                                   { .fd = process, .events = POLLIN } };
        int count = poll(ready, 3, clock_poll_timeout(deadline));
        if (count < 0 && errno != EINTR)
            return TAKEN_FAILED;
        /* A flood keeps poll from ever timing out. */
        *late = clock_microseconds() >= deadline && (count <= 0 || ready[2].revents == 0);
        if (*late)
            return TAKEN_SOME;
        ended = count > 0 && ready[2].revents != 0;
        for (int i = 0; i < 2 && took <= TAKEN_ALL; i++) {
            if (streams[i].reads < 0 || (!ended && (count <= 0 || ready[i].revents == 0)))
                continue;
            took = take(&streams[i]);
            if (took == TAKEN_ALL)
                cleanup_close_fd(&streams[i].reads);
        }
    }
    return took;
}

/* A pipe for a stream of the engine: its end is returned. */
static int open_stream(struct stream *stream)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0)
        return -1;
    stream->reads = ends[0];
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    return ends[1];
}

/* "smolvm machine start": what people know the command by. */
static void describe(char *const arguments[], char text[128])
{
    size_t used = 0;
    *text = '\0';
    for (size_t i = 0; i < 3 && arguments[i] != NULL && used < 127; i++)
        used +=
            (size_t)snprintf(text + used, 128 - used, "%s%.40s", i == 0 ? "" : " ", i == 0 ? "smolvm" : arguments[i]);
}

static bool explain(enum taken took, bool late, char *const arguments[], struct error *error)
{
    char what[128];
    describe(arguments, what);
    if (late)
        return error_set(error, ERROR_HOST, "%s did not end in time and was killed", what);
    if (took == TAKEN_TOO_MUCH)
        return error_set(error, ERROR_HOST, "%s printed more than %d bytes and was killed", what, SMOLVM_OUTPUT_BYTES);
    return error_system(error, "can't read what %s prints", what);
}

bool smolvm_run(const struct smolvm_engine *engine, char *const arguments[], uint64_t deadline,
                struct smolvm_result *result, struct error *error)
{
    struct stream streams[2] = { { .reads = -1 }, { .reads = -1 } };
    cleanup_close int output = open_stream(&streams[0]);
    cleanup_close int errors = open_stream(&streams[1]);
    const int given[3] = { -1, output, errors };
    pid_t pid = -1;
    bool late = false, ended = false;
    *result = (struct smolvm_result){ 0 };
    if (output < 0 || errors < 0) {
        error_system(error, "can't make pipes to %.128s", engine->program);
    } else if (smolvm_spawn(engine, arguments, given, &pid, error)) {
        cleanup_close_fd(&output);
        cleanup_close_fd(&errors);
        cleanup_close int process = (int)syscall(SYS_pidfd_open, pid, 0);
        enum taken took = process < 0 ? TAKEN_FAILED : follow(streams, process, deadline, &late);
        int status = 0;
        ended = took <= TAKEN_ALL && !late && process_wait(pid, deadline, &status);
        if (ended)
            result->status = process_exit_status(status);
        else
            explain(took, late, arguments, error);
        if (!ended)
            smolvm_kill(pid);
    }
    for (int i = 0; i < 2; i++)
        cleanup_close_fd(&streams[i].reads);
    result->output = streams[0].bytes;
    result->output_size = streams[0].size;
    result->errors = streams[1].bytes;
    result->errors_size = streams[1].size;
    if (ended && (result->output != NULL || (result->output = calloc(1, 1)) != NULL) &&
        (result->errors != NULL || (result->errors = calloc(1, 1)) != NULL))
        return true;
    smolvm_result_free(result);
    return error_set(error, ERROR_SYSTEM, "no memory for what the engine printed");
}

void smolvm_result_free(struct smolvm_result *result)
{
    free(result->output);
    free(result->errors);
    *result = (struct smolvm_result){ 0 };
}

void smolvm_last_line(const char *text, size_t size, char *line, size_t capacity)
{
    while (size > 0 && (text[size - 1] == '\n' || text[size - 1] == '\r' || text[size - 1] == ' '))
        size--;
    size_t first = size;
    while (first > 0 && text[first - 1] != '\n')
        first--;
    size_t length = size - first < capacity - 1 ? size - first : capacity - 1;
    for (size_t i = 0; i < length; i++)
        line[i] = (char)(text[first + i] >= ' ' && text[first + i] <= '~' ? text[first + i] : '?');
    line[length] = '\0';
}

bool smolvm_run_well(const struct smolvm_engine *engine, char *const arguments[], uint64_t deadline,
                     struct smolvm_result *result, struct error *error)
{
    struct smolvm_result own = { 0 };
    struct smolvm_result *used = result != NULL ? result : &own;
    if (!smolvm_run(engine, arguments, deadline, used, error))
        return false;
    bool well = used->status == 0;
    if (!well) {
        char what[128], said[256];
        describe(arguments, what);
        smolvm_last_line(used->errors, used->errors_size, said, sizeof said);
        error_set(error, ERROR_HOST, "%s ended with status %d: %s", what, used->status,
                  *said != '\0' ? said : "it said nothing");
    }
    if (!well || used == &own)
        smolvm_result_free(used);
    return well;
}
