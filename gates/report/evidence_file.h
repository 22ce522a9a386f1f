/*
 * evidence.json, schema bottle-gate/evidence/1 (evidence.schema.json): everything that a run's judgements are made
 * from, so that anybody can make them again (`bottle-gate replay`). No nonce of an attempt and no key is in it; the
 * tokens, which only witnesses send, are known to everybody once the run is over.
 *
 * What follows from other fields (addresses behind a place, the pairs of fences) is written for the reader's eye, and
 * worked out anew when it is read.
 */
#ifndef GATES_REPORT_EVIDENCE_FILE_H
#define GATES_REPORT_EVIDENCE_FILE_H

#include <stdio.h>

#include "json_fields.h"
#include "report.h"

#define EVIDENCE_SCHEMA "bottle-gate/evidence/1"

/* Words for values, by their enums. */
extern const char *const evidence_self_proofs[SELF_PROOF_EACH + 1],
    *const evidence_sweeps[SWEEP_OFF + 1], *const evidence_states[PHASE_STATES],
                                               *const evidence_streams[STREAM_FORGED + 1], *const evidence_parts[PARTS];

/* Adds what was to be taken without proof (`accept_unproved`) and what was not (`require`), as they were asked for: to the
 * evidence and to report.json alike. */
void evidence_add_acceptance(cJSON *object, const struct run_options *options);

/* Writes it, one phase at a time: a tree of all of them would not fit into the memory that the gate may take. */
bool evidence_write(const struct run *run, const struct report_style *style, FILE *stream);

/* The run behind a parsed evidence.json, ready for run_judge; the caller's (run_free). Every field is hostile. NULL
 * with an error (ERROR_USAGE) for what this build can't judge: a backend, fence, vector or target that it hasn't, or
 * anything out of range. */
struct run *evidence_read(const cJSON *evidence, struct error *error);

#endif
