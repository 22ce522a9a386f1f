/*
 * The nftables rules of the site's two namespaces, which lead packets to the witnesses. They never drop
 * anything. Source: nft(8), Linux Documentation/networking/tproxy.rst.
 */
#ifndef GATES_SITE_FIREWALL_H
#define GATES_SITE_FIREWALL_H

#include <stdbool.h>

#include "../../launcher/support/error.h"

/* Loads the rules of the world namespace (redirects) or of the host namespace (transparent proxy, and a
 * copy of what is let in by a cable) into the calling process's network namespace. ERROR_HOST with the modules' names where the kernel lacks
 * what they need. */
bool firewall_open_world(struct error *error);
bool firewall_open_host(struct error *error);

/* Can this process read the rules of its network namespace, and so change them? False with what stands in its way; root of a user namespace
 * may not touch a machine's. */
bool firewall_works(struct error *error);

/* The same for the machine's own network namespace: it takes what goes to a port of an attempt where nobody listens, and all of a sweep,
 * and logs what the machine lets in at such ports, and what would leave it for an address that is the gate's; firewall_close_machine takes them back.
 * `*there`: were there any? */
bool firewall_open_machine(struct error *error);
bool firewall_has_machine(void);
bool firewall_close_machine(bool *there, struct error *error);

/* Before the host's rules: what goes by lo to a socket that is no transparent one is left alone. */
bool firewall_leave_listeners(struct error *error);

/* Loads `rules` into the calling process's network namespace; `what` they are for is told where that fails, with the
 * modules that they need. */
bool firewall_load(const char *what, const char *rules, const char *modules, struct error *error);

#endif
