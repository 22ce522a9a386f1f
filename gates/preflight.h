/* Can this host make a run with this backend? What every command asks before it starts one. */
#ifndef GATES_PREFLIGHT_H
#define GATES_PREFLIGHT_H

#include "../launcher/backend.h"

/* Descriptors that a run needs; the soft limit is raised to DESCRIPTORS_WANTED where the hard one allows it. */
#define DESCRIPTORS_NEEDED 128
#define DESCRIPTORS_WANTED 4096

/* True if it can, with that policy (NULL: the backend's default). Else `error` (ERROR_HOST) names what is missing and the exact command or setting that mends it. */
bool preflight(const struct backend *backend, const char *policy, struct error *error);

/* Its first part: raises the limit of open files, and says if that is too low all the same. */
bool preflight_descriptors(struct error *error);

#endif
