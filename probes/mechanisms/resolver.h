/* The resolver that the bottle was given: the nameserver lines of its own /etc/resolv.conf (resolv.conf(5)).
 */
#ifndef PROBES_MECHANISMS_RESOLVER_H
#define PROBES_MECHANISMS_RESOLVER_H

#include <stddef.h>

#include "../address.h"

/* Puts the first nameserver of the address's own family, if the file names one, in its place. */
void resolver_prefer_given(struct address *address);

/* The same on the text of such a file. */
void resolver_prefer(const char *text, size_t size, struct address *address);

#endif
