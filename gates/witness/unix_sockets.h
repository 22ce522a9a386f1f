/*
 * The Unix witnesses of the host: a stream and a datagram listener for each abstract name (in the host's
 * network namespace, where abstract names live) and in the directory of path sockets; and stream listeners at
 * paths where control sockets of the host are usually found. Source: unix(7).
 */
#ifndef GATES_WITNESS_UNIX_SOCKETS_H
#define GATES_WITNESS_UNIX_SOCKETS_H

#include <sys/un.h>

#include "conversation.h"

#define UNIX_MAX     32 /* listeners */
#define UNIX_AT_ONCE 32

struct unix_sockets;

struct unix_listener {
    struct unix_sockets *sockets;
    struct loop_source source;
    enum witness_kind kind;
    char at[ENDPOINT_TEXT];
};

struct unix_sockets {
    struct conversations *conversations;
    struct unix_listener listeners[UNIX_MAX];
    size_t count;
};

/* Opens all of them in the current (host) network namespace; path sockets get mode 0666. In the directory of path
 * sockets what stands in the way is removed; at the other paths it is an error, for it may be somebody's, and the
 * listener could not be told from it. */
bool unix_sockets_open(struct unix_sockets *sockets, struct conversations *conversations, struct error *error);

#endif
