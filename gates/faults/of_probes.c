/* What can go wrong with the probe: it isn't there, can't run, is another program, is killed, or falls silent. */
#include "../fault.h"
#include "backends.h"

#define PROBE    "probe"
#define REPLACED 134 /* BG-134: the probe is killed or replaced */
#define SILENCE  133 /* BG-133: a stream that is cut */

#define PUT(called, what, status, word, by)                                                                            \
    {                                                                                                                  \
        .name = called, .stage = PROBE, .breaks = what, .exit = status, .says = word, .vector = REPLACED,              \
        .backend = &(by)                                                                                               \
    }

#define HURT(called, what, does, at)                                                                                   \
    {                                                                                                                  \
        .name = called, .stage = PROBE, .breaks = what, .exit = 2, .says = "cut after line", .vector = REPLACED,       \
        .stream = {                                                                                                    \
            .how = does,                                                                                               \
            .line = at                                                                                                 \
        }                                                                                                              \
    }

/* clang-format off */
const struct fault faults_of_probes[] = {
    PUT("probe-missing", "the probe never arrives in the bottle", 2, "not one record", backend_that_loses_the_probe),
    PUT("probe-not-executable", "the probe in the bottle is not executable", 2, "not one record", backend_that_forgets_modes),
    PUT("probe-another-program", "a program that ends at once with status 0 stands in the probe's place", 2,
        "not one record", backend_with_another_program),
    PUT("probe-another-digest", "the probe in the bottle is longer by one byte than the one that was sent in", 3,
        "another probe, uid", backend_with_another_probe),
    PUT("plan-missing", "the plan never arrives in the bottle", 2, "not one record", backend_that_loses_the_plan),
    PUT("plan-cut", "the plan lacks its last byte", 2, "not one record", backend_that_cuts_the_plan),
    HURT("probe-killed-at-hello", "the probe is killed when it has said hello", TAMPER_KILL, "BG1 hello "),
    HURT("probe-killed-after-door", "the probe is killed between the door and its attempts", TAMPER_KILL, "BG1 did 0 "),
    HURT("probe-killed-at-first", "the probe is killed at its first attempt", TAMPER_KILL, "BG1 try 1 "),
    { .name = "probe-killed-at-end", .stage = PROBE, .breaks = "the probe is killed at its last round trip", .exit = 2,
      .says = "cut after line", .vector = REPLACED, .stream = { .how = TAMPER_KILL, .line = " door ", .second = true } },
    { .name = "probe-killed-as-root", .stage = PROBE, .breaks = "root's probe is killed at its first attempt", .exit = 2,
      .says = "fenced run, root", .vector = REPLACED, .stream = { .how = TAMPER_KILL, .line = "BG1 try 1 ", .root = true } },
    HURT("probe-stops", "the probe is stopped at its first attempt and says nothing more", TAMPER_STOP, "BG1 try 1 "),
    { .name = "collector-killed", .stage = PROBE, .breaks = "the process that reads the probe's records is killed",
      .exit = 2, .says = "collector died", .vector = SILENCE, .dead_collector = true },
    { 0 },
};
/* clang-format on */
