/* See socket_watch.h. */
#include "socket_watch.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "../launcher/support/cleanup.h"
#include "phase.h"

#define CONTROL_PORT 19021

/* Its control: a listener made here and now must be in the table. */
static bool shows_a_new_listener(struct socket_watch *watch, struct error *error)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_port = htons(CONTROL_PORT),
                                   .sin_addr = { htonl(INADDR_LOOPBACK) } };
    cleanup_close int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (const struct sockaddr *)&address, sizeof address) != 0 || listen(fd, 1) != 0)
        return error_system(error, "can't make the control of the socket table");
    if (!socket_table_read(&watch->table, &watch->now, error))
        return false;
    for (size_t i = 0; i < watch->now.count; i++)
        if (watch->now.sockets[i].listening && watch->now.sockets[i].local.port == CONTROL_PORT)
            return true;
    return error_set(error, ERROR_BROKEN, "the host's socket table does not show a listener that was just made");
}

bool socket_watch_begin(struct socket_watch *watch, struct hearing *hearing, struct error *error)
{
    struct error why = { 0 };
    *watch = (struct socket_watch){ .table = { .netlink = -1 } };
    watch->available = socket_table_open(&watch->table, &why);
    if (!watch->available) {
        snprintf(hearing->result->no_sockets, sizeof hearing->result->no_sockets, "%.95s", why.text);
        return why.code == ERROR_HOST || error_set(error, why.code, "%s", why.text);
    }
    return shows_a_new_listener(watch, error) && socket_table_read(&watch->table, &watch->before, error);
}

static bool is_loopback(const struct endpoint *end)
{
    static const uint8_t one[16] = { [15] = 1 };
    return end->family == AF_INET6 ? memcmp(end->address, one, sizeof one) == 0 : end->address[0] == 127;
}

/* A proxy or a relay of the sandbox's, and its connections: they are inside the fence (witness/own_listeners.h). */
static bool is_the_sandboxs(const struct hearing *hearing, const struct socket *socket)
{
    return hearing->options->backend->own_listeners && socket->transport == TRANSPORT_TCP &&
           is_loopback(&socket->local) && (socket->listening || is_loopback(&socket->remote));
}

static void found(void *context, const struct socket *socket)
{
    struct hearing *hearing = context;
    char local[ENDPOINT_TEXT], remote[ENDPOINT_TEXT], text[96];
    uint16_t watch;
    endpoint_format(&socket->local, local);
    endpoint_format(&socket->remote, remote);
    switch (socket_table_explain(socket, hearing->watches, hearing->watch_count, &watch)) {
    case SOCKET_EXPLAINED:
        break;
    case SOCKET_ATTEMPT:
        hearing_note_socket(hearing, watch, remote, local);
        break;
    case SOCKET_UNKNOWN:
        if (is_the_sandboxs(hearing, socket) || hearing->options->machine != NULL)
            break;
        snprintf(text, sizeof text, "a new %s socket on the host: %.24s%s%.24s", transport_name(socket->transport),
                 local, socket->listening ? " takes from anybody" : " to ", socket->listening ? "" : remote);
        hearing_note_stray(hearing, text);
        break;
    }
}

void socket_watch_look(struct socket_watch *watch, struct hearing *hearing)
{
    struct error error = { 0 };
    if (!watch->available)
        return;
    if (socket_table_read(&watch->table, &watch->now, &error))
        socket_table_difference(&watch->before, &watch->now, found, hearing);
    else
        hearing_note_broken(hearing, error.text);
}

void socket_watch_end(struct socket_watch *watch)
{
    if (watch->table.netlink > 0)
        socket_table_close(&watch->table);
    socket_list_free(&watch->before);
    socket_list_free(&watch->now);
    *watch = (struct socket_watch){ .table = { .netlink = -1 } };
}
