/*
 * smolvm's state database: one row a machine, in which the policy is stored that the next `start` applies. Versions up
 * to 1.7.7 drop the policy when a machine is made with --from; writing it here between create and start mends that.
 *
 * What the row says proves what was written and not what is enforced: that is for the gate.
 *
 * Table vms(name TEXT PRIMARY KEY NOT NULL, data BLOB NOT NULL), `data` one JSON object; a TEXT value can't be read by
 * smolvm. Source: smolvm, src/db.rs and src/config.rs.
 */
#ifndef LAUNCHER_SMOLVM_STATE_H
#define LAUNCHER_SMOLVM_STATE_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

#include "../support/error.h"
#include "platform.h"

enum {
    SMOLVM_BUSY_MILLISECONDS = 15000, /* how long smolvm itself waits for a lock */
    SMOLVM_CIDR = 64,                 /* bytes of an address with its prefix, the ending 0 included */
    SMOLVM_CIDRS = 16,
    SMOLVM_WORD = 256,
};

/* Where the database is for a user with that home and XDG_DATA_HOME (NULL or not absolute: as if unset; macOS
 * ignores it). `path` holds PATH_MAX bytes. */
bool smolvm_state_path(enum smolvm_platform platform, const char *home, const char *data_home, char path[PATH_MAX],
                       struct error *error);

/* A database and how long to wait for its lock. Borrowed. */
struct smolvm_state {
    const char *path;
    unsigned busy_milliseconds;
};

/* Makes `allowed_cidrs` of that machine's row exactly these, to be called after create and before start. Each is an
 * IPv4 or IPv6 literal with a prefix ("10.88.0.1/32"); 1 to SMOLVM_CIDRS of them: an empty list is no "deny all" for
 * smolvm.
 *
 * A row that has them already isn't touched (*written false, may be NULL). Else the whole row is read, changed and
 * written as a BLOB in one transaction, with all other fields as they were, and read back. False, and nothing
 * changed, if there is no database, no such row, no JSON object in it, or the lock can't be had; false also if
 * another value is read back. */
bool smolvm_state_force_allowlist(const struct smolvm_state *state, const char *machine, const char *const cidrs[],
                                  size_t count, bool *written, struct error *error);

/* What a mutant lacks. */
enum smolvm_drop {
    SMOLVM_DROP_CIDRS,      /* allowed_cidrs becomes null, as --from made it */
    SMOLVM_DROP_DNS_FILTER, /* dns_filter_hosts and dns go */
};

/* Takes that part of the policy out of the row, with the same care. */
bool smolvm_state_drop(const struct smolvm_state *state, const char *machine, enum smolvm_drop what,
                       struct error *error);

/* The fields of a row that decide what a machine reaches. */
struct smolvm_policy_row {
    bool limited;      /* allowed_cidrs is a list; null or absent means: no limit */
    size_t cidr_count; /* of `cidrs` */
    char cidrs[SMOLVM_CIDRS][SMOLVM_CIDR];
    bool filtered;     /* dns_filter_hosts is a list */
    size_t host_count; /* of `hosts` */
    char hosts[SMOLVM_CIDRS][SMOLVM_WORD];
    char network_backend[32]; /* "tsi", "virtio-net"; empty if the row leaves it to the engine */
    char dns[SMOLVM_CIDR];    /* empty if there is none */
    bool network;
};

/* Reads them; writes nothing. A field of another type, or one too long to hold here, is an error: it can't be told
 * what the engine would make of it. */
bool smolvm_state_read(const struct smolvm_state *state, const char *machine, struct smolvm_policy_row *row,
                       struct error *error);

/* Whether the database has a row for that machine. A database that isn't there has none. */
bool smolvm_state_has(const struct smolvm_state *state, const char *machine, bool *has, struct error *error);

#endif
