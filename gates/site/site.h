/*
 * The sealed site: a private world that owns every address, made by and for one phase of a run.
 *
 *   host namespace                            world namespace: every other IPv4 and IPv6 address
 *   lo: 127.0.0.0/8, ::1                      table 100: local default dev lo (both families)
 *   lan0: 10.77.0.1/24, fd77::1/64 -- veth -- wan0: 10.77.0.254/32, fd77::fe/128; rule: iif wan0 lookup 100
 *   default via 10.77.0.254 / fd77::fe        main: default via 10.77.0.1 dev wan0 (answers go back)
 *   nft: tcp not from lan0 -> TPROXY          nft: tcp, udp, udp/53, icmp from wan0 -> the witnesses
 *   nft: let in, not by lo and lan0 -> log
 *   side0 -- veth -- side1: what is sent to 192.0.2.77 or 2001:db8:c0::77 comes back in as by a cable, to
 *   10.77.0.1 or fd77::1 (controls)
 *
 * No packet can leave the machine: neither namespace has any other interface. The site's mount namespace has
 * tmpfs over /run, /tmp and /var/tmp, and a resolv.conf of its own. Nothing of the host is written. It all
 * ends with the last process in it.
 *
 * On the machine (--site=host) the host namespace is the machine's own. Its LAN peer is the world, to which only addresses lead that are nobody's: see
 * machine.h.
 */
#ifndef GATES_SITE_SITE_H
#define GATES_SITE_SITE_H

#include <stdbool.h>

#include "../../launcher/support/error.h"
#include "losses.h"

#define SITE_HOST4         "10.77.0.1"
#define SITE_HOST6         "fd77::1"
#define SITE_GATEWAY4      "10.77.0.254"
#define SITE_GATEWAY6      "fd77::fe"
#define SITE_NEIGHBOUR4    "10.77.0.33"
#define SITE_NEIGHBOUR6    "fd77::33"
#define SITE_RESOLVER4     "10.77.0.53"
#define SITE_RESOLVER6     "fd77::53"
#define SITE_BROADCAST4    "10.77.0.255"
#define SITE_LINK_HOST6    "fe80::77:1" /* chosen, so that they are the same in every run and known to be usable */
#define SITE_LINK_GATEWAY6 "fe80::77:fe"
#define SITE_DOOR4         "10.88.0.1" /* the host namespace too: where a bottle with a loopback of its own finds the door */
#define SITE_SIDE4                                                                                                     \
    "192.0.2.77" /* leads out of the host by side0; at side1 it is made SITE_HOST4, and the next SITE_HOST6 */
#define SITE_SIDE6           "2001:db8:c0::77"
#define SITE_SIDE_LINK       "\x02\x00\x00\x00\x77\x01" /* the link address of both ends */
#define SITE_LOG_GROUP       77 /* of nfnetlink_log: what the host let in by another interface than lo and lan0 */
#define SITE_LISTENERS_GROUP 78 /* the same, of connections that are left to who listens on lo for itself */
#define SITE_SOCKETS         "/run/bottle-gate" /* the witnesses' Unix sockets by path */

enum site_kind { SITE_SEALED, SITE_HOST, SITE_KINDS };
const char *site_kind_name(enum site_kind kind); /* "sealed", "host" */

struct site {
    enum site_kind kind;
    int host_namespace, world_namespace; /* network namespaces */
    bool ipv6;                           /* the kernel has it */
    struct losses losses;                /* what the kernel had counted as lost when the site was ready */
};

/* Builds the site around the calling process, which must be single-threaded and root of a user, network and
 * mount namespace made for it (and for nothing else). On return, good or bad, the process is in the host
 * namespace; after a failure nothing is left to close. The site carries packets at once: links are up, no
 * address is tentative. Paths below /run, /tmp and /var/tmp no longer lead to the host's files: what is
 * needed of them must be open before. */
bool site_open(struct site *site, struct error *error);

/* The same with the machine's own network namespace for the host's, in which the caller is, as root of the machine, in a mount namespace
 * made for it: what is made there is listed in machine.h. `networks`: prefixes of bottles, ends with NULL; while there is no such
 * network they lead to the world. ERROR_HOST where the machine has something of that name, address or port itself. */
bool site_open_on_machine(struct site *site, const char *const *networks, struct error *error);

/* Takes back what was made on the machine. */
void site_close(struct site *site);

/* From now on what listens in the host namespace for itself, on lo, gets the connections that are made to it; where nobody listens
 * the witnesses take them as before. To be called in the host namespace. ERROR_HOST where the kernel can't tell. */
bool site_leave_listeners(struct error *error);

/* What the kernel counted as lost in either namespace since site_open: connection table drops, UDP receive
 * errors, listen queue overflows, packets dropped before any witness saw them. Returns true if nothing; else
 * text says what. May be called from any network namespace. */
bool site_lossless(const struct site *site, char text[160]);

/* Tells whether this kernel can make a site (nf_tables with redirect and tproxy, veth), by making one in a
 * child. On failure `error` (ERROR_HOST) names what is missing and the remedy. */
bool site_preflight(struct error *error);

#endif
