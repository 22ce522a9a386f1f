/* What can go wrong with the processes of the three runs, and with their clock. */
#include "../fault.h"

#define PHASES_ "runs"

#define DIES(called, which, at)                                                                                        \
    {                                                                                                                  \
        .name = called, .stage = PHASES_, .breaks = "the process of the " which " run is killed", .exit = 3,           \
        .says = which " run: its process died", .phase_dies_at = which ": " at                                         \
    }

/* The clock is the one of all deadlines (CLOCK_MONOTONIC), and it jumps for the phase alone. Ahead is what does harm: a
 * deadline passes before its time. A jump back only lets a deadline pass later. The time of day decides nothing. */
#define JUMPS(called, when, which)                                                                                     \
    {                                                                                                                  \
        .name = "clock-jumps-" called, .stage = PHASES_, .breaks = "the clock jumps an hour ahead during " when,       \
        .exit = 2, .also = 3, .says = "control", .upset = {                                                            \
            UPSET_CLOCK,                                                                                               \
            which,                                                                                                     \
            0                                                                                                          \
        }                                                                                                              \
    }

/* clang-format off */
const struct fault faults_of_phases[] = {
    DIES("bare-run-dies", "bare", "attempts as user"),
    DIES("open-run-dies", "open", "attempts as root"),
    DIES("fenced-run-dies-early", "fenced", "starting the bottle"),
    DIES("fenced-run-dies", "fenced", "attempts as user"),
    DIES("fenced-run-dies-late", "fenced", "listening on"),
    JUMPS("before", "the first controls", ROUND_BEFORE),
    JUMPS("during", "the attempts", ROUND_DURING),
    JUMPS("final", "the last controls", ROUND_FINAL),
    { 0 },
};
/* clang-format on */
