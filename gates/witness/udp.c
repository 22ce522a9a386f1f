/*
 * See udp.h. Needs: recvmsg, sendmsg, and what origin.c needs. nft redirects UDP port 53 to SITE_PORT_DNS and
 * all other ports to SITE_PORT_UDP; connection tracking turns the answers back. What is no query on the DNS
 * port is answered like any other datagram, so that a bare nonce there draws its token too.
 */
#include "udp.h"

#include "arrival.h"

struct received {
    struct udp_socket *socket;
    struct arrival *arrival;
};

static void name_ends(struct house_heard *heard)
{
    const struct received *received = heard->owner;
    struct endpoint destination =
        origin_find(received->socket->udp->origin, IPPROTO_UDP, &received->arrival->local, &received->arrival->peer);
    endpoint_format(&destination, heard->texts[0]);
    endpoint_format(&received->arrival->peer, heard->texts[1]);
}

static void count_dropped(struct udp_socket *socket, uint32_t dropped)
{
    if (dropped > socket->dropped)
        outbox_lost(&socket->udp->house->outbox, "udp: %u datagrams to port %u found no room", dropped, socket->port);
    socket->dropped = dropped;
}

static void take_datagram(struct udp_socket *socket, struct arrival *arrival, size_t size)
{
    struct udp *udp = socket->udp;
    struct house *house = udp->house;
    struct received received = { socket, arrival };
    struct house_heard heard = { .house = house,
                                 .kind = socket->port == SITE_PORT_DNS ? WITNESS_DNS_UDP : WITNESS_UDP,
                                 .point = POINT_WAN,
                                 .name = name_ends,
                                 .owner = &received };
    struct windows_cursor cursor = { 0 };
    arrival->local.port = socket->port;
    house_listen_to(&heard, &cursor, house->scratch, size);
    struct dns_query query;
    if (socket->port != SITE_PORT_DNS || !dns_parse(house->scratch, size, &query)) {
        arrival_answer(socket->source.fd, arrival, house->token_line, TOKEN_LINE_BYTES);
        return;
    }
    uint8_t answer[DNS_UDP_MAX];
    size_t answer_size = dns_server_answer(udp->names, &heard, &query, answer, sizeof answer);
    arrival_answer(socket->source.fd, arrival, answer, answer_size);
}

static void udp_ready(struct loop_source *source, uint32_t events)
{
    struct udp_socket *socket = loop_owner(source, struct udp_socket, source);
    (void)events;
    for (unsigned i = 0; i < UDP_AT_ONCE; i++) {
        struct arrival arrival;
        struct house *house = socket->udp->house;
        ssize_t size = arrival_receive(source->fd, house->scratch, sizeof house->scratch, &arrival);
        if (size < 0)
            return;
        count_dropped(socket, arrival.dropped);
        take_datagram(socket, &arrival, (size_t)size);
    }
}

bool udp_open(struct udp *udp, struct house *house, struct origin *origin, struct dns_names *names, struct error *error)
{
    static const uint16_t ports[] = { SITE_PORT_UDP, SITE_PORT_DNS };
    udp->house = house;
    udp->origin = origin;
    udp->names = names;
    for (size_t i = 0; i < 4; i++) {
        struct udp_socket *socket = &udp->sockets[i];
        bool v6 = i >= 2;
        *socket = (struct udp_socket){ .udp = udp, .port = ports[i % 2], .source = { -1, udp_ready } };
        if (v6 && !house->setup->ipv6)
            continue;
        int fd =
            house_bind(v6 ? AF_INET6 : AF_INET, SOCK_DGRAM, v6 ? "::" : "0.0.0.0", socket->port, HOUSE_ARRIVAL, error);
        if (fd < 0)
            return false;
        house_receive_buffer(fd, UDP_RECEIVE_BYTES);
        if (!loop_add(&house->loop, &socket->source, fd, error))
            return false;
    }
    return true;
}
