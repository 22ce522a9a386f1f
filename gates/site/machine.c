/* See machine.h. */
#include "machine.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "../../launcher/support/cleanup.h"
#include "../../launcher/support/process.h"
#include "firewall.h"
#include "site.h"
#include "sysctls.h"

#define PORT_RANGE "/proc/sys/net/ipv4/ip_local_port_range"
#define FIRST_PORT 32768 /* the site's own ports lie outside these */
#define LAST_PORT  60999
#define METRIC     4096 /* a bottle's own network, while there is one, goes before */

/* All that lan0 leads to; the first of each family is the LAN itself. */
static const char *const prefixes[] = {
    "10.77.0.0/24", "fd77::/64", "192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32", NULL
};
static const char *const loopback[] = { "127.0.0.0/8", "0.0.0.0/32", "::1/128", "::/128", NULL };

/* The address before the slash, and the bits after it. */
static uint8_t split(const char *prefix, char address[46])
{
    size_t length = strcspn(prefix, "/");
    snprintf(address, 46, "%.*s", (int)length, prefix);
    return (uint8_t)atoi(prefix + length + 1);
}

static bool is_in(const uint8_t *address, int family, const char *prefix)
{
    char text[46];
    uint8_t first[16] = { 0 }, bits = split(prefix, text);
    if (inet_pton(family, text, first) != 1 || memcmp(address, first, bits / 8) != 0)
        return false;
    return bits % 8 == 0 || (address[bits / 8] ^ first[bits / 8]) >> (8 - bits % 8) == 0;
}

static bool is_in_any(const uint8_t *address, int family, const char *const *list)
{
    for (; list != NULL && *list != NULL; list++)
        if (is_in(address, family, *list))
            return true;
    return false;
}

bool machine_owns(const char *literal, const char *const *networks)
{
    uint8_t address[16];
    int family = strchr(literal, ':') != NULL ? AF_INET6 : AF_INET;
    return inet_pton(family, literal, address) == 1 &&
           (is_in_any(address, family, loopback) || is_in_any(address, family, prefixes) ||
            is_in_any(address, family, networks));
}

/* A datagram socket that is connected sends nothing, and has the address that it would send from. */
static void address_towards(const char *far, char own[46])
{
    bool six = strchr(far, ':') != NULL;
    struct sockaddr_in to4 = { .sin_family = AF_INET, .sin_port = htons(9) };
    struct sockaddr_in6 to6 = { .sin6_family = AF_INET6, .sin6_port = htons(9) };
    const struct sockaddr *to = six ? (const struct sockaddr *)&to6 : (const struct sockaddr *)&to4;
    void *where = six ? (void *)&to6.sin6_addr : (void *)&to4.sin_addr;
    socklen_t size = six ? sizeof to6 : sizeof to4;
    cleanup_close int fd = socket(six ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    inet_pton(six ? AF_INET6 : AF_INET, far, where);
    if (fd < 0 || connect(fd, to, size) != 0 ||
        getsockname(fd, six ? (struct sockaddr *)&to6 : (struct sockaddr *)&to4, &size) != 0)
        return;
    inet_ntop(six ? AF_INET6 : AF_INET, where, own, 46);
}

void machine_addresses(char host4[46], char host6[46])
{
    snprintf(host4, 46, SITE_HOST4);
    snprintf(host6, 46, SITE_HOST6);
    address_towards("203.0.113.1", host4);
    address_towards("2001:db8::1", host6);
}

static bool ports_are_free(struct error *error)
{
    char text[64] = "";
    unsigned first = 0, last = 0;
    file_read(PORT_RANGE, text, sizeof text);
    if (sscanf(text, "%u %u", &first, &last) == 2 && first >= FIRST_PORT && last <= LAST_PORT)
        return true;
    return error_set(error, ERROR_HOST,
                     "this machine's programs send from ports that are the gate's (net.ipv4.ip_local_port_range is %u "
                     "to %u): sudo sysctl -w net.ipv4.ip_local_port_range=\"%d %d\", or --site=sealed",
                     first, last, FIRST_PORT, LAST_PORT);
}

static bool is_free(struct links *links, const char *prefix, struct error *error)
{
    char address[46];
    uint8_t bits = split(prefix, address);
    return !links_route_overlaps(links, address, bits) ||
           error_set(error, ERROR_HOST,
                     "this machine has a route into %s, which --site=host needs for itself: remove it, or take "
                     "--site=sealed",
                     prefix);
}

static bool names_are_free(struct error *error)
{
    static const char *const names[] = { "lan0", "side0", "side1" };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (if_nametoindex(names[i]) != 0)
            return error_set(
                error, ERROR_HOST,
                "this machine has an interface %s, a name that --site=host needs for itself: of a run that "
                "was killed (bottle-gate gc removes it), or its own (take --site=sealed)",
                names[i]);
    return true;
}

bool machine_has_room(const char *const *networks, struct error *error)
{
    struct links links = { 0 };
    bool free = names_are_free(error) && ports_are_free(error) && links_open(&links, error);
    for (const char *const *prefix = prefixes; free && *prefix != NULL; prefix++)
        free = is_free(&links, *prefix, error);
    for (; free && networks != NULL && *networks != NULL; networks++)
        free = is_free(&links, *networks, error);
    links_close(&links);
    return free;
}

static bool add_route(struct links *links, const char *prefix, bool ipv6, struct error *error)
{
    char address[46];
    uint8_t bits = split(prefix, address);
    bool six = strchr(address, ':') != NULL;
    const struct link_route route = { .destination = address,
                                      .prefix = bits,
                                      .gateway = six ? SITE_GATEWAY6 : SITE_GATEWAY4,
                                      .device = "lan0",
                                      .metric = METRIC };
    return (six && !ipv6) || links_add_route(links, &route, error);
}

bool machine_add_routes(struct links *links, const char *const *networks, bool ipv6, struct error *error)
{
    bool added = true;
    for (const char *const *prefix = prefixes + 2; added && *prefix != NULL; prefix++)
        added = add_route(links, *prefix, ipv6, error);
    for (; added && networks != NULL && *networks != NULL; networks++)
        added = add_route(links, *networks, ipv6, error);
    return added;
}

bool machine_set_up_side(bool ipv6, struct error *error)
{
    return sysctls_set_device(ipv6, "side0", error) && sysctls_set_device(ipv6, "side1", error);
}

bool site_clear_machine(unsigned *removed, struct error *error)
{
    struct links links = { 0 };
    bool there = false, cleared = firewall_close_machine(&there, error);
    *removed = there;
    cleared = links_open(&links, error) && links_remove_pairs(&links, &there, error) && cleared;
    *removed += there;
    links_close(&links);
    return cleared;
}

int machine_lock(struct error *error)
{
    static const char name[] = "\0bottle-gate --site=host";
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    memcpy(address.sun_path, name, sizeof name - 1);
    cleanup_close int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && bind(fd, (const struct sockaddr *)&address,
                        (socklen_t)(offsetof(struct sockaddr_un, sun_path) + sizeof name - 1)) == 0)
        return take_fd(&fd);
    error_set(error, ERROR_HOST, "another run with --site=host is under way on this machine: wait for its end");
    return -1;
}
