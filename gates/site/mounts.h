/* The site's own view of the file system: nothing of the host's is written, none of its sockets is in reach.
 */
#ifndef GATES_SITE_MOUNTS_H
#define GATES_SITE_MOUNTS_H

#include <stdbool.h>

#include "../../launcher/support/error.h"

/* In the calling process's own mount namespace: makes / private, puts empty tmpfs over /run, /tmp and
 * /var/tmp, makes SITE_SOCKETS, and gives /etc/resolv.conf the site's resolvers. Sources:
 * mount_namespaces(7), resolv.conf(5). */
bool mounts_open(bool ipv6, struct error *error);

#endif
