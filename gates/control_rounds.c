/*
 * The rounds of controls of one phase: sent by the probe, heard by every witness, or the round is bad. See controls.h for
 * what they are and hearing.h for who waits for them.
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../launcher/support/cleanup.h"
#include "../launcher/support/process.h"
#include "hearing.h"
#include "phase.h"

#define CONTROL_DEADLINE_MICROSECONDS 8000000 /* a bound on hangs: controls are heard in milliseconds */
#define CONTROL_SENDING_MILLISECONDS  2000    /* a bound for one round of them */
#define CONTROL_PATIENCE_MICROSECONDS 500000

static bool round_heard(const struct hearing *hearing, unsigned round, uint16_t *missing)
{
    uint16_t count = controls_count(hearing->setting);
    for (uint16_t i = 0; i < count; i++) {
        unsigned expected = controls_expected(i, hearing->setting);
        if ((hearing->heard[round][i] & expected) != expected) {
            *missing = i;
            return false;
        }
    }
    return true;
}

static void note_missing_control(struct hearing *hearing, enum control_round round, uint16_t control)
{
    static const char *const when[ROUNDS] = { "before",       "during", "during",
                                              "after",        "after",  "during the sweep of",
                                              "at the end of" };
    unsigned deaf = controls_expected(control, hearing->setting) & ~hearing->heard[round][control];
    char text[160];
    const char *witness = witness_kind_name((enum witness_kind)(deaf & -deaf));
    snprintf(text, sizeof text, "the %s witness did not hear its control (%s) %s the %s run", witness,
             controls_name(control, hearing->setting), when[round], phase_name(hearing->options->kind));
    if (hearing->result->control_missing[0] == '\0')
        snprintf(hearing->result->control_missing, sizeof hearing->result->control_missing, "%.95s", text);
    hearing_note_broken(hearing, text);
}

typedef bool round_heard_function(const struct hearing *hearing, unsigned round, uint16_t *missing);

/* Sends a plan of controls from `place` once, and takes messages in until `heard` says yes or the sender is done. What was
 * heard needs no record of the sender's: it is ended as soon as all was. */
static bool send_once(struct hearing *hearing, const struct session_place *place, const struct probe_plan *plan,
                      round_heard_function *heard, unsigned round, const struct fault *fault, uint64_t deadline,
                      const char **problem)
{
    static struct collection collection; /* large */
    static struct error error;
    struct session session;
    uint16_t missing;
    error = (struct error){ 0 };
    bool started = session_start(&session, place, plan, PRINCIPAL_ROOT, NULL, &error);
    fault_during_round(fault, round);
    for (bool done = !started; !done && !heard(hearing, round, &missing);) {
        hearing_pump_once(hearing, session.collector.result, deadline);
        struct pollfd ended = { .fd = session.collector.result, .events = POLLIN };
        done = poll(&ended, 1, 0) != 0 || clock_microseconds() >= deadline;
    }
    if (heard(hearing, round, &missing)) {
        session_cancel(&session);
        return true;
    }
    session_finish(&session, &collection);
    *problem = started ? collection.problem : error.text;
    return started && collection.state == STREAM_COMPLETE;
}

/* Sends them, and what isn't heard again, with the same nonces: a packet may be lost on a machine that is busy with other
 * things, and the attempts are repeated as well. A witness that is deaf stays so. `fault`: one that is to be made in this round, or NULL. True
 * unless they could not be sent. */
static bool send_controls(struct hearing *hearing, const struct session_place *place, struct probe_plan *plan,
                          round_heard_function *heard, unsigned round, const struct fault *fault)
{
    char name[32];
    uint64_t patient_for = fault_patience(hearing->options->fault, CONTROL_DEADLINE_MICROSECONDS);
    uint64_t deadline = clock_microseconds() + patient_for;
    uint16_t missing;
    plan->deadline_milliseconds = patient_for < CONTROL_SENDING_MILLISECONDS * 1000ull ? (uint32_t)(patient_for / 1000)
                                                                                       : CONTROL_SENDING_MILLISECONDS;
    for (unsigned tries = 0;; tries++) {
        struct session_place again = *place;
        const char *problem = "";
        if (place->plan_name != NULL) {
            snprintf(name, sizeof name, "%.20s-%u", place->plan_name, tries);
            again.plan_name = name;
        }
        if (!send_once(hearing, &again, plan, heard, round, fault, deadline, &problem)) {
            snprintf(hearing->result->control_missing, sizeof hearing->result->control_missing,
                     "controls were not sent: %.60s", problem);
            return false;
        }
        /* What was sent may still be on its way. */
        uint64_t patience = clock_microseconds() + CONTROL_PATIENCE_MICROSECONDS;
        patience = patience < deadline ? patience : deadline;
        while (hearing->running && !heard(hearing, round, &missing) && clock_microseconds() < patience)
            hearing_pump_once(hearing, -1, patience);
        if (!hearing->running || heard(hearing, round, &missing) || clock_microseconds() >= deadline)
            return true;
    }
}

/* What is sent before the fault is made would still be heard. */
static void await_break(struct hearing *hearing)
{
    uint64_t deadline = clock_microseconds() + CONTROL_DEADLINE_MICROSECONDS;
    while (hearing->running && !hearing->broke && clock_microseconds() < deadline)
        hearing_pump_once(hearing, -1, deadline);
}

bool hearing_round(struct hearing *hearing, enum control_round round)
{
    const struct phase_options *options = hearing->options;
    cleanup_free struct probe_plan *plan = malloc(sizeof *plan);
    if (hearing->result->control_missing[0] != '\0' || plan == NULL)
        return false;
    controls_plan(options->plan, &hearing->watches[hearing->control_start], round, hearing->setting,
                  hearing->vsock_port, plan);
    const struct fault *fault = fault_in(options->fault, options->kind);
    fault_before_round(fault, &hearing->witness, hearing->world_namespace, round, plan);
    if (fault_breaks_witness(fault, round))
        await_break(hearing);
    struct session_place here = { .probe_path = options->probe_path };
    if (!send_controls(hearing, &here, plan, round_heard, round, fault))
        return false;
    uint16_t missing = 0;
    if (round_heard(hearing, round, &missing))
        return true;
    note_missing_control(hearing, round, missing);
    return false;
}

static bool peer_heard(const struct hearing *hearing, unsigned round, uint16_t *missing)
{
    for (*missing = 0; *missing < PEER_CONTROLS; ++*missing)
        if ((hearing->peer_heard[round][*missing] & controls_peer_accepted(*missing)) == 0)
            return false;
    return true;
}

bool hearing_peer_round(struct hearing *hearing, unsigned round, const struct session_place *place)
{
    cleanup_free struct probe_plan *plan = malloc(sizeof *plan);
    if (hearing->result->control_missing[0] != '\0' || plan == NULL)
        return false;
    controls_peer_plan(hearing->options->plan, &hearing->watches[hearing->peer_start], round, plan);
    if (!send_controls(hearing, place, plan, peer_heard, round, NULL))
        return false;
    uint16_t missing;
    if (peer_heard(hearing, round, &missing))
        return true;
    snprintf(hearing->result->control_missing, sizeof hearing->result->control_missing,
             "the listener in the second bottle did not hear its control %u %s the attempts", missing + 1u,
             round == 0 ? "before" : "after");
    hearing_note_broken(hearing, hearing->result->control_missing);
    return false;
}
