/*
 * Linked into a probe for test_leaks.py: holds the probe still in the fenced bottle, so that a test can make a leak from
 * outside before anything is tried.
 *
 * A test may also hand a descriptor in, as a launcher that forgot to close one would: where somebody listens on the
 * abstract socket @leak-descriptor, the descriptor that comes from there (SCM_RIGHTS, unix(7)) stays open for the probe.
 */
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "session.h"

#define GIVER "leak-descriptor"

static void take_descriptor(void)
{
    struct sockaddr_un giver = { .sun_family = AF_UNIX };
    memcpy(giver.sun_path + 1, GIVER, sizeof GIVER - 1);
    int channel = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (channel < 0)
        return;
    if (connect(channel, (struct sockaddr *)&giver, offsetof(struct sockaddr_un, sun_path) + sizeof GIVER) == 0) {
        char byte;
        union {
            struct cmsghdr header;
            char bytes[CMSG_SPACE(sizeof(int))];
        } control;
        struct iovec part = { .iov_base = &byte, .iov_len = 1 };
        struct msghdr message = {
            .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control
        };
        recvmsg(channel, &message, 0);
    }
    close(channel);
}

__attribute__((constructor)) static void hold_in_the_fenced_bottle(void)
{
    if (!makes_attempts_in_the_fenced_bottle())
        return;
    raise(SIGSTOP);
    take_descriptor();
}
