/*
 * See listener.h. A port is opened for IPv4, and for IPv6 where the kernel has that. Connections interleave, and a
 * sender may bring one byte at a time, so each piece goes out in one write with the last TAIL bytes of its connection
 * before it: every window of up to TAIL bytes that was sent stands somewhere in one piece. A datagram is a piece by
 * itself. Nothing is answered or allocated; when CONNECTIONS_MAX are open, the one that was silent for the longest time
 * makes room.
 */
#include "listener.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "address.h"
#include "fields.h"
#include "mechanisms/mechanism.h"

enum { EXIT_READER_GONE = 0, EXIT_UNBOUND = 3, EXIT_USAGE = 4 };

#define LISTENERS_MAX   (2 * LISTENER_SPECS_MAX)
#define CONNECTIONS_MAX 64
#define TAIL            64
#define PIECE_MAX       65536 /* a datagram is no longer */
#define AT_ONCE         64    /* datagrams or connections taken from one socket before the others have their turn */

static struct listening {
    int fd;
    bool stream;
} listening[LISTENERS_MAX];
static struct connection {
    int fd;        /* -1: unused */
    uint64_t last; /* when it spoke last, counted in turns of the loop */
    size_t tail_size;
    uint8_t tail[TAIL];
} connections[CONNECTIONS_MAX];
static size_t listening_count;
static uint64_t turns;
static uint8_t piece[TAIL + PIECE_MAX];

static int refuse(const char *what, const char *why, int status)
{
    dprintf(STDERR_FILENO, "bottle-probe: %s: %s\n", what, why);
    return status;
}

/* False with errno. */
static bool open_one(int type, const struct sockaddr *address, socklen_t size)
{
    const int on = 1;
    int fd = probe_socket(address->sa_family, type, 0);
    if (fd < 0)
        return false;
    if (address->sa_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
    if (type == SOCK_STREAM && address->sa_family != AF_UNIX)
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, address, size) != 0 || (type == SOCK_STREAM && listen(fd, CONNECTIONS_MAX) != 0)) {
        int error = errno;
        close(fd);
        errno = error;
        return false;
    }
    listening[listening_count++] = (struct listening){ .fd = fd, .stream = type == SOCK_STREAM };
    return true;
}

static bool open_port(int type, uint16_t port)
{
    const struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(port) };
    const struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
    if (!open_one(type, (const struct sockaddr *)&in, sizeof in))
        return false;
    return open_one(type, (const struct sockaddr *)&in6, sizeof in6) || errno == EAFNOSUPPORT || errno == EADDRNOTAVAIL;
}

static bool open_name(const char *name)
{
    struct sockaddr_un un = { .sun_family = AF_UNIX };
    size_t size = strlen(name);
    memcpy(un.sun_path + 1, name, size);
    return open_one(SOCK_STREAM, (const struct sockaddr *)&un,
                    (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + size));
}

/* Opens what one word of the command line names; 0, or the exit status. */
static int open_spec(const char *spec)
{
    static const char abstract[] = "abstract:";
    bool tcp = strncmp(spec, "tcp:", 4) == 0, opened;
    uint64_t port;
    if (tcp || strncmp(spec, "udp:", 4) == 0) {
        const struct field digits = { spec + 4, strlen(spec + 4) };
        if (digits.size == 0 || !field_decimal(digits, UINT16_MAX, &port) || port == 0)
            return refuse(spec, "the port is no number from 1 to 65535", EXIT_USAGE);
        opened = open_port(tcp ? SOCK_STREAM : SOCK_DGRAM, (uint16_t)port);
    } else if (strncmp(spec, abstract, strlen(abstract)) == 0) {
        const char *name = spec + strlen(abstract);
        if (name[0] == '\0' || strlen(name) >= sizeof(((struct address *)NULL)->name))
            return refuse(spec, "the name is empty or too long", EXIT_USAGE);
        opened = open_name(name);
    } else {
        return refuse(spec, "neither tcp:PORT nor udp:PORT nor abstract:NAME", EXIT_USAGE);
    }
    return opened ? 0 : refuse(spec, strerror(errno), EXIT_UNBOUND);
}

static bool say(const uint8_t *bytes, size_t size)
{
    while (size > 0) {
        ssize_t written = write(STDOUT_FILENO, bytes, size);
        if (written < 0 && errno == EAGAIN) {
            struct pollfd wait = { .fd = STDOUT_FILENO, .events = POLLOUT };
            poll(&wait, 1, -1);
        } else if (written < 0 && errno != EINTR) {
            return false;
        } else if (written > 0) {
            bytes += written;
            size -= (size_t)written;
        }
    }
    return true;
}

/* These return false when standard output can't be written any more. */
static bool repeat_datagrams(int fd)
{
    for (unsigned i = 0; i < AT_ONCE; i++) {
        ssize_t size = recv(fd, piece, PIECE_MAX, 0);
        if (size < 0)
            return true;
        if (!say(piece, (size_t)size))
            return false;
    }
    return true;
}

static bool repeat_stream(struct connection *connection)
{
    memcpy(piece, connection->tail, connection->tail_size);
    ssize_t size = recv(connection->fd, piece + connection->tail_size, PIECE_MAX, 0);
    if (size < 0 && (errno == EAGAIN || errno == EINTR))
        return true;
    if (size <= 0) {
        close(connection->fd);
        connection->fd = -1;
        return true;
    }
    size_t whole = connection->tail_size + (size_t)size;
    connection->last = turns;
    connection->tail_size = whole < TAIL ? whole : TAIL;
    memcpy(connection->tail, piece + whole - connection->tail_size, connection->tail_size);
    return say(piece, whole);
}

static struct connection *room(void)
{
    struct connection *oldest = &connections[0];
    for (size_t i = 0; i < CONNECTIONS_MAX; i++) {
        if (connections[i].fd < 0)
            return &connections[i];
        if (connections[i].last < oldest->last)
            oldest = &connections[i];
    }
    return oldest;
}

/* A new connection is read at once: what it has brought already must not be lost to a crowd behind it. */
static bool take_connections(int fd)
{
    for (unsigned i = 0; i < AT_ONCE; i++) {
        int taken = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (taken < 0)
            return true;
        struct connection *connection = room();
        if (connection->fd >= 0) {
            if (!repeat_stream(connection))
                return false;
            if (connection->fd >= 0)
                close(connection->fd);
        }
        *connection = (struct connection){ .fd = taken, .last = turns };
        if (!repeat_stream(connection))
            return false;
    }
    return true;
}

static bool listen_once(void)
{
    struct pollfd waits[1 + LISTENERS_MAX + CONNECTIONS_MAX] = { { .fd = STDOUT_FILENO } };
    struct pollfd *listeners = waits + 1, *open_ones = listeners + listening_count;
    for (size_t i = 0; i < listening_count; i++)
        listeners[i] = (struct pollfd){ .fd = listening[i].fd, .events = POLLIN };
    for (size_t i = 0; i < CONNECTIONS_MAX; i++)
        open_ones[i] = (struct pollfd){ .fd = connections[i].fd, .events = POLLIN };
    if (poll(waits, (nfds_t)(1 + listening_count + CONNECTIONS_MAX), -1) < 0)
        return errno == EINTR;
    if (waits[0].revents != 0)
        return false;
    turns++;
    bool heard = true;
    for (size_t i = 0; heard && i < CONNECTIONS_MAX; i++)
        if (open_ones[i].revents != 0)
            heard = repeat_stream(&connections[i]);
    for (size_t i = 0; heard && i < listening_count; i++)
        if (listeners[i].revents != 0)
            heard = listening[i].stream ? take_connections(listening[i].fd) : repeat_datagrams(listening[i].fd);
    return heard;
}

int listener_run(char *const *specs, int count)
{
    if (count < 1 || count > LISTENER_SPECS_MAX)
        return refuse("usage", LISTENER_USAGE ", 1 to 16 of them", EXIT_USAGE);
    signal(SIGPIPE, SIG_IGN);
    for (int i = 0; i < count; i++) {
        int status = open_spec(specs[i]);
        if (status != 0)
            return status;
    }
    for (size_t i = 0; i < CONNECTIONS_MAX; i++)
        connections[i].fd = -1;
    dprintf(STDERR_FILENO, "ready\n");
    while (listen_once())
        continue;
    return EXIT_READER_GONE;
}
