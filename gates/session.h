/*
 * One session: one probe, one plan, one collector. The probe runs in a bottle (for the attempts), or with
 * nothing around it in the site (for the bare run and for the witness controls); what it writes goes straight
 * to the collector.
 */
#ifndef GATES_SESSION_H
#define GATES_SESSION_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "../launcher/backend.h"
#include "collector.h"
#include "fault.h"

/* Where a session's probe runs. backend NULL: with nothing around it, in the namespaces of the caller. */
struct session_place {
    const struct backend *backend;
    struct bottle *bottle;
    const char *probe_path; /* the probe outside; it is put into a bottle once, by session_prepare */
    const char *probe_name; /* what it is called inside */
    const char *plan_name;  /* what the plan is called inside a bottle: no two sessions of one bottle share it */
};

struct session {
    struct collector collector; /* .result becomes readable when the session has ended */
    pid_t probe, tamper;
    uint64_t deadline; /* when the collector must have ended */
};

/* Puts the probe into the bottle. Does nothing for a bare place. */
bool session_prepare(const struct session_place *place, struct error *error);

/* Starts the collector and then the probe with `plan` as `principal`. `plan->count` attempts must be set.
 * Returns at once; the collection is ready when session->collector.result is readable. `fault`: one that lies in this
 * stream, or NULL. */
bool session_start(struct session *session, const struct session_place *place, const struct probe_plan *plan,
                   enum principal principal, const struct fault *fault, struct error *error);

/* Starts the probe as a listener (bottle-probe --listen SPECS, NULL-ended) and waits until it listens. What it hears goes
 * to `output`; killing *pid ends it. */
bool session_listen(const struct session_place *place, char *const specs[], int output, pid_t *pid,
                    struct error *error);

/* Takes the collection, waiting at most until the session's deadline, and ends and reaps every process of the
 * session. */
void session_finish(struct session *session, struct collection *collection);

/* Ends the session at once: what its probe said isn't wanted. */
void session_cancel(struct session *session);

#endif
