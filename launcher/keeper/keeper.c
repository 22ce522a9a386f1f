/*
 * See keeper.h: how a keeper comes to be, what it does until it ends, and its end. The requests are in serve.c.
 *
 * One poll loop over the signals, the listener, who started it and at most SERVE_CLIENTS connections. Nobody is waited for: a
 * connection that says nothing only holds its place, and not for long.
 */
#include "keeper.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../support/channel.h"
#include "../support/cleanup.h"
#include "../support/process.h"
#include "serve.h"

#define START_MICROSECONDS 60000000
enum { READY = CHANNEL_ERROR + 1, ACCEPTED };

/* Where the descriptors that a keeper needs lie; everything above is closed. */
enum { LISTENER = 3, ANSWER, DIRECTORY, KEPT };

static int watch_signals(void)
{
    static const int watched[] = { SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGCHLD };
    sigset_t set, everything;
    sigemptyset(&set);
    for (size_t i = 0; i < sizeof watched / sizeof *watched; i++)
        sigaddset(&set, watched[i]);
    sigfillset(&everything); /* the keys of a terminal are none of its business */
    for (int number = 1; number < NSIG; number++)
        signal(number, SIG_DFL);
    sigprocmask(SIG_SETMASK, &everything, NULL);
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* Leaves the session, the directory, the streams and the descriptors of who started it. Returns the signals' descriptor. */
static int settle(struct keeper *keeper, int answer, struct error *error)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    const int wanted[KEPT] = { null, null, null, keeper->seat.listener, answer, keeper->directory };
    int held[KEPT];
    bool done = setsid() >= 0 && chdir("/") == 0;
    /* First all out of the way: one may be another's place. */
    for (int i = 0; i < KEPT; i++)
        done = done && (held[i] = fcntl(wanted[i], F_DUPFD_CLOEXEC, KEPT)) >= 0;
    for (int i = 0; i < KEPT; i++)
        done = done && dup3(held[i], i, i < LISTENER ? 0 : O_CLOEXEC) >= 0;
    if (!done) {
        error_system(error, "can't set up the bottle's keeper");
        return -1;
    }
    descriptors_close_from(KEPT);
    keeper->seat.listener = LISTENER;
    keeper->directory = DIRECTORY;
    prctl(PR_SET_NAME, "bottle-keeper", 0, 0, 0);
    umask(077);
    int signals = watch_signals();
    if (signals < 0)
        error_system(error, "can't watch signals");
    return signals;
}

/* True if the bottle is to end: a signal, or a process of the bottle's own (its init, its relay) that ended. */
static bool hear_signals(int signals, struct serve *serve)
{
    struct signalfd_siginfo what;
    while (read(signals, &what, sizeof what) == (ssize_t)sizeof what)
        if (what.ssi_signo != SIGCHLD)
            return true;
    return !serve_reap(serve);
}

/* True if who started it has gone without having told the user. */
static bool hear_starter(int *answer)
{
    struct channel_message message = { .kind = -1 };
    struct error ignored = { 0 };
    bool accepted =
        channel_receive(*answer, &message, NULL, 0, &ignored) == CHANNEL_MESSAGE && message.kind == ACCEPTED;
    cleanup_close_fd(answer);
    return !accepted;
}

static void attend(struct serve *serve, int signals, int *answer)
{
    enum { SIGNALS, NEWCOMERS, STARTER, OTHERS };
    struct pollfd events[OTHERS + SERVE_CLIENTS];
    while (!serve->ending) {
        events[SIGNALS] = (struct pollfd){ .fd = signals, .events = POLLIN };
        events[NEWCOMERS] = (struct pollfd){ .fd = serve_has_room(serve) ? LISTENER : -1, .events = POLLIN };
        events[STARTER] = (struct pollfd){ .fd = *answer, .events = POLLIN };
        int timeout = serve_prepare(serve, events + OTHERS);
        if (poll(events, OTHERS + SERVE_CLIENTS, timeout) < 0)
            continue; /* every signal is blocked: only memory can be short */
        serve_answer(serve, events + OTHERS);
        if (events[NEWCOMERS].revents != 0)
            serve_accept(serve, LISTENER);
        if ((events[STARTER].revents != 0 && hear_starter(answer)) ||
            (events[SIGNALS].revents != 0 && hear_signals(signals, serve)))
            serve->ending = true;
    }
}

static _Noreturn void be_keeper(struct keeper *keeper, int answer)
{
    static struct serve serve;
    struct error error = { 0 };
    struct channel_message ready = { .kind = READY };
    int signals = settle(keeper, answer, &error);
    if (signals < 0)
        channel_fail(answer, &error);
    answer = ANSWER;
    listen(LISTENER, SERVE_CLIENTS); /* once more: now the kernel says of the socket that it is this process's */
    struct bottle *bottle = native_backend.start(&keeper->options, &error);
    if (bottle == NULL) {
        registry_remove(DIRECTORY, keeper->name, &keeper->seat);
        channel_fail(ANSWER, &error);
    }
    serve_begin(&serve, bottle, keeper);
    if (channel_send(ANSWER, &ready, -1))
        attend(&serve, signals, &answer);
    bool gone = native_backend.destroy(bottle, &error);
    registry_remove(DIRECTORY, keeper->name, &keeper->seat);
    serve_end(&serve, gone ? NULL : &error);
    _exit(gone ? 0 : 1);
}

int keeper_start(const struct keeper *keeper, struct error *error)
{
    int ends[2];
    if (!channel_open(ends, error))
        return -1;
    cleanup_close int ours = ends[0], theirs = ends[1];
    pid_t pid = fork();
    if (pid < 0) {
        error_system(error, "can't start the bottle's keeper");
        return -1;
    }
    if (pid == 0) {
        struct keeper own = *keeper;
        close(ours);
        be_keeper(&own, theirs);
    }
    cleanup_close_fd(&theirs);
    struct channel_message message = { .kind = -1 };
    enum channel_result result =
        channel_receive(ours, &message, NULL, clock_microseconds() + START_MICROSECONDS, error);
    if (result == CHANNEL_MESSAGE && message.kind == READY)
        return take_fd(&ours);
    error_set(error, ERROR_SYSTEM, "the bottle's keeper died");
    process_kill(pid);
    return -1;
}

bool keeper_accept(int answer, struct error *error)
{
    struct channel_message message = { .kind = ACCEPTED };
    return channel_send(answer, &message, -1) || error_system(error, "the bottle's keeper died");
}
