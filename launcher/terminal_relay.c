/*
 * See terminal_relay.h. This side's terminal is raw while the bottle runs: every key, Ctrl-C included, is a byte for the
 * bottle's terminal, whose line discipline makes signals of it for the processes inside. So job control works in there, and
 * nothing in there holds a descriptor of the real terminal.
 *
 * Nothing here blocks: the output terminal is opened a second time for that (setting O_NONBLOCK on the one that the shell
 * holds too would break the shell), and a side is read only when its buffer is empty. A terminal that shows nothing (Ctrl-S)
 * can therefore not keep `bottle` from ending.
 */
#include "terminal_relay.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "support/cleanup.h"
#include "support/process.h"

#define DRAIN_MICROSECONDS 500000

enum { INPUT, MASTER, OUTPUT };

bool terminal_relay_wanted(void)
{
    return isatty(0) == 1 || isatty(1) == 1 || isatty(2) == 1;
}

void terminal_relay_resize(struct terminal_relay *relay)
{
    struct winsize size;
    if (relay->master >= 0 && ioctl(relay->output, TIOCGWINSZ, &size) == 0)
        ioctl(relay->master, TIOCSWINSZ, &size);
}

/* The same terminal, opened a second time; -1 where that can't be done. After su, sudo -u or setpriv a terminal is still
 * another user's; then only /dev/tty leads to it, which everybody may open. */
static int open_again(int terminal)
{
    const int flags = O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
    char path[32];
    unsigned wanted, found;
    snprintf(path, sizeof path, "/proc/self/fd/%d", terminal);
    cleanup_close int opened = open(path, flags);
    if (opened >= 0)
        return take_fd(&opened);
    opened = open("/dev/tty", flags);
    bool same = opened >= 0 && ioctl(terminal, TIOCGDEV, &wanted) == 0 && ioctl(opened, TIOCGDEV, &found) == 0 &&
                wanted == found;
    return same ? take_fd(&opened) : -1;
}

bool terminal_relay_open(struct terminal_relay *relay, int master, struct error *error)
{
    relay->master = master;
    relay->output = isatty(1) == 1 ? 1 : isatty(2) == 1 ? 2 : 0;
    relay->opened = open_again(relay->output);
    if (relay->opened >= 0)
        relay->output = relay->opened;
    if (fcntl(master, F_SETFL, O_RDWR | O_NONBLOCK) != 0)
        return error_system(error, "can't set up the bottle's terminal");
    terminal_relay_resize(relay);
    if (isatty(0) != 1)
        return true;
    struct termios raw;
    if (tcgetattr(0, &relay->saved) != 0)
        return error_system(error, "can't read the terminal's settings");
    raw = relay->saved;
    cfmakeraw(&raw);
    if (tcsetattr(0, TCSADRAIN, &raw) != 0)
        return error_system(error, "can't set the terminal to raw mode");
    relay->raw = true;
    relay->input = 0;
    return true;
}

void terminal_relay_prepare(const struct terminal_relay *relay, struct pollfd events[TERMINAL_RELAY_EVENTS])
{
    bool input_pending = relay->in_start < relay->in_end, output_pending = relay->out_start < relay->out_end;
    /* poll reports a hang-up whether it was asked for or not, so who isn't wanted is left out by a negative descriptor. */
    events[INPUT] = (struct pollfd){ .fd = input_pending ? -1 : relay->input, .events = POLLIN };
    short wanted = (short)((output_pending ? 0 : POLLIN) | (input_pending ? POLLOUT : 0));
    events[MASTER] = (struct pollfd){ .fd = wanted != 0 ? relay->master : -1, .events = wanted };
    events[OUTPUT] = (struct pollfd){ .fd = output_pending ? relay->output : -1, .events = POLLOUT };
}

/* Reads into an empty buffer. False at the end of what there is to read. */
static bool fill(int fd, char *buffer, unsigned *start, unsigned *end)
{
    ssize_t got = read(fd, buffer, TERMINAL_RELAY_BUFFER);
    *start = 0;
    *end = got > 0 ? (unsigned)got : 0;
    return got > 0 || (got < 0 && (errno == EAGAIN || errno == EINTR));
}

static void drain(int fd, const char *buffer, unsigned *start, unsigned end)
{
    ssize_t sent = write(fd, buffer + *start, end - *start);
    if (sent > 0)
        *start += (unsigned)sent;
    else if (errno != EAGAIN && errno != EINTR)
        *start = end; /* nobody takes it any more */
}

void terminal_relay_move(struct terminal_relay *relay, const struct pollfd events[TERMINAL_RELAY_EVENTS])
{
    if (relay->master < 0)
        return;
    if (events[INPUT].revents != 0 && !fill(relay->input, relay->in, &relay->in_start, &relay->in_end))
        relay->input = -1;
    if ((events[MASTER].revents & (POLLIN | POLLHUP)) != 0 && relay->out_start == relay->out_end &&
        !fill(relay->master, relay->out, &relay->out_start, &relay->out_end)) {
        close(relay->master); /* no process of the bottle has the terminal any more */
        relay->master = -1;
        relay->input = -1;
        return;
    }
    if ((events[MASTER].revents & POLLOUT) != 0)
        drain(relay->master, relay->in, &relay->in_start, relay->in_end);
    if (events[OUTPUT].revents != 0)
        drain(relay->output, relay->out, &relay->out_start, relay->out_end);
}

void terminal_relay_close(struct terminal_relay *relay)
{
    uint64_t deadline = clock_microseconds() + DRAIN_MICROSECONDS;
    relay->input = -1;
    relay->in_start = relay->in_end;
    while ((relay->master >= 0 || relay->out_start < relay->out_end) && relay->output >= 0) {
        struct pollfd events[TERMINAL_RELAY_EVENTS];
        terminal_relay_prepare(relay, events);
        if (poll(events, TERMINAL_RELAY_EVENTS, clock_poll_timeout(deadline)) <= 0)
            break;
        if (relay->master >= 0)
            terminal_relay_move(relay, events);
        else
            drain(relay->output, relay->out, &relay->out_start, relay->out_end);
    }
    if (relay->raw)
        tcsetattr(0, TCSADRAIN, &relay->saved);
    relay->raw = false;
    cleanup_close_fd(&relay->master);
    cleanup_close_fd(&relay->opened);
}
