/* What can go wrong around `bottle-gate run`: signals at every stage, nobody who reads the report, and limits that are too
 * low. These start the program itself. */
#include <signal.h>

#include "../fault.h"

#define SIGNALS "signals"
#define OUTPUT  "output"
#define LIMITS  "limits"
#define SAYS_SO "there is no verdict"

#define SIGNAL(called, number, word, where, line, swept)                                                               \
    {                                                                                                                  \
        .name = called "-" where, .stage = SIGNALS, .breaks = "SIG" #number " to the gate at \"" line "\"",            \
        .exit = 128 + SIG##number, .says = word, .sweep = swept, .command = {                                          \
            .used = true,                                                                                              \
            .at = "fenced: " line,                                                                                     \
            .signal = SIG##number                                                                                      \
        }                                                                                                              \
    }
#define SIGNALS_AT(where, line, swept)                                                                                 \
    SIGNAL("int", INT, SAYS_SO, where, line, swept), SIGNAL("term", TERM, SAYS_SO, where, line, swept),                \
        SIGNAL("hup", HUP, SAYS_SO, where, line, swept), SIGNAL("kill", KILL, NULL, where, line, swept)

#define WRITES(called, what, word, where)                                                                              \
    {                                                                                                                  \
        .name = called, .stage = OUTPUT, .breaks = what, .exit = 3, .says = word, .command = {                         \
            .used = true,                                                                                              \
            .output = where                                                                                            \
        }                                                                                                              \
    }

#define LIMIT(called, what, status, word, which, number, ...)                                                          \
    {                                                                                                                  \
        .name = called, .stage = LIMITS, .breaks = what, .exit = status, .says = word, .vector = 140, .command = {     \
            .used = true,                                                                                              \
            .limited = true,                                                                                           \
            .limit = which,                                                                                            \
            .value = number,                                                                                           \
            __VA_ARGS__                                                                                                \
        }                                                                                                              \
    }

/* clang-format off */
const struct fault faults_of_commands[] = {
    SIGNALS_AT("site", "opening the site", false),
    SIGNALS_AT("witnesses", "starting the witnesses", false),
    SIGNALS_AT("bottle", "starting the bottle", false),
    SIGNALS_AT("user", "attempts as user", false),
    SIGNALS_AT("root", "attempts as root", false),
    SIGNALS_AT("sweep", "sweeping ports", true),
    SIGNALS_AT("drain", "listening on", false),

    WRITES("output-closed", "standard output is closed", "can't write the report", OUTPUT_CLOSED),
    WRITES("output-full", "standard output is a full device", "can't write the report", OUTPUT_FULL),
    WRITES("output-unread", "standard output is a pipe that nobody reads", "can't write the report", OUTPUT_UNREAD),

    LIMIT("descriptors-64", "64 descriptors: fewer than any run needs", 4, "ulimit -n", RLIMIT_NOFILE, 64, .whole = false),
    LIMIT("descriptors-128", "128 descriptors: too few for the whole core profile", 2, NULL, RLIMIT_NOFILE, 128,
          .whole = true),
    LIMIT("descriptors-140", "140 descriptors: the same", 2, NULL, RLIMIT_NOFILE, 140, .whole = true),
    LIMIT("memory-32", "32 MB of memory: too few for a run", 3, "emory", RLIMIT_AS, 32 << 20, .whole = false),
    LIMIT("memory-64", "64 MB of memory: too few for the witnesses", 3, "emory", RLIMIT_AS, 64 << 20, .whole = false),
    LIMIT("processes-2", "2 processes: too few for anything", 3, "unavailable", RLIMIT_NPROC, 2, .whole = false),
    LIMIT("processes-5", "5 processes: too few for a run", 3, "unavailable", RLIMIT_NPROC, 5, .whole = false),
    { 0 },
};
/* clang-format on */
