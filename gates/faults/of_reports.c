/* What can go wrong with `--report DIR`: no room at one write or another, a place that can't be written, and what was written
 * changed by hand before somebody judges it again. */
#include "../fault.h"

#define REPORT "report"
#define EDITED 139 /* BG-139: a report that was swapped or edited */
#define FULL   140 /* BG-140: a full disk */

#define ROOM(kibibytes)                                                                                                \
    {                                                                                                                  \
        .name = "report-room-" #kibibytes, .stage = REPORT,                                                            \
        .breaks = "the disk of --report has " #kibibytes " KiB of room: less than the files take", .exit = 3,          \
        .says = "can't write", .vector = FULL, .command = { .used = true }, .report = {                                \
            .used = true,                                                                                              \
            .room = (kibibytes)*1024                                                                                   \
        }                                                                                                              \
    }

#define EDIT(called, what, in, old, new, word)                                                                         \
    {                                                                                                                  \
        .name = called, .stage = REPORT, .breaks = what ", and replay is asked", .exit = 3, .says = word,              \
        .vector = EDITED, .command = { .used = true }, .report = {                                                     \
            .used = true,                                                                                              \
            .file = in,                                                                                                \
            .from = old,                                                                                               \
            .to = new                                                                                                  \
        }                                                                                                              \
    }

/* clang-format off */
const struct fault faults_of_reports[] = {
    ROOM(4),
    ROOM(32),
    ROOM(60),
    ROOM(68),
    ROOM(128),
    { .name = "report-nowhere", .stage = REPORT, .breaks = "--report names a place where nobody can make a directory", .exit = 4,
      .says = "/proc", .command = { .used = true }, .report = { .used = true, .at = "/proc/report" } },
    EDIT("report-verdict-edited", "the verdict in report.json is changed", "report.json", "\"PASS\"", "\"FAIL\"", "differs"),
    EDIT("report-attempt-edited", "an attempt in report.json is changed", "report.json", "\"BLOCKED\"", "\"ESCAPED\"", "differs"),
    EDIT("evidence-edited", "the host's kernel in evidence.json is changed", "evidence.json", "\"kernel\":\"",
         "\"kernel\":\"x", "differs"),
    { 0 },
};
/* clang-format on */
