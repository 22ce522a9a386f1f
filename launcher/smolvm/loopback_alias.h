/*
 * On macOS 127.0.0.1 is the only loopback address until others are added to lo0 as aliases, which takes an
 * administrator. On Linux all of 127.0.0.0/8 is there and nothing is done. Not run on a macOS yet.
 */
#ifndef LAUNCHER_SMOLVM_LOOPBACK_ALIAS_H
#define LAUNCHER_SMOLVM_LOOPBACK_ALIAS_H

#include <stdbool.h>
#include <stddef.h>

#include "../support/error.h"
#include "platform.h"

/* How the host is asked and changed: the seam of the tests. */
struct loopback_commands {
    /* What `ifconfig lo0` prints: at most capacity - 1 bytes and a 0. */
    bool (*list)(char *text, size_t capacity, struct error *error);
    /* sudo ifconfig lo0 alias ADDRESS */
    bool (*add)(const char *address, struct error *error);
};

extern const struct loopback_commands loopback_commands_of_host;

/* Adds those of 127.0.0.FIRST to 127.0.0.(FIRST + COUNT - 1) that lo0 hasn't got, in that order; ends at the first
 * that can't be added. */
bool loopback_alias_add(enum smolvm_platform platform, const struct loopback_commands *commands, unsigned first,
                        unsigned count, struct error *error);

#endif
