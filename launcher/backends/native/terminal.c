/*
 * A terminal for a bottle: a pair of pseudo-terminal ends from the bottle's own /dev/pts. The launcher keeps the master and
 * relays; the slave is all that goes in, so the real terminal, its settings and its input queue stay out of reach.
 */
#include "native.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "../../support/channel.h"
#include "../../support/cleanup.h"
#include "../../support/process.h"

#define TERMINAL_MICROSECONDS 20000000
enum { MASTER = CHANNEL_ERROR + 1, SLAVE };

static bool make(const struct bottle *bottle, enum principal principal, int channel, struct error *error)
{
    if (!native_enter(bottle, error))
        return false;
    int master = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (master < 0 || unlockpt(master) != 0)
        return error_system(error, "can't make a terminal in the bottle");
    int slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (slave < 0)
        return error_system(error, "can't open the bottle's terminal");
    /* Where 65534 isn't mapped here it is this very id under another name. */
    if (principal == PRINCIPAL_USER && bottle->user_namespace < 0 && fchown(slave, 65534, (gid_t)-1) != 0)
        return error_system(error, "can't hand over the bottle's terminal");
    struct channel_message first = { .kind = MASTER }, second = { .kind = SLAVE };
    return (channel_send(channel, &first, master) && channel_send(channel, &second, slave)) ||
           error_system(error, "can't report to the launcher");
}

bool native_open_terminal(struct bottle *bottle, enum principal principal, int *master, int *slave, struct error *error)
{
    int descriptors[2] = { -1, -1 };
    cleanup_close int channel = -1;
    pid_t helper = channel_fork(&channel, error);
    if (helper < 0)
        return false;
    if (helper == 0) {
        struct error failure = { 0 };
        if (!make(bottle, principal, channel, &failure))
            channel_fail(channel, &failure);
        _exit(0);
    }
    uint64_t deadline = clock_microseconds() + TERMINAL_MICROSECONDS;
    for (int i = 0; i < 2; i++) {
        struct channel_message message;
        if (channel_receive(channel, &message, &descriptors[i], deadline, error) != CHANNEL_MESSAGE)
            break;
    }
    process_kill(helper);
    if (descriptors[0] < 0 || descriptors[1] < 0) {
        cleanup_close_fd(&descriptors[0]);
        return error_set(error, ERROR_SYSTEM, "can't make a terminal in the bottle");
    }
    *master = descriptors[0];
    *slave = descriptors[1];
    return true;
}
