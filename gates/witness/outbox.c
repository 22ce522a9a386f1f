/*
 * See outbox.h. Needs: sendto, poll, epoll_ctl, clock_gettime. A parent that is gone leaves nobody to tell:
 * the process ends at once.
 */
#include "outbox.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../../launcher/support/process.h"
#include "witness_process.h"

static const char *const point_names[POINTS] = { "wan0", "lo", "host", "unix", "held", "vsock" };

/* Sends one message; false if the channel has no room. */
static bool send_message(struct outbox *outbox, const struct witness_message *message)
{
    ssize_t sent;
    do
        sent = send(outbox->source.fd, message, sizeof *message, MSG_DONTWAIT | MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    if (sent < 0 && errno != EAGAIN && errno != ENOBUFS)
        _exit(1);
    return sent >= 0;
}

static void send_queue(struct outbox *outbox)
{
    while (outbox->queue_count > 0 && send_message(outbox, &outbox->queue[outbox->queue_first])) {
        outbox->queue_first = (outbox->queue_first + 1) % OUTBOX_QUEUE;
        outbox->queue_count--;
    }
    loop_want_write(outbox->loop, &outbox->source, outbox->queue_count > 0);
}

static void say(struct outbox *outbox, const struct witness_message *message)
{
    if (outbox->queue_count == 0 && send_message(outbox, message))
        return;
    size_t reserved = message->event == WITNESS_DONE || message->event == WITNESS_LOST ? 0 : OUTBOX_LOSSES + 1;
    if (outbox->queue_count + reserved >= OUTBOX_QUEUE) {
        if (!outbox->overflowed) {
            outbox->overflowed = true;
            outbox_lost(outbox, "messages: the parent does not read, %d wait for it", OUTBOX_QUEUE);
        }
        return;
    }
    outbox->queue[(outbox->queue_first + outbox->queue_count) % OUTBOX_QUEUE] = *message;
    if (outbox->queue_count++ == 0)
        loop_want_write(outbox->loop, &outbox->source, true);
}

static void stop(struct outbox *outbox)
{
    outbox->stop_asked = true;
    outbox->late_kinds = 0;
    for (size_t i = 0; i < outbox->late_count; i++)
        say(outbox, &outbox->late[i]);
}

static void outbox_ready(struct loop_source *source, uint32_t events)
{
    struct outbox *outbox = loop_owner(source, struct outbox, source);
    char word[16];
    ssize_t size = recv(source->fd, word, sizeof word, MSG_DONTWAIT);
    if (size == 0 || (size < 0 && errno != EAGAIN && errno != EINTR))
        _exit(1);
    if (size == sizeof WITNESS_WORD_BREAK && memcmp(word, WITNESS_WORD_BREAK, sizeof WITNESS_WORD_BREAK) == 0)
        outbox->break_asked = true;
    else if (size > 0)
        stop(outbox);
    (void)events;
    if (outbox->queue_count > 0)
        send_queue(outbox);
}

bool outbox_open(struct outbox *outbox, struct loop *loop, int socket, const struct witness_setup *setup,
                 struct error *error)
{
    outbox->loop = loop;
    outbox->fault = setup->fault;
    outbox->watches = setup->watches;
    outbox->watch_count = setup->watch_count;
    outbox->source.ready = outbox_ready;
    return loop_add(loop, &outbox->source, socket, error);
}

static unsigned kind_index(enum witness_kind kind)
{
    return (unsigned)__builtin_ctz((unsigned)kind);
}

bool outbox_wants(const struct outbox *outbox, uint16_t watch, enum witness_kind kind, enum point point, bool by_tuple)
{
    return watch < outbox->watch_count && outbox->said[watch][kind_index(kind)][point][by_tuple] < OUTBOX_REPEATS;
}

/* Two principals may share a tuple, and a control is the border between them: what was said of a tuple before it may be said
 * again after it, or the second one's packets would pass unsaid. */
static void forget_tuples(struct outbox *outbox)
{
    for (size_t watch = 0; watch < outbox->watch_count; watch++)
        for (size_t kind = 0; kind < WITNESS_KINDS; kind++)
            for (size_t point = 0; point < POINTS; point++)
                outbox->said[watch][kind][point][true] = 0;
}

void outbox_hit(struct outbox *outbox, uint16_t watch, enum witness_kind kind, enum point point, bool by_tuple,
                const char *at, const char *peer)
{
    if (!outbox_wants(outbox, watch, kind, point, by_tuple) || (outbox->mute_kinds & (unsigned)kind) != 0)
        return;
    outbox->said[watch][kind_index(kind)][point][by_tuple]++;
    if (outbox->watches[watch].control) {
        if (!by_tuple)
            forget_tuples(outbox);
    } else if (outbox->fault == WITNESS_FAULT_DIES)
        _exit(1);
    struct witness_message message = { .event = WITNESS_HIT,
                                       .watch = watch,
                                       .by_tuple = by_tuple,
                                       .kind = kind,
                                       .monotonic_microseconds = clock_microseconds() };
    snprintf(message.point, sizeof message.point, "%s", point_names[point]);
    snprintf(message.at, sizeof message.at, "%s", at);
    snprintf(message.peer, sizeof message.peer, "%s", peer);
    bool late = (outbox->late_kinds & (unsigned)kind) != 0;
    if (!late)
        say(outbox, &message);
    else if (outbox->late_count < OUTBOX_LATE) /* more of them only say the same again */
        outbox->late[outbox->late_count++] = message;
}

void outbox_stray(struct outbox *outbox, enum point point, const char *at, const char *peer, const char *text)
{
    struct witness_message message = { .event = WITNESS_STRAY, .monotonic_microseconds = clock_microseconds() };
    snprintf(message.point, sizeof message.point, "%s", point_names[point]);
    snprintf(message.at, sizeof message.at, "%s", at);
    snprintf(message.peer, sizeof message.peer, "%s", peer);
    snprintf(message.text, sizeof message.text, "%s", text);
    say(outbox, &message);
}

void outbox_lost(struct outbox *outbox, const char *format, ...)
{
    if (outbox->losses++ >= OUTBOX_LOSSES)
        return;
    struct witness_message message = { .event = WITNESS_LOST, .monotonic_microseconds = clock_microseconds() };
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message.text, sizeof message.text, format, arguments);
    va_end(arguments);
    say(outbox, &message);
}

void outbox_event(struct outbox *outbox, enum witness_event event)
{
    struct witness_message message = { .event = event, .monotonic_microseconds = clock_microseconds() };
    say(outbox, &message);
}

bool outbox_flush(struct outbox *outbox, int milliseconds)
{
    while (outbox->queue_count > 0) {
        struct pollfd room = { .fd = outbox->source.fd, .events = POLLOUT };
        if (poll(&room, 1, milliseconds) == 0)
            return false;
        send_queue(outbox);
    }
    return true;
}
