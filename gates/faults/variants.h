/*
 * One fault that is many: every variant of one line of a record stream goes through the collector's own state machine, and
 * none of the streams may be taken for complete. The stream is held back until it is whole.
 */
#ifndef GATES_FAULTS_VARIANTS_H
#define GATES_FAULTS_VARIANTS_H

#include "../collector.h"

#define VARIANTS_STREAM_MAX ((2 * ACTS_MAX + 2) * RECORD_LINE_MAX) /* of an honest probe */

/* All zeroes at first; never freed, because its process ends with the stream. */
struct variants {
    char *text;
    size_t size, line, line_size; /* where the line begins */
};

/* Takes the next line of the stream; the first one that has `wanted` in it is the one that will be varied. False if there is
 * no room. */
bool variants_hold(struct variants *variants, const char *line, const char *wanted);

/* Tries all variants (every bit flipped, or every byte value put in at every place) and passes one of them on to `output`; the
 * stream itself if one was taken for complete, or if it isn't complete, or lacks the line. */
void variants_pass(struct variants *variants, const struct collector_plan *plan, bool bits, int output);

#endif
