/* See house.h. */
#include "house.h"

#include <arpa/inet.h>
#include <errno.h>
#include <sched.h>
#include <string.h>

#include "../../launcher/support/cleanup.h"

bool house_enter(int network_namespace, struct error *error)
{
    return setns(network_namespace, CLONE_NEWNET) == 0 || error_system(error, "can't enter a namespace of the site");
}

static bool switch_on(int fd, int level, int option)
{
    int on = 1;
    return setsockopt(fd, level, option, &on, sizeof on) == 0;
}

void house_receive_buffer(int fd, int bytes)
{
    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof bytes) < 0)
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
}

int house_socket(uint8_t family, int type, int protocol, unsigned options, struct error *error)
{
    bool v6 = family == AF_INET6;
    int level = v6 ? IPPROTO_IPV6 : IPPROTO_IP;
    cleanup_close int fd = socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol);
    bool ready = fd >= 0 && switch_on(fd, SOL_SOCKET, SO_REUSEADDR) &&
                 (!v6 || type == SOCK_RAW || switch_on(fd, IPPROTO_IPV6, IPV6_V6ONLY)) &&
                 (!(options & HOUSE_TRANSPARENT) || switch_on(fd, level, v6 ? IPV6_TRANSPARENT : IP_TRANSPARENT)) &&
                 (!(options & HOUSE_ARRIVAL) ||
                  (switch_on(fd, level, v6 ? IPV6_RECVPKTINFO : IP_PKTINFO) && switch_on(fd, SOL_SOCKET, SO_RXQ_OVFL)));
    if (!ready) {
        error_system(error, "can't make a listening socket for IPv%d", v6 ? 6 : 4);
        return -1;
    }
    return take_fd(&fd);
}

int house_bind(uint8_t family, int type, const char *address, uint16_t port, unsigned options, struct error *error)
{
    cleanup_close int fd = house_socket(family, type, 0, options, error);
    struct endpoint endpoint = { .family = family, .port = port };
    inet_pton(family, address, endpoint.address);
    union socket_address where;
    socklen_t size = endpoint_to_socket(&endpoint, &where);
    if (fd >= 0 && bind(fd, &where.any, size) == 0)
        return take_fd(&fd);
    error_system(error, "can't listen on %s port %u", address, port);
    return -1;
}

static void heard_nonce(void *context, uint16_t watch)
{
    struct house_heard *heard = context;
    heard->any = true;
    sweeps_note(&heard->house->sweeps, &heard->house->setup->watches[watch], heard->port);
    if (!outbox_wants(&heard->house->outbox, watch, heard->kind, heard->point, false))
        return;
    if (heard->at == NULL) {
        heard->name(heard);
        heard->at = heard->texts[0];
        heard->peer = heard->texts[1];
    }
    outbox_hit(&heard->house->outbox, watch, heard->kind, heard->point, false, heard->at, heard->peer);
}

void house_listen_to(struct house_heard *heard, struct windows_cursor *cursor, const uint8_t *bytes, size_t size)
{
    windows_scan(&heard->house->windows, cursor, bytes, size, heard_nonce, heard);
}
