/*
 * Evidence: what the three phases found, put together for each attempt into the judge's terms. Here "caught",
 * "missed", "no record" get their meaning; the judge only weighs them.
 */
#ifndef GATES_EVIDENCE_H
#define GATES_EVIDENCE_H

#include <stdbool.h>
#include <stdint.h>

#include "judge.h"
#include "phase.h"
#include "plan.h"

/* What the run as a whole looked like. `phases[k]` is what phase k found; PHASE_NOT_RUN for one left out on
 * purpose. */
struct findings {
    const struct run_plan *plan;
    const struct backend *backend;
    const struct phase_result *phases[PHASES];
    char probe_digest[65]; /* SHA-256 of the probe that was sent in */
    char kernel[65];       /* of the host */
    char boot_id[37];      /* of the host */
    bool shares_kernel;    /* the bottle must show the host's kernel (namespaces, containers) */
    bool open_accepted;    /* the open run was left out on purpose, and the user accepts that */
};

/* True if a witness caught the attempt in that phase, or its probe holds bytes that only a witness sends. */
bool evidence_caught(const struct findings *findings, enum phase_kind phase, uint16_t seq, enum principal principal);

/* How the attempt ended in the bare or open phase. */
enum sighting evidence_sighting(const struct findings *findings, enum phase_kind phase, uint16_t seq,
                                enum principal principal);

/* Everything the judge needs about one attempt. */
void evidence_gather(const struct findings *findings, uint16_t seq, enum principal principal,
                     struct evidence *evidence);

/* The first thing that broke in any phase that ran ("bare: a witness lost ..."), or NULL: text is filled. */
const char *evidence_broken(const struct findings *findings, char *text, size_t size);

#endif
