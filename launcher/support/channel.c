/* See channel.h. One datagram a message, so that there is nothing to parse and nothing to get out of step. */
#include "channel.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "process.h"

bool channel_open(int ends[2], struct error *error)
{
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
        return error_system(error, "can't make a socket pair");
    return true;
}

pid_t channel_fork(int *end, struct error *error)
{
    int ends[2];
    if (!channel_open(ends, error))
        return -1;
    pid_t helper = fork();
    if (helper < 0)
        error_system(error, "can't start a helper");
    *end = ends[helper == 0];
    close(ends[helper != 0]);
    if (helper < 0)
        close(*end);
    if (helper == 0) {
        prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
        process_die_with_parent(*end);
    }
    return helper;
}

bool channel_send(int end, const struct channel_message *message, int descriptor)
{
    struct iovec content = { .iov_base = (void *)message, .iov_len = sizeof *message };
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(sizeof(int))];
    } control = { 0 };
    struct msghdr envelope = { .msg_iov = &content, .msg_iovlen = 1 };
    if (descriptor >= 0) {
        envelope.msg_control = control.space;
        envelope.msg_controllen = sizeof control.space;
        struct cmsghdr *header = CMSG_FIRSTHDR(&envelope);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(header), &descriptor, sizeof descriptor);
    }
    ssize_t sent;
    while ((sent = sendmsg(end, &envelope, MSG_NOSIGNAL)) < 0 && errno == EINTR)
        ;
    return sent == (ssize_t)sizeof *message;
}

_Noreturn void channel_fail(int end, const struct error *error)
{
    struct channel_message message = { .kind = CHANNEL_ERROR, .error = *error };
    channel_send(end, &message, -1);
    _exit(1);
}

enum channel_result channel_receive(int end, struct channel_message *message, int *descriptor, uint64_t deadline,
                                    struct error *error)
{
    struct pollfd ready = { .fd = end, .events = POLLIN };
    int polled;
    while ((polled = poll(&ready, 1, clock_poll_timeout(deadline))) < 0 && errno == EINTR)
        ;
    if (polled <= 0) {
        error_set(error, ERROR_SYSTEM, "a helper process of the launcher doesn't answer");
        return CHANNEL_FAILED;
    }
    struct iovec content = { .iov_base = message, .iov_len = sizeof *message };
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(sizeof(int))];
    } control = { 0 };
    struct msghdr envelope = {
        .msg_iov = &content, .msg_iovlen = 1, .msg_control = control.space, .msg_controllen = sizeof control.space
    };
    ssize_t got;
    /* An end that is closed with something unread resets the connection. That is told once, and before what it had sent itself. */
    bool reset = false;
    while ((got = recvmsg(end, &envelope, MSG_CMSG_CLOEXEC)) < 0 && (errno == EINTR || (errno == ECONNRESET && !reset)))
        reset = reset || errno == ECONNRESET;
    int received = -1;
    struct cmsghdr *header = CMSG_FIRSTHDR(&envelope);
    if (got > 0 && header != NULL && header->cmsg_type == SCM_RIGHTS)
        memcpy(&received, CMSG_DATA(header), sizeof received);
    if (descriptor != NULL)
        *descriptor = received;
    else if (received >= 0)
        close(received);
    if (got == 0 || (got < 0 && errno == ECONNRESET))
        return CHANNEL_CLOSED;
    if (got != (ssize_t)sizeof *message) {
        error_set(error, ERROR_SYSTEM, "a helper process of the launcher sent half a message");
        return CHANNEL_FAILED;
    }
    if (message->kind == CHANNEL_ERROR) {
        message->error.text[sizeof message->error.text - 1] = '\0';
        error_set(error, message->error.code, "%s", message->error.text);
        return CHANNEL_FAILED;
    }
    return CHANNEL_MESSAGE;
}
