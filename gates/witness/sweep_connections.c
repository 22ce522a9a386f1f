/* See sweep_connections.h. Needs: recvfrom, sendto, close, epoll_ctl. */
#include "sweep_connections.h"

#include <errno.h>

#define READ_BYTES 16384
#define DNS_PORT   53

static void name_ends(struct house_heard *heard)
{
    const struct sweep_connection *connection = heard->owner;
    endpoint_format(&connection->destination, heard->texts[0]);
    endpoint_format(&connection->peer, heard->texts[1]);
}

static void answer(const struct sweep_connection *connection, int fd)
{
    send(fd, connection->all->house->token_line, TOKEN_LINE_BYTES, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* Reads what is there. False if nothing came yet, and the connection is still open. */
static bool listen_once(const struct sweep_connection *connection, int fd)
{
    struct house *house = connection->all->house;
    ssize_t size = recv(fd, house->scratch, READ_BYTES, MSG_DONTWAIT);
    if (size < 0 && (errno == EAGAIN || errno == EINTR))
        return false;
    if (size <= 0)
        return true;
    struct house_heard heard = { .house = house,
                                 .kind = connection->destination.port == DNS_PORT ? WITNESS_DNS_TCP : WITNESS_TCP,
                                 .point = connection->point,
                                 .name = name_ends,
                                 .owner = connection,
                                 .port = connection->destination.port };
    struct windows_cursor cursor = { 0 };
    house_listen_to(&heard, &cursor, house->scratch, (size_t)size);
    answer(connection, fd);
    return true;
}

static void connection_ready(struct loop_source *source, uint32_t events)
{
    struct sweep_connection *connection = loop_owner(source, struct sweep_connection, source);
    struct sweep_connections *all = connection->all;
    (void)events;
    if (!listen_once(connection, source->fd))
        return;
    loop_close(&all->house->loop, source);
    all->free[all->free_count++] = (uint16_t)(connection - all->table);
}

void sweep_connections_prepare(struct sweep_connections *connections, struct house *house)
{
    connections->house = house;
    for (uint16_t i = 0; i < SWEEP_CONNECTIONS_MAX; i++)
        connections->free[connections->free_count++] = (uint16_t)(SWEEP_CONNECTIONS_MAX - 1 - i);
}

void sweep_connections_take(struct sweep_connections *connections, int fd, enum point point,
                            const struct endpoint *destination, const struct endpoint *peer)
{
    struct sweep_connection taken = { .all = connections,
                                      .source = { -1, connection_ready },
                                      .point = point,
                                      .destination = *destination,
                                      .peer = *peer };
    struct loop_source one = { .fd = fd };
    struct error problem = { 0 };
    if (!listen_once(&taken, fd)) {
        if (connections->free_count > 0) {
            uint16_t place = connections->free[connections->free_count - 1];
            connections->table[place] = taken;
            if (loop_add(&connections->house->loop, &connections->table[place].source, fd, &problem)) {
                connections->free_count--;
                return;
            }
        }
        answer(&taken, fd);
    }
    loop_close(&connections->house->loop, &one);
}
