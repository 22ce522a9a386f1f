/*
 * See serve.h. A connection that is closed, or half closed, while its command runs is the order to end that command: so it
 * ends with the `bottle exec` that it runs for, however that ends.
 */
#include "serve.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../support/cleanup.h"
#include "../support/process.h"

#define SILENCE_MICROSECONDS 10000000

void serve_begin(struct serve *serve, struct bottle *bottle, const struct keeper *keeper)
{
    memset(serve, 0, sizeof *serve);
    serve->bottle = bottle;
    serve->keeper = keeper;
    serve->since = (int64_t)time(NULL);
    for (size_t i = 0; i < SERVE_CLIENTS; i++)
        serve->clients[i].fd = -1;
}

static void forget(struct serve_client *client)
{
    cleanup_close_fd(&client->fd);
    client->used = client->command > 0;
}

/* A free place, or that of the client which has said nothing for the longest time; NULL: commands run in all of them. */
static struct serve_client *find_place(struct serve *serve)
{
    struct serve_client *oldest = NULL;
    for (size_t i = 0; i < SERVE_CLIENTS; i++) {
        struct serve_client *client = &serve->clients[i];
        if (!client->used)
            return client;
        if (client->command == 0 && (oldest == NULL || client->deadline < oldest->deadline))
            oldest = client;
    }
    return oldest;
}

bool serve_has_room(struct serve *serve)
{
    return find_place(serve) != NULL;
}

void serve_accept(struct serve *serve, int listener)
{
    struct ucred peer = { 0 };
    socklen_t size = sizeof peer;
    struct serve_client *place = find_place(serve);
    cleanup_close int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (place == NULL || fd < 0 || getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0 || peer.uid != geteuid())
        return;
    forget(place);
    *place = (struct serve_client){ .used = true,
                                    .fd = take_fd(&fd),
                                    .deadline = clock_microseconds() + SILENCE_MICROSECONDS };
}

/* Never waits: a client that doesn't take the few answers that there are has gone its own way. */
static void send_reply(const struct serve_client *client, const struct reply *reply, int descriptor)
{
    struct iovec content = { .iov_base = (void *)reply, .iov_len = sizeof *reply };
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
    if (client->fd >= 0)
        sendmsg(client->fd, &envelope, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void send_error(const struct serve_client *client, const struct error *error)
{
    struct reply reply = reply_make(REPLY_ERROR);
    reply.error_code = error->code;
    snprintf(reply.error_text, sizeof reply.error_text, "%s", error->text);
    send_reply(client, &reply, -1);
}

static void send_ended(const struct serve_client *client, int status)
{
    struct reply reply = reply_make(REPLY_ENDED);
    reply.status = status;
    send_reply(client, &reply, -1);
}

static bool run_command(struct serve *serve, struct serve_client *client, const int *given, struct error *error)
{
    const struct request *request = &serve->request;
    enum principal principal =
        request->principal == REQUEST_DEFAULT_PRINCIPAL ? serve->keeper->principal : (enum principal)request->principal;
    cleanup_close int master = -1, slave = -1;
    if (request->terminals != 0) {
        struct winsize size = { .ws_row = request->rows, .ws_col = request->columns };
        if (!native_backend.open_terminal(serve->bottle, principal, &master, &slave, error))
            return false;
        if (request->rows > 0 && request->columns > 0)
            ioctl(master, TIOCSWINSZ, &size);
    }
    int streams[REQUEST_STREAMS];
    for (unsigned i = 0; i < REQUEST_STREAMS; i++)
        streams[i] = (request->terminals >> i & 1) != 0 ? slave : *given++;
    struct exec_streams wanted = { streams[0], streams[1], streams[2], (request->terminals & 1) != 0 };
    /* The backend takes it from the environment of its caller. */
    if (*request->term == '\0' || setenv("TERM", request->term, 1) != 0)
        unsetenv("TERM");
    if (!native_backend.exec(serve->bottle, request->words, principal, &wanted, &client->command, error))
        return false;
    struct reply reply = reply_make(REPLY_STARTED);
    send_reply(client, &reply, master);
    return true;
}

static bool put_file(struct serve *serve, const int *given, struct error *error)
{
    struct stat status;
    if (fstat(given[0], &status) != 0 || !S_ISREG(status.st_mode))
        return error_set(error, ERROR_USAGE, "only a regular file can be put into a bottle");
    return native_backend.put(serve->bottle, serve->request.words[0], given[0], serve->request.mode, error);
}

static struct reply describe(const struct serve *serve)
{
    const struct bottle_options *options = &serve->keeper->options;
    struct reply reply = reply_make(REPLY_DONE);
    reply.since = serve->since;
    reply.without = options->without;
    reply.principal = serve->keeper->principal;
    reply.door_port = options->door.wanted ? options->door.port : 0;
    snprintf(reply.door_host, sizeof reply.door_host, "%s", options->door.host);
    return reply;
}

/* Does what was asked. A client that is to hear more stays. */
static void perform(struct serve *serve, struct serve_client *client, const int *given)
{
    struct error error = { 0 };
    struct reply done = describe(serve);
    switch (serve->request.kind) {
    case REQUEST_STOP:
        client->stop = serve->ending = true;
        return;
    case REQUEST_EXEC:
        if (run_command(serve, client, given, &error))
            return;
        break;
    case REQUEST_PUT:
        put_file(serve, given, &error);
        break;
    default:
        break;
    }
    if (error.code != ERROR_NONE)
        send_error(client, &error);
    else
        send_reply(client, &done, -1);
    forget(client);
}

/* Takes one datagram and the descriptors beside it, which are closed in the end: who needs one has its own by then. */
static void take_request(struct serve *serve, struct serve_client *client)
{
    struct iovec content = { .iov_base = serve->bytes, .iov_len = sizeof serve->bytes };
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(REQUEST_STREAMS * sizeof(int))]; /* rounded up: one more may fit */
    } control;
    struct msghdr envelope = {
        .msg_iov = &content, .msg_iovlen = 1, .msg_control = control.space, .msg_controllen = sizeof control.space
    };
    ssize_t got = recvmsg(client->fd, &envelope, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    int given[(sizeof control.space - CMSG_LEN(0)) / sizeof(int)];
    memset(given, -1, sizeof given);
    size_t count = 0;
    const struct cmsghdr *header = got > 0 ? CMSG_FIRSTHDR(&envelope) : NULL;
    if (header != NULL && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS) {
        count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        memcpy(given, CMSG_DATA(header), count * sizeof(int));
    }
    struct error error = { 0 };
    if (got <= 0)
        forget(client);
    else if ((envelope.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) == 0 &&
             request_read(serve->bytes, (size_t)got, count, &serve->request, &error))
        perform(serve, client, given);
    else {
        error_set(&error, ERROR_USAGE, "the keeper can't make sense of the request: too long");
        send_error(client, &error);
        forget(client);
    }
    for (size_t i = 0; i < count; i++)
        cleanup_close_fd(&given[i]);
}

int serve_prepare(const struct serve *serve, struct pollfd events[SERVE_CLIENTS])
{
    uint64_t next = UINT64_MAX;
    for (size_t i = 0; i < SERVE_CLIENTS; i++) {
        const struct serve_client *client = &serve->clients[i];
        events[i] = (struct pollfd){ .fd = client->used && !client->deaf ? client->fd : -1, .events = POLLIN };
        if (client->used && client->command == 0 && client->deadline < next)
            next = client->deadline;
    }
    return next == UINT64_MAX ? -1 : clock_poll_timeout(next);
}

void serve_answer(struct serve *serve, const struct pollfd events[SERVE_CLIENTS])
{
    uint64_t now = clock_microseconds();
    for (size_t i = 0; i < SERVE_CLIENTS && !serve->ending; i++) {
        struct serve_client *client = &serve->clients[i];
        if (!client->used || client->fd < 0 || client->deaf)
            continue;
        if (client->command > 0 && events[i].revents != 0) {
            /* The whole group: a shell's children too. The group's id is the command's until that is reaped. */
            kill(-client->command, SIGKILL);
            kill(client->command, SIGKILL);
            client->deaf = true;
        } else if (client->command == 0 && events[i].revents != 0) {
            take_request(serve, client);
        } else if (client->command == 0 && now >= client->deadline) {
            forget(client);
        }
    }
}

bool serve_reap(struct serve *serve)
{
    for (size_t i = 0; i < SERVE_CLIENTS; i++) {
        struct serve_client *client = &serve->clients[i];
        int status;
        if (!client->used || client->command <= 0 || waitpid(client->command, &status, WNOHANG) != client->command)
            continue;
        client->command = 0;
        send_ended(client, process_exit_status(status));
        forget(client);
    }
    siginfo_t child = { 0 };
    bool no_command = waitid(P_ALL, 0, &child, WEXITED | WNOHANG | WNOWAIT) == 0 && child.si_pid != 0;
    for (size_t i = 0; i < SERVE_CLIENTS; i++) /* one that ended just now has its signal still to come */
        no_command = no_command && !(serve->clients[i].used && serve->clients[i].command == child.si_pid);
    return !no_command;
}

void serve_end(struct serve *serve, const struct error *failure)
{
    struct reply done = describe(serve);
    for (size_t i = 0; i < SERVE_CLIENTS; i++) {
        const struct serve_client *client = &serve->clients[i];
        if (!client->used)
            continue;
        if (client->command > 0)
            send_ended(client, 128 + SIGKILL);
        else if (client->stop && failure != NULL)
            send_error(client, failure);
        else if (client->stop)
            send_reply(client, &done, -1);
    }
}
