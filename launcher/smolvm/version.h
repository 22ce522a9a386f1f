/*
 * Which smolvm it is, and what that version can do: one table of what changed when. Everything else asks the table and
 * never compares numbers itself.
 *
 * Source: smolvm's source at its tags, and runs of 1.4.0, 1.27.3 and 1.32.2.
 */
#ifndef LAUNCHER_SMOLVM_VERSION_H
#define LAUNCHER_SMOLVM_VERSION_H

#include <stdbool.h>
#include <stddef.h>

#include "../support/error.h"

enum { SMOLVM_VERSION_TEXT = 48 }; /* bytes, the ending 0 included */

struct smolvm_version {
    unsigned major, minor, patch; /* each below 100000 */
    bool before; /* a pre-release (1.2.5-rc.1): it comes before its number and may lack what that has */
    char text[SMOLVM_VERSION_TEXT]; /* as the engine wrote it, printable ASCII */
};

enum smolvm_feature {
    SMOLVM_SUPPORTED,         /* this launcher knows its command line */
    SMOLVM_SIGNAL_STATUS,     /* `exec` ends with 128+n for signal n; before with 255 */
    SMOLVM_DELETE_STOPS,      /* `delete` stops a running machine; before, its VMM lived on */
    SMOLVM_ROOTFS_TAR,        /* takes SMOLVM_AGENT_ROOTFS_TAR; before only a directory */
    SMOLVM_NAME_OPTION,       /* create, delete, update, data-dir take --name; before, the name stood alone */
    SMOLVM_POLICY_VIRTIO,     /* a policy goes with virtio-net; before with TSI, whose filter proved nothing */
    SMOLVM_DNS_OPTION,        /* `create` takes --dns */
    SMOLVM_UID_DROP,          /* root's VMM drops to a uid of its own, unless SMOLVM_VM_UID_DROP=off */
    SMOLVM_FLOOR_SETTING,     /* reads SMOLVM_EGRESS_FLOOR */
    SMOLVM_FROM_KEEPS_POLICY, /* `create --from` stores the policy; before it dropped it in silence */
    SMOLVM_EGRESS_EVENTS,     /* `egress-events` lists denials */
    SMOLVM_ROOTFS_READ_ONLY,  /* the guest can't write the agent rootfs on the host (seen: 1.27.3; not 1.4.0) */
    SMOLVM_FEATURES
};

/* Reads what `smolvm --version` wrote to standard output: one line, "smolvm X.Y.Z", a pre-release or build suffix of
 * semver allowed. Standard error is not for it: late versions write a note there. `output` needs no ending 0 and may
 * hold anything. Anything else on that line or another line is an error (ERROR_HOST) that shows the beginning of
 * what there was. */
bool smolvm_version_parse(const char *output, size_t size, struct smolvm_version *version, struct error *error);

bool smolvm_can(const struct smolvm_version *version, enum smolvm_feature feature);

/* Fills `error` (ERROR_HOST) with the version, what it lacks and from which version on it is there; returns false.
 * For a caller that has found the lack. */
bool smolvm_version_lacks(const struct smolvm_version *version, enum smolvm_feature feature, struct error *error);

/* The first version with that feature, "1.0.2": owned by the table. */
const char *smolvm_feature_since(enum smolvm_feature feature);

#endif
