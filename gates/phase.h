/*
 * One phase: one of the three runs (bare, open, fenced), whole, in a site of its own.
 *
 *   site -> witnesses -> controls -> bottle -> for each principal: { door, attempts, door } with controls
 * during and after
 *   -> bottle destroyed -> drain -> final controls -> witnesses' last words -> losses
 *
 * A phase runs in a process that is PID 1 of namespaces made for it: when it ends, or is killed, everything
 * that it started is gone with it. It writes what it found into a struct shared with the gate and judges
 * nothing. It makes a key of its own (secret.h): a key of the gate would be wiped by the fork, and no phase
 * has to know another's nonces.
 */
#ifndef GATES_PHASE_H
#define GATES_PHASE_H

#include <stdbool.h>
#include <stdint.h>

#include "../launcher/backend.h"
#include "collector.h"
#include "controls.h"
#include "fault.h"
#include "plan.h"
#include "witness/witness.h"

struct phase_options {
    enum phase_kind kind;
    const struct run_plan *plan;
    const struct backend *backend;
    const char *policy;          /* of every bottle that is fenced at all; or NULL */
    uint32_t without;            /* fences left out of the fenced bottle (a mutant); the open one leaves out all */
    bool principals[PRINCIPALS]; /* who tries */
    uint32_t deadline_milliseconds;
    unsigned at_once; /* phases that may be made side by side; 0: as many as there is room for */
    bool ipv6, vsock;
    bool no_ping;              /* nobody may send an echo request: none is a control */
    bool sweep_whole;          /* as many ports as the plan says; else a few */
    char label[32];            /* what its progress lines begin with */
    const struct fault *fault; /* of the selftest, or NULL */
    const char *probe_path, *init_path, *step_path;
    const struct machine
        *machine; /* of the machine itself, where the bottles are of it (--site=host); NULL: in a sealed site */
    const struct control_group *group; /* of this phase alone, for its backend's engine; NULL: there is none */
};

struct hit {
    uint16_t watch;
    bool by_tuple;
    enum witness_kind kind;
    char point[8], at[72], peer[72];
    uint64_t microseconds; /* since the phase began */
};

#define HITS_MAX 2048

/* What one principal's session said: its attempts, or its part of the sweep. */
struct part_result {
    bool ran;
    struct collection collection;
    bool door_before, door_after; /* the proof was right */
    bool control_during, control_after;
};

enum phase_state { PHASE_NOT_RUN, PHASE_RUNNING, PHASE_FINISHED, PHASE_FAILED, PHASE_ABSENT, PHASE_STATES };

struct phase_result {
    enum phase_state state;
    struct error
        error; /* FAILED: what stopped it; ABSENT: its bottle never was there, and this is what was seen instead */
    bool control_before, control_final;
    bool peer_good;           /* the listener in the second bottle heard its controls, or none was wanted */
    char control_missing[96]; /* the first control that was not heard, by whom and when */
    struct part_result parts[PRINCIPALS][PARTS];
    uint16_t sweep_ports; /* that each sweep was told to try */
    bool host_uids_known; /* there was a bottle */
    uid_t host_uids[PRINCIPALS];
    size_t hit_count;
    struct hit hits[HITS_MAX];
    struct swept_ports sweeps[SWEEPS_MAX];
    char no_sockets[96]; /* why the host's socket table can't be read, or "" */
    uint32_t strays;
    char stray_text[160]; /* the first one */
    bool broken;
    char broken_text[160]; /* the first thing that broke */
    struct fingerprint fingerprint;
    char fence_log[FENCE_LOG]; /* what the engine says that it refused: corroboration, and asked by nobody */
    uint8_t token[16];         /* the bytes that only this phase's witnesses send */
    uint64_t microseconds_total, microseconds_boot, microseconds_attempts;
};

/* Runs the phase in the calling process, which must be PID 1 of fresh user, PID, network, mount, IPC and UTS
 * namespaces. `progress` is a pipe to the gate: one short line is written at each step. Everything else goes
 * into *result. */
void phase_run(const struct phase_options *options, struct phase_result *result, int progress);

#endif
