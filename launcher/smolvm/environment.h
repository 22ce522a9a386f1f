/*
 * The environment that the engine gets: made from nothing, so that no SMOLVM_* of the caller can widen a policy or
 * lower a floor and no state of another run is found. Only what stands in a short list is taken over.
 */
#ifndef LAUNCHER_SMOLVM_ENVIRONMENT_H
#define LAUNCHER_SMOLVM_ENVIRONMENT_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

#include "../support/error.h"
#include "locate.h"
#include "version.h"

/* Bytes that the path of a run's directory may have: the engine makes sockets below it (cache/smolvm/vms/16
 * digits/NAME.sock), and the address of a socket holds 107. */
enum { SMOLVM_DIRECTORY = 55, SMOLVM_VARIABLES = 40, SMOLVM_VARIABLE_BYTES = 8 * PATH_MAX };

struct smolvm_setting {
    const char *directory; /* of this run alone: absolute, at most SMOLVM_DIRECTORY bytes */
    const struct smolvm_location *location;
    const char *rootfs; /* a directory: this machine's own copy of the agent's root file system. NULL: the location's */
    bool floors_off;    /* the engine's own (private, link-local, loopback addresses), for an open bottle or a mutant */
    bool keep_uid;      /* root's VMM keeps root's uid */
};

struct smolvm_environment {
    char *words[SMOLVM_VARIABLES + 1]; /* ends with NULL: give it to smolvm_run. Points into itself: not to be copied */
    size_t count, used;
    char bytes[SMOLVM_VARIABLE_BYTES];
};

/* Fills `environment`. `inherited` is the caller's (environ). False: ERROR_USAGE for a directory that can't be one,
 * ERROR_HOST for a tar that the version doesn't take. The state database is then smolvm_state_path(SMOLVM_LINUX,
 * HOME, XDG_DATA_HOME) of it: DIRECTORY/data/smolvm/server/smolvm.db. */
bool smolvm_environment_fill(struct smolvm_environment *environment, const struct smolvm_setting *setting,
                             const struct smolvm_version *version, char *const inherited[], struct error *error);

/* Makes the directories that the environment names, below setting->directory, which is there: home, data, cache,
 * config (mode 0700; 0711 where root's VMM drops to another uid and has to pass) and run (0700). They must not be
 * there yet. */
bool smolvm_environment_make(const struct smolvm_setting *setting, const struct smolvm_version *version,
                             struct error *error);

/* The value of a variable, or NULL. */
const char *smolvm_environment_value(const struct smolvm_environment *environment, const char *name);

#endif
