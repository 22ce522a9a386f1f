/* What can go wrong with the records of the port sweep, which is a session of its own. See of_records.c. */
#include "../fault.h"

#define SWEEP    "sweep"
#define FORGED   131
#define TORN     133
#define REPLACED 134

#define ROW(called, what, status, word, id, ...)                                                                       \
    {                                                                                                                  \
        .name = called, .stage = SWEEP, .breaks = what, .exit = status, .says = word, .vector = id, .sweep = true,     \
        .stream = {                                                                                                    \
            __VA_ARGS__,                                                                                               \
            .sweep = true                                                                                              \
        }                                                                                                              \
    }

/* clang-format off */
const struct fault faults_of_sweeps[] = {
    ROW("sweep-killed", "the probe is killed in the sweep", 2, "cut after line", REPLACED, .how = TAMPER_KILL,
        .line = "BG1 try 1 "),
    ROW("sweep-stops", "the probe is killed as root in the sweep", 2, "fenced run, root", REPLACED, .how = TAMPER_KILL,
        .line = "BG1 try 4 ", .root = true),
    ROW("sweep-without-bye", "the sweep's stream lacks its last line", 2, "records fall short", TORN, .how = TAMPER_CUT,
        .line = "BG1 bye "),
    ROW("sweep-half-did", "the sweep's stream ends in the middle of a line", 2, "records fall short", TORN,
        .how = TAMPER_HALVE, .line = "BG1 did 2 "),
    ROW("sweep-lost-ports", "the sweep admits that it left out ports", 2, "never said how it ended", FORGED,
        .how = TAMPER_FIELD, .line = "BG1 did 1 ", .number = 5, .text = "999", .sealed = true),
    ROW("sweep-double-did", "a sweep ends twice", 3, "second did", TORN, .how = TAMPER_DOUBLE, .line = "BG1 did 1 ",
        .sealed = true),
    ROW("sweep-unplanned", "the end of a sweep that was never planned", 3, "not in the plan", FORGED, .how = TAMPER_BEFORE,
        .line = "BG1 try 1 ", .text = "BG1 did 77 sent - 64 0 7 -\n", .sealed = true),
    ROW("sweep-other-run", "the id of another run in the sweep's stream", 3, "another run", FORGED, .how = TAMPER_FIELD,
        .line = "BG1 hello ", .number = 2, .text = "00112233445566778899aabbccddeeff", .sealed = true),
    ROW("sweep-junk-first", "binary junk before the sweep's first line", 3, "byte that no record has", TORN,
        .how = TAMPER_BEFORE, .line = "BG1 hello ", .text = "\xff\xfe", .sealed = true),
    ROW("sweep-bits-of-did", "every bit of a sweep's end", 3, NULL, FORGED, .how = TAMPER_BITS, .line = "BG1 did 1 "),
    { 0 },
};
/* clang-format on */
