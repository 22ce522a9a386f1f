/*
 * The command lines of smolvm, by version and policy: the one place that knows its options.
 *
 * Names and the door are checked here: a word that begins with '-' or holds a ':' would be read as something else.
 */
#ifndef LAUNCHER_SMOLVM_ARGUMENTS_H
#define LAUNCHER_SMOLVM_ARGUMENTS_H

#include <stdbool.h>
#include <stddef.h>

#include "../support/error.h"
#include "version.h"

enum { SMOLVM_WORDS = 256, SMOLVM_WORD_BYTES = 16384, SMOLVM_NAME = 64 };

/* What a machine may reach. */
enum smolvm_policy {
    SMOLVM_HARDENED,  /* the door alone, DNS included: --allow-host DOOR --dns DOOR; refused where that is missing */
    SMOLVM_CIDR_ONLY, /* what the original did: --allow-cidr DOOR/32. DNS gets out on every version seen */
    SMOLVM_OPEN,      /* no policy at all, on virtio-net */
    SMOLVM_POLICIES
};

/* "hardened", "cidr", "open"; and back: false for any other word. */
const char *smolvm_policy_name(enum smolvm_policy policy);
bool smolvm_policy_find(const char *name, enum smolvm_policy *policy);

/* A command line: give `words` to smolvm_run or smolvm_spawn. Not to be copied: its words point into it. */
struct smolvm_arguments {
    char *words[SMOLVM_WORDS + 1]; /* ends with NULL */
    size_t count, used;
    char bytes[SMOLVM_WORD_BYTES];
};

/* A machine to be made. Borrowed. */
struct smolvm_machine {
    const char *name;
    enum smolvm_policy policy;
    const char *door;             /* IP literal; unused by an open machine. IPv4 for hardened */
    bool virtio_net;              /* asked for by name: a machine whose policy is taken out of its row would get TSI */
    unsigned cpus, memory_mib;    /* 1 to 255; 64 to 1048576 */
    const char *from;             /* a .smolmachine to start from, or NULL: a bare machine */
    const char *const *variables; /* NAME=VALUE of what runs inside, ends with NULL; or NULL */
};

/* True for 1 to 63 of a-z, 0-9 and '-', beginning and ending with a letter or digit, without "--". */
bool smolvm_name_valid(const char *name);

/* Can a machine of this version have that policy, with that door? ERROR_HOST if the version can't (it says which
 * can, and that --policy=cidr is the way without); ERROR_USAGE for a door that can never be reached or opens more
 * than itself: 127.0.0.0/8 where the policy goes with virtio-net (1.1.3 and later: it stays in the guest), the
 * fabric 100.64.0.0/10 (its gateway is the host's loopback), link-local, unspecified and multicast addresses. */
bool smolvm_policy_check(const struct smolvm_version *version, enum smolvm_policy policy, const char *door,
                         struct error *error);

/* True if `create` stores no policy for this machine, so that smolvm_state_force_allowlist must. */
bool smolvm_policy_is_lost(const struct smolvm_version *version, const struct smolvm_machine *machine);

/* The entry that the policy makes in allowed_cidrs: DOOR/32, or DOOR/128. */
bool smolvm_door_cidr(const char *door, char cidr[64], struct error *error);

/* Each fills `arguments` from nothing; false: ERROR_USAGE for words that smolvm would misread, ERROR_HOST for what
 * the version can't. */
bool smolvm_arguments_create(struct smolvm_arguments *arguments, const struct smolvm_version *version,
                             const struct smolvm_machine *machine, struct error *error);

enum smolvm_verb {
    SMOLVM_START,
    SMOLVM_STOP,
    SMOLVM_DELETE,
    SMOLVM_STATUS,
    SMOLVM_DATA_DIR,
    SMOLVM_EVENTS,
    SMOLVM_VERBS
};

/* start, stop, delete -f, status --json, data-dir, egress-events --json (with `limit` SMOLVM_EVENTS_LIMIT). On every
 * version stop goes before delete: the first ones leave the VMM running otherwise. */
bool smolvm_arguments_plain(struct smolvm_arguments *arguments, const struct smolvm_version *version,
                            enum smolvm_verb verb, const char *name, struct error *error);

enum { SMOLVM_EVENTS_LIMIT = 4096 };

struct smolvm_exec {
    unsigned timeout_seconds;     /* the engine's own; 0: none */
    bool input;                   /* forward standard input; its end ends the command's output too (seen with 1.32.2) */
    bool live;                    /* output as it comes, with no input: else all of it at the end */
    const char *const *variables; /* NAME=VALUE, ends with NULL; or NULL */
    char *const *command;         /* ends with NULL; at least one word */
};

/* Runs a command as root in the guest. 128+n for a signal only where SMOLVM_SIGNAL_STATUS. */
bool smolvm_arguments_exec(struct smolvm_arguments *arguments, const char *name, const struct smolvm_exec *exec,
                           struct error *error);

/* Copies one file of the host (absolute path, no ':') to an absolute path in the guest. The mode isn't carried:
 * chmod by exec. */
bool smolvm_arguments_put(struct smolvm_arguments *arguments, const char *name, const char *from, const char *to,
                          struct error *error);

/* smolvm --version. */
bool smolvm_arguments_version(struct smolvm_arguments *arguments, struct error *error);

#endif
