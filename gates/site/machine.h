/*
 * The site on the machine itself (--site=host). What it makes in the machine's own network namespace, and nothing else:
 *
 *   lan0             a cable to the world, with SITE_HOST4 and SITE_HOST6
 *   side0, side1     a cable to itself, for controls
 *   routes           to the world, for prefixes that are nobody's on any network (RFC 5737, RFC 3849) and the bottles' own
 *   a table of nft   which leads what is the gate's to the witnesses (firewall.c)
 *
 * No setting of the machine is changed, and nothing is sent to an address that isn't the machine's or the world's: machine_owns
 * says which are. All of it is removed by site_clear_machine, by whoever is the last: the run, its guardian, or `bottle-gate gc`.
 */
#ifndef GATES_SITE_MACHINE_H
#define GATES_SITE_MACHINE_H

#include <stdbool.h>
#include <stdint.h>

#include "../../launcher/support/error.h"
#include "links.h"

#define MACHINE_TABLE     "bottle-gate"
#define MACHINE_PREFIXES4 "192.0.2.0/24, 198.51.100.0/24, 203.0.113.0/24, 10.77.0.0/24"
#define MACHINE_PREFIXES6 "2001:db8::/32, fd77::/64"

/* Ports of controls and attempts at the machine's own addresses. */
enum { MACHINE_FIRST_PORT = 19001, MACHINE_LAST_PORT = 21100 };

/* All of the gate's on the machine's own loopback, and nothing of the machine's: those, and what a sweep sends. A bottle of the machine's engine has no relay
 * that would dial from other ports. For pcap-filter(7). */
#define MACHINE_LO_PORTS "portrange 19001-21100 or port 11001 or port 11002 or port 61001 or port 61002"

/* An address of the machine's own on its uplink, by which it would send to others; SITE_HOST4 and SITE_HOST6 where it has none. Nothing is sent. */
void machine_addresses(char host4[46], char host6[46]);

/* True for an IP literal that is the machine's own loopback, one of `networks` (prefixes, ends with NULL; may be NULL), or led to the
 * world. The machine's other addresses are not known here. */
bool machine_owns(const char *literal, const char *const *networks);

/* True if the machine uses none of these addresses and ports itself; else ERROR_HOST says what it has. */
bool machine_has_room(const char *const *networks, struct error *error);

/* Parts of site_open_on_machine: the routes by lan0; and the settings of the cable to itself. */
bool machine_add_routes(struct links *links, const char *const *networks, bool ipv6, struct error *error);
bool machine_set_up_side(bool ipv6, struct error *error);

/* Removes from the calling process's network namespace what a site has made there, if it is there; counts what there was. */
bool site_clear_machine(unsigned *removed, struct error *error);

/* One run a machine: a descriptor that holds the place until it is closed, in the calling process's network namespace; -1 with ERROR_HOST if
 * another run holds it. */
int machine_lock(struct error *error);

#endif
