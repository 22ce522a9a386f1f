/*
 * Backends that fail or lie, for the selftest: each names the one function in which it differs from the native one. Nothing
 * else can reach them; they are in no table of backends.
 */
#ifndef GATES_FAULTS_BACKENDS_H
#define GATES_FAULTS_BACKENDS_H

#include "../../launcher/backend.h"

/* clang-format off */
extern const struct backend
    /* start */
    backend_without_fences, backend_without_network, backend_without_mount, backend_without_descriptors,
    backend_never_open, backend_half_open, backend_that_does_not_start,
    /* exec */
    backend_that_runs_nothing, backend_that_runs_nothing_open, backend_that_refuses_commands, backend_that_mixes_up_principals, backend_with_deaf_peer,
    /* put */
    backend_that_loses_the_probe, backend_that_loses_the_plan, backend_that_cuts_the_plan, backend_with_full_disk,
    backend_that_forgets_modes, backend_with_another_probe, backend_with_another_program,
    /* the rest */
    backend_on_another_kernel, backend_of_another_boot, backend_without_fingerprint, backend_without_uids,
    backend_with_another_door, backend_that_fails_to_end, backend_that_does_not_end;
/* clang-format on */

/* The native backend with the functions that `differences`, one of the above, has. The next call replaces it. */
const struct backend *backends_native_but(const struct backend *differences);

#endif
