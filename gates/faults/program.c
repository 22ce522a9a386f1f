/*
 * See program_run in make.h. The program is the one that runs the selftest. Its standard error is a pseudo-terminal, so
 * that it shows its progress, which says when to send a signal; the terminal's end is also the end of whoever still has it.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <termios.h>
#include <unistd.h>

#include "../../launcher/support/cleanup.h"
#include "../../launcher/support/process.h"
#include "make.h"

#define HANG_MICROSECONDS 120000000 /* a bound on hangs */

static bool open_terminal(int *master, int *slave, struct error *error)
{
    *master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    char name[64];
    if (*master >= 0 && grantpt(*master) == 0 && unlockpt(*master) == 0 && ptsname_r(*master, name, sizeof name) == 0 &&
        (*slave = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC)) >= 0)
        return true;
    return error_system(error, "can't make a pseudo-terminal");
}

static int open_output(enum output output, int kept, struct error *error)
{
    int ends[2] = { -1, -1 };
    int fd = -1;
    switch (output) {
    case OUTPUT_KEPT:
        fd = fcntl(kept, F_DUPFD_CLOEXEC, 3);
        break;
    case OUTPUT_FULL:
        fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
        break;
    case OUTPUT_CLOSED:
        return -1;
    case OUTPUT_UNREAD:
        if (pipe2(ends, O_CLOEXEC) == 0)
            close(ends[0]);
        fd = ends[1];
        break;
    }
    if (fd < 0)
        error_system(error, "can't open the program's standard output");
    return fd;
}

static void add_vectors(bool sweep, char *text, size_t size)
{
    size_t used = (size_t)snprintf(text, size, "--vector=");
    for (size_t i = 0; i < fault_vector_count; i++)
        used += (size_t)snprintf(text + used, size - used, "%sBG-%03u", i > 0 ? "," : "", fault_vectors[i]);
    if (sweep)
        snprintf(text + used, size - used, ",BG-%03u", FAULT_VECTOR_SWEEP);
}

/* Its standard streams, and nobody's child. */
static void take_place(int output, int terminal)
{
    process_die_with_parent(-1);
    signal(SIGPIPE, SIG_DFL);
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (dup2(null, 0) < 0 || dup2(terminal, 2) < 0 || (output >= 0 && dup2(output, 1) < 0))
        _exit(126);
    if (output < 0)
        close(1);
}

static _Noreturn void be_program(const struct fault *fault, const char *report, int output, int terminal)
{
    char chosen[160], to[128], sweep[] = "--sweep=sample", no_sweep[] = "--sweep=off", quiet[] = "--quiet";
    char *arguments[8] = { (char[]){ "bottle-gate" }, (char[]){ "run" }, (char[]){ "--backend=native" } };
    size_t count = 3;
    if (report != NULL) {
        snprintf(to, sizeof to, "--report=%s", report);
        arguments[count++] = to;
    }
    add_vectors(fault->sweep, chosen, sizeof chosen);
    if (!fault->command.whole) {
        arguments[count++] = chosen;
        arguments[count++] = fault->sweep ? sweep : no_sweep;
    }
    if (fault->command.at == NULL)
        arguments[count++] = quiet; /* which takes the progress with it */
    take_place(output, terminal);
    struct rlimit limit = { fault->command.value, fault->command.value };
    if (fault->command.limited && setrlimit((__rlimit_resource_t)fault->command.limit, &limit) != 0)
        _exit(126);
    execv("/proc/self/exe", arguments);
    _exit(127);
}

/* Reads what the program shows until nobody has the terminal any more, and sends the signal when it is time to. */
static bool follow(const struct command_of *command, pid_t pid, int master, char *shown, size_t capacity)
{
    uint64_t deadline = clock_microseconds() + HANG_MICROSECONDS;
    size_t used = 0;
    bool sent = command->at == NULL;
    for (;;) {
        struct pollfd event = { .fd = master, .events = POLLIN };
        if (poll(&event, 1, clock_poll_timeout(deadline)) == 0)
            return false;
        if (used == capacity - 1) { /* the end matters */
            memmove(shown, shown + used / 2, used - used / 2);
            used -= used / 2;
        }
        ssize_t size = read(master, shown + used, capacity - 1 - used);
        if (size < 0 && errno == EINTR)
            continue;
        if (size <= 0)
            return true; /* EIO: the other end is closed */
        used += (size_t)size;
        shown[used] = '\0';
        if (!sent && strstr(shown, command->at) != NULL)
            sent = kill(pid, command->signal) == 0;
    }
}

/* The last line of a text, without what moves a terminal's cursor; or "". */
static void take_last_line(char *text, char *line, size_t size)
{
    size_t length = strlen(text);
    while (length > 0 && (text[length - 1] == '\n' || text[length - 1] == '\r'))
        text[--length] = '\0';
    char *start = text + length;
    while (start > text && start[-1] != '\n' && start[-1] != '\r' &&
           !(start - text >= 2 && start[-1] == 'K' && start[-2] == '['))
        start--;
    snprintf(line, size, "%.*s", (int)size - 1, start);
}

/* Beside a report that could not be written, what the run said stays true. */
static void take_reason(char *shown, int output, bool kept, struct fault_outcome *outcome)
{
    char report[1024] = "";
    ssize_t size = pread(output, report, sizeof report - 1, 0);
    report[size > 0 ? size : 0] = '\0';
    char *said = strstr(shown, "bottle-gate: ");
    take_last_line(said != NULL ? said : report, outcome->reason, sizeof outcome->reason);
    if (!kept && strstr(report, "PASS  ") != NULL && outcome->status != 0)
        snprintf(outcome->reason, sizeof outcome->reason, "it said PASS");
}

bool program_run(const struct fault *fault, const char *report, struct fault_outcome *outcome, struct error *error)
{
    int ends[2] = { -1, -1 };
    char shown[4096] = "";
    if (!open_terminal(&ends[0], &ends[1], error))
        return false;
    cleanup_close int master = ends[0], slave = ends[1];
    cleanup_close int kept = memfd_create("output", MFD_CLOEXEC);
    cleanup_close int output = open_output(fault->command.output, kept, error);
    if (output < 0 && fault->command.output != OUTPUT_CLOSED)
        return false;
    pid_t pid = fork();
    if (pid < 0)
        return error_system(error, "can't start the program");
    if (pid == 0)
        be_program(fault, report, output, slave);
    cleanup_close_fd(&slave);
    if (!follow(&fault->command, pid, master, shown, sizeof shown)) {
        process_kill(pid);
        return error_set(error, ERROR_BROKEN, "the program hangs");
    }
    int status = 0;
    process_wait(pid, clock_microseconds() + HANG_MICROSECONDS, &status);
    outcome->status = process_exit_status(status);
    take_reason(shown, kept, report != NULL, outcome);
    return true;
}

bool program_replay(const char *report, struct fault_outcome *outcome, struct error *error)
{
    char said[1024] = "";
    char *arguments[] = { (char[]){ "bottle-gate" }, (char[]){ "replay" }, (char *)(uintptr_t)report, NULL };
    cleanup_close int kept = memfd_create("output", MFD_CLOEXEC);
    pid_t pid = kept < 0 ? -1 : fork();
    if (pid < 0)
        return error_system(error, "can't start the program");
    if (pid == 0) {
        take_place(kept, kept);
        execv("/proc/self/exe", arguments);
        _exit(127);
    }
    int status = 0;
    process_wait(pid, clock_microseconds() + HANG_MICROSECONDS, &status);
    outcome->status = process_exit_status(status);
    (void)!pread(kept, said, sizeof said - 1, 0);
    take_last_line(said, outcome->reason, sizeof outcome->reason);
    return true;
}
