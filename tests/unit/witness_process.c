/* The witness process in a site of its own: what is sent must be heard, by whom and where, and silence is
 * silent. */
#include "witness_site.h"

enum way { WAY_TCP, WAY_UDP, WAY_DNS_UDP, WAY_DNS_TCP, WAY_HTTP, WAY_PING };

struct reach {
    enum way way;
    const char *source, *address;
    uint16_t port;
    enum witness_kind heard_by;
    const char *point, *at;
    bool answered;
};

static const struct reach reaches[] = {
    { WAY_TCP, NULL, "1.1.1.1", 443, WITNESS_TCP, "wan0", "1.1.1.1:443", true },
    { WAY_TCP, NULL, "2606:4700::1", 443, WITNESS_TCP, "wan0", "[2606:4700::1]:443", true },
    { WAY_TCP, NULL, "10.77.0.33", 22, WITNESS_TCP, "wan0", "10.77.0.33:22", true },
    { WAY_TCP, NULL, "fd77::33", 22, WITNESS_TCP, "wan0", "[fd77::33]:22", true },
    { WAY_TCP, NULL, "10.77.0.254", 80, WITNESS_TCP, "wan0", "10.77.0.254:80", true },
    { WAY_TCP, "172.18.0.2", "1.1.1.9", 443, WITNESS_TCP, "wan0", "1.1.1.9:443", true },
    { WAY_TCP, "fd99::2", "2606:4700::9", 443, WITNESS_TCP, "wan0", "[2606:4700::9]:443", true },
    { WAY_TCP, NULL, "127.0.0.1", 22, WITNESS_TCP, "lo", "127.0.0.1:22", true },
    { WAY_TCP, NULL, "127.9.9.9", 31337, WITNESS_TCP, "lo", "127.9.9.9:31337", true },
    { WAY_TCP, NULL, "::1", 31337, WITNESS_TCP, "lo", "[::1]:31337", true },
    { WAY_TCP, NULL, "10.77.0.1", 2375, WITNESS_TCP, "lo", "10.77.0.1:2375", true },
    { WAY_HTTP, NULL, "169.254.169.254", 80, WITNESS_TCP, "wan0", "169.254.169.254:80", true },
    { WAY_HTTP, NULL, "fd00:ec2::254", 80, WITNESS_TCP, "wan0", "[fd00:ec2::254]:80", true },
    { WAY_UDP, NULL, "1.1.1.1", 123, WITNESS_UDP, "wan0", "1.1.1.1:123", true },
    { WAY_UDP, NULL, "2606:4700::1", 123, WITNESS_UDP, "wan0", "[2606:4700::1]:123", true },
    { WAY_UDP, "172.18.0.2", "1.1.1.2", 123, WITNESS_UDP, "wan0", "1.1.1.2:123", true },
    { WAY_UDP, NULL, "fd77::33", 9, WITNESS_UDP, "wan0", "[fd77::33]:9", true },
    { WAY_DNS_UDP, NULL, "8.8.8.8", 53, WITNESS_DNS_UDP, "wan0", "8.8.8.8:53", true },
    { WAY_DNS_UDP, NULL, "2001:4860:4860::8888", 53, WITNESS_DNS_UDP, "wan0", "[2001:4860:4860::8888]:53", true },
    { WAY_DNS_TCP, NULL, "8.8.4.4", 53, WITNESS_DNS_TCP, "wan0", "8.8.4.4:53", true },
    { WAY_DNS_TCP, NULL, "127.0.0.53", 53, WITNESS_DNS_TCP, "lo", "127.0.0.53:53", true },
    { WAY_PING, NULL, "1.1.1.3", 0, WITNESS_ICMP, "wan0", "1.1.1.3", false },
    { WAY_PING, NULL, "2606:4700::3", 0, WITNESS_ICMP, "wan0", "2606:4700::3", false },
    { WAY_PING, NULL, "127.3.3.3", 0, WITNESS_ICMP, "lo", "127.3.3.3", false },
    { WAY_PING, NULL, "::1", 0, WITNESS_ICMP, "lo", "::1", false },
};
#define REACHES (sizeof reaches / sizeof *reaches)

/* What an engine may do before it leads a bottle to a port of host loopback: 0, or the errno of binding it. */
static int bind_errno(struct test_site *site, const char *address, uint16_t port)
{
    struct sockaddr_storage where;
    socklen_t size = site_address(address, port, &where);
    int fd = socket(where.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    site_check(site, fd >= 0, "socket: %s", strerror(errno));
    int failed = bind(fd, (struct sockaddr *)&where, size) == 0 ? 0 : errno;
    close(fd);
    return failed;
}

static void asked_ports(struct test_site *site)
{
    site_watch(site, 0, false, TRANSPORT_TCP, "0.0.0.0", 20401);
    site_watch(site, 1, false, TRANSPORT_TCP, "::", 20402);
    site_watch(site, 2, false, TRANSPORT_TCP, "0.0.0.0", 20401); /* the other principal's */
    site_watch(site, 3, false, TRANSPORT_TCP, "1.1.1.1", 20403);
    site_watch(site, 4, false, TRANSPORT_UDP, "0.0.0.0", 20404);
    site_watch(site, 5, false, TRANSPORT_TCP, "10.77.0.254", 20405);
    site_watch(site, 6, false, TRANSPORT_TCP, "0.0.0.0", 99);
    site_start_witness(site);
    site_check(site, bind_errno(site, "127.0.0.1", 20401) == EADDRINUSE, "the gateway's port looks free");
    site_check(site, bind_errno(site, "::1", 20402) == EADDRINUSE, "the gateway's port looks free by IPv6");
    site_check(site, bind_errno(site, "127.0.0.1", 20403) == 0 && bind_errno(site, "127.0.0.1", 20404) == 0,
               "ports that nobody was asked for");
    site_check(site, bind_errno(site, "127.0.0.1", 20405) == EADDRINUSE,
               "the gateway's port looks free by its address");
    site_check(site, bind_errno(site, "127.0.0.1", 99) == 0, "a port that needs a privilege");
    int fd = site_connect(site, SOCK_STREAM, 0, NULL, "127.0.0.1", 20401);
    site_check(site, send(fd, site->watches[0].nonce, NONCE_BYTES, 0) == NONCE_BYTES, "send: %s", strerror(errno));
    site_stop_witness(site);
    site_check(site, site_was_heard(site, 0, WITNESS_TCP, "lo", "127.0.0.1:20401", false),
               "a taken port is not listened at");
}

Test(witness, a_gateways_port_of_host_loopback_looks_taken_and_is_heard)
{
    in_site(asked_ports);
}

static uint8_t transport_of(enum way way)
{
    if (way == WAY_PING)
        return TRANSPORT_ICMP;
    return way == WAY_UDP || way == WAY_DNS_UDP ? TRANSPORT_UDP : TRANSPORT_TCP;
}

/* A query for the address of <nonce in base32>.test; returns its size. */
static size_t make_query(const uint8_t nonce[NONCE_BYTES], uint8_t *query)
{
    static const uint8_t head[12] = { 0x12, 0x34, 1, 0, 0, 1 }, tail[] = "\x04test\0\0\x01\0\x01";
    char letters[32];
    encode_base32(nonce, NONCE_BYTES, letters);
    memcpy(query, head, sizeof head);
    query[12] = (uint8_t)strlen(letters);
    memcpy(query + 13, letters, strlen(letters));
    memcpy(query + 13 + strlen(letters), tail, sizeof tail - 1);
    return 13 + strlen(letters) + sizeof tail - 1;
}

static size_t make_message(const struct reach *reach, const uint8_t nonce[NONCE_BYTES], uint8_t *message)
{
    char digits[2 * NONCE_BYTES + 1];
    encode_hex(nonce, NONCE_BYTES, digits);
    switch (reach->way) {
    case WAY_HTTP:
        return (size_t)sprintf((char *)message, "GET /latest/%s HTTP/1.1\r\nHost: metadata\r\n\r\n", digits);
    case WAY_DNS_UDP:
        return make_query(nonce, message);
    case WAY_DNS_TCP:
        message[0] = 0;
        message[1] = (uint8_t)make_query(nonce, message + 2);
        return 2u + message[1];
    case WAY_PING:
        memset(message, 0, 8);
        message[0] = strchr(reach->address, ':') != NULL ? 128 : 8;
        memcpy(message + 8, nonce, NONCE_BYTES);
        return 8 + NONCE_BYTES;
    default:
        memcpy(message, nonce, NONCE_BYTES);
        return NONCE_BYTES;
    }
}

static void try_reach(struct test_site *site, const struct reach *reach, const uint8_t nonce[NONCE_BYTES])
{
    uint8_t message[512];
    size_t size = make_message(reach, nonce, message);
    bool v6 = strchr(reach->address, ':') != NULL;
    int type = transport_of(reach->way) == TRANSPORT_TCP ? SOCK_STREAM : SOCK_DGRAM;
    int protocol = reach->way != WAY_PING ? 0 : v6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP;
    int fd = site_connect(site, type, protocol, reach->source, reach->address, reach->port);
    site_check(site, send(fd, message, size, MSG_NOSIGNAL) == (ssize_t)size, "send to %s: %s", reach->address,
               strerror(errno));
    if (reach->answered)
        site_check_token(site, fd);
    close(fd);
}

static void hears_all(struct test_site *site)
{
    site_run(site, site->host, "ip addr add 172.18.0.2/32 dev lo; ip -6 addr add fd99::2/128 dev lo nodad");
    for (size_t i = 0; i < REACHES; i++)
        site_watch(site, i, false, transport_of(reaches[i].way), reaches[i].address, reaches[i].port);
    site_start_witness(site);
    for (size_t i = 0; i < REACHES; i++)
        try_reach(site, &reaches[i], site->watches[i].nonce);
    site_stop_witness(site);
    for (size_t i = 0; i < REACHES; i++) {
        const struct reach *reach = &reaches[i];
        site_check(site, site_was_heard(site, i, reach->heard_by, reach->point, reach->at, false),
                   "row %zu, %s: its listener did not hear the nonce at %s", i, reach->address, reach->at);
        site_check(site, site_was_heard(site, i, WITNESS_CAPTURE, reach->point, reach->at, false),
                   "row %zu, %s: the capture did not see the nonce at %s", i, reach->address, reach->at);
    }
    for (size_t i = 0; i < site->message_count; i++) {
        const struct witness_message *message = &site->messages[i];
        site_check(site, message->event != WITNESS_HIT || strcmp(message->at, reaches[message->watch].at) == 0,
                   "row %u: a hit at %s, which is no destination of it", message->watch, message->at);
    }
    site_check_no(site, WITNESS_STRAY);
    site_check_no(site, WITNESS_LOST);
}

Test(witness_process, hears_a_nonce_on_every_address_and_says_where_it_was_going)
{
    in_site(hears_all);
}
