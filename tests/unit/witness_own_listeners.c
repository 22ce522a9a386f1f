/* What a sandbox's own proxy on host loopback hears is inside the fence; what it then passes on is not. */
#include "witness_site.h"

#include <sys/mman.h>

#include "../../gates/witness/own_listeners.h"
#include "../../gates/witness/strays.h"

enum { TO_PROXY, TO_PROXY6, TO_HOST, WATCHES };

#define PROXY 3128

static int listen_at(struct test_site *site, const char *address)
{
    struct sockaddr_storage here;
    socklen_t size = site_address(address, PROXY, &here);
    int fd = socket(here.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    site_check(site, bind(fd, (const struct sockaddr *)&here, size) == 0 && listen(fd, 4) == 0, "listen: %s",
               strerror(errno));
    return fd;
}

/* Sends the nonce of a watch and waits until the other end has closed or answered. */
static void dial(struct test_site *site, const char *address, uint16_t port, size_t watch, int own)
{
    int client = site_connect(site, SOCK_STREAM, 0, NULL, address, port);
    site_check(site, write_all(client, (const char *)site->watches[watch].nonce, NONCE_BYTES), "write: %s",
               strerror(errno));
    if (own >= 0) {
        char heard[NONCE_BYTES];
        int accepted = accept(own, NULL, NULL);
        site_check(site, recv(accepted, heard, sizeof heard, MSG_WAITALL) == NONCE_BYTES, "the proxy heard nothing");
        close(accepted);
    } else
        site_check_token(site, client);
    close(client);
}

static void prepare(struct test_site *site, bool own)
{
    site_watch(site, TO_PROXY, false, TRANSPORT_TCP, "127.0.0.1", PROXY);
    site_watch(site, TO_PROXY6, false, TRANSPORT_TCP, "::1", PROXY);
    site_watch(site, TO_HOST, false, TRANSPORT_TCP, "127.0.0.1", 22);
    site->setup.own_listeners = own;
    site_run(
        site, site->host,
        "nft insert rule inet host divert iifname lo meta l4proto tcp socket transparent 0 accept\n"
        "nft insert rule inet host divert iifname lo 'tcp flags & (syn|ack) == syn' socket transparent 0 log group 78");
    site_start_witness(site);
}

static void check_unheard(struct test_site *site, size_t watch)
{
    for (size_t i = 0; i < site->message_count; i++)
        site_check(site, site->messages[i].event != WITNESS_HIT || site->messages[i].watch != watch,
                   "what went to the proxy was heard at %s by 0x%x", site->messages[i].at,
                   (unsigned)site->messages[i].kind);
}

static void is_inside(struct test_site *site)
{
    prepare(site, true);
    int proxy = listen_at(site, "127.0.0.1"), proxy6 = listen_at(site, "::1");
    dial(site, "127.0.0.1", PROXY, TO_PROXY, proxy);
    dial(site, "127.0.0.1", PROXY, TO_PROXY, proxy);
    dial(site, "::1", PROXY, TO_PROXY6, proxy6);
    site_stop_witness(site);
    check_unheard(site, TO_PROXY);
    check_unheard(site, TO_PROXY6);
    site_check_no(site, WITNESS_STRAY);
    site_check_no(site, WITNESS_LOST);
}

Test(witness_own_listeners, hear_what_is_still_inside)
{
    in_site(is_inside);
}

static void passes_on(struct test_site *site)
{
    prepare(site, true);
    int proxy = listen_at(site, "127.0.0.1");
    dial(site, "127.0.0.1", PROXY, TO_PROXY, proxy);
    dial(site, "127.0.0.1", 23, TO_PROXY, -1); /* what it heard, to another */
    dial(site, "127.0.0.1", 22, TO_HOST, -1);
    dial(site, "10.77.0.33", 80, TO_HOST, -1);
    site_stop_witness(site);
    site_check(site, site_was_heard(site, TO_PROXY, WITNESS_TCP, "lo", "127.0.0.1:23", false),
               "the next hop is unheard");
    site_check(site, site_was_heard(site, TO_PROXY, WITNESS_CAPTURE, "lo", "127.0.0.1:23", false),
               "the next hop is not captured");
    site_check(site, site_was_heard(site, TO_HOST, WITNESS_TCP, "lo", "127.0.0.1:22", false), "the host is unheard");
    site_check(site, site_was_heard(site, TO_HOST, WITNESS_TCP, "wan0", "10.77.0.33:80", false), "the LAN is unheard");
}

Test(witness_own_listeners, and_what_is_passed_on_is_heard_there)
{
    in_site(passes_on);
}

/* The port is the witness's again, who hears it though the capture takes it for the proxy's still. */
static void is_gone(struct test_site *site)
{
    prepare(site, true);
    int proxy = listen_at(site, "127.0.0.1");
    dial(site, "127.0.0.1", PROXY, TO_PROXY, proxy);
    close(proxy);
    dial(site, "127.0.0.1", PROXY, TO_PROXY, -1);
    site_stop_witness(site);
    site_check(site, site_was_heard(site, TO_PROXY, WITNESS_TCP, "lo", "127.0.0.1:3128", false), "it is unheard");
}

Test(witness_own_listeners, that_is_gone_hides_nothing)
{
    in_site(is_gone);
}

static void is_outside(struct test_site *site)
{
    prepare(site, false);
    dial(site, "127.0.0.1", PROXY, TO_PROXY, listen_at(site, "127.0.0.1"));
    site_stop_witness(site);
    site_check(site, site_was_heard(site, TO_PROXY, WITNESS_CAPTURE, "lo", "127.0.0.1:3128", false), "it is unheard");
}

Test(witness_own_listeners, are_outside_where_nobody_says_that_there_are_any)
{
    in_site(is_outside);
}

/* The log tells at once, whoever looks; packets that were captured before that are excused in the end. */
static void is_logged(struct test_site *site)
{
    static struct own_listeners own;
    static struct strays strays;
    struct witness_setup setup = { .host_namespace = site->host };
    struct house house = { .setup = &setup };
    struct error error = { 0 };
    prepare(site, true);
    witness_end(&site->witness); /* a group has one reader */
    site_check(site, loop_open(&house.loop, &error) && own_listeners_open(&own, &house, &error), "%s", error.text);
    struct packet packet = { .kind = PACKET_IP, .protocol = IPPROTO_TCP, .has_transport = true };
    packet.source = (struct endpoint){ .family = AF_INET, .address = { 127, 0, 0, 1 }, .port = 40000 };
    packet.destination = (struct endpoint){ .family = AF_INET, .address = { 127, 0, 0, 1 }, .port = PROXY };
    strays_add(&strays, POINT_LO, &packet);
    strays_add(&strays, POINT_WAN, &packet);
    packet.protocol = IPPROTO_UDP;
    strays_add(&strays, POINT_LO, &packet);
    packet.protocol = IPPROTO_TCP;
    int proxy = listen_at(site, "127.0.0.1");
    dial(site, "127.0.0.1", PROXY, TO_PROXY, proxy);
    strays_excuse(&strays, POINT_LO, &own);
    site_check(site, !own_listeners_have(&own, &packet) && !strays.flows[0].explained, "nobody has looked");
    own_listeners_look(&own);
    site_check(site, own_listeners_have(&own, &packet), "it is not known");
    strays_excuse(&strays, POINT_LO, &own);
    site_check(site, strays.count == 3 && strays.flows[0].explained, "it is not excused");
    site_check(site, !strays.flows[1].explained && !strays.flows[2].explained, "others are excused, too");
    struct endpoint there = packet.destination;
    packet.destination = packet.source;
    packet.source = there;
    site_check(site, own_listeners_have(&own, &packet), "an answer of its is not known");
    packet.source.port++;
    site_check(site, !own_listeners_have(&own, &packet), "so is another port");
    packet.source.port--;
    packet.protocol = IPPROTO_UDP;
    site_check(site, !own_listeners_have(&own, &packet), "so is a datagram");
}

Test(witness_own_listeners, are_known_from_what_is_logged_of_them)
{
    in_site(is_logged);
}

/* In a bottle that shares the host's network the probe's own ends can look like listeners to the rule. */
static void is_no_listener(struct test_site *site)
{
    struct sockaddr_storage here;
    int on = 1, self = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct watch *sweep = &site->watches[WATCHES];
    site_watch(site, WATCHES, false, TRANSPORT_TCP, "127.0.0.1", 65535);
    *sweep = (struct watch){ .is_sweep = true, .tuple = sweep->tuple, .sweep_source = { 30001, 30002 } };
    memset(sweep->nonce, 0x77, sizeof sweep->nonce);
    site->setup.sweeps =
        mmap(NULL, SWEEPS_MAX * sizeof *site->setup.sweeps, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    prepare(site, true);
    /* To itself: both ends are one socket's. */
    socklen_t size = site_address("127.0.0.1", 5000, &here);
    site_check(site, bind(self, (const struct sockaddr *)&here, size) == 0, "bind: %s", strerror(errno));
    site_check(site, connect(self, (const struct sockaddr *)&here, size) == 0, "connect: %s", strerror(errno));
    site_check(site, write_all(self, (const char *)site->watches[TO_HOST].nonce, NONCE_BYTES), "write: %s",
               strerror(errno));
    /* To where a sweep sends from. */
    int swept = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(swept, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    size = site_address("127.0.0.1", 30001, &here);
    site_check(site, bind(swept, (const struct sockaddr *)&here, size) == 0 && listen(swept, 4) == 0, "listen: %s",
               strerror(errno));
    dial(site, "127.0.0.1", 30001, TO_PROXY, swept);
    site_stop_witness(site);
    site_check(site, site_was_heard(site, TO_HOST, WITNESS_CAPTURE, "lo", "127.0.0.1:5000", false),
               "what went to itself");
    bool heard = false; /* it is told as an answer to the sweep: the end is the other one */
    for (size_t i = 0; i < site->message_count; i++)
        heard = heard || (site->messages[i].event == WITNESS_HIT && site->messages[i].watch == TO_PROXY);
    site_check(site, heard, "what went to a sweep");
}

Test(witness_own_listeners, are_not_the_ends_that_the_probe_connects_from)
{
    in_site(is_no_listener);
}

static void fills(struct test_site *site)
{
    prepare(site, true);
    int proxy = listen_at(site, "0.0.0.0");
    for (unsigned i = 1; i <= OWN_LISTENERS_MAX + 1; i++) {
        char address[16];
        snprintf(address, sizeof address, "127.0.1.%u", i);
        dial(site, address, PROXY, TO_PROXY, proxy);
    }
    site_stop_witness(site);
    site_check(site, site_was_heard(site, TO_PROXY, WITNESS_CAPTURE, "lo", "127.0.1.65:3128", false),
               "the last end is inside, too");
}

Test(witness_own_listeners, that_find_no_room_are_outside)
{
    in_site(fills);
}
