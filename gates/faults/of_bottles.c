/* What can go wrong with the bottle and its backend: it isn't one, it isn't the one that was asked for, it runs nothing and
 * says that all is well, or it doesn't end. */
#include "../fault.h"
#include "backends.h"

#define BOTTLE     "bottle"
#define CRASHED    135 /* BG-135: an engine that died, or did nothing, and exit 0 taken for success */
#define DOWNGRADED 136 /* BG-136: silently another sandbox than was asked for */
#define FULL       140 /* BG-140: floods, full disks */

#define BY(called, what, status, word, id, by)                                                                         \
    {                                                                                                                  \
        .name = called, .stage = BOTTLE, .breaks = what, .exit = status, .says = word, .vector = id, .backend = &(by)  \
    }

/* clang-format off */
const struct fault faults_of_bottles[] = {
    BY("no-bottle", "the engine says that it started a bottle and starts none: commands run beside it", 1, NULL, DOWNGRADED,
       backend_without_fences),
    BY("no-network-fence", "the bottle under test lacks its network fence", 1, NULL, DOWNGRADED, backend_without_network),
    BY("no-mount-fence", "the bottle under test lacks its mount fence", 1, NULL, DOWNGRADED, backend_without_mount),
    BY("no-descriptors-fence", "the bottle under test inherits descriptors", 1, NULL, DOWNGRADED,
       backend_without_descriptors),
    BY("open-is-fenced", "the open bottle has all its fences", 2, "did not leak", DOWNGRADED, backend_never_open),
    BY("open-is-half-open", "the open bottle has its network fence", 2, "did not leak", DOWNGRADED, backend_half_open),
    BY("no-start", "the engine can't start the bottle", 3, "on holiday", CRASHED, backend_that_does_not_start),
    BY("no-commands", "the engine refuses to run commands", 3, "takes no commands", CRASHED, backend_that_refuses_commands),
    BY("nothing-runs", "the engine runs nothing and its command ends with status 0", 2, "not one record", CRASHED,
       backend_that_runs_nothing),
    BY("nothing-runs-in-open", "the same in the open bottle alone", 2, "open run, user", CRASHED,
       backend_that_runs_nothing_open),
    BY("wrong-principal", "the engine runs root's probe as the user", 3, "another principal", DOWNGRADED,
       backend_that_mixes_up_principals),
    BY("disk-full", "the bottle's disk has no room for the plan", 3, "No space left", FULL, backend_with_full_disk),
    BY("another-kernel", "the bottle's fingerprint shows another kernel than the host's", 3, "kernel", DOWNGRADED,
       backend_on_another_kernel),
    BY("another-boot", "the bottle's fingerprint shows another boot than the host's", 3, "boot", DOWNGRADED,
       backend_of_another_boot),
    BY("no-fingerprint", "the engine doesn't say what it is", 3, "what it is", DOWNGRADED, backend_without_fingerprint),
    BY("no-host-uid", "the engine doesn't say who runs the bottle", 3, "who it is", DOWNGRADED, backend_without_uids),
    BY("second-bottle-silent", "the second bottle never begins to listen", 3, "did not begin to listen", CRASHED,
       backend_with_deaf_peer),
    BY("end-fails", "the engine can't end the bottle", 3, "can't be ended", CRASHED, backend_that_fails_to_end),
    BY("end-leaves", "the engine says that it ended the bottle and leaves it running", 3, "outlived", CRASHED,
       backend_that_does_not_end),
    { 0 },
};
/* clang-format on */
