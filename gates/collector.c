/*
 * See collector.h: the process around the state machine of collector_stream.c. The child keeps three
 * descriptors (the stream, the pipe for its result, the socket that tells it to stop), shuts itself in and
 * reads; when the stream has ended it writes one struct and exits. The struct may be larger than a pipe
 * holds: the child's write then waits for the parent to read, which collector_finish does until the child has
 * closed its end.
 *
 * The parent doesn't trust the child either: a child that was taken over by what it read can write any bytes,
 * so the struct is checked (every enum in range, every text terminated) before anybody looks at it.
 */
#include "collector.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <seccomp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../launcher/support/cleanup.h"
#include "../launcher/support/jail.h"
#include "../launcher/support/process.h"

#define GRACE (250 * 1000) /* microseconds between being told to stop and being killed */

/* The child's descriptors. */
enum { STREAM, RESULT, STOP, DESCRIPTORS };

/* What the child calls once it is shut in; poll(3) is ppoll(2) on machines without poll(2). */
static const int calls[] = { SCMP_SYS(read), SCMP_SYS(write), SCMP_SYS(poll), SCMP_SYS(ppoll), SCMP_SYS(exit) };

/* Moves the three descriptors to 0, 1, 2 and closes all others. */
static bool keep_only(const int descriptors[DESCRIPTORS])
{
    int high[DESCRIPTORS];
    for (int i = 0; i < DESCRIPTORS; i++)
        if ((high[i] = fcntl(descriptors[i], F_DUPFD, DESCRIPTORS)) < 0)
            return false;
    for (int i = 0; i < DESCRIPTORS; i++)
        if (dup2(high[i], i) < 0)
            return false;
    if (close_range(DESCRIPTORS, ~0U, 0) == 0)
        return true;
    long limit = sysconf(_SC_OPEN_MAX);
    for (int fd = DESCRIPTORS; fd < limit; fd++)
        close(fd);
    return true;
}

/* Reads until the stream ends or the child is told to stop. A forged stream is read on to its end, so that
 * the probe finds nothing changed and goes on with attempts that witnesses may hear. */
static void collect(const struct collector_plan *plan, struct collection *result)
{
    struct collector_state state;
    char bytes[4096];
    struct pollfd waits[] = { { .fd = STREAM, .events = POLLIN }, { .fd = STOP, .events = POLLIN } };
    collector_begin(&state, plan, result);
    while (waits[1].revents == 0) {
        if (poll(waits, 2, -1) < 0 && errno != EINTR)
            break;
        if (waits[0].revents == 0)
            continue;
        ssize_t size = read(STREAM, bytes, sizeof bytes);
        if (size == 0 || (size < 0 && errno != EINTR && errno != EAGAIN))
            break;
        if (size > 0)
            collector_feed(&state, bytes, (size_t)size);
    }
    collector_end(&state);
}

static _Noreturn void run_child(const struct collector_plan *plan, const int descriptors[DESCRIPTORS], pid_t parent)
{
    struct collection result;
    if (!keep_only(descriptors))
        _exit(1);
    process_die_with_parent(STOP);
    /* A parent that died before that call is told by its socket, unless others have inherited it. */
    if (getppid() != parent)
        _exit(1);
    if (!jail_shut(calls, sizeof calls / sizeof calls[0], NULL))
        _exit(1);
    collect(plan, &result);
    _exit(write_all(RESULT, &result, sizeof result) ? 0 : 1);
}

bool collector_start(struct collector *collector, const struct collector_plan *plan, int stream, struct error *error)
{
    int result[2], stop[2];
    cleanup_close int taken_stream = stream;
    *collector = (struct collector){ .pid = -1, .result = -1, .stop = -1 };
    if (pipe2(result, O_CLOEXEC) < 0)
        return error_system(error, "can't make a pipe for the collector");
    cleanup_close int result_read = result[0], result_write = result[1];
    /* A socket: sending to a child that has died must not end the parent by SIGPIPE. */
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, stop) < 0)
        return error_system(error, "can't make a socket for the collector");
    cleanup_close int stop_read = stop[0], stop_write = stop[1];
    pid_t parent = getpid(), pid = fork();
    if (pid < 0)
        return error_system(error, "can't fork the collector");
    if (pid == 0)
        run_child(plan, (const int[DESCRIPTORS]){ taken_stream, result_write, stop_read }, parent);
    *collector = (struct collector){ .pid = pid, .result = take_fd(&result_read), .stop = take_fd(&stop_write) };
    return true;
}

/* True once the whole struct has come; false at the deadline, or if the child ends before. *used bytes have
 * come. */
static bool read_result(int result, struct collection *collection, size_t *used, uint64_t deadline)
{
    while (*used < sizeof *collection) {
        struct pollfd wait = { .fd = result, .events = POLLIN };
        int ready = poll(&wait, 1, clock_poll_timeout(deadline));
        if (ready == 0)
            return false;
        ssize_t size = ready > 0 ? read(result, (char *)collection + *used, sizeof *collection - *used) : -1;
        if (size == 0 || (size < 0 && errno != EINTR))
            return false;
        if (size > 0)
            *used += (size_t)size;
    }
    return true;
}

static bool is_text(const char *text, size_t capacity)
{
    for (size_t i = 0; i < capacity; i++) {
        if (text[i] == '\0')
            return true;
        if (text[i] < 0x20 || text[i] > 0x7e)
            return false;
    }
    return false;
}

/* A bool of unknown bytes may only be looked at as a byte. */
static bool is_bool(const bool *value)
{
    return *(const unsigned char *)value <= 1;
}

/* True if the child can have written this in good faith. */
static bool is_plausible(const struct collection *collection)
{
    if ((unsigned)collection->state > STREAM_FORGED || collection->count > ACTS_MAX ||
        !is_text(collection->problem, sizeof collection->problem) ||
        !is_text(collection->kernel, sizeof collection->kernel) ||
        !is_text(collection->boot_id, sizeof collection->boot_id) ||
        !is_text(collection->digest, sizeof collection->digest))
        return false;
    for (size_t i = 0; i < ACTS_MAX; i++) {
        const struct collected_act *act = &collection->acts[i];
        if (!is_bool(&act->tried) || !is_bool(&act->done) || (unsigned)act->did.stage >= STAGES ||
            !is_text(act->did.error, sizeof act->did.error) || !is_text(act->did.proof, sizeof act->did.proof))
            return false;
    }
    return true;
}

static void set_cut(struct collection *collection, const char *problem)
{
    memset(collection, 0, sizeof *collection);
    collection->state = STREAM_CUT;
    snprintf(collection->problem, sizeof collection->problem, "%s", problem);
}

void collector_finish(struct collector *collector, uint64_t deadline, struct collection *collection)
{
    size_t used = 0;
    bool whole = read_result(collector->result, collection, &used, deadline);
    if (!whole && clock_microseconds() >= deadline) {
        /* A byte, and not only a close: others who were forked meanwhile may hold the socket, too. */
        (void)send(collector->stop, "", 1, MSG_NOSIGNAL);
        whole = read_result(collector->result, collection, &used, clock_microseconds() + GRACE);
    }
    process_kill(collector->pid);
    cleanup_close_fd(&collector->result);
    cleanup_close_fd(&collector->stop);
    collector->pid = -1;
    if (!whole)
        set_cut(collection, "the collector died or said nothing in time");
    else if (!is_plausible(collection))
        set_cut(collection, "the collector's result is impossible");
}
