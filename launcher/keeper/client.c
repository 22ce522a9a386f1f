/* See client.h. A keeper that doesn't answer is named with its process, so that it can be ended by hand. */
#include "client.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "../support/cleanup.h"
#include "../support/process.h"
#include "registry.h"

#define ANSWER_MICROSECONDS 60000000

static bool get_peer(int connection, struct ucred *peer)
{
    socklen_t size = sizeof *peer;
    return getsockopt(connection, SOL_SOCKET, SO_PEERCRED, peer, &size) == 0;
}

int client_connect(const char *name, struct error *error)
{
    struct ucred peer;
    struct error failure = { 0 };
    cleanup_close int directory = registry_open(false, &failure);
    cleanup_close int connection = failure.code == ERROR_NONE ? registry_connect(directory, name, &failure) : -1;
    if (failure.code != ERROR_NONE) {
        error_set(error, failure.code, "%s", failure.text);
        return -1;
    }
    if (!get_peer(connection, &peer) || peer.uid != geteuid()) {
        error_set(error, ERROR_HOST, "bottle %s is kept by another user", name);
        return -1;
    }
    return take_fd(&connection);
}

pid_t client_keeper(int connection)
{
    struct ucred peer;
    return get_peer(connection, &peer) ? peer.pid : 0;
}

bool client_send(int connection, const struct request *request, const int *descriptors, bool *closed,
                 struct error *error)
{
    static char bytes[REQUEST_SIZE];
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(REQUEST_STREAMS * sizeof(int))];
    } control = { 0 };
    size_t size = request_write(request, bytes, error), count = request_descriptors(request);
    struct iovec content = { .iov_base = bytes, .iov_len = size };
    struct msghdr envelope = { .msg_iov = &content, .msg_iovlen = 1 };
    *closed = false;
    if (size == 0)
        return false;
    if (count > 0) {
        envelope.msg_control = control.space;
        envelope.msg_controllen = CMSG_SPACE(count * sizeof(int));
        struct cmsghdr *header = CMSG_FIRSTHDR(&envelope);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(count * sizeof(int));
        memcpy(CMSG_DATA(header), descriptors, count * sizeof(int));
    }
    ssize_t sent = sendmsg(connection, &envelope, MSG_NOSIGNAL);
    *closed = sent < 0 && (errno == EPIPE || errno == ECONNRESET);
    if (*closed)
        return error_set(error, ERROR_HOST, "the bottle has ended");
    return sent == (ssize_t)size || error_system(error, "can't send the request to the bottle's keeper");
}

bool client_receive(int connection, struct reply *reply, int *descriptor, uint64_t deadline, bool *closed,
                    struct error *error)
{
    struct pollfd ready = { .fd = connection, .events = POLLIN };
    int polled;
    *closed = false;
    while ((polled = poll(&ready, 1, deadline == UINT64_MAX ? -1 : clock_poll_timeout(deadline))) < 0 && errno == EINTR)
        ;
    if (polled <= 0)
        return error_set(error, ERROR_HOST,
                         "the bottle's keeper (process %d) doesn't answer: kill -9 %d ends the bottle",
                         (int)client_keeper(connection), (int)client_keeper(connection));
    struct iovec content = { .iov_base = reply, .iov_len = sizeof *reply };
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(sizeof(int))];
    } control;
    struct msghdr envelope = {
        .msg_iov = &content, .msg_iovlen = 1, .msg_control = control.space, .msg_controllen = sizeof control.space
    };
    ssize_t got = recvmsg(connection, &envelope, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    const struct cmsghdr *header = got > 0 ? CMSG_FIRSTHDR(&envelope) : NULL;
    cleanup_close int received = -1;
    if (header != NULL && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS)
        memcpy(&received, CMSG_DATA(header), sizeof received);
    if (got <= 0) {
        *closed = true;
        return error_set(error, ERROR_HOST, "the bottle has ended");
    }
    if (!reply_check(reply, (size_t)got, error))
        return false;
    if (reply->kind == REPLY_ERROR)
        return error_set(error, (enum error_code)reply->error_code, "%s", reply->error_text);
    if (descriptor != NULL)
        *descriptor = take_fd(&received);
    return true;
}

bool client_ask(const char *name, const struct request *request, const int *descriptors, struct reply *reply,
                struct error *error)
{
    bool closed;
    cleanup_close int connection = client_connect(name, error);
    if (connection < 0 || !client_send(connection, request, descriptors, &closed, error) ||
        !client_receive(connection, reply, NULL, clock_microseconds() + ANSWER_MICROSECONDS, &closed, error))
        return false;
    return reply->kind == REPLY_DONE || error_set(error, ERROR_SYSTEM, "the keeper's answer makes no sense");
}
