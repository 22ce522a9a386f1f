/*
 * What comes into the host by a cable that joins a bottle to it: heard at the point "host" once the host's firewall has let
 * it in, and not before. The bottle is a network namespace with one end of a veth pair. Its cable has no bounds of its own:
 * frames may be as large as packets.
 */
#include <net/if.h>

#include "gates_site.h"

enum refusal { LET_IN, DROPPED, DROPPED_LAST };
static enum refusal refusal; /* what the host's firewall does with what comes by the cable */

static int bottle;

static void lay_cable(struct test_site *site)
{
    static const char *const priorities[] = { [DROPPED] = "0", [DROPPED_LAST] = "2147483647" };
    char script[400];
    site_check(site, unshare(CLONE_NEWNET) == 0, "unshare: %s", strerror(errno));
    bottle = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    site_check(site, setns(site->host, CLONE_NEWNET) == 0, "setns: %s", strerror(errno));
    snprintf(
        script, sizeof script,
        "ip link add leak0 mtu 65535 type veth peer name eth0 mtu 65535 netns /proc/%d/fd/%d\n"
        "ip address add 172.30.0.1/24 dev leak0; ip address add fd30::1/64 dev leak0 nodad; ip link set leak0 up\n",
        getpid(), bottle);
    site_run(site, site->host, script);
    site_run(site, bottle,
             "echo 0 >/proc/sys/net/ipv6/conf/eth0/accept_dad; ip link set lo up; ip link set eth0 up\n"
             "ip address add 172.30.0.2/24 dev eth0; ip address add fd30::2/64 dev eth0 nodad\n"
             "ip route add default via 172.30.0.1; ip route add default via fd30::1\n");
    if (refusal == LET_IN)
        return;
    snprintf(script, sizeof script,
             "nft 'table inet fence { chain in { type filter hook input priority %s; iifname leak0 drop; }; }'",
             priorities[refusal]);
    site_run(site, site->host, script);
}

enum act { SENDS_NONCE, SENDS_NOTHING, SENDS_OTHER };
static const struct row {
    const char *address;
    bool tcp;
    enum act act;
} rows[] = {
    { "10.77.0.1", false, SENDS_NONCE },    { "fd77::1", false, SENDS_NONCE }, /* the host by its LAN's address */
    { "172.30.0.1", false, SENDS_NONCE },   { "fd30::1", false, SENDS_NONCE }, /* and by the cable's */
    { "10.77.0.1", false, SENDS_OTHER },    { "fd77::1", false, SENDS_OTHER }, /* known by their tuples */
    { "10.77.0.1", true, SENDS_NOTHING },   { "fd77::1", true, SENDS_NOTHING },
    { "172.30.0.1", true, SENDS_NOTHING },  { "10.77.0.1", true, SENDS_NONCE },
    { "fd77::1", true, SENDS_NONCE },       { "255.255.255.255", false, SENDS_NONCE },
    { "172.30.0.255", false, SENDS_NONCE }, { "224.0.0.1", false, SENDS_NONCE },
    { "ff02::1", false, SENDS_NONCE },
};
#define ROWS  (sizeof rows / sizeof *rows)
#define PORT0 5100

/* Sends what a row says, from the bottle. A connection is tried without waiting: a fence may keep it from ever coming about. */
static void send_row(struct test_site *site, size_t index)
{
    const struct row *row = &rows[index];
    int on = 1;
    struct sockaddr_storage to;
    socklen_t size = site_address(row->address, (uint16_t)(PORT0 + index), &to);
    if (to.ss_family == AF_INET6 && strncmp(row->address, "ff02", 4) == 0)
        ((struct sockaddr_in6 *)&to)->sin6_scope_id = if_nametoindex("eth0");
    bool waits = row->tcp && row->act == SENDS_NONCE && refusal == LET_IN;
    int fd =
        socket(to.ss_family, (row->tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC | (waits ? 0 : SOCK_NONBLOCK), 0);
    setsockopt(fd, SOL_SOCKET, SO_BROADCAST, &on, sizeof on);
    site_check(site, connect(fd, (struct sockaddr *)&to, size) == 0 || errno == EINPROGRESS, "connect to %s: %s",
               row->address, strerror(errno));
    if (row->act != SENDS_NOTHING && (!row->tcp || waits))
        site_check(site,
                   send(fd, row->act == SENDS_NONCE ? (const void *)site->watches[index].nonce : "hello, host, hello",
                        NONCE_BYTES, 0) == NONCE_BYTES,
                   "send to %s: %s", row->address, strerror(errno));
    if (waits)
        site_check_token(site, fd);
}

static void send_rows(struct test_site *site)
{
    lay_cable(site);
    for (size_t i = 0; i < ROWS; i++)
        site_watch(site, i, false, rows[i].tcp ? TRANSPORT_TCP : TRANSPORT_UDP, rows[i].address, (uint16_t)(PORT0 + i));
    site_start_witness(site);
    site_check(site, setns(bottle, CLONE_NEWNET) == 0, "setns: %s", strerror(errno));
    for (size_t i = 0; i < ROWS; i++)
        send_row(site, i);
    site_stop_witness(site);
    site_check_no(site, WITNESS_STRAY);
    site_check_no(site, WITNESS_LOST);
    site_check_lossless(site);
}

static void hears_rows(struct test_site *site)
{
    refusal = LET_IN;
    send_rows(site);
    for (size_t i = 0; i < ROWS; i++) {
        char at[64];
        snprintf(at, sizeof at, strchr(rows[i].address, ':') != NULL ? "[%s]:%zu" : "%s:%zu", rows[i].address,
                 PORT0 + i);
        site_check(site, site_was_heard(site, i, WITNESS_HOST, "host", at, rows[i].act != SENDS_NONCE),
                   "row %zu: %s was not heard", i, at);
    }
}

Test(gates_host_input, what_the_host_lets_in_by_a_cable_is_heard)
{
    in_real_site(hears_rows);
}

static void hears_nothing(struct test_site *site)
{
    send_rows(site);
    site_check_no(site, WITNESS_HIT);
}

Test(gates_host_input, what_the_host_drops_is_not_heard)
{
    refusal = DROPPED;
    in_real_site(hears_nothing);
}

Test(gates_host_input, what_the_host_drops_last_of_all_is_not_heard)
{
    refusal = DROPPED_LAST;
    in_real_site(hears_nothing);
}

static void stays_quiet(struct test_site *site)
{
    lay_cable(site);
    site_watch(site, 0, true, TRANSPORT_UDP, SITE_SIDE4, 9);
    site_watch(site, 1, true, TRANSPORT_UDP, SITE_SIDE6, 9);
    site_start_witness(site);
    site_run(site, bottle,
             "echo 1 >/proc/sys/net/ipv4/conf/eth0/force_igmp_version; ip maddress show dev eth0 >/dev/null\n"
             "ip link set eth0 down; ip link set eth0 up\n" /* joins, and probes for duplicates, anew */
             "ip address add fd30::3/64 dev eth0\n");
    for (size_t i = 0; i < 2; i++) {
        int fd = site_connect(site, SOCK_DGRAM, 0, NULL, i == 0 ? SITE_SIDE4 : SITE_SIDE6, 9);
        site_check(site, send(fd, site->watches[i].nonce, NONCE_BYTES, 0) == NONCE_BYTES, "send: %s", strerror(errno));
    }
    site_stop_witness(site);
    site_check(site, site_was_heard(site, 0, WITNESS_HOST, "host", SITE_HOST4 ":9", false), "no control over IPv4");
    site_check(site, site_was_heard(site, 1, WITNESS_HOST, "host", "[" SITE_HOST6 "]:9", false),
               "no control over IPv6");
    site_check(site, site_count_events(site, WITNESS_HIT) == 2, "the controls were heard somewhere else as well");
    site_check_no(site, WITNESS_STRAY);
    site_check_no(site, WITNESS_LOST);
    site_check_lossless(site);
}

Test(gates_host_input, controls_come_by_the_sites_own_cable_and_nothing_else_is_said)
{
    refusal = LET_IN;
    in_real_site(stays_quiet);
}

/* `count` datagrams of `size` bytes to the host by the cable; as many as the bottle's kernel takes. */
static void flood(struct test_site *site, size_t size, unsigned count)
{
    static char bytes[65536];
    int large = 1 << 20;
    site_check(site, setns(bottle, CLONE_NEWNET) == 0, "setns: %s", strerror(errno));
    int fd = site_connect(site, SOCK_DGRAM, 0, NULL, "10.77.0.1", 9);
    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &large, sizeof large);
    for (unsigned i = 0; i < count; i++)
        site_check(site, send(fd, bytes, size, 0) == (ssize_t)size || errno == ECONNREFUSED, "send: %s",
                   strerror(errno));
    site_check(site, setns(site->host, CLONE_NEWNET) == 0, "setns: %s", strerror(errno));
}

static bool was_lost(const struct test_site *site, const char *text)
{
    for (size_t i = 0; i < site->message_count; i++)
        if (site->messages[i].event == WITNESS_LOST && strstr(site->messages[i].text, text) != NULL)
            return true;
    return false;
}

static void strays(struct test_site *site)
{
    lay_cable(site);
    site_watch(site, 0, false, TRANSPORT_UDP, "9.9.9.9", 53);
    site_start_witness(site);
    flood(site, 100, 1);
    site_stop_witness(site);
    const struct witness_message *stray = site_find_event(site, WITNESS_STRAY);
    site_check(site, stray != NULL && strcmp(stray->point, "host") == 0 && strcmp(stray->at, "10.77.0.1:9") == 0,
               "an unplanned datagram went unnoticed");
    site_check_no(site, WITNESS_LOST);
}

Test(gates_host_input, an_unplanned_datagram_by_a_cable_is_a_stray)
{
    in_real_site(strays);
}

static void overruns(struct test_site *site)
{
    lay_cable(site);
    site_watch(site, 0, false, TRANSPORT_UDP, "10.77.0.1", 9);
    site_start_witness(site);
    kill(site->witness.pid, SIGSTOP);
    flood(site, 60000, 1000);
    kill(site->witness.pid, SIGCONT);
    /* The gap is seen by the packet after it, and the kernel takes none before the buffer has been emptied. */
    uint64_t deadline = clock_microseconds() + SITE_PATIENCE;
    while (!was_lost(site, "packets lost") && clock_microseconds() < deadline) {
        flood(site, 100, 1);
        if (site->message_count < SITE_MESSAGES &&
            witness_next(&site->witness, &site->messages[site->message_count], clock_microseconds() + 20000))
            site->message_count++;
    }
    site_check(site, was_lost(site, "packets lost"), "the gap in the numbers went untold");
    site_stop_witness(site);
    site_check(site, was_lost(site, "found no room in the buffer"), "the kernel's error went untold");
}

Test(gates_host_input, more_than_the_buffer_holds_is_a_loss)
{
    in_real_site(overruns);
}

static void cuts(struct test_site *site)
{
    lay_cable(site);
    site_watch(site, 0, false, TRANSPORT_UDP, "10.77.0.1", 9);
    site_start_witness(site);
    flood(site, 65502, 1); /* with its headers 65530 bytes: the largest that is whole for sure */
    site_stop_witness(site);
    site_check_no(site, WITNESS_LOST);
    site->message_count = 0;
    site_start_witness(site);
    flood(site, 65507, 1);
    site_stop_witness(site);
    site_check(site, was_lost(site, "was cut"), "a packet that was cut went untold");
}

Test(gates_host_input, a_packet_too_large_to_be_handed_over_whole_is_a_loss)
{
    in_real_site(cuts);
}

static void goes_deaf(struct test_site *site)
{
    site_watch(site, 0, false, TRANSPORT_UDP, "10.77.0.1", 9);
    site_start_witness(site);
    site_run(site, site->host, "nft delete chain inet site let_in");
    site_stop_witness(site);
    site_check(site, was_lost(site, "did not see the last packet"), "a place that went deaf was not told");
}

Test(gates_host_input, a_host_that_logs_no_more_is_told_at_the_stop)
{
    in_real_site(goes_deaf);
}

static void lacks_its_cable(struct test_site *site)
{
    struct error error = { 0 };
    struct witness second;
    site_watch(site, 0, false, TRANSPORT_UDP, "10.77.0.1", 9);
    site_run(site, site->host, "ip link delete side0");
    site->setup.host_namespace = site->host;
    site->setup.world_namespace = site->world;
    site->setup.watches = site->watches;
    site->setup.ipv6 = true;
    site->setup.path_directory = SITE_SOCKETS_DIR;
    site_check(site, !witness_start(&second, &site->setup, &error), "started without the site's cable");
    site_check(site, strstr(error.text, "side0") != NULL, "said: %s", error.text);
}

Test(gates_host_input, a_site_without_its_cable_is_refused)
{
    in_real_site(lacks_its_cable);
}
