/*
 * socket_table_explain (socket_table.h): what a socket of the site's host namespace is. The order of the questions is
 * the point. The local end comes first: a connection that the witnesses accepted has the client's ephemeral port as
 * its remote end, and that can equal a planned one. An attempt's destination comes before what is left of closed
 * connections: a connection to it that is over was one all the same.
 */
#include "socket_table.h"

#include <netinet/tcp.h>
#include <string.h>

static bool is_site_port(uint16_t port)
{
    return port >= SITE_PORT_FIRST && port <= SITE_PORT_LAST;
}

/* Whether the end is this watch's destination. An unspecified address of a watch stands for any of its family. */
static bool is_target(const struct watch *watch, uint8_t transport, const struct endpoint *end)
{
    static const uint8_t any[sizeof watch->tuple.address];
    const struct tuple *tuple = &watch->tuple;
    return !watch->is_sweep && tuple->family == end->family && tuple->transport == transport &&
           tuple->port == end->port && tuple->port != 0 &&
           (memcmp(tuple->address, any, sizeof any) == 0 ||
            memcmp(tuple->address, end->address, sizeof tuple->address) == 0);
}

static bool is_sweep_source(const struct watch *watch, uint8_t transport, const struct endpoint *end)
{
    return watch->is_sweep && watch->tuple.family == end->family && watch->tuple.transport == transport &&
           end->port != 0 && (end->port == watch->sweep_source[0] || end->port == watch->sweep_source[1]);
}

/* The end of a connection that the witnesses accepted. Only TCP has such ends here, and a listener is none: the
 * witnesses' own are at the site's ports. */
static bool is_accepted(const struct socket *socket, const struct watch *watch)
{
    return socket->transport == TRANSPORT_TCP && !socket->listening &&
           (is_target(watch, socket->transport, &socket->local) ||
            is_sweep_source(watch, socket->transport, &socket->remote));
}

/* What no process has and nobody can use any more. An established connection without an owner is not meant: it
 * waits to be accepted. */
static bool is_left_over(const struct socket *socket)
{
    return socket->inode == 0 && socket->state != TCP_ESTABLISHED && socket->state != TCP_SYN_SENT &&
           socket->state != TCP_LISTEN;
}

enum socket_meaning socket_table_explain(const struct socket *socket, const struct watch *watches, size_t count,
                                         uint16_t *watch)
{
    bool to_control = false, to_attempt = false;
    if (is_site_port(socket->local.port) || is_site_port(socket->remote.port))
        return SOCKET_EXPLAINED;
    for (size_t i = 0; i < count; i++) {
        if (is_accepted(socket, &watches[i]))
            return SOCKET_EXPLAINED;
        bool dials = (!socket->listening && is_target(&watches[i], socket->transport, &socket->remote)) ||
                     is_sweep_source(&watches[i], socket->transport, &socket->local);
        if (dials && watches[i].control)
            to_control = true;
        if (dials && !watches[i].control && !to_attempt) {
            to_attempt = true;
            *watch = (uint16_t)i;
        }
    }
    if (to_control)
        return SOCKET_EXPLAINED;
    if (to_attempt)
        return SOCKET_ATTEMPT;
    return is_left_over(socket) ? SOCKET_EXPLAINED : SOCKET_UNKNOWN;
}
