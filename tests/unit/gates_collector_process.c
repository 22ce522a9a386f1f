/*
 * The collector as a process: what comes through a pipe, deadlines, a child that dies, hangs or lies, a
 * parent that dies.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../launcher/support/process.h"
#include "gates_collector_fixture.h"

/* The real process. `stream` is where the test writes. */
static struct collector start(int *stream)
{
    int ends[2];
    struct collector collector;
    struct error error = { 0 };
    cr_assert(pipe2(ends, O_CLOEXEC) == 0);
    cr_assert(collector_start(&collector, &with_door, ends[0], &error), "%s", error.text);
    cr_assert(fcntl(ends[0], F_GETFD) < 0, "the stream is the collector's now");
    *stream = ends[1];
    return collector;
}

static struct collection finish(struct collector *collector, unsigned milliseconds)
{
    static struct collection result;
    collector_finish(collector, clock_microseconds() + milliseconds * 1000ULL, &result);
    cr_expect(waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD, "a process is left");
    return result;
}

Test(collector_process, collects_through_a_pipe)
{
    int stream;
    struct stream good = good_stream();
    struct collector collector = start(&stream);
    cr_assert(write_all(stream, good.text, 300) && write_all(stream, good.text + 300, good.size - 300));
    close(stream);
    struct collection result = finish(&collector, 5000), expected = collect(&with_door, good.text, good.size);
    cr_assert_eq(result.state, STREAM_COMPLETE, "%s", result.problem);
    cr_expect_eq(memcmp(&result, &expected, sizeof result), 0);
}

Test(collector_process, an_empty_stream_is_silent)
{
    int stream;
    struct collector collector = start(&stream);
    close(stream);
    cr_assert_eq(finish(&collector, 5000).state, STREAM_SILENT);
}

Test(collector_process, a_stream_that_does_not_end_is_cut_at_the_deadline_with_what_it_had)
{
    int stream;
    struct stream good = good_stream();
    struct collector collector = start(&stream);
    cr_assert(write_all(stream, good.text, good.size / 2));
    uint64_t begun = clock_microseconds();
    struct collection result = finish(&collector, 50);
    cr_expect_lt(clock_microseconds() - begun, 1000 * 1000);
    cr_assert_eq(result.state, STREAM_CUT, "state %d", result.state);
    cr_expect(result.acts[0].done, "%s", result.problem);
    close(stream);
}

Test(collector_process, a_stream_that_never_stops_talking_is_ended)
{
    int stream;
    struct collector collector = start(&stream);
    pid_t talker = fork();
    if (talker == 0) {
        while (write(stream, "BG1 noise\n", 10) == 10)
            ;
        _exit(0);
    }
    close(stream);
    static struct collection result;
    collector_finish(&collector, clock_microseconds() + 50 * 1000, &result);
    cr_expect_eq(result.state, STREAM_FORGED, "state %d", result.state);
    process_kill(talker);
}

Test(collector_process, a_collector_that_was_killed_says_nothing_good)
{
    int stream;
    struct stream good = good_stream();
    struct collector collector = start(&stream);
    kill(collector.pid, SIGKILL);
    struct collection result = finish(&collector, 5000);
    cr_expect_eq(result.state, STREAM_CUT);
    cr_expect_not_null(strstr(result.problem, "died"), "%s", result.problem);
    cr_expect_not(result.acts[0].tried);
    close(stream);
    (void)good;
}

Test(collector_process, a_collector_that_hangs_is_killed)
{
    int stream;
    struct collector collector = start(&stream);
    kill(collector.pid, SIGSTOP);
    struct collection result = finish(&collector, 20);
    cr_expect_eq(result.state, STREAM_CUT);
    close(stream);
}

/* Plays a collector that was taken over: writes `bytes` of `value` as its result. */
static enum stream_state finish_with_result(const struct collection *value, size_t size)
{
    int ends[2], stop[2];
    cr_assert(pipe2(ends, O_CLOEXEC) == 0 && socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, stop) == 0);
    struct collector collector = { .result = ends[0], .stop = stop[0] };
    collector.pid = fork();
    if (collector.pid == 0)
        _exit(write_all(ends[1], value, size) ? 0 : 1);
    close(ends[1]);
    close(stop[1]);
    return finish(&collector, 5000).state;
}

Test(collector_process, an_impossible_result_is_not_believed)
{
    struct stream good = good_stream();
    struct collection result = collect(&with_door, good.text, good.size), bad;
    cr_assert_eq(finish_with_result(&result, sizeof result), STREAM_COMPLETE);
    cr_expect_eq(finish_with_result(&result, sizeof result - 1), STREAM_CUT, "half a result");
    bad = result;
    bad.state = (enum stream_state)77;
    cr_expect_eq(finish_with_result(&bad, sizeof bad), STREAM_CUT);
    bad = result;
    bad.count = ACTS_MAX + 1;
    cr_expect_eq(finish_with_result(&bad, sizeof bad), STREAM_CUT);
    bad = result;
    memset(bad.kernel, 'k', sizeof bad.kernel);
    cr_expect_eq(finish_with_result(&bad, sizeof bad), STREAM_CUT);
    bad = result;
    bad.acts[3].did.stage = STAGES;
    cr_expect_eq(finish_with_result(&bad, sizeof bad), STREAM_CUT);
    bad = result;
    memset(&bad.acts[3].tried, 2, 1);
    cr_expect_eq(finish_with_result(&bad, sizeof bad), STREAM_CUT);
    bad = result;
    memcpy(bad.acts[3].did.proof, "\x1b[31m", 6);
    cr_expect_eq(finish_with_result(&bad, sizeof bad), STREAM_CUT);
}

/* A third process holds the stream and the stop socket open, so that only the parent's death can end the
 * collector. */
Test(collector_process, ends_with_its_parent)
{
    int stream, said[2], hold[2];
    cr_assert(pipe(said) == 0 && pipe(hold) == 0);
    pid_t parent = fork();
    if (parent == 0) {
        struct collector collector = start(&stream);
        close(hold[1]);
        if (fork() == 0) {
            char byte;
            _exit(read(hold[0], &byte, 1) == 0 ? 0 : 1);
        }
        (void)write_all(said[1], &collector.pid, sizeof collector.pid);
        _exit(0);
    }
    pid_t pid = 0;
    cr_assert(read_all(said[0], &pid, sizeof pid) == (ssize_t)sizeof pid);
    cr_assert(waitpid(parent, NULL, 0) == parent);
    /* Whoever inherits it reaps it: it is gone, or a zombie. */
    char path[64], text[512] = "";
    uint64_t deadline = clock_microseconds() + 2000 * 1000;
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    bool gone = false;
    while (!gone && clock_microseconds() < deadline)
        gone = !file_read(path, text, sizeof text) || strstr(text, ") Z ") != NULL;
    cr_assert(gone, "the collector outlives its parent: %s", text);
    close(hold[1]);
}
