/*
 * See firewall.h. Two small rule sets, loaded by libnftables from text.
 *
 * World: whatever arrives on wan0 has been given a local destination by the routing tables already; the
 * redirects bring every port to one listener a protocol, and connection tracking keeps the original
 * destination (SO_ORIGINAL_DST) and gives answers their right source. Echo requests are redirected to the
 * namespace's own address, so that the kernel answers for every address. A port with no listener yet is
 * refused by the kernel, as any closed port is.
 *
 * Host: on every interface but the world's own end (on loopback, and on whatever joins a bottle to the host without
 * crossing loopback: a cable, a bridge) the ports are caught by TPROXY and never by a redirect: a redirect rewrites the port
 * before the input chain, and a good fence (`input tcp dport 22 drop`) would look open. The rule hands the
 * packet to the transparent listener and leaves it untouched; where none listens, the rule does not match and
 * the packet goes its usual way. The host's own link-local addresses come by lo as well, but are no local addresses of lo,
 * so they have a rule of their own; and only a SYN is handed over there, because TPROXY would look for the connection of
 * any later packet on lo, where it is not, and give that packet to the listener too. UDP is left alone: rewriting it makes sends fail with EPERM where two flows
 * clash, which would read as a block.
 *
 * What comes into the host by such a cable or bridge is inside the fence until the host's own firewall has let it in. So a
 * copy of it is taken (nfnetlink_log, read by the witness) at the end of the input hook, where only what every filter has
 * accepted arrives. The priority is the last that there is: a chain that somebody registers later with any priority, the
 * same one included, is asked before ours (nf_hook_entries_grow in the kernel's net/netfilter/core.c). lo and lan0 have
 * captures of their own, on lo and at lan0's other end. The host's cable to itself, by which the controls come (site.c), is
 * a cable like others, but that what comes by it has its destination set to the host's own, without a connection table.
 */
#include "firewall.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/netlink.h>
#include <nftables/libnftables.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "../../launcher/support/cleanup.h"
#include "../witness/witness.h"
#include "machine.h"
#include "site.h"

#define MODULES "nf_tables nft_chain_nat nft_redir nft_tproxy nft_fib_inet nft_log nfnetlink_log"

bool firewall_load(const char *what, const char *rules, const char *modules, struct error *error)
{
    /* libnftables ends the process if it can't have its socket: ask first, for one more than it takes. */
    cleanup_close int probe = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);
    cleanup_close int another = probe >= 0 ? fcntl(probe, F_DUPFD_CLOEXEC, 0) : -1;
    if (probe >= 0 && another < 0)
        return error_system(error, "can't load the %s firewall rules", what);
    if (probe < 0)
        return error_set(
            error, ERROR_HOST,
            "can't load the %s firewall rules: this kernel has no nf_tables (%s); load it (sudo modprobe -a "
            "%s) or boot a kernel that has it",
            what, strerror(errno), modules);
    cleanup_close_fd(&probe);
    cleanup_close_fd(&another);
    struct nft_ctx *nft = nft_ctx_new(NFT_CTX_DEFAULT);
    if (nft == NULL)
        return error_set(error, ERROR_SYSTEM, "can't start libnftables: out of memory");
    bool loaded =
        nft_ctx_buffer_error(nft) == 0 && nft_ctx_buffer_output(nft) == 0 && nft_run_cmd_from_buffer(nft, rules) == 0;
    if (!loaded) {
        const char *said = nft_ctx_get_error_buffer(nft);
        error_set(error, ERROR_HOST, "can't load the %s firewall rules: nftables says \"%.*s\"; sudo modprobe -a %s",
                  what, said != NULL ? (int)strcspn(said, "\n") : 0, said != NULL ? said : "", modules);
    }
    nft_ctx_free(nft);
    return loaded;
}

bool firewall_open_world(struct error *error)
{
    char rules[1024];
    snprintf(rules, sizeof rules,
             "table inet site {\n"
             " chain witnesses {\n"
             "  type nat hook prerouting priority dstnat; policy accept;\n"
             "  iifname \"wan0\" tcp dport != %d redirect to :%d\n"
             "  iifname \"wan0\" udp dport 53 redirect to :%d\n"
             "  iifname \"wan0\" meta l4proto udp redirect to :%d\n"
             "  iifname \"wan0\" icmp type echo-request redirect\n"
             "  iifname \"wan0\" icmpv6 type echo-request redirect\n"
             " }\n"
             "}\n",
             SITE_PORT_TCP, SITE_PORT_TCP, SITE_PORT_DNS, SITE_PORT_UDP);
    return firewall_load("world", rules, MODULES, error);
}

bool firewall_open_host(struct error *error)
{
    char rules[2048];
    snprintf(rules, sizeof rules,
             "table inet site {\n"
             " chain host {\n"
             "  type filter hook prerouting priority mangle; policy accept;\n"
             "  iifname != \"lan0\" meta nfproto ipv4 fib daddr type local tcp dport != %d-%d tproxy ip to :%d\n"
             "  iifname != \"lan0\" meta nfproto ipv6 fib daddr type local tcp dport != %d-%d tproxy ip6 to :%d\n"
             "  iifname \"lo\" ip6 daddr fe80::/10 tcp flags & (syn|ack) == syn tcp dport != %d-%d tproxy ip6 to :%d\n"
             "  iifname \"side1\" ip daddr " SITE_SIDE4 " ip daddr set " SITE_HOST4 "\n"
             "  iifname \"side1\" ip6 daddr " SITE_SIDE6 " ip6 daddr set " SITE_HOST6 "\n"
             " }\n"
             " chain let_in {\n"
             "  type filter hook input priority %d; policy accept;\n"
             "  iifname != { \"lo\", \"lan0\" } log group %d\n"
             " }\n"
             "}\n",
             SITE_PORT_FIRST, SITE_PORT_LAST, SITE_PORT_TCP, SITE_PORT_FIRST, SITE_PORT_LAST, SITE_PORT_TCP,
             SITE_PORT_FIRST, SITE_PORT_LAST, SITE_PORT_TCP, INT_MAX, SITE_LOG_GROUP);
    return firewall_load("host", rules, MODULES, error);
}

bool firewall_works(struct error *error)
{
    return firewall_load("machine's", "list tables\n", MODULES, error);
}

#define SWEEP_SOURCES "{ 11001, 11002, 61001, 61002 }" /* sweep_source in ../../probes/vectors.h */

/* A service of the machine gets nothing that is the gate's: of the sweep not a packet (the captures see it before), and a connection to a port at which somebody
 * listens is his. What comes by side1 is a control and its way in would be the machine's business, so it is logged as it comes. */
bool firewall_open_machine(struct error *error)
{
    char rules[4096], ports[16];
    snprintf(ports, sizeof ports, "%d-%d", MACHINE_FIRST_PORT, MACHINE_LAST_PORT);
    snprintf(rules, sizeof rules,
             "table inet " MACHINE_TABLE " {\n"
             " chain arriving {\n"
             "  type filter hook prerouting priority -450; policy accept;\n"
             "  iifname \"side1\" log group %d drop\n"
             "  iifname \"lo\" udp sport " SWEEP_SOURCES " drop\n"
             " }\n"
             " chain host {\n"
             "  type filter hook prerouting priority mangle; policy accept;\n"
             "  iifname \"lo\" meta nfproto ipv4 tcp sport " SWEEP_SOURCES " tproxy ip to :%d accept\n"
             "  iifname \"lo\" meta nfproto ipv6 tcp sport " SWEEP_SOURCES " tproxy ip6 to :%d accept\n"
             "  meta l4proto tcp socket transparent 0 accept\n"
             "  iifname != \"lan0\" meta nfproto ipv4 fib daddr type local tcp dport %s tproxy ip to :%d\n"
             "  iifname != \"lan0\" meta nfproto ipv6 fib daddr type local tcp dport %s tproxy ip6 to :%d\n"
             " }\n"
             " chain let_in {\n"
             "  type filter hook input priority %d; policy accept;\n"
             "  iifname != { \"lo\", \"lan0\" } meta l4proto { tcp, udp } th dport %s log group %d\n"
             " }\n"
             " chain leaving {\n"
             "  type filter hook postrouting priority %d; policy accept;\n"
             "  oifname { \"lo\", \"lan0\", \"side0\" } accept\n"
             "  ip daddr { " MACHINE_PREFIXES4 " } log group %d drop\n"
             "  ip6 daddr { " MACHINE_PREFIXES6 " } log group %d drop\n"
             " }\n"
             "}\n",
             SITE_LOG_GROUP, SITE_PORT_TCP, SITE_PORT_TCP, ports, SITE_PORT_TCP, ports, SITE_PORT_TCP, INT_MAX, ports,
             SITE_LOG_GROUP, INT_MAX, SITE_LOG_GROUP, SITE_LOG_GROUP);
    return firewall_load("machine's", rules, MODULES " nft_socket", error);
}

/* False as well where nobody can tell: a kernel without nf_tables. */
bool firewall_has_machine(void)
{
    struct error ignored = { 0 };
    return firewall_load("machine's", "list table inet " MACHINE_TABLE "\n", MODULES, &ignored);
}

bool firewall_close_machine(bool *there, struct error *error)
{
    struct error said = { 0 };
    *there = firewall_load("machine's", "delete table inet " MACHINE_TABLE "\n", MODULES, &said);
    return *there || strstr(said.text, "No such file") != NULL || error_set(error, said.code, "%s", said.text);
}

/* The lookup finds listeners and connections as the kernel itself will, a moment later (nft_socket). The witnesses' are transparent.
 * Rules are inserted before those that are there, the last one first. */
bool firewall_leave_listeners(struct error *error)
{
    char rules[512];
    snprintf(
        rules, sizeof rules,
        "insert rule inet site host iifname \"lo\" meta l4proto tcp socket transparent 0 accept\n"
        "insert rule inet site host iifname \"lo\" tcp flags & (syn|ack) == syn socket transparent 0 log group %d\n",
        SITE_LISTENERS_GROUP);
    return firewall_load("listeners'", rules, MODULES " nft_socket", error);
}
