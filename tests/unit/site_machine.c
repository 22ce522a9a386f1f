/*
 * The site on a machine: what it takes to itself there, what it leaves alone, and that nothing of it remains. The machine is a
 * network namespace made for the test, with an uplink whose far end is in it as well: what goes out of it is seen.
 */
#include <fcntl.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <sys/mount.h>

#include "site_fixture.h"
#include "../../gates/plan.h"
#include "../../gates/site/firewall.h"
#include "../../gates/site/links.h"
#include "../../gates/site/machine.h"
#include "../../gates/site/sysctls.h"
#include "../../probes/vectors.h"

#define UPLINK4 "198.18.7.2"
#define UPLINK6 "fd88::2"

static const char *const networks[] = { "172.31.77.0/24", "fd31:78::/64", NULL };
static int uplink = -1; /* sees what leaves by the uplink */

/* up0 has the machine's address and its default routes; up1 takes all that is sent there. */
static void make_machine(void)
{
    struct links links;
    struct error error = { 0 };
    static const uint8_t one_address[6] = { 2, 0, 0, 0, 0x18, 1 };
    int here = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    const struct link_route route4 = { .destination = "0.0.0.0", .gateway = "198.18.7.1", .device = "up0" };
    const struct link_route route6 = { .destination = "::", .gateway = "fd88::1", .device = "up0" };
    REQUIRE(links_open(&links, &error) && links_add_pair(&links, "veth", "up0", "up1", here, one_address, &error) &&
                links_set_up(&links, "lo", &error) && links_set_up(&links, "up0", &error) &&
                links_set_up(&links, "up1", &error) && links_add_address(&links, "up0", UPLINK4, 24, &error) &&
                links_add_address(&links, "up0", UPLINK6, 64, &error) && links_add_route(&links, &route4, &error) &&
                links_add_route(&links, &route6, &error),
            "the machine: %s", error.text);
    links_close(&links);
    close(here);
    /* A machine's interfaces are in no group of the site's. */
    REQUIRE(mount("sysfs", "/sys", "sysfs", 0, NULL) == 0 &&
                file_write("/sys/class/net/up0/netdev_group", "0", &error) &&
                file_write("/sys/class/net/up1/netdev_group", "0", &error),
            "can't make the uplink the machine's own: %s", strerror(errno));
    uplink = bounded_socket(AF_PACKET, SOCK_DGRAM, htons(ETH_P_ALL));
    struct sockaddr_ll end = { .sll_family = AF_PACKET,
                               .sll_protocol = htons(ETH_P_ALL),
                               .sll_ifindex = (int)if_nametoindex("up1") };
    REQUIRE(bind(uplink, (struct sockaddr *)&end, sizeof end) == 0, "bind: %s", strerror(errno));
}

static bool open_on_machine(struct error *error)
{
    return site_open_on_machine(&site, networks, error);
}

static void open_machine_and_run(void)
{
    struct error error = { 0 };
    make_machine();
    REQUIRE(open_on_machine(&error), "site_open_on_machine: %s", error.text);
    site_body();
    site_close(&site);
}

static void run_on_machine(void (*body)(void))
{
    site_body = body;
    run_in_namespaces(open_machine_and_run);
}

/* Bytes of the first IPv4 datagram to that address and port that has left by the uplink; false if there is none yet. */
static bool left_by_uplink(const char *destination, uint16_t port)
{
    uint8_t packet[2048], address[4];
    uint16_t wire = htons(port);
    REQUIRE(inet_pton(AF_INET, destination, address) == 1, "bad literal");
    for (ssize_t size; (size = recv(uplink, packet, sizeof packet, MSG_DONTWAIT)) > 0;)
        if (size >= 24 && packet[0] == 0x45 && memcmp(packet + 16, address, 4) == 0 &&
            memcmp(packet + 22, &wire, 2) == 0)
            return true;
    return false;
}

static void send_datagram(const char *source, uint16_t from, const char *destination, uint16_t port)
{
    struct endpoint here = endpoint(source, from), there = endpoint(destination, port);
    int fd = bounded_socket(here.address.ss_family, SOCK_DGRAM, 0);
    REQUIRE(bind(fd, (struct sockaddr *)&here.address, here.size) == 0, "bind: %s", strerror(errno));
    (void)!sendto(fd, "x", 1, 0, (struct sockaddr *)&there.address, there.size);
    close(fd);
}

static void talk_to_world(int listener, const char *destination, uint16_t port)
{
    struct sockaddr_storage peer;
    int client = connect_from(NULL, destination, port);
    close(accept_and_talk(listener, client, &peer, destination));
    close(client);
}

static void what_leads_to_world(void)
{
    int four = world_socket(SOCK_STREAM, "0.0.0.0", SITE_PORT_TCP);
    int six = world_socket(SOCK_STREAM, "::", SITE_PORT_TCP);
    static const char *const to4[] = { "203.0.113.9", "198.51.100.1", "192.0.2.22",
                                       "10.77.0.33",  "10.77.0.254",  "172.31.77.1" };
    static const char *const to6[] = { "2001:db8:61::1", "fd77::fe", "fd31:78::3" };
    for (size_t i = 0; i < sizeof to4 / sizeof *to4; i++)
        talk_to_world(four, to4[i], (uint16_t)(80 + i));
    for (size_t i = 0; i < sizeof to6 / sizeof *to6; i++)
        talk_to_world(six, to6[i], (uint16_t)(80 + i));
}

Test(site_machine, addresses_that_nobody_has_and_those_of_bottles_lead_to_the_world)
{
    run_on_machine(what_leads_to_world);
}

/* 198.18.0.0/15 is for benchmarks (RFC 2544): the uplink's own, and none of the gate's. */
static void what_leaves(void)
{
    send_datagram("0.0.0.0", 0, "198.18.9.9", 9);
    REQUIRE(left_by_uplink("198.18.9.9", 9), "the machine's own datagram did not leave");
    /* A route that leads elsewhere: what is the gate's doesn't go there all the same. */
    struct links links;
    struct error error = { 0 };
    const struct link_route astray = { .destination = "203.0.113.9", .prefix = 32, .device = "up0" };
    REQUIRE(links_open(&links, &error) && links_add_route(&links, &astray, &error), "%s", error.text);
    links_close(&links);
    send_datagram("0.0.0.0", 0, "203.0.113.9", 9);
    send_datagram("0.0.0.0", 0, "198.18.9.9", 10);
    REQUIRE(!left_by_uplink("203.0.113.9", 9), "a datagram to an address of the gate's left by the uplink");
}

Test(site_machine, what_is_the_machines_leaves_as_before_and_what_is_the_gates_never)
{
    run_on_machine(what_leaves);
}

static void whose_network(void)
{
    struct links links;
    struct error error = { 0 };
    int world = world_socket(SOCK_STREAM, "0.0.0.0", SITE_PORT_TCP);
    talk_to_world(world, "172.31.77.3", 80);
    REQUIRE(links_open(&links, &error) && links_add_address(&links, "up0", "172.31.77.1", 24, &error), "%s",
            error.text);
    links_close(&links);
    send_datagram("0.0.0.0", 0, "172.31.77.3", 9);
    REQUIRE(left_by_uplink("172.31.77.3", 9), "a bottle that is there is not reached: the world is, in its place");
}

Test(site_machine, a_bottles_own_network_goes_before_the_world)
{
    run_on_machine(whose_network);
}

static void whose_connections(void)
{
    struct sockaddr_storage peer;
    int witness = bound_socket(SOCK_STREAM, "0.0.0.0", SITE_PORT_TCP, true);
    int service = bound_socket(SOCK_STREAM, "127.0.0.1", 20005, false);
    int other = bound_socket(SOCK_STREAM, "127.0.0.1", 8080, false);
    int client = connect_from(NULL, "127.0.0.1", 20006);
    close(accept_and_talk(witness, client, &peer, "an attempt at a port where nobody listens"));
    client = connect_from(NULL, "127.0.0.1", 20005);
    close(accept_and_talk(service, client, &peer, "a connection to a service of the machine"));
    client = connect_from(NULL, "127.0.0.1", 8080);
    close(accept_and_talk(other, client, &peer, "a connection to another service"));
    REQUIRE(connect_errno("127.0.0.1", 8081) == ECONNREFUSED, "a port that is none of the gate's was not refused");
    for (int half = 0; half < 2; half++) {
        uint16_t source = sweep_source(half == 1, half == 0 ? 1 : SWEEP_HALF);
        struct endpoint here = endpoint("127.0.0.1", source), there = endpoint("127.0.0.1", 8080);
        client = bounded_socket(AF_INET, SOCK_STREAM, 0);
        REQUIRE(bind(client, (struct sockaddr *)&here.address, here.size) == 0 &&
                    connect(client, (struct sockaddr *)&there.address, there.size) == 0,
                "a sweep's connection: %s", strerror(errno));
        close(accept_and_talk(witness, client, &peer, "a connection of the sweep"));
    }
    int datagrams = bound_socket(SOCK_DGRAM, "127.0.0.1", 8082, false);
    send_datagram("127.0.0.1", sweep_source(false, 1), "127.0.0.1", 8082);
    send_datagram("127.0.0.1", 0, "127.0.0.1", 8082);
    struct endpoint from = { .size = sizeof from.address };
    char byte;
    REQUIRE(recvfrom(datagrams, &byte, 1, 0, (struct sockaddr *)&from.address, &from.size) == 1 &&
                ((struct sockaddr_in *)&from.address)->sin_port != htons(sweep_source(false, 1)),
            "a service of the machine got a datagram of the sweep");
}

Test(site_machine, services_of_the_machine_keep_their_connections_and_get_nothing_of_a_sweep)
{
    run_on_machine(whose_connections);
}

/* Whatever of the machine a site could change: interfaces, routes, and settings that a sealed site sets. */
static void picture(char text[8192])
{
    static const char *const files[] = { "/proc/net/route",
                                         "/proc/sys/net/ipv4/ip_forward",
                                         "/proc/sys/net/ipv4/conf/all/rp_filter",
                                         "/proc/sys/net/ipv4/conf/default/arp_ignore",
                                         "/proc/sys/net/ipv4/conf/lo/accept_local",
                                         "/proc/sys/net/ipv4/icmp_echo_ignore_all",
                                         "/proc/sys/net/ipv6/conf/all/forwarding",
                                         "/proc/sys/net/ipv6/conf/default/accept_ra",
                                         "/proc/sys/net/ipv4/ping_group_range" };
    size_t used = 0;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        char part[4096] = "";
        file_read(files[i], part, sizeof part);
        used += (size_t)snprintf(text + used, 8192 - used, "%s", part);
    }
    struct if_nameindex *links = if_nameindex();
    for (const struct if_nameindex *link = links; link->if_index != 0; link++)
        if (strcmp(link->if_name, "lan0") != 0 && strncmp(link->if_name, "side", 4) != 0)
            used += (size_t)snprintf(text + used, 8192 - used, "%s ", link->if_name);
    if_freenameindex(links);
}

static void change_settings(void)
{
    static const char *const rows[][2] = { { "/proc/sys/net/ipv4/ip_forward", "1" },
                                           { "/proc/sys/net/ipv4/conf/all/rp_filter", "2" },
                                           { "/proc/sys/net/ipv4/conf/default/arp_ignore", "2" },
                                           { "/proc/sys/net/ipv4/conf/lo/accept_local", "1" },
                                           { "/proc/sys/net/ipv4/icmp_echo_ignore_all", "1" },
                                           { "/proc/sys/net/ipv6/conf/default/accept_ra", "2" },
                                           { "/proc/sys/net/ipv6/conf/all/forwarding", "1" } };
    struct error error = { 0 };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        REQUIRE(file_write(rows[i][0], rows[i][1], &error), "%s", error.text);
}

static void leaves_nothing(void)
{
    static char before[8192], during[8192], after[8192];
    struct error error = { 0 };
    unsigned removed = 9;
    bool there = true;
    make_machine();
    change_settings();
    picture(before);
    REQUIRE(open_on_machine(&error), "site_open_on_machine: %s", error.text);
    picture(during);
    site_close(&site);
    picture(after);
    REQUIRE(strcmp(before, after) == 0, "before:\n%s\nafter:\n%s", before, after);
    const char *settings = strstr(before, "\n1\n"), *then = strstr(during, "\n1\n");
    REQUIRE(settings != NULL && then != NULL && strcmp(settings, then) == 0, "a setting is another meanwhile:\n%s\n%s",
            settings, then);
    REQUIRE(if_nametoindex("lan0") == 0 && if_nametoindex("side0") == 0 && if_nametoindex("side1") == 0,
            "an interface is left");
    REQUIRE(firewall_close_machine(&there, &error) && !there, "rules are left: %s", error.text);
    REQUIRE(site_clear_machine(&removed, &error) && removed == 0, "%u things are left: %s", removed, error.text);
    REQUIRE(open_on_machine(&error), "a second time: %s", error.text);
    site_close(&site);
}

Test(site_machine, changes_no_setting_and_leaves_nothing)
{
    run_in_namespaces(leaves_nothing);
}

/* As a guardian finds it: the site's own process is gone, and its world with it. */
static void is_cleared(void)
{
    struct error error = { 0 };
    unsigned removed = 0;
    make_machine();
    pid_t maker = fork();
    if (maker == 0)
        _exit(open_on_machine(&error) ? 0 : 1);
    int status = -1;
    REQUIRE(waitpid(maker, &status, 0) == maker && status == 0, "no site");
    REQUIRE(if_nametoindex("side0") != 0, "the killed site left nothing, so nothing is tested");
    REQUIRE(site_clear_machine(&removed, &error) && removed == 2, "%u: %s", removed, error.text);
    REQUIRE(if_nametoindex("side0") == 0, "an interface is left");
    REQUIRE(if_nametoindex("up0") != 0, "an interface of the machine's was removed");
}

Test(site_machine, what_a_killed_site_has_left_is_removed)
{
    run_in_namespaces(is_cleared);
}

static void is_refused(const char *wanted)
{
    struct error error = { 0 };
    REQUIRE(!open_on_machine(&error), "it was opened, although: %s", wanted);
    REQUIRE(error.code == ERROR_HOST && strstr(error.text, wanted) != NULL, "said \"%s\", and not: %s", error.text,
            wanted);
}

static void has_no_room(void)
{
    struct links links;
    struct error error = { 0 };
    static const char *const taken[][2] = { { "10.77.0.128", "10.77.0.0/24" },
                                            { "203.0.113.0", "203.0.113.0/24" },
                                            { "172.31.77.0", "172.31.77.0/24" },
                                            { "2001:db8:5::", "2001:db8::/32" } };
    make_machine();
    REQUIRE(links_open(&links, &error), "%s", error.text);
    for (size_t i = 0; i < sizeof taken / sizeof *taken; i++) {
        bool six = strchr(taken[i][0], ':') != NULL;
        const struct link_route route = {
            .destination = taken[i][0], .prefix = six ? 48 : 25, .device = "up0", .metric = 7
        };
        REQUIRE(!links_route_overlaps(&links, taken[i][0], six ? 48 : 25), "%s is taken before", taken[i][0]);
        REQUIRE(links_add_route(&links, &route, &error), "%s", error.text);
        is_refused(taken[i][1]);
        REQUIRE(if_nametoindex("lan0") == 0, "something was made before it was refused");
        REQUIRE(unshare(CLONE_NEWNET) == 0, "unshare: %s", strerror(errno));
        links_close(&links);
        make_machine();
        REQUIRE(links_open(&links, &error), "%s", error.text);
    }
    REQUIRE(!links_route_overlaps(&links, "198.51.100.0", 24), "the default route is taken for one into a prefix");
    REQUIRE(file_write("/proc/sys/net/ipv4/ip_local_port_range", "1024 60999", &error), "%s", error.text);
    is_refused("ip_local_port_range is 1024 to 60999");
    REQUIRE(file_write("/proc/sys/net/ipv4/ip_local_port_range", "32768 60999", &error), "%s", error.text);
    int here = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    REQUIRE(links_add_pair(&links, "veth", "lan0", "lan1", here, NULL, &error), "%s", error.text);
    is_refused("an interface lan0");
    REQUIRE(if_nametoindex("lan0") != 0, "an interface of the machine's was removed");
    links_close(&links);
}

Test(site_machine, a_machine_that_uses_its_names_addresses_or_ports_is_refused_before_anything_is_made)
{
    run_in_namespaces(has_no_room);
}

static void one_at_a_time(void)
{
    struct error error = { 0 };
    int first = machine_lock(&error), second = machine_lock(&error);
    REQUIRE(first >= 0 && second < 0 && error.code == ERROR_HOST && strstr(error.text, "under way") != NULL,
            "a second run got the machine: %s", error.text);
    close(first);
    REQUIRE(machine_lock(&error) >= 0, "it can't be had again");
}

Test(site_machine, belongs_to_one_run_at_a_time)
{
    run_in_namespaces(one_at_a_time);
}

static void own_addresses(void)
{
    char host4[46], host6[46];
    machine_addresses(host4, host6);
    REQUIRE(strcmp(host4, SITE_HOST4) == 0 && strcmp(host6, SITE_HOST6) == 0, "without an uplink: %s %s", host4, host6);
    make_machine();
    machine_addresses(host4, host6);
    REQUIRE(strcmp(host4, UPLINK4) == 0 && strcmp(host6, UPLINK6) == 0, "%s %s", host4, host6);
    REQUIRE(!left_by_uplink("203.0.113.1", 9), "asking for them sent something");
}

Test(site_machine, knows_the_machines_own_addresses_and_sends_nothing_for_it)
{
    run_in_namespaces(own_addresses);
}

Test(site_machine, owns_loopback_what_leads_to_the_world_and_the_bottles_networks_alone)
{
    static const char *const owned[] = { "127.0.0.1", "127.9.9.9",   "0.0.0.0",     "::1",           "::",
                                         "10.77.0.1", "192.0.2.255", "203.0.113.0", "2001:db8:61::", "172.31.77.1",
                                         "fd77::33",  "fd31:78::3" };
    static const char *const others[] = { "8.8.8.8",         "10.77.1.0",          "10.76.255.255", "126.255.255.255",
                                          "172.31.78.1",     "172.17.0.1",         "224.0.0.1",     "255.255.255.255",
                                          "2001:db9::",      "fd77:0:0:1::",       "fe80::77:1",    "ff02::1",
                                          "::127.0.0.1",     "::ffff:0:127.0.0.1", "::2",           "",
                                          "@route:10.0.0.1", "203.0.113.1 " };
    for (size_t i = 0; i < sizeof owned / sizeof *owned; i++)
        cr_expect(machine_owns(owned[i], networks), "%s", owned[i]);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        cr_expect(!machine_owns(others[i], networks), "%s", others[i]);
    cr_expect(!machine_owns("172.31.77.1", NULL));
}
