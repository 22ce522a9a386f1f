/*
 * See witness.h: the parent's side. The process reads hostile bytes, so what it sends is checked for its form
 * before anything else sees it.
 */
#include "witness.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "../../launcher/support/cleanup.h"
#include "../../launcher/support/process.h"
#include "witness_process.h"

#define READY_MICROSECONDS 20000000
#define CHANNEL_BYTES      (1 << 20) /* asked for: the parent is busy with a bottle while hits come in */

static bool wait_readable(int fd, uint64_t deadline)
{
    struct pollfd readable = { .fd = fd, .events = POLLIN };
    int found;
    do
        found = poll(&readable, 1, clock_poll_timeout(deadline));
    while (found < 0 && errno == EINTR);
    return found > 0;
}

static bool await_ready(struct witness *witness, struct error *error)
{
    union {
        struct witness_message message;
        struct error error;
    } first;
    if (!wait_readable(witness->channel, clock_microseconds() + READY_MICROSECONDS))
        return error_set(error, ERROR_BROKEN, "the witness process is not ready after 5 seconds");
    ssize_t size = recv(witness->channel, &first, sizeof first, MSG_DONTWAIT);
    if (size == (ssize_t)sizeof first.message && first.message.event == WITNESS_READY)
        return true;
    if (size != (ssize_t)sizeof first.error)
        return error_set(error, ERROR_BROKEN, "the witness process ended before it was ready");
    first.error.text[sizeof first.error.text - 1] = '\0';
    return error_set(error, first.error.code, "witness: %.480s", first.error.text);
}

bool witness_start(struct witness *witness, const struct witness_setup *setup, struct error *error)
{
    int ends[2];
    *witness = (struct witness){ .channel = -1 };
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
        return error_system(error, "can't make the witness's channel");
    int bytes = CHANNEL_BYTES;
    setsockopt(ends[1], SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
    pid_t pid = fork();
    if (pid == 0) {
        close(ends[0]);
        witness_process(setup, ends[1]);
    }
    close(ends[1]);
    witness->channel = ends[0];
    witness->pid = pid;
    witness->watch_count = setup->watch_count;
    if (pid < 0)
        error_system(error, "can't start the witness process");
    if (pid < 0 || !await_ready(witness, error)) {
        witness_end(witness);
        return false;
    }
    return true;
}

static bool is_terminated(const char *text, size_t capacity)
{
    return memchr(text, '\0', capacity) != NULL;
}

static bool is_well_formed(const struct witness *witness, const struct witness_message *message)
{
    unsigned kind = (unsigned)message->kind;
    bool known_kind = kind != 0 && (kind & (kind - 1)) == 0 && kind < 1u << WITNESS_KINDS;
    bool known_event = message->event == WITNESS_STRAY || message->event == WITNESS_LOST ||
                       message->event == WITNESS_DONE || message->event == WITNESS_HIT ||
                       message->event == WITNESS_BROKE;
    return known_event && is_terminated(message->point, sizeof message->point) &&
           is_terminated(message->at, sizeof message->at) && is_terminated(message->peer, sizeof message->peer) &&
           is_terminated(message->text, sizeof message->text) &&
           (message->event != WITNESS_HIT || (known_kind && message->watch < witness->watch_count));
}

bool witness_next(struct witness *witness, struct witness_message *message, uint64_t deadline)
{
    if (witness->ended || !wait_readable(witness->channel, deadline))
        return false;
    ssize_t size = recv(witness->channel, message, sizeof *message, MSG_DONTWAIT | MSG_TRUNC);
    if (size < 0 && (errno == EAGAIN || errno == EINTR))
        return false;
    if (size <= 0) {
        *message = (struct witness_message){ .event = WITNESS_GONE, .monotonic_microseconds = clock_microseconds() };
        snprintf(message->text, sizeof message->text, "the witness process ended on its own");
    } else if (size != (ssize_t)sizeof *message || !is_well_formed(witness, message)) {
        *message = (struct witness_message){ .event = WITNESS_LOST, .monotonic_microseconds = clock_microseconds() };
        snprintf(message->text, sizeof message->text, "a message of the witness process is malformed");
    }
    witness->ended = message->event == WITNESS_GONE || message->event == WITNESS_DONE;
    return true;
}

void witness_ask_to_break(const struct witness *witness)
{
    send(witness->channel, WITNESS_WORD_BREAK, sizeof WITNESS_WORD_BREAK, MSG_NOSIGNAL | MSG_DONTWAIT);
}

void witness_ask_to_stop(struct witness *witness)
{
    send(witness->channel, WITNESS_WORD_STOP, sizeof WITNESS_WORD_STOP, MSG_NOSIGNAL | MSG_DONTWAIT);
}

void witness_end(struct witness *witness)
{
    if (witness->pid == 0) /* never started */
        return;
    cleanup_close_fd(&witness->channel);
    process_kill(witness->pid);
    witness->pid = -1;
}
