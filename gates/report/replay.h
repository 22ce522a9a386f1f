/* Replay: the judgements of a run made again from its evidence.json, and compared with those that its report.json
 * tells. */
#ifndef GATES_REPORT_REPLAY_H
#define GATES_REPORT_REPLAY_H

#include <stdio.h>

#include "../run.h"
#include "json_fields.h"

struct replay {
    enum run_verdict verdict; /* by the evidence */
    bool agrees;
    char difference[320]; /* the first one, or "" */
};

/* Reads both files of a report's directory. False (ERROR_USAGE) if one can't be read, judged or compared. */
bool replay_directory(int directory, struct replay *replay, struct error *error);

/* The same for parsed files. */
bool replay_compare(const cJSON *evidence, const cJSON *report, struct replay *replay, struct error *error);

bool replay_print(const struct replay *replay, FILE *stream);
bool replay_print_json(const struct replay *replay, FILE *stream);

#endif
