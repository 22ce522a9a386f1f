/*
 * See held.h. Needs: recvmsg, read, epoll_ctl, close. A socket is read without waiting by each call; a pipe can't be,
 * so it is made non-blocking, which only this end of it notices.
 *
 * On a socket with messages, zero bytes are the end or an empty message, and a bottle that could pass one for the
 * other would have made the witness deaf. Each message therefore brings the time of its arrival with it; the end
 * brings nothing. There is room for the time and for nothing else, so the kernel drops descriptors that somebody
 * passes. Sources: recvmsg(2), unix(7), SO_TIMESTAMP in socket(7).
 */
#include "held.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

enum reading { READING_BYTES, READING_NOTHING, READING_ENDED };

static enum reading read_socket(struct held_source *held, size_t *size)
{
    uint8_t *buffer = held->house->scratch;
    _Alignas(struct cmsghdr) char beside[CMSG_SPACE(sizeof(struct timeval))];
    struct iovec piece = { buffer, sizeof held->house->scratch };
    struct msghdr message = { .msg_iov = &piece, .msg_iovlen = 1 };
    if (held->has_messages) {
        message.msg_control = beside;
        message.msg_controllen = sizeof beside;
    }
    ssize_t got = recvmsg(held->source.fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    *size = got > 0 ? (size_t)got : 0;
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return READING_NOTHING;
    if (got < 0 && errno == ECONNRESET) /* said once, and before what is still to be read */
        return READING_BYTES;
    if (got < 0)
        outbox_lost(&held->house->outbox, "held: %.40s can't be read any more: %s", held->at, strerror(errno));
    if (message.msg_flags & MSG_TRUNC)
        outbox_lost(&held->house->outbox, "held: a message of %.40s is longer than %zu bytes", held->at, piece.iov_len);
    return got > 0 || (got == 0 && held->has_messages && message.msg_controllen > 0) ? READING_BYTES : READING_ENDED;
}

static enum reading read_pipe(struct held_source *held, size_t *size)
{
    ssize_t got = read(held->source.fd, held->house->scratch, sizeof held->house->scratch);
    *size = got > 0 ? (size_t)got : 0;
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return READING_NOTHING;
    if (got < 0)
        outbox_lost(&held->house->outbox, "held: %.40s can't be read any more: %s", held->at, strerror(errno));
    return got > 0 ? READING_BYTES : READING_ENDED;
}

static void held_ready(struct loop_source *source, uint32_t events)
{
    struct held_source *held = loop_owner(source, struct held_source, source);
    (void)events;
    for (unsigned i = 0; i < HELD_READS_A_TURN; i++) {
        size_t size;
        enum reading reading = held->is_socket ? read_socket(held, &size) : read_pipe(held, &size);
        if (reading == READING_NOTHING)
            return;
        if (reading == READING_ENDED) {
            loop_close(&held->house->loop, source);
            return;
        }
        struct house_heard heard = {
            .house = held->house, .kind = held->kind, .point = POINT_HELD, .at = held->at, .peer = ""
        };
        house_listen_to(&heard, &held->cursor, held->house->scratch, size);
    }
}

/* Finds out what the descriptor is, and sets it up for reading without waiting. */
static bool prepare(struct held_source *held, int fd, struct error *error)
{
    int type, on = 1;
    socklen_t size = sizeof type;
    held->is_socket = getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0;
    held->has_messages = held->is_socket && type != SOCK_STREAM;
    int flags = fcntl(fd, F_GETFL);
    bool ready = flags >= 0 && (held->is_socket || fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0) &&
                 (!held->has_messages || setsockopt(fd, SOL_SOCKET, SO_TIMESTAMP, &on, sizeof on) == 0);
    return ready || error_system(error, "can't listen to descriptor %d (%s)", fd, held->at);
}

bool held_open(struct held *held, struct house *house, struct error *error)
{
    for (size_t i = 0; i < HELD_MAX; i++) {
        const struct held_stream *stream = &house->setup->held[i];
        struct held_source *source = &held->sources[i];
        if (!held_is_used(house->setup, i))
            continue;
        if (stream->fd <= STDERR_FILENO)
            return error_set(error, ERROR_USAGE, "can't listen to a standard stream, descriptor %d", stream->fd);
        *source = (struct held_source){ .house = house, .source = { -1, held_ready }, .kind = stream->kind };
        snprintf(source->at, sizeof source->at, "%s", stream->at);
        if (!prepare(source, stream->fd, error) || !loop_add(&house->loop, &source->source, stream->fd, error))
            return false;
    }
    return true;
}
