/*
 * Addresses that are special to some part of a kernel: each is sent to from the host namespace of a real site, and must
 * arrive at wan0 (or lo, for the host's own) and be told by its tuple. Which of them complete a TCP handshake is part of the
 * table: the others can only be seen by their tuples.
 */
#include <net/if.h>

#include "gates_site.h"

enum reply { REPLY_NONE, REPLY_TOKEN };

struct special {
    const char *address;
    bool tcp;
    uint16_t port;
    const char *point;
    enum reply reply; /* TOKEN: the connection is made, or the datagram answered, and the token comes back */
};

static const struct special specials[] = {
    { "224.0.0.251", false, 5353, "wan0", REPLY_NONE },
    { "239.1.2.3", false, 5000, "wan0", REPLY_NONE },
    { "255.255.255.255", false, 5001, "wan0", REPLY_NONE },
    { "10.77.0.255", false, 5002, "wan0", REPLY_TOKEN },
    { "ff02::fb", false, 5353, "wan0", REPLY_NONE },
    { "ff02::1", false, 5003, "wan0", REPLY_NONE },
    { "ff05::1234", false, 5004, "wan0", REPLY_NONE },
    /* the redirect has no address in the scope that the kernel sees in an IPv4-compatible one */
    { "::7f00:1", false, 5005, "wan0", REPLY_NONE },
    { "::7f00:1", true, 5006, "wan0", REPLY_NONE },
    { "::ffff:0:7f00:1", false, 5007, "wan0", REPLY_TOKEN },
    { "::ffff:0:7f00:1", true, 5008, "wan0", REPLY_TOKEN },
    { "64:ff9b::808:808", false, 5009, "wan0", REPLY_TOKEN },
    { "64:ff9b::808:808", true, 5010, "wan0", REPLY_TOKEN },
    { "64:ff9b:1::808:808", false, 5011, "wan0", REPLY_TOKEN },
    { "64:ff9b:1::808:808", true, 5012, "wan0", REPLY_TOKEN },
    { "2002:808:808::1", false, 5013, "wan0", REPLY_TOKEN },
    { "2002:808:808::1", true, 5014, "wan0", REPLY_TOKEN },
    { "2001:0:808:808::1", false, 5015, "wan0", REPLY_TOKEN },
    { "2001:0:808:808::1", true, 5016, "wan0", REPLY_TOKEN },
    { "fe80::77:fe", false, 5017, "wan0", REPLY_TOKEN },
    { "fe80::77:fe", true, 5018, "wan0", REPLY_TOKEN },
    { "fe80::77:1", false, 5019, "lo", REPLY_NONE },
    { "fe80::77:1", true, 5020, "lo", REPLY_TOKEN },
    { "fe80::a9fe:a9fe", false, 5021, "wan0", REPLY_TOKEN },
    { "fe80::a9fe:a9fe", true, 80, "wan0", REPLY_TOKEN },
};
#define SPECIALS (sizeof specials / sizeof *specials)

/* Scoped addresses are reached by lan0. What draws no answer is not waited for: its connection is left half made. */
static void try_special(struct test_site *site, const struct special *special)
{
    struct sockaddr_storage to;
    struct timeval patience = { .tv_sec = 20 };
    int on = 1, waits = special->reply == REPLY_TOKEN;
    socklen_t size = site_address(special->address, special->port, &to);
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&to;
    if (to.ss_family == AF_INET6 && (IN6_IS_ADDR_LINKLOCAL(&v6->sin6_addr) || IN6_IS_ADDR_MULTICAST(&v6->sin6_addr)))
        v6->sin6_scope_id = if_nametoindex("lan0");
    int type = (special->tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC | (waits ? 0 : SOCK_NONBLOCK);
    int fd = socket(to.ss_family, type, 0);
    setsockopt(fd, SOL_SOCKET, SO_BROADCAST, &on, sizeof on);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    if (special->tcp) {
        site_check(site, connect(fd, (struct sockaddr *)&to, size) == 0 || (!waits && errno == EINPROGRESS),
                   "connect to %s: %s", special->address, strerror(errno));
        if (waits)
            site_check(site, send(fd, "hello", 5, MSG_NOSIGNAL) == 5, "send to %s: %s", special->address,
                       strerror(errno));
    } else {
        site_check(site, sendto(fd, "hello", 5, 0, (struct sockaddr *)&to, size) == 5, "send to %s: %s",
                   special->address, strerror(errno));
    }
    if (waits)
        site_check_token(site, fd);
    close(fd);
}

static bool was_told(const struct test_site *site, size_t watch)
{
    const struct special *special = &specials[watch];
    char at[80], text[INET6_ADDRSTRLEN] = "";
    struct sockaddr_storage to;
    site_address(special->address, special->port, &to);
    const void *bytes = to.ss_family == AF_INET6 ? (const void *)&((struct sockaddr_in6 *)&to)->sin6_addr
                                                 : &((struct sockaddr_in *)&to)->sin_addr;
    inet_ntop(to.ss_family, bytes, text, sizeof text);
    snprintf(at, sizeof at, to.ss_family == AF_INET6 ? "[%s]:%u" : "%s:%u", text, special->port);
    return site_was_heard(site, watch, WITNESS_CAPTURE, special->point, at, true);
}

static void hears_special_addresses(struct test_site *site)
{
    for (size_t i = 0; i < SPECIALS; i++)
        site_watch(site, i, false, specials[i].tcp ? TRANSPORT_TCP : TRANSPORT_UDP, specials[i].address,
                   specials[i].port);
    site_start_witness(site);
    for (size_t i = 0; i < SPECIALS; i++)
        try_special(site, &specials[i]);
    site_stop_witness(site);
    for (size_t i = 0; i < SPECIALS; i++)
        site_check(site, was_told(site, i), "%s was not told by its tuple at %s", specials[i].address,
                   specials[i].point);
    site_check_no(site, WITNESS_STRAY);
    site_check_no(site, WITNESS_LOST);
    site_check_lossless(site);
}

Test(gates_addresses, special_addresses_arrive_and_are_told_by_their_tuples)
{
    in_real_site(hears_special_addresses);
}
