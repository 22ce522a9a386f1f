/*
 * The rounds of controls of one phase: sent by the probe, heard by every witness, or the round is bad. See controls.h for
 * what they are and hearing.h for who waits for them.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../launcher/support/cleanup.h"
#include "../launcher/support/process.h"
#include "hearing.h"
#include "phase.h"

#define CONTROL_DEADLINE_MICROSECONDS 8000000 /* a bound on hangs: controls are heard in milliseconds */

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

/* Sends a plan of controls from `place` and takes messages in until `heard` says yes, or until nothing more can come. What was
 * heard needs no record of the sender's: it is ended as soon as all was. True unless the controls could not be sent. `fault`:
 * one that is to be made in this round, or NULL. */
static bool send_controls(struct hearing *hearing, const struct session_place *place, struct probe_plan *plan,
                          round_heard_function *heard, unsigned round, const struct fault *fault)
{
    cleanup_free struct collection *collection = malloc(sizeof *collection);
    if (collection == NULL)
        return false;
    uint64_t patience = fault_patience(hearing->options->fault, CONTROL_DEADLINE_MICROSECONDS);
    plan->deadline_milliseconds = (uint32_t)(patience / 1000);
    struct session session;
    struct error error = { 0 };
    uint64_t deadline = clock_microseconds() + patience;
    uint16_t missing;
    bool started = session_start(&session, place, plan, PRINCIPAL_ROOT, NULL, &error);
    fault_during_round(fault, round);
    while (started && hearing->running && !heard(hearing, round, &missing) && clock_microseconds() < deadline) {
        struct witness_message message;
        if (witness_next(&hearing->witness, &message, deadline))
            hearing_take_message(hearing, &message);
    }
    bool all = heard(hearing, round, &missing);
    if (all)
        session_cancel(&session);
    else
        session_finish(&session, collection);
    if (all || (started && collection->state == STREAM_COMPLETE))
        return true;
    snprintf(hearing->result->control_missing, sizeof hearing->result->control_missing, "controls were not sent: %.60s",
             started ? collection->problem : error.text);
    return false;
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
