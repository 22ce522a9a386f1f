/*
 * See hearing.h. Messages come in the order in which the witness saw things; that order is what tells the two principals
 * apart where they share a target, so nothing here reads a clock to decide.
 */
#include "hearing.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../launcher/support/cleanup.h"
#include "../launcher/support/process.h"
#include "phase.h"
#include "session.h"

#define CONTROL_DEADLINE_MICROSECONDS 8000000 /* a bound on hangs: controls are heard in milliseconds */
#define STOP_DEADLINE_MICROSECONDS    20000000

void hearing_note_broken(struct hearing *hearing, const char *text)
{
    struct phase_result *result = hearing->result;
    if (!result->broken)
        snprintf(result->broken_text, sizeof result->broken_text, "%s", text);
    result->broken = true;
}

/* A tuple may belong to both principals; the one whose attempts are under way sent the packet: the control
 * round between two principals is heard after everything that the first one sent, and messages come in order.
 */
static uint16_t attribute(const struct hearing *hearing, const struct witness_message *message)
{
    const struct run_plan *plan = hearing->options->plan;
    if (!message->by_tuple || message->watch >= hearing->control_start)
        return message->watch;
    uint16_t seq = (uint16_t)(message->watch % plan->count + 1);
    size_t mine = plan_watch_index(plan, seq, (enum principal)hearing->current);
    const struct tuple *told = &hearing->watches[message->watch].tuple, *own = &hearing->watches[mine].tuple;
    return memcmp(told, own, sizeof *own) == 0 ? (uint16_t)mine : message->watch;
}

static void take_hit(struct hearing *hearing, const struct witness_message *message)
{
    struct phase_result *result = hearing->result;
    if (message->watch >= hearing->watch_count) {
        hearing_note_broken(hearing, "a witness named an attempt that was never planned");
        return;
    }
    if (message->watch >= hearing->control_start) {
        size_t control = message->watch - hearing->control_start, count = controls_count(hearing->options->ipv6);
        if (!message->by_tuple)
            hearing->heard[control / count][control % count] |= (uint8_t)message->kind;
        return;
    }
    uint16_t watch = attribute(hearing, message);
    for (size_t i = 0; i < result->hit_count; i++)
        if (result->hits[i].watch == watch && result->hits[i].kind == message->kind &&
            result->hits[i].by_tuple == message->by_tuple)
            return; /* the same said again */
    if (result->hit_count == HITS_MAX) {
        hearing_note_broken(hearing, "more hits than the gate keeps");
        return;
    }
    struct hit *hit = &result->hits[result->hit_count++];
    hit->watch = watch;
    hit->by_tuple = message->by_tuple;
    hit->kind = message->kind;
    memcpy(hit->point, message->point, sizeof hit->point);
    memcpy(hit->at, message->at, sizeof hit->at);
    memcpy(hit->peer, message->peer, sizeof hit->peer);
    hit->microseconds =
        message->monotonic_microseconds > hearing->started ? message->monotonic_microseconds - hearing->started : 0;
}

/* Takes in one message. False once the witness has nothing more to say. */
static bool take_message(struct hearing *hearing, const struct witness_message *message)
{
    struct phase_result *result = hearing->result;
    char text[160];
    switch (message->event) {
    case WITNESS_HIT:
        take_hit(hearing, message);
        return true;
    case WITNESS_STRAY:
        if (result->strays++ == 0)
            memcpy(result->stray_text, message->text, sizeof result->stray_text);
        return true;
    case WITNESS_LOST:
        snprintf(text, sizeof text, "a witness lost something: %s", message->text);
        hearing_note_broken(hearing, text);
        return true;
    case WITNESS_GONE:
        hearing_note_broken(hearing, "the witness process died");
        hearing->running = false;
        return false;
    case WITNESS_DONE:
        hearing->running = false;
        return false;
    default:
        return true;
    }
}

static void drain_messages(struct hearing *hearing)
{
    struct witness_message message;
    while (hearing->running && witness_next(&hearing->witness, &message, 0))
        take_message(hearing, &message);
}

/* Takes messages in until `fd` is readable (-1: none) or the deadline passes. */
void hearing_pump(struct hearing *hearing, int fd, uint64_t deadline)
{
    for (;;) {
        drain_messages(hearing);
        struct pollfd events[2] = {
            { .fd = fd, .events = POLLIN },
            { .fd = hearing->running ? hearing->witness.channel : -1, .events = POLLIN },
        };
        int ready = poll(events, 2, clock_poll_timeout(deadline));
        if (events[0].revents != 0 || (ready == 0 && clock_microseconds() >= deadline))
            break;
    }
    drain_messages(hearing);
}

void hearing_finish_session(struct hearing *hearing, struct session *session, struct collection *collection)
{
    hearing_pump(hearing, session->collector.result, session->deadline);
    session_finish(session, collection);
}

static bool round_heard(const struct hearing *hearing, enum control_round round, uint16_t *missing)
{
    uint16_t count = controls_count(hearing->options->ipv6);
    for (uint16_t i = 0; i < count; i++) {
        unsigned expected = controls_expected(i, hearing->options->ipv6);
        if ((hearing->heard[round][i] & expected) != expected) {
            *missing = i;
            return false;
        }
    }
    return true;
}

static void note_missing_control(struct hearing *hearing, enum control_round round, uint16_t control)
{
    static const char *const when[] = { "before", "during", "during", "after", "after", "at the end of" };
    unsigned deaf = controls_expected(control, hearing->options->ipv6) & ~(unsigned)hearing->heard[round][control];
    char text[160];
    const char *witness = witness_kind_name((enum witness_kind)(deaf & -deaf));
    snprintf(text, sizeof text, "the %s witness did not hear its control (%s) %s the %s run", witness,
             controls_name(control, hearing->options->ipv6), when[round], phase_name(hearing->options->kind));
    if (hearing->result->control_missing[0] == '\0')
        snprintf(hearing->result->control_missing, sizeof hearing->result->control_missing, "%.95s", text);
    hearing_note_broken(hearing, text);
}

/* One round of controls: sent by the probe from the host namespace, heard by every witness. A control that
 * was sent and not heard means a deaf witness: the gate is broken. One that could not be sent leaves the
 * round bad. */
bool hearing_round(struct hearing *hearing, enum control_round round)
{
    const struct phase_options *options = hearing->options;
    if (hearing->result->control_missing[0] != '\0')
        return false; /* one deaf witness is enough: no use in waiting for it in every round */
    cleanup_free struct probe_plan *plan = malloc(sizeof *plan);
    cleanup_free struct collection *collection = malloc(sizeof *collection);
    if (plan == NULL || collection == NULL)
        return false;
    controls_plan(options->plan, &hearing->watches[hearing->control_start], round, options->ipv6, plan);
    plan->deadline_milliseconds = CONTROL_DEADLINE_MICROSECONDS / 1000;
    struct session_place here = { .probe_path = options->probe_path };
    struct session session;
    struct error error = { 0 };
    bool started = session_start(&session, &here, plan, PRINCIPAL_ROOT, FAULT_NONE, &error);
    hearing_finish_session(hearing, &session, collection);
    if (!started || collection->state != STREAM_COMPLETE) {
        snprintf(hearing->result->control_missing, sizeof hearing->result->control_missing,
                 "controls were not sent: %.60s", started ? collection->problem : error.text);
        return false;
    }
    uint64_t deadline = clock_microseconds() + CONTROL_DEADLINE_MICROSECONDS;
    uint16_t missing = 0;
    while (hearing->running && !round_heard(hearing, round, &missing) && clock_microseconds() < deadline) {
        struct witness_message message;
        if (witness_next(&hearing->witness, &message, deadline))
            take_message(hearing, &message);
    }
    if (round_heard(hearing, round, &missing))
        return true;
    note_missing_control(hearing, round, missing);
    return false;
}

bool hearing_start(struct hearing *hearing, const struct site *site, const struct secret *secret, struct error *error)
{
    const struct phase_options *options = hearing->options;
    const struct run_plan *plan = options->plan;
    hearing->control_start = (size_t)PRINCIPALS * plan->count;
    hearing->watch_count = hearing->control_start + (size_t)ROUNDS * controls_count(options->ipv6);
    hearing->watches = calloc(hearing->watch_count, sizeof *hearing->watches);
    if (hearing->watches == NULL)
        return error_set(error, ERROR_SYSTEM, "out of memory for the watches");
    if (!plan_watches(plan, secret, options->kind, hearing->watches, error) ||
        !controls_watches(plan, secret, options->kind, options->ipv6, &hearing->watches[hearing->control_start], error))
        return false;
    if (!secret_derive(secret, hearing->door_key, 32, "door|%d", (int)options->kind) ||
        !secret_derive(secret, hearing->result->token, 16, "token|%d", (int)options->kind))
        return error_set(error, ERROR_BROKEN, "can't derive the witnesses' keys");

    const char *names[16] = { CONTROL_ABSTRACT_NAME };
    size_t name_count = 1;
    for (uint16_t i = 0; i < plan->count; i++)
        if (plan->attempts[i].target->mechanism == MECHANISM_UNIX_STREAM &&
            strncmp(plan->attempts[i].address, "@abstract:", 10) == 0 && name_count < 15)
            names[name_count++] = plan->attempts[i].address + 10;
    struct witness_setup setup = {
        .host_namespace = site->host_namespace,
        .world_namespace = site->world_namespace,
        .watches = hearing->watches,
        .watch_count = hearing->watch_count,
        .ipv6 = options->ipv6,
        .abstract_names = names,
        .path_directory = SITE_SOCKETS,
    };
    memcpy(setup.door_key, hearing->door_key, sizeof setup.door_key);
    memcpy(setup.token, hearing->result->token, sizeof setup.token);
    if (options->kind == PHASE_FENCED && options->fault == FAULT_DEAD_WITNESS)
        setup.fault = WITNESS_FAULT_DEAD_TCP;
    if (options->kind == PHASE_FENCED && options->fault == FAULT_DEAF_CAPTURE)
        setup.fault = WITNESS_FAULT_DEAF_CAPTURE;
    hearing->running = witness_start(&hearing->witness, &setup, error);
    return hearing->running;
}

void hearing_stop(struct hearing *hearing)
{
    uint64_t deadline = clock_microseconds() + STOP_DEADLINE_MICROSECONDS;
    struct witness_message message;
    if (hearing->running)
        witness_ask_to_stop(&hearing->witness);
    while (hearing->running) {
        if (witness_next(&hearing->witness, &message, deadline))
            take_message(hearing, &message);
        else if (clock_microseconds() >= deadline) {
            hearing_note_broken(hearing, "the witness process did not end when it was told to");
            return;
        }
    }
}

void hearing_end(struct hearing *hearing)
{
    witness_end(&hearing->witness);
    free(hearing->watches);
    hearing->watches = NULL;
}
