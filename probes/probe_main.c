/*
 * bottle-probe PLAN: the program that runs inside a bottle and tries to get out. (bottle-probe --listen SPEC..., in a
 * second bottle, listens for the first one's: listener.h.)
 *
 * It reads its plan (a file, or "-" for standard input), says hello, makes a round trip through the door,
 * makes all attempts at the same time, makes the round trip again and says bye; every step is a line on
 * standard output (record_grammar.h). It decides nothing: whether an attempt got out is said by the witnesses
 * outside.
 *
 * It needs nothing but the kernel: no file, no device, no name service, no privilege. It allocates nothing,
 * makes no process and no thread, and talks to nobody but the plan's addresses. Exit status: 0 when the last
 * record was written; 3 when the records can't be written; 4 for a plan that can't be read or isn't exactly
 * the grammar.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "attempts.h"
#include "identity.h"
#include "listener.h"

enum { EXIT_DONE = 0, EXIT_UNHEARD = 3, EXIT_PLAN = 4 };

static char plan_text[PLAN_TEXT_MAX + 1];
static struct probe_plan plan;
static struct proxy proxy; /* between us and the door, if the plan names one */
static struct attempt attempts[PLAN_ATTEMPTS_MAX];

static int refuse(const char *what, const char *why)
{
    dprintf(STDERR_FILENO, "bottle-probe: %s: %s\n", what, why);
    return EXIT_PLAN;
}

/* Returns the number of bytes read, more than PLAN_TEXT_MAX if there are too many, or -1. */
static ssize_t read_plan(const char *name)
{
    int file = strcmp(name, "-") == 0 ? STDIN_FILENO : open(name, O_RDONLY | O_CLOEXEC);
    size_t used = 0;
    if (file < 0)
        return -1;
    while (used < sizeof plan_text) {
        ssize_t size = read(file, plan_text + used, sizeof plan_text - used);
        if (size < 0 && errno == EINTR)
            continue;
        if (size < 0)
            return -1;
        if (size == 0)
            break;
        used += (size_t)size;
    }
    if (file != STDIN_FILENO)
        close(file);
    return (ssize_t)used;
}

static void say_hello(struct recorder *recorder)
{
    struct record hello = { .kind = RECORD_HELLO };
    memcpy(hello.hello.run, plan.run, sizeof hello.hello.run);
    hello.hello.count = (uint16_t)(plan.count + (plan.has_door ? 2 : 0));
    identity_fill(&hello);
    recorder_write(recorder, &hello);
}

#define DOOR_MOST   10000u /* milliseconds */
#define PROXY_TRIES 9      /* a sandbox starts its proxy's relay beside the command: at first nobody may listen */

/* One round trip, bounded by a third of the deadline, so that a dead door doesn't double a run. A plan with much time is one of a slow bottle. */
static void try_door(uint16_t seq, const uint8_t challenge[16], struct recorder *recorder)
{
    if (!plan.has_door)
        return;
    struct planned_attempt act = { .seq = seq, .vector = RECORD_DOOR, .port = plan.door_port };
    memcpy(act.address, plan.door_host, sizeof plan.door_host);
    memcpy(act.nonce, challenge, sizeof act.nonce);
    struct attempt attempt = { .planned = &act, .plan = &plan, .functions = &door_functions, .repeats = 1 };
    if (plan.door_proxy[0] != '\0') {
        attempt.proxy = &proxy;
        attempt.functions = &door_proxy_functions;
        attempt.repeats = PROXY_TRIES;
        memcpy(act.address, proxy.host, sizeof proxy.host);
        act.port = proxy.port;
    }
    uint32_t third = (plan.deadline_milliseconds + 2) / 3, tenth = plan.deadline_milliseconds / 10;
    uint32_t most = tenth > DOOR_MOST ? tenth : DOOR_MOST;
    attempts_run(&attempt, 1, third < most ? third : most, recorder);
}

static void try_all(struct recorder *recorder)
{
    for (size_t i = 0; i < plan.count; i++) {
        attempts[i].planned = &plan.attempts[i];
        attempts[i].plan = &plan;
        attempts[i].functions = mechanism_functions(plan.attempts[i].mechanism);
        attempts[i].repeats = plan.repeats;
    }
    attempts_run(attempts, plan.count, plan.deadline_milliseconds, recorder);
}

/* One socket an attempt, and some are kept to the end. */
static void allow_many_sockets(void)
{
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < files.rlim_max) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
}

int main(int argc, char **argv)
{
    inherited_note();
    if (argc >= 2 && strcmp(argv[1], "--listen") == 0)
        return listener_run(argv + 2, argc - 2);
    if (argc != 2)
        return refuse("usage", "bottle-probe PLAN, where PLAN is a file, or - for standard input; or " LISTENER_USAGE);
    ssize_t size = read_plan(argv[1]);
    if (size < 0)
        return refuse(argv[1], strerror(errno));

    const char *problem = "";
    unsigned line = 0;
    if (!plan_parse(plan_text, (size_t)size, &plan, &problem, &line)) {
        dprintf(STDERR_FILENO, "bottle-probe: %s: line %u: %s\n", argv[1], line, problem);
        return EXIT_PLAN;
    }
    if (plan.door_proxy[0] != '\0' && !proxy_find(plan.door_proxy, &proxy, &problem)) {
        dprintf(STDERR_FILENO, "bottle-probe: %s: %s\n", plan.door_proxy, problem);
        proxy.port = 0; /* no door, which is told like any that doesn't answer */
    }
    signal(SIGPIPE, SIG_IGN);
    allow_many_sockets();

    struct recorder recorder;
    recorder_start(&recorder, STDOUT_FILENO, plan.root);
    /* Before any socket is made: were standard output closed, a socket could become it, and records leave
     * through it. */
    say_hello(&recorder);
    try_door(0, plan.first_challenge, &recorder);
    try_all(&recorder);
    try_door((uint16_t)(plan.count + 1), plan.last_challenge, &recorder);
    return recorder_bye(&recorder) ? EXIT_DONE : EXIT_UNHEARD;
}
