/*
 * See site.h for the picture. How the site comes to be:
 *
 *   1. mounts: what the host shares by files is hidden before anything else happens;
 *   2. host namespace: an rtnetlink socket is opened here, and stays here whatever namespace the process is
 * in;
 *   3. world namespace: unshare makes it, and the process is in it until step 5. The veth pair is made from
 * here, its other end going straight to the host namespace. Settings come before anything is raised, the
 * rules before any packet can arrive;
 *   4. wan0 is raised, then addresses, routes and the catch-all: table 100 says that every address is local,
 * and only packets that come in by wan0 look there. Without that scope, answers to sources that nobody
 * masqueraded would be local, too, and their handshakes never complete: a leak would look blocked;
 *   5. host namespace: the same; raising lan0 gives both ends their carrier;
 *      The pair side0, side1 is the host's cable to itself. An address of the host would be reached by lo, so what goes
 *      out of side0 goes to an address that is nobody's, and the rules make it the host's own on arrival at side1. (A
 *      routing rule for side1 would do, too, but any rule makes the kernel refuse answers from a broadcast address);
 *   6. all ends are waited for until they carry packets and their addresses are usable, and the loss
 * counters start.
 *
 * No process is left behind: two descriptors hold the namespaces, and everything in them ends with the last
 * process and descriptor. The site never touches a namespace that it did not make, except the one that its
 * caller made for it.
 */
#include "site.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../../launcher/namespaces.h"
#include "../../launcher/support/cleanup.h"
#include "../../launcher/support/process.h"
#include "firewall.h"
#include "links.h"
#include "machine.h"
#include "mounts.h"
#include "sysctls.h"

#define TABLE_WORLD 100
/* Microseconds. It takes a millisecond, but the kernel does it in a work queue that waits for namespaces
 * being torn down. */
#define READY_BOUND     (20 * 1000 * 1000ULL)
#define PREFLIGHT_BOUND (40 * 1000 * 1000ULL) /* microseconds; loading modules included */

const char *site_kind_name(enum site_kind kind)
{
    return kind == SITE_HOST ? "host" : "sealed";
}

static int open_namespace(struct error *error)
{
    int namespace = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    if (namespace < 0)
        error_system(error, "can't open /proc/self/ns/net");
    return namespace;
}

static bool enter(int namespace, struct error *error)
{
    return setns(namespace, CLONE_NEWNET) == 0 || error_system(error, "can't enter a network namespace of the site");
}

/* wan0 carries single addresses, not the LAN's prefix: else its neighbours would not be local, and nobody
 * would answer for them. */
static bool address_world(struct links *world, bool ipv6, struct error *error)
{
    const struct link_route routes4[] = {
        { .destination = SITE_HOST4, .prefix = 32, .device = "wan0" },
        { .destination = "0.0.0.0", .gateway = SITE_HOST4, .device = "wan0" },
        { .destination = "0.0.0.0", .device = "lo", .table = TABLE_WORLD, .local = true },
    };
    const struct link_route routes6[] = {
        { .destination = SITE_HOST6, .prefix = 128, .device = "wan0" },
        { .destination = "::", .gateway = SITE_HOST6, .device = "wan0" },
        { .destination = "::", .device = "lo", .table = TABLE_WORLD, .local = true },
    };
    bool done = links_set_up(world, "lo", error) && links_set_up(world, "wan0", error) &&
                links_add_address(world, "wan0", SITE_GATEWAY4, 32, error) &&
                links_add_rule(world, AF_INET, "wan0", TABLE_WORLD, error);
    for (size_t i = 0; done && i < sizeof routes4 / sizeof routes4[0]; i++)
        done = links_add_route(world, &routes4[i], error);
    if (!ipv6)
        return done;
    done = done && links_add_address(world, "wan0", SITE_LINK_GATEWAY6, 64, error) &&
           links_add_address(world, "wan0", SITE_GATEWAY6, 128, error) &&
           links_add_rule(world, AF_INET6, "wan0", TABLE_WORLD, error);
    for (size_t i = 0; done && i < sizeof routes6 / sizeof routes6[0]; i++)
        done = links_add_route(world, &routes6[i], error);
    return done;
}

static bool address_host(struct links *host, bool ipv6, struct error *error)
{
    const struct link_route route4 = { .destination = "0.0.0.0", .gateway = SITE_GATEWAY4, .device = "lan0" };
    const struct link_route route6 = { .destination = "::", .gateway = SITE_GATEWAY6, .device = "lan0" };
    return links_set_up(host, "lo", error) && links_set_up(host, "lan0", error) &&
           links_add_address(host, "lo", SITE_DOOR4, 32, error) &&
           links_add_address(host, "lan0", SITE_HOST4, 24, error) && links_add_route(host, &route4, error) &&
           (!ipv6 || (links_add_address(host, "lan0", SITE_LINK_HOST6, 64, error) &&
                      links_add_address(host, "lan0", SITE_HOST6, 64, error) && links_add_route(host, &route6, error)));
}

static bool open_side(const struct site *site, struct links *host, struct error *error)
{
    const struct link_route route4 = { .destination = SITE_SIDE4, .prefix = 32, .device = "side0" };
    const struct link_route route6 = { .destination = SITE_SIDE6, .prefix = 128, .device = "side0" };
    return links_add_pair(host, "veth", "side0", "side1", site->host_namespace, (const uint8_t *)SITE_SIDE_LINK,
                          error) &&
           (site->kind != SITE_HOST || machine_set_up_side(site->ipv6, error)) && sysctls_accept_own("side1", error) &&
           links_set_up(host, "side0", error) && links_set_up(host, "side1", error) &&
           links_add_route(host, &route4, error) && (!site->ipv6 || links_add_route(host, &route6, error));
}

/* Steps 3 and 4, in the new world namespace. */
static bool open_world(struct site *site, struct links *world, struct error *error)
{
    return links_open(world, error) &&
           links_add_pair(world, "veth", "wan0", "lan0", site->host_namespace, NULL, error) &&
           sysctls_set(true, site->ipv6, "wan0", error) && firewall_open_world(error) &&
           address_world(world, site->ipv6, error) && losses_open(&site->losses, 1, site->ipv6, error);
}

/* Step 5. */
static bool open_host(struct site *site, struct links *host, struct error *error)
{
    return sysctls_set(false, site->ipv6, "lan0", error) && firewall_open_host(error) &&
           address_host(host, site->ipv6, error) && open_side(site, host, error) &&
           losses_open(&site->losses, 0, site->ipv6, error);
}

/* The same on the machine: nothing of it is set, its losses are not the site's, and no address leads to the world but those that nobody has. */
static bool open_machine(const struct site *site, struct links *host, const char *const *networks, struct error *error)
{
    return sysctls_set_device(site->ipv6, "lan0", error) && links_set_up(host, "lan0", error) &&
           links_add_address(host, "lan0", SITE_HOST4, 24, error) &&
           (!site->ipv6 || (links_add_address(host, "lan0", SITE_LINK_HOST6, 64, error) &&
                            links_add_address(host, "lan0", SITE_HOST6, 64, error))) &&
           machine_add_routes(host, networks, site->ipv6, error) && open_side(site, host, error) &&
           firewall_open_machine(error);
}

static bool open_namespaces(struct site *site, struct links *host, struct links *world, const char *const *networks,
                            struct error *error)
{
    if ((site->host_namespace = open_namespace(error)) < 0 || !links_open(host, error))
        return false;
    if (unshare(CLONE_NEWNET) < 0)
        return error_system(error, "can't make the world's network namespace");
    site->world_namespace = open_namespace(error);
    bool made = site->world_namespace >= 0 && open_world(site, world, error);
    /* Back home, whatever has happened: the caller must never find itself in the world. */
    return enter(site->host_namespace, error) && made &&
           (site->kind == SITE_HOST ? open_machine(site, host, networks, error) : open_host(site, host, error));
}

/* Step 6. */
static bool wait_until_ready(struct site *site, struct links *host, struct links *world, struct error *error)
{
    uint64_t deadline = clock_microseconds() + READY_BOUND;
    return links_wait_until_running(world, "wan0", deadline, error) &&
           links_wait_until_running(host, "lan0", deadline, error) &&
           links_wait_until_running(host, "side0", deadline, error) &&
           links_wait_until_running(host, "side1", deadline, error) &&
           (!site->ipv6 || (links_wait_until_local(world, "wan0", SITE_GATEWAY6, deadline, error) &&
                            links_wait_until_local(world, "wan0", SITE_LINK_GATEWAY6, deadline, error) &&
                            links_wait_until_local(host, "lan0", SITE_HOST6, deadline, error) &&
                            links_wait_until_local(host, "lan0", SITE_LINK_HOST6, deadline, error)));
}

static bool open_site(struct site *site, enum site_kind kind, const char *const *networks, struct error *error)
{
    *site = (struct site){ .kind = kind, .host_namespace = -1, .world_namespace = -1, .ipv6 = sysctls_have_ipv6() };
    losses_begin(&site->losses);
    struct links host = { 0 }, world = { 0 };
    bool opened = mounts_open(site->ipv6, error) && open_namespaces(site, &host, &world, networks, error);
    opened = opened && wait_until_ready(site, &host, &world, error) && losses_start(&site->losses, error);
    links_close(&host);
    links_close(&world);
    if (!opened)
        site_close(site);
    return opened;
}

bool site_open(struct site *site, struct error *error)
{
    return open_site(site, SITE_SEALED, NULL, error);
}

bool site_open_on_machine(struct site *site, const char *const *networks, struct error *error)
{
    return machine_has_room(networks, error) && open_site(site, SITE_HOST, networks, error);
}

bool site_leave_listeners(struct error *error)
{
    return firewall_leave_listeners(error);
}

void site_close(struct site *site)
{
    struct error ignored = { 0 };
    unsigned removed;
    if (site->kind == SITE_HOST && site->host_namespace >= 0 && enter(site->host_namespace, &ignored))
        site_clear_machine(&removed, &ignored);
    cleanup_close_fd(&site->host_namespace);
    cleanup_close_fd(&site->world_namespace);
    losses_close(&site->losses);
}

bool site_lossless(const struct site *site, char text[160])
{
    return losses_none(&site->losses, text);
}

/* The child of site_preflight: waits until its ids are mapped, makes a site, says what came of it. */
static _Noreturn void try_site(int go, int answer)
{
    struct error error = { 0 };
    struct site site;
    char byte;
    if (read_all(go, &byte, 1) != 1)
        _exit(1);
    /* Real root is mapped to another id of the host; in its own world it is root only once it says so. */
    if (setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0)
        error_system(&error, "can't become root of a user namespace");
    else
        (void)site_open(&site, &error);
    _exit(write_all(answer, &error, sizeof error) ? 0 : 1);
}

bool site_preflight(struct error *error)
{
    int go[2], answer[2];
    if (pipe2(go, O_CLOEXEC) < 0)
        return error_system(error, "can't make a pipe");
    cleanup_close int go_read = go[0], go_write = go[1];
    if (pipe2(answer, O_CLOEXEC) < 0)
        return error_system(error, "can't make a pipe");
    cleanup_close int answer_read = answer[0], answer_write = answer[1];
    pid_t pid = namespaces_fork(CLONE_NEWUSER | CLONE_NEWNET | CLONE_NEWNS, error);
    if (pid < 0)
        return false;
    if (pid == 0) {
        close(go_write);
        try_site(go_read, answer_write);
    }
    cleanup_close_fd(&answer_write);
    struct error said = { 0 };
    bool ended = namespaces_map_ids(pid, 0, error) && write_all(go_write, "", 1) &&
                 process_wait(pid, clock_microseconds() + PREFLIGHT_BOUND, NULL);
    if (!ended) {
        process_kill(pid);
        return error_set(error, ERROR_HOST, "can't tell whether this kernel can make a site: the attempt did not end");
    }
    if (read_all(answer_read, &said, sizeof said) != (ssize_t)sizeof said)
        return error_set(error, ERROR_SYSTEM, "can't tell whether this kernel can make a site: the attempt died");
    said.text[sizeof said.text - 1] = '\0';
    return said.code == ERROR_NONE || error_set(error, said.code, "%s", said.text);
}
