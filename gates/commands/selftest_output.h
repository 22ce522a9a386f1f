/* What `bottle-gate selftest` shows: a line for each fault, or JSON, and the list of faults. */
#ifndef GATES_COMMANDS_SELFTEST_OUTPUT_H
#define GATES_COMMANDS_SELFTEST_OUTPUT_H

#include <cjson/cJSON.h>

#include "../faults/make.h"

struct selftest_style {
    bool quiet, verbose, json, markdown;
};

struct selftest_output {
    const struct selftest_style *style;
    cJSON *faults; /* with style->json */
    unsigned good, skipped, made;
};

void selftest_begin(struct selftest_output *output, const struct selftest_style *style);
void selftest_tell(struct selftest_output *output, const struct fault *fault, const struct fault_outcome *outcome);

/* The last line. True if every fault ended as it must, and all of it could be written. */
bool selftest_end(struct selftest_output *output);

/* All faults, made or not. True if it could be written. */
bool selftest_list(const struct selftest_style *style);

#endif
