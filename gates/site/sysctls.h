/*
 * The kernel settings that the site relies on. Whether a new network namespace starts with the kernel's
 * defaults or with the host's values differs from kernel to kernel (net.core.devconf_inherit_init_net), so
 * every one is set.
 */
#ifndef GATES_SITE_SYSCTLS_H
#define GATES_SITE_SYSCTLS_H

#include <stdbool.h>

#include "../../launcher/support/error.h"

/* True if this kernel has IPv6 and can be told to use it. */
bool sysctls_have_ipv6(void);

/* Sets them in the calling process's network namespace, for all its interfaces and by name for `device`
 * (which exists and is still down): `world` with the world's values, else with the host's. */
bool sysctls_set(bool world, bool ipv6, const char *device, struct error *error);

/* Sets those that each interface has for `device` alone, with the host's values. */
bool sysctls_set_device(bool ipv6, const char *device, struct error *error);

/* Lets packets from the namespace's own IPv4 addresses come in by `device`. */
bool sysctls_accept_own(const char *device, struct error *error);

#endif
