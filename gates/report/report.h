/*
 * Reports: each format is one function over one finished run, in one file. None of them decides anything.
 */
#ifndef GATES_REPORT_REPORT_H
#define GATES_REPORT_REPORT_H

#include <stdbool.h>
#include <stdio.h>

#include "../run.h"

struct report_style {
    bool colour;  /* only ever on a terminal */
    bool verbose; /* every attempt, not only those that aren't BLOCKED */
    bool quiet;   /* the verdict line only */
};

/* One output format: --format=name, and the file that it is in a report's directory (directory.h). Returns false if the
 * stream took not all of it. */
struct report_format {
    const char *name, *file, *summary;
    bool (*write)(const struct run *run, const struct report_style *style, FILE *stream);
};

extern const struct report_format report_formats[];
extern const size_t report_format_count;
const struct report_format *report_find(const char *name);

bool report_pretty(const struct run *run, const struct report_style *style, FILE *stream);
bool report_json(const struct run *run, const struct report_style *style, FILE *stream);
bool report_tap(const struct run *run, const struct report_style *style, FILE *stream);
bool report_junit(const struct run *run, const struct report_style *style, FILE *stream);
bool report_markdown(const struct run *run, const struct report_style *style, FILE *stream);

/* What every report has to say with a verdict, whichever it is (DESIGN 13). */
extern const char report_caveat[];

/* "BG-049", "user", "8.8.8.8:53/tcp": what names an attempt in every report. */
void report_target(const struct run *run, const struct run_attempt_result *attempt, char *text, size_t size);

/* "2026-01-31T12:00:00.123Z" */
#define REPORT_TIME_TEXT 40
const char *report_time(const struct timespec *time, char text[REPORT_TIME_TEXT]);

/* How many attempts are BLOCKED by comparison with the bare run alone. */
unsigned report_count_bare(const struct run *run);

/* What the verdict rests on without proof, in the words of --accept-unproved: "open", "BG-049". False after the last. */
bool report_accepted_at(const struct run *run, size_t index, char text[8]);

/* "open, BG-049" after `before`, then `after`; nothing at all where nothing was accepted. */
void report_print_accepted(const struct run *run, const char *before, const char *after, FILE *stream);

/* "15 attempts: 14 blocked, 1 escaped, 0 inconclusive, 0 broken; 1.4 s" */
void report_print_counts(const struct run *run, FILE *stream);

/* True if an attempt of this family was planned; counts[v] of them came to verdict v. */
bool report_count_family(const struct run *run, enum vector_family family, unsigned counts[VERDICTS]);

/* The name of the fence that was left out, or NULL. */
const char *report_mutant(const struct run *run);

/* What shuts the way of this attempt: the backend's own advice, or the general one. */
const char *report_remedy(const struct run *run, const struct run_attempt_result *attempt);

/* "smolmachines policy cidr without fence floor": what was tried. */
void report_print_backend(const struct run *run, const char *between, FILE *stream);

/* The hits of an attempt in one phase: calls `each` for every one. */
void report_each_hit(const struct run *run, enum phase_kind phase, const struct run_attempt_result *attempt,
                     void (*each)(const struct hit *hit, void *context), void *context);

/* What the fenced run's probe recorded of an attempt, or NULL. */
const struct record_did *report_record(const struct run *run, const struct run_attempt_result *attempt);

/* The ports at which a sweep was heard in the fenced run, with their ranges ("1-7701,7703-65535", cut with "..."
 * where there are too many) in `ranges`; NULL for an attempt that is no sweep, or one that was heard nowhere. */
#define REPORT_PORTS_TEXT 512
const struct swept_ports *report_swept_ports(const struct run *run, const struct run_attempt_result *attempt,
                                             char ranges[REPORT_PORTS_TEXT]);

#endif
