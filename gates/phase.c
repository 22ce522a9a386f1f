/* See phase.h. The phase is a straight line of steps over one struct; while it waits for a session or a
 * witness it pumps the witness's messages, so that a hit is never lost to a full channel. What breaks is
 * written down and ends the phase. */
#include "phase.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../launcher/support/cleanup.h"
#include "../launcher/support/process.h"
#include "../probes/encode.h"
#include "session.h"
#include "site/site.h"

#define CONTROL_DEADLINE_MICROSECONDS 8000000 /* a bound on hangs: controls are heard in milliseconds */
#define STOP_DEADLINE_MICROSECONDS    20000000

struct phase {
    const struct phase_options *options;
    struct phase_result *result;
    int progress;
    struct secret *secret;
    uint64_t started;
    struct site site;
    struct witness witness;
    bool witness_running;
    struct bottle *bottle;
    struct watch *watches;
    size_t watch_count, control_start;   /* controls begin at this index */
    uint8_t heard[ROUNDS][CONTROLS_MAX]; /* witness bits */
    int current;                         /* the principal whose attempts tuple hits belong to */
    uint8_t door_key[32];
};

static void say(const struct phase *phase, const char *step)
{
    char line[64];
    int length = snprintf(line, sizeof line, "%s: %s\n", phase_name(phase->options->kind), step);
    if (phase->progress >= 0 && length > 0)
        (void)!write(phase->progress, line, (size_t)length);
}

static void note_broken(struct phase *phase, const char *text)
{
    if (!phase->result->broken)
        snprintf(phase->result->broken_text, sizeof phase->result->broken_text, "%s", text);
    phase->result->broken = true;
}

/* A tuple may belong to both principals; the one whose attempts are under way sent the packet: the control
 * round between two principals is heard after everything that the first one sent, and messages come in order.
 */
static uint16_t attribute(const struct phase *phase, const struct witness_message *message)
{
    const struct run_plan *plan = phase->options->plan;
    if (!message->by_tuple || message->watch >= phase->control_start)
        return message->watch;
    uint16_t seq = (uint16_t)(message->watch % plan->count + 1);
    size_t mine = plan_watch_index(plan, seq, (enum principal)phase->current);
    const struct tuple *told = &phase->watches[message->watch].tuple, *own = &phase->watches[mine].tuple;
    return memcmp(told, own, sizeof *own) == 0 ? (uint16_t)mine : message->watch;
}

static void take_hit(struct phase *phase, const struct witness_message *message)
{
    struct phase_result *result = phase->result;
    if (message->watch >= phase->watch_count) {
        note_broken(phase, "a witness named an attempt that was never planned");
        return;
    }
    if (message->watch >= phase->control_start) {
        size_t control = message->watch - phase->control_start, count = controls_count(phase->options->ipv6);
        if (!message->by_tuple)
            phase->heard[control / count][control % count] |= (uint8_t)message->kind;
        return;
    }
    if (result->hit_count == HITS_MAX) {
        note_broken(phase, "more hits than the gate keeps");
        return;
    }
    struct hit *hit = &result->hits[result->hit_count++];
    hit->watch = attribute(phase, message);
    hit->by_tuple = message->by_tuple;
    hit->kind = message->kind;
    memcpy(hit->point, message->point, sizeof hit->point);
    memcpy(hit->at, message->at, sizeof hit->at);
    memcpy(hit->peer, message->peer, sizeof hit->peer);
    hit->microseconds =
        message->monotonic_microseconds > phase->started ? message->monotonic_microseconds - phase->started : 0;
}

/* Takes in one message. False once the witness has nothing more to say. */
static bool take_message(struct phase *phase, const struct witness_message *message)
{
    struct phase_result *result = phase->result;
    char text[160];
    switch (message->event) {
    case WITNESS_HIT:
        take_hit(phase, message);
        return true;
    case WITNESS_STRAY:
        if (result->strays++ == 0)
            memcpy(result->stray_text, message->text, sizeof result->stray_text);
        return true;
    case WITNESS_LOST:
        snprintf(text, sizeof text, "a witness lost something: %s", message->text);
        note_broken(phase, text);
        return true;
    case WITNESS_GONE:
        note_broken(phase, "the witness process died");
        phase->witness_running = false;
        return false;
    case WITNESS_DONE:
        phase->witness_running = false;
        return false;
    default:
        return true;
    }
}

static void drain_messages(struct phase *phase)
{
    struct witness_message message;
    while (phase->witness_running && witness_next(&phase->witness, &message, 0))
        take_message(phase, &message);
}

/* Takes messages in until `fd` is readable (-1: none) or the deadline passes. */
static void pump(struct phase *phase, int fd, uint64_t deadline)
{
    for (;;) {
        drain_messages(phase);
        struct pollfd events[2] = {
            { .fd = fd, .events = POLLIN },
            { .fd = phase->witness_running ? phase->witness.channel : -1, .events = POLLIN },
        };
        int ready = poll(events, 2, clock_poll_timeout(deadline));
        if (events[0].revents != 0 || (ready == 0 && clock_microseconds() >= deadline))
            break;
    }
    drain_messages(phase);
}

static void finish_session(struct phase *phase, struct session *session, struct collection *collection)
{
    pump(phase, session->collector.result, session->deadline);
    session_finish(session, collection);
}

static bool round_heard(const struct phase *phase, enum control_round round, uint16_t *missing)
{
    uint16_t count = controls_count(phase->options->ipv6);
    for (uint16_t i = 0; i < count; i++) {
        unsigned expected = controls_expected(i, phase->options->ipv6);
        if ((phase->heard[round][i] & expected) != expected) {
            *missing = i;
            return false;
        }
    }
    return true;
}

static void note_missing_control(struct phase *phase, enum control_round round, uint16_t control)
{
    static const char *const when[] = { "before", "during", "during", "after", "after", "at the end of" };
    unsigned deaf = controls_expected(control, phase->options->ipv6) & ~(unsigned)phase->heard[round][control];
    char text[160];
    const char *witness = witness_kind_name((enum witness_kind)(deaf & -deaf));
    snprintf(text, sizeof text, "the %s witness did not hear its control (%s) %s the %s run", witness,
             controls_name(control, phase->options->ipv6), when[round], phase_name(phase->options->kind));
    if (phase->result->control_missing[0] == '\0')
        snprintf(phase->result->control_missing, sizeof phase->result->control_missing, "%.95s", text);
    note_broken(phase, text);
}

/* One round of controls: sent by the probe from the host namespace, heard by every witness. A control that
 * was sent and not heard means a deaf witness: the gate is broken. One that could not be sent leaves the
 * round bad. */
static bool control_round(struct phase *phase, enum control_round round)
{
    const struct phase_options *options = phase->options;
    cleanup_free struct probe_plan *plan = malloc(sizeof *plan);
    cleanup_free struct collection *collection = malloc(sizeof *collection);
    if (plan == NULL || collection == NULL)
        return false;
    if (phase->result->control_missing[0] != '\0')
        return false; /* one deaf witness is enough: no use in waiting for it in every round */
    controls_plan(options->plan, &phase->watches[phase->control_start], round, options->ipv6, plan);
    plan->deadline_milliseconds = CONTROL_DEADLINE_MICROSECONDS / 1000;
    struct session_place here = { .probe_path = options->probe_path };
    struct session session;
    struct error error = { 0 };
    bool started = session_start(&session, &here, plan, PRINCIPAL_ROOT, FAULT_NONE, &error);
    finish_session(phase, &session, collection);
    if (!started || collection->state != STREAM_COMPLETE) {
        snprintf(phase->result->control_missing, sizeof phase->result->control_missing, "controls were not sent: %.60s",
                 started ? collection->problem : error.text);
        return false;
    }
    uint64_t deadline = clock_microseconds() + CONTROL_DEADLINE_MICROSECONDS;
    uint16_t missing = 0;
    while (phase->witness_running && !round_heard(phase, round, &missing) && clock_microseconds() < deadline) {
        struct witness_message message;
        if (witness_next(&phase->witness, &message, deadline))
            take_message(phase, &message);
    }
    if (round_heard(phase, round, &missing))
        return true;
    note_missing_control(phase, round, missing);
    return false;
}

static bool door_proved(const struct phase *phase, const struct collected_act *act, const uint8_t challenge[16])
{
    uint8_t answer[32];
    char expected[65];
    if (!act->done || !secret_hmac(phase->door_key, challenge, 16, answer))
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
    phase->current = (int)principal;
    say(phase, principal == PRINCIPAL_ROOT ? "attempts as root" : "attempts as user");
    uint64_t began = clock_microseconds();
    bool started = session_start(&session, &place, plan, principal,
                                 options->kind == PHASE_FENCED ? options->fault : FAULT_NONE, error);
    if (started)
        result->control_during = control_round(phase, (enum control_round)(ROUND_DURING + principal));
    finish_session(phase, &session, &result->collection);
    phase->result->microseconds_attempts += clock_microseconds() - began;
    if (!started)
        return false;
    result->ran = true;
    result->door_before = door_proved(phase, &result->collection.acts[0], plan->first_challenge);
    result->door_after = door_proved(phase, &result->collection.acts[plan->count + 1], plan->last_challenge);
    result->control_after = control_round(phase, (enum control_round)(ROUND_AFTER + principal));
    return true;
}

static bool start_witness(struct phase *phase, struct error *error)
{
    const struct phase_options *options = phase->options;
    const struct run_plan *plan = options->plan;
    phase->control_start = (size_t)PRINCIPALS * plan->count;
    phase->watch_count = phase->control_start + (size_t)ROUNDS * controls_count(options->ipv6);
    phase->watches = calloc(phase->watch_count, sizeof *phase->watches);
    if (phase->watches == NULL)
        return error_set(error, ERROR_SYSTEM, "out of memory for the watches");
    if (!plan_watches(plan, phase->secret, options->kind, phase->watches, error) ||
        !controls_watches(plan, phase->secret, options->kind, options->ipv6, &phase->watches[phase->control_start],
                          error))
        return false;
    if (!secret_derive(phase->secret, phase->door_key, 32, "door|%d", (int)options->kind) ||
        !secret_derive(phase->secret, phase->result->token, 16, "token|%d", (int)options->kind))
        return error_set(error, ERROR_BROKEN, "can't derive the witnesses' keys");

    const char *names[16] = { CONTROL_ABSTRACT_NAME };
    size_t name_count = 1;
    for (uint16_t i = 0; i < plan->count; i++)
        if (plan->attempts[i].target->mechanism == MECHANISM_UNIX_STREAM &&
            strncmp(plan->attempts[i].address, "@abstract:", 10) == 0 && name_count < 15)
            names[name_count++] = plan->attempts[i].address + 10;
    struct witness_setup setup = {
        .host_namespace = phase->site.host_namespace,
        .world_namespace = phase->site.world_namespace,
        .watches = phase->watches,
        .watch_count = phase->watch_count,
        .ipv6 = options->ipv6,
        .abstract_names = names,
        .path_directory = SITE_SOCKETS,
    };
    memcpy(setup.door_key, phase->door_key, sizeof setup.door_key);
    memcpy(setup.token, phase->result->token, sizeof setup.token);
    if (options->kind == PHASE_FENCED && options->fault == FAULT_DEAD_WITNESS)
        setup.fault = WITNESS_FAULT_DEAD_TCP;
    if (options->kind == PHASE_FENCED && options->fault == FAULT_DEAF_CAPTURE)
        setup.fault = WITNESS_FAULT_DEAF_CAPTURE;
    phase->witness_running = witness_start(&phase->witness, &setup, error);
    return phase->witness_running;
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
        pump(phase, -1, clock_microseconds() + phase->options->backend->drain_milliseconds * 1000ull);
    }
    phase->result->control_final = control_round(phase, ROUND_FINAL);
    uint64_t deadline = clock_microseconds() + STOP_DEADLINE_MICROSECONDS;
    struct witness_message message;
    if (phase->witness_running)
        witness_ask_to_stop(&phase->witness);
    while (phase->witness_running) {
        if (witness_next(&phase->witness, &message, deadline))
            take_message(phase, &message);
        else if (clock_microseconds() >= deadline) {
            note_broken(phase, "the witness process did not end when it was told to");
            break;
        }
    }
    char lost[160];
    if (!site_lossless(&phase->site, lost))
        note_broken(phase, lost);
}

static bool run_steps(struct phase *phase, struct error *error)
{
    say(phase, "opening the site");
    if (!site_open(&phase->site, error))
        return false;
    say(phase, "starting the witnesses");
    if (!start_witness(phase, error))
        return false;
    phase->result->control_before = control_round(phase, ROUND_BEFORE);
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
    struct phase phase = {
        .options = options, .result = result, .progress = progress, .witness = { .pid = -1, .channel = -1 }
    };
    phase.started = clock_microseconds();
    phase.site.host_namespace = phase.site.world_namespace = -1;
    result->state = PHASE_RUNNING;
    phase.secret = secret_new(&result->error);
    bool finished = phase.secret != NULL && run_steps(&phase, &result->error);
    struct error ignored = { 0 };
    end_bottle(&phase, &ignored);
    witness_end(&phase.witness);
    free(phase.watches);
    secret_free(phase.secret);
    result->microseconds_total = clock_microseconds() - phase.started;
    result->state = finished ? PHASE_FINISHED : PHASE_FAILED;
    say(&phase, finished ? "done" : "failed");
}
