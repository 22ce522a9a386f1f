/*
 * What a machine is by its make: the ways that end in its own kernel, or in the engine's user-space network, whatever is allowed. Each row
 * was seen in runs (1.32.2): caught without a sandbox, and not from an open machine. A way that isn't here and that an open machine doesn't
 * show is INCONCLUSIVE. A row never makes an escape good: what is heard of the fenced machine is an escape.
 */
#include "machine.h"

static const struct structural_way structure[] = {
    /* A loopback, files, Unix sockets and descriptors of its own kernel; vsock ports that the VMM connects, and no others. */
    { 1, "" },
    { 20, "" },
    { 21, "::ffff:127." },
    { 28, "" },
    { 106, "" },
    { 112, "" },
    { 114, "" },
    { 116, "" },
    /* The host's end of a TCP connection or of a datagram is a plain socket of the VMM's: without a scope for link-local addresses, without
     * SO_BROADCAST, with no TCP option of the guest's, with no membership of the guest's. All nodes of the guest's link is the engine. */
    { 23, "fe80:" },
    { 45, "fe80:" },
    { 23, "ff02::1%" },
    { 38, "" },
    { 69, "" },
    { 34, "234.*" },
    { 39, "239.*" },
    { 39, "ff05:39::*" },
};

bool machine_structural(uint16_t vector, const char *address)
{
    return backend_has_way(structure, sizeof structure / sizeof *structure, vector, address);
}
