/* See phase.h. The phase is a straight line of steps over one struct. What can't be done ends it, and is written down;
 * whatever happens, the bottle is ended and what the witnesses heard is told. */
#include "phase.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../launcher/outer_id.h"
#include "../launcher/support/cleanup.h"
#include "../launcher/support/process.h"
#include "../probes/encode.h"
#include "hearing.h"
#include "peer.h"
#include "residue.h"
#include "session.h"
#include "site/site.h"
#include "socket_watch.h"

/* A bound on hangs: 65,535 ports that say nothing take a few seconds, and a minute where the processor is emulated;
 * in a guest twice as long. */
#define SWEEP_MILLISECONDS 150000

struct phase {
    const struct phase_options *options;
    struct phase_result *result;
    int progress;
    struct secret *secret;
    struct site site;
    struct hearing hearing;
    struct bottle *bottle;
    struct peer peer;
    struct socket_watch sockets;
};

static void say(const struct phase *phase, const char *step)
{
    char line[96];
    int length = snprintf(line, sizeof line, "%s: %s\n", phase->options->label, step);
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
    plan->has_door =
        phase->bottle == NULL || phase->options->backend->has_door == NULL || phase->options->backend->has_door();
    if (!plan->has_door)
        return true;
    if (phase->bottle != NULL) {
        const struct backend *backend = phase->options->backend;
        const char *proxy = backend->door_proxy != NULL ? backend->door_proxy(phase->bottle) : NULL;
        if (proxy != NULL)
            snprintf(plan->door_proxy, sizeof plan->door_proxy, "%s", proxy);
        return backend->door_address(phase->bottle, plan->door_host, &plan->door_port, error);
    }
    snprintf(plan->door_host, sizeof plan->door_host, "127.0.0.1");
    plan->door_port = SITE_PORT_DOOR;
    return true;
}

static bool set_challenges(const struct phase *phase, enum principal principal, enum plan_part part,
                           struct probe_plan *plan)
{
    return secret_derive(phase->secret, plan->first_challenge, 16, "challenge|%d|%d|first", (int)principal,
                         (int)part) &&
           secret_derive(phase->secret, plan->last_challenge, 16, "challenge|%d|%d|last", (int)principal, (int)part);
}

static bool make_plan(struct phase *phase, enum principal principal, enum plan_part part, struct probe_plan *plan,
                      struct error *error)
{
    const struct phase_options *options = phase->options;
    if (!plan_for_probe(options->plan, phase->secret, options->kind, principal, part, phase->result->sweep_ports, plan,
                        error) ||
        !set_door(phase, plan, error))
        return false;
    if (!set_challenges(phase, principal, part, plan))
        return error_set(error, ERROR_BROKEN, "can't derive the door's challenges");
    uint32_t sweep = options->backend->own_kernel ? 2 * SWEEP_MILLISECONDS : SWEEP_MILLISECONDS;
    uint32_t least = part == PART_SWEEP ? sweep : options->backend->attempt_milliseconds;
    plan->deadline_milliseconds = options->deadline_milliseconds > least ? options->deadline_milliseconds : least;
    plan->repeats = options->backend->own_kernel ? 5 : 3;
    return true;
}

/* The session of one principal's part of the plan, from its start until its result is known. */
struct part_session {
    struct probe_plan plan;
    struct session session;
    bool started;
};

static bool begin_part(struct phase *phase, struct part_session *own, enum principal principal, enum plan_part part,
                       struct error *error)
{
    char name[32];
    const struct phase_options *options = phase->options;
    snprintf(name, sizeof name, "%s-%s", part == PART_SWEEP ? "sweep" : "plan", principal_name(principal));
    struct session_place place = { .backend = phase->bottle == NULL ? NULL : options->backend,
                                   .bottle = phase->bottle,
                                   .probe_path = options->probe_path,
                                   .probe_name = "bottle-probe",
                                   .plan_name = name };
    own->started = session_start(&own->session, &place, &own->plan, principal,
                                 fault_in_stream(options->fault, options->kind, principal, part == PART_SWEEP), error);
    return own->started;
}

static void finish_part(struct phase *phase, struct part_session *own, struct part_result *result)
{
    hearing_finish_session(&phase->hearing, &own->session, &result->collection);
    socket_watch_look(&phase->sockets, &phase->hearing);
    if (!own->started)
        return;
    result->ran = true;
    result->door_before =
        !own->plan.has_door || door_proved(phase, &result->collection.acts[0], own->plan.first_challenge);
    result->door_after = !own->plan.has_door ||
                         door_proved(phase, &result->collection.acts[own->plan.count + 1], own->plan.last_challenge);
}

/* All attempts of one principal but the sweep, with the controls during and after them. */
static bool run_principal(struct phase *phase, enum principal principal, struct error *error)
{
    struct part_result *result = &phase->result->parts[principal][PART_ATTEMPTS];
    cleanup_free struct part_session *own = calloc(1, sizeof *own);
    if (own == NULL)
        return error_set(error, ERROR_SYSTEM, "out of memory for the plan");
    if (!make_plan(phase, principal, PART_ATTEMPTS, &own->plan, error))
        return false;
    if (own->plan.count == 0)
        return true;
    phase->hearing.current = (int)principal;
    say(phase, principal == PRINCIPAL_ROOT ? "attempts as root" : "attempts as user");
    uint64_t began = clock_microseconds();
    bool started = begin_part(phase, own, principal, PART_ATTEMPTS, error);
    if (started)
        result->control_during = hearing_round(&phase->hearing, (enum control_round)(ROUND_DURING + principal));
    finish_part(phase, own, result);
    phase->result->microseconds_attempts += clock_microseconds() - began;
    if (started)
        result->control_after = hearing_round(&phase->hearing, (enum control_round)(ROUND_AFTER + principal));
    return started;
}

/* The sweeps of all principals at once: what is theirs is known by its source ports, whenever it is heard. */
static bool run_sweeps(struct phase *phase, struct error *error)
{
    if (phase->options->plan->sweep_start == phase->options->plan->count)
        return true;
    bool started = true;
    cleanup_free struct part_session *sessions = calloc(PRINCIPALS, sizeof *sessions);
    if (sessions == NULL)
        return error_set(error, ERROR_SYSTEM, "out of memory for the sweeps");
    say(phase, "sweeping ports");
    uint64_t began = clock_microseconds();
    for (int principal = 0; principal < PRINCIPALS && started; principal++)
        if (phase->options->principals[principal])
            started = make_plan(phase, (enum principal)principal, PART_SWEEP, &sessions[principal].plan, error) &&
                      begin_part(phase, &sessions[principal], (enum principal)principal, PART_SWEEP, error);
    bool heard = started && hearing_round(&phase->hearing, ROUND_SWEEP);
    for (int principal = 0; principal < PRINCIPALS; principal++) {
        struct part_result *result = &phase->result->parts[principal][PART_SWEEP];
        if (sessions[principal].plan.count == 0)
            continue;
        finish_part(phase, &sessions[principal], result);
        result->control_during = heard;
        result->control_after = true; /* the final round is the one after it */
    }
    phase->result->microseconds_attempts += clock_microseconds() - began;
    return started;
}

static struct bottle_options options_of_bottle(const struct phase *phase, bool door)
{
    const struct phase_options *options = phase->options;
    struct bottle_options bottle = {
        .without = options->kind == PHASE_OPEN ? backend_all_fences(options->backend) : options->without,
        .open = options->kind == PHASE_OPEN,
        .first = options->principals[PRINCIPAL_USER] ? PRINCIPAL_USER : PRINCIPAL_ROOT,
        .policy = options->policy,
        .door = { .wanted = door, .port = SITE_PORT_DOOR },
        .init_path = options->init_path,
        .step_path = options->step_path,
        .group = options->group,
        .machine = options->machine,
    };
    snprintf(bottle.door.host, sizeof bottle.door.host, "%s",
             options->backend->door_by_address ? SITE_DOOR4 : "127.0.0.1");
    return bottle;
}

static bool start_bottle(struct phase *phase, struct error *error)
{
    const struct phase_options *options = phase->options;
    struct phase_result *result = phase->result;
    if (options->kind == PHASE_BARE)
        return true;
    say(phase, "starting the bottle");
    uint64_t began = clock_microseconds();
    struct bottle_options bottle = options_of_bottle(phase, true);
    phase->bottle = options->backend->start(&bottle, error);
    result->microseconds_boot = clock_microseconds() - began;
    struct session_place place = { .backend = options->backend,
                                   .bottle = phase->bottle,
                                   .probe_path = options->probe_path,
                                   .probe_name = "bottle-probe" };
    if (phase->bottle == NULL || !session_prepare(&place, error) ||
        !options->backend->fingerprint(phase->bottle, &result->fingerprint, error))
        return false;
    result->host_uids_known = true;
    for (int principal = 0; principal < PRINCIPALS; principal++) {
        uid_t here; /* in the phase's own user namespace */
        if (!options->backend->host_uid(phase->bottle, (enum principal)principal, &here, error))
            return false;
        result->host_uids_known = result->host_uids_known && outer_id_find(here, &result->host_uids[principal]);
    }
    return true;
}

static bool start_peer(struct phase *phase, struct error *error)
{
    struct bottle_options bottle = options_of_bottle(phase, false);
    if (!peer_is_wanted(phase->options->plan))
        return true;
    if (!peer_start(&phase->peer, &phase->hearing, phase->options->kind == PHASE_BARE ? NULL : &bottle, error))
        return false;
    phase->result->peer_good = peer_round(&phase->peer, &phase->hearing, 0);
    return true;
}

static bool end_bottles(struct phase *phase, struct error *error)
{
    struct bottle *bottle = phase->bottle;
    phase->bottle = NULL;
    bool peer_gone = peer_end(&phase->peer, phase->options->backend, error);
    return (bottle == NULL || phase->options->backend->destroy(bottle, peer_gone ? error : NULL)) && peer_gone;
}

/* A backend that says that the bottle is gone is not believed: what lives on could send after the witnesses' last word. */
static bool nothing_outlived(const struct phase *phase, const struct residue *before, struct error *error)
{
    char left[128];
    return residue_no_bottle(before, phase->hearing.witness.pid, left, sizeof left) ||
           error_set(error, ERROR_BROKEN, "%s of a bottle outlived it", left);
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

static bool open_site(struct phase *phase, struct error *error)
{
    const struct backend *backend = phase->options->backend;
    say(phase, "opening the site");
    if (phase->options->machine != NULL)
        return site_open_on_machine(&phase->site, backend->machine_networks, error);
    return site_open(&phase->site, error) && (!backend->own_listeners || site_leave_listeners(error));
}

static bool run_steps(struct phase *phase, struct error *error)
{
    if (!open_site(phase, error))
        return false;
    say(phase, "starting the witnesses");
    if (!hearing_start(&phase->hearing, &phase->site, phase->secret, error))
        return false;
    phase->result->control_before = hearing_round(&phase->hearing, ROUND_BEFORE);
    /* Of a mutant it would tell what the bottle's own probes listen on. */
    bool whole = phase->options->kind == PHASE_FENCED && phase->options->without == 0;
    if (whole && !socket_watch_begin(&phase->sockets, &phase->hearing, error))
        return false;
    struct residue before;
    residue_look(&before);
    if (!start_bottle(phase, error) || !start_peer(phase, error))
        return false;
    const struct fault *fault = fault_in(phase->options->fault, phase->options->kind);
    if (fault != NULL && fault->no_sockets)
        socket_table_close(&phase->sockets.table);
    for (int principal = 0; principal < PRINCIPALS; principal++)
        if (phase->options->principals[principal] && !run_principal(phase, (enum principal)principal, error))
            return false;
    if (!run_sweeps(phase, error))
        return false;
    if (peer_is_wanted(phase->options->plan))
        phase->result->peer_good = phase->result->peer_good && peer_round(&phase->peer, &phase->hearing, 1);
    if (phase->bottle != NULL && phase->options->backend->fence_log != NULL)
        phase->options->backend->fence_log(phase->bottle, phase->result->fence_log);
    if (!end_bottles(phase, error) || !nothing_outlived(phase, &before, error))
        return false;
    socket_watch_look(&phase->sockets, &phase->hearing);
    end_witness(phase);
    return true;
}

void phase_run(const struct phase_options *options, struct phase_result *result, int progress)
{
    struct phase phase = { .options = options, .result = result, .progress = progress };
    phase.hearing = (struct hearing){
        .options = options,
        .result = result,
        .started = clock_microseconds(),
        .witness = { .pid = -1, .channel = -1 },
        .planted = { -1, -1 },
        .peer = { -1, -1 },
    };
    result->peer_good = !peer_is_wanted(options->plan);
    result->sweep_ports = plan_sweep_ports(options->plan, options->sweep_whole);
    phase.site.host_namespace = phase.site.world_namespace = -1;
    result->state = PHASE_RUNNING;
    phase.secret = secret_new(&result->error);
    bool finished = phase.secret != NULL && run_steps(&phase, &result->error);
    struct error ignored = { 0 };
    end_bottles(&phase, &ignored);
    hearing_stop(&phase.hearing); /* a phase that failed half-way still tells what was heard */
    hearing_end(&phase.hearing);
    socket_watch_end(&phase.sockets);
    site_close(&phase.site);
    secret_free(phase.secret);
    result->microseconds_total = clock_microseconds() - phase.hearing.started;
    result->state = finished ? PHASE_FINISHED : result->error.code == ERROR_ABSENT ? PHASE_ABSENT : PHASE_FAILED;
    say(&phase, finished ? "done" : "failed");
}
