/* See phase.h. The phase is a straight line of steps over one struct. What can't be done ends it, and is written down;
 * whatever happens, the bottle is ended and what the witnesses heard is told. */
#include "phase.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../launcher/support/cleanup.h"
#include "../launcher/support/process.h"
#include "../probes/encode.h"
#include "hearing.h"
#include "session.h"
#include "site/site.h"

struct phase {
    const struct phase_options *options;
    struct phase_result *result;
    int progress;
    struct secret *secret;
    struct site site;
    struct hearing hearing;
    struct bottle *bottle;
};

static void say(const struct phase *phase, const char *step)
{
    char line[64];
    int length = snprintf(line, sizeof line, "%s: %s\n", phase_name(phase->options->kind), step);
    if (phase->progress >= 0 && length > 0)
        (void)!write(phase->progress, line, (size_t)length);
}

static bool door_proved(const struct phase *phase, const struct collected_act *act, const uint8_t challenge[16])
{
    uint8_t answer[32];
    char expected[65];
    if (!act->done || !secret_hmac(phase->hearing.door_key, challenge, 16, answer))
        return false;
    encode_hex(answer, sizeof answer, expected);
    return strcmp(act->did.proof, expected) == 0;
}

/* Where this phase's probe finds the door: the bottle's own, or the endpoint itself where there is no bottle.
 */
static bool set_door(struct phase *phase, struct probe_plan *plan, struct error *error)
{
    plan->has_door = true;
    if (phase->bottle != NULL)
        return phase->options->backend->door_address(phase->bottle, plan->door_host, &plan->door_port, error);
    snprintf(plan->door_host, sizeof plan->door_host, "127.0.0.1");
    plan->door_port = SITE_PORT_DOOR;
    return true;
}

static bool set_challenges(const struct phase *phase, enum principal principal, struct probe_plan *plan)
{
    return secret_derive(phase->secret, plan->first_challenge, 16, "challenge|%d|first", (int)principal) &&
           secret_derive(phase->secret, plan->last_challenge, 16, "challenge|%d|last", (int)principal);
}

/* All attempts of one principal, with the controls during and after them. */
static bool run_principal(struct phase *phase, enum principal principal, struct error *error)
{
    const struct phase_options *options = phase->options;
    struct principal_result *result = &phase->result->principals[principal];
    cleanup_free struct probe_plan *plan = malloc(sizeof *plan);
    if (plan == NULL)
        return error_set(error, ERROR_SYSTEM, "out of memory for the plan");
    if (!plan_for_probe(options->plan, phase->secret, options->kind, principal, plan, error) ||
        !set_door(phase, plan, error))
        return false;
    if (!set_challenges(phase, principal, plan))
        return error_set(error, ERROR_BROKEN, "can't derive the door's challenges");
    plan->deadline_milliseconds = options->deadline_milliseconds;
    plan->repeats = 3;
    struct session_place place = { .backend = phase->bottle == NULL ? NULL : options->backend,
                                   .bottle = phase->bottle,
                                   .probe_path = options->probe_path };
    struct session session;
    phase->hearing.current = (int)principal;
    say(phase, principal == PRINCIPAL_ROOT ? "attempts as root" : "attempts as user");
    uint64_t began = clock_microseconds();
    bool started = session_start(&session, &place, plan, principal,
                                 options->kind == PHASE_FENCED ? options->fault : FAULT_NONE, error);
    if (started)
        result->control_during = hearing_round(&phase->hearing, (enum control_round)(ROUND_DURING + principal));
    hearing_finish_session(&phase->hearing, &session, &result->collection);
    phase->result->microseconds_attempts += clock_microseconds() - began;
    if (!started)
        return false;
    result->ran = true;
    result->door_before = door_proved(phase, &result->collection.acts[0], plan->first_challenge);
    result->door_after = door_proved(phase, &result->collection.acts[plan->count + 1], plan->last_challenge);
    result->control_after = hearing_round(&phase->hearing, (enum control_round)(ROUND_AFTER + principal));
    return true;
}

static bool start_bottle(struct phase *phase, struct error *error)
{
    const struct phase_options *options = phase->options;
    if (options->kind == PHASE_BARE)
        return true;
    struct bottle_options bottle = {
        .without = options->kind == PHASE_OPEN ? backend_all_fences(options->backend) : options->without,
        .door = { .wanted = true, .host = "127.0.0.1", .port = SITE_PORT_DOOR },
        .init_path = options->init_path,
    };
    say(phase, "starting the bottle");
    uint64_t began = clock_microseconds();
    phase->bottle = options->backend->start(&bottle, error);
    phase->result->microseconds_boot = clock_microseconds() - began;
    struct session_place place = { options->backend, phase->bottle, options->probe_path };
    return phase->bottle != NULL && session_prepare(&place, error) &&
           options->backend->fingerprint(phase->bottle, &phase->result->fingerprint, error);
}

static bool end_bottle(struct phase *phase, struct error *error)
{
    if (phase->bottle == NULL)
        return true;
    struct bottle *bottle = phase->bottle;
    phase->bottle = NULL;
    return phase->options->backend->destroy(bottle, error);
}

/* The witnesses go on listening for what is still on its way, then hear their last controls, then say what
 * they lost. */
static void end_witness(struct phase *phase)
{
    if (phase->options->kind == PHASE_FENCED) {
        say(phase, "listening on");
        hearing_pump(&phase->hearing, -1, clock_microseconds() + phase->options->backend->drain_milliseconds * 1000ull);
    }
    phase->result->control_final = hearing_round(&phase->hearing, ROUND_FINAL);
    hearing_stop(&phase->hearing);
    char lost[160];
    if (!site_lossless(&phase->site, lost))
        hearing_note_broken(&phase->hearing, lost);
}

static bool run_steps(struct phase *phase, struct error *error)
{
    say(phase, "opening the site");
    if (!site_open(&phase->site, error))
        return false;
    say(phase, "starting the witnesses");
    if (!hearing_start(&phase->hearing, &phase->site, phase->secret, error))
        return false;
    phase->result->control_before = hearing_round(&phase->hearing, ROUND_BEFORE);
    if (!start_bottle(phase, error))
        return false;
    for (int principal = 0; principal < PRINCIPALS; principal++)
        if (phase->options->principals[principal] && !run_principal(phase, (enum principal)principal, error))
            return false;
    if (!end_bottle(phase, error))
        return false;
    end_witness(phase);
    return true;
}

void phase_run(const struct phase_options *options, struct phase_result *result, int progress)
{
    struct phase phase = { .options = options, .result = result, .progress = progress };
    phase.hearing = (struct hearing){
        .options = options, .result = result, .started = clock_microseconds(), .witness = { .pid = -1, .channel = -1 }
    };
    phase.site.host_namespace = phase.site.world_namespace = -1;
    result->state = PHASE_RUNNING;
    phase.secret = secret_new(&result->error);
    bool finished = phase.secret != NULL && run_steps(&phase, &result->error);
    struct error ignored = { 0 };
    end_bottle(&phase, &ignored);
    hearing_stop(&phase.hearing); /* a phase that failed half-way still tells what was heard */
    hearing_end(&phase.hearing);
    secret_free(phase.secret);
    result->microseconds_total = clock_microseconds() - phase.hearing.started;
    result->state = finished ? PHASE_FINISHED : PHASE_FAILED;
    say(&phase, finished ? "done" : "failed");
}
