/*
 * See hearing.h. Messages come in the order in which the witness saw things; that order is what tells the two principals
 * apart where they share a target, so nothing here reads a clock to decide.
 */
#include "hearing.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "../launcher/support/cleanup.h"
#include "../launcher/support/process.h"
#include "phase.h"
#include "session.h"
#include "site/machine.h"

#define STOP_DEADLINE_MICROSECONDS 20000000

void hearing_note_broken(struct hearing *hearing, const char *text)
{
    struct phase_result *result = hearing->result;
    if (!result->broken)
        snprintf(result->broken_text, sizeof result->broken_text, "%s", text);
    result->broken = true;
}

void hearing_note_stray(struct hearing *hearing, const char *text)
{
    struct phase_result *result = hearing->result;
    if (result->strays++ == 0)
        snprintf(result->stray_text, sizeof result->stray_text, "%s", text);
}

/* A tuple may belong to both principals; the one whose attempts are under way sent the packet: the control
 * round between two principals is heard after everything that the first one sent, and messages come in order. A sweep's
 * source ports have said whose it is. */
static uint16_t attribute(const struct hearing *hearing, const struct witness_message *message)
{
    const struct run_plan *plan = hearing->options->plan;
    if (!message->by_tuple || message->watch >= hearing->control_start || hearing->watches[message->watch].is_sweep)
        return message->watch;
    uint16_t seq = (uint16_t)(message->watch % plan->count + 1);
    size_t mine = plan_watch_index(plan, seq, (enum principal)hearing->current);
    const struct tuple *told = &hearing->watches[message->watch].tuple, *own = &hearing->watches[mine].tuple;
    return memcmp(told, own, sizeof *own) == 0 ? (uint16_t)mine : message->watch;
}

static void take_control(struct hearing *hearing, const struct witness_message *message)
{
    if (message->by_tuple)
        return;
    if (message->watch >= hearing->peer_start) {
        size_t control = message->watch - hearing->peer_start;
        hearing->peer_heard[control / PEER_CONTROLS][control % PEER_CONTROLS] |= message->kind;
    } else {
        size_t control = message->watch - hearing->control_start, count = controls_count(hearing->setting);
        hearing->heard[control / count][control % count] |= message->kind;
    }
}

static void take_hit(struct hearing *hearing, const struct witness_message *message)
{
    struct phase_result *result = hearing->result;
    if (message->watch >= hearing->watch_count) {
        hearing_note_broken(hearing, "a witness named an attempt that was never planned");
        return;
    }
    if (message->watch >= hearing->control_start) {
        take_control(hearing, message);
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

void hearing_note_socket(struct hearing *hearing, uint16_t watch, const char *at, const char *peer)
{
    struct witness_message message = { .event = WITNESS_HIT,
                                       .watch = watch,
                                       .by_tuple = true,
                                       .kind = WITNESS_SOCKETS,
                                       .point = "table",
                                       .monotonic_microseconds = clock_microseconds() };
    snprintf(message.at, sizeof message.at, "%s", at);
    snprintf(message.peer, sizeof message.peer, "%s", peer);
    take_hit(hearing, &message);
}

/* An attempt at the same destination would carry its nonce, and be a hit and no stray. */
static bool is_the_engines_own(const struct backend *backend, const char *at)
{
    for (const char *const *own = backend->own_traffic; own != NULL && *own != NULL; own++)
        if (strcmp(*own, at) == 0)
            return true;
    return false;
}

/* "224.0.0.251:5353", "[ff02::fb]:5353", "255.255.255.255:67" or the LAN's own broadcast address. */
static bool is_to_many(const char *at)
{
    return strncmp(at, "[ff", 3) == 0 || strncmp(at, "ff", 2) == 0 || atoi(at) >= 224 ||
           strncmp(at, SITE_BROADCAST4, sizeof SITE_BROADCAST4 - 1) == 0;
}

/* On the machine other programs use loopback and let others in, and tell every cable that they are there. What is an attempt's has a
 * nonce or a destination of its own there, too. */
static bool is_the_machines(const struct hearing *hearing, const struct witness_message *message)
{
    return hearing->options->machine != NULL && (strcmp(message->point, "wan0") != 0 || is_to_many(message->at));
}

bool hearing_take_message(struct hearing *hearing, const struct witness_message *message)
{
    char text[160];
    switch (message->event) {
    case WITNESS_HIT:
        take_hit(hearing, message);
        return true;
    case WITNESS_STRAY:
        if (is_the_engines_own(hearing->options->backend, message->at) || is_the_machines(hearing, message))
            return true;
        snprintf(text, sizeof text, "%.95s%s%.45s%s%.8s", message->text, message->at[0] != '\0' ? " to " : "",
                 message->at, message->at[0] != '\0' ? " on " : "", message->at[0] != '\0' ? message->point : "");
        hearing_note_stray(hearing, text);
        return true;
    case WITNESS_LOST:
        snprintf(text, sizeof text, "a witness lost something: %s", message->text);
        hearing_note_broken(hearing, text);
        return true;
    case WITNESS_BROKE:
        hearing->broke = true;
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
        hearing_take_message(hearing, &message);
}

static bool pump(struct hearing *hearing, int fd, uint64_t deadline)
{
    drain_messages(hearing);
    struct pollfd events[2] = {
        { .fd = fd, .events = POLLIN },
        { .fd = hearing->running ? hearing->witness.channel : -1, .events = POLLIN },
    };
    int ready = poll(events, 2, clock_poll_timeout(deadline));
    drain_messages(hearing);
    return events[0].revents != 0 || (ready == 0 && clock_microseconds() >= deadline);
}

void hearing_pump_once(struct hearing *hearing, int fd, uint64_t deadline)
{
    pump(hearing, fd, deadline);
}

void hearing_pump(struct hearing *hearing, int fd, uint64_t deadline)
{
    while (!pump(hearing, fd, deadline))
        ;
}

void hearing_finish_session(struct hearing *hearing, struct session *session, struct collection *collection)
{
    hearing_pump(hearing, session->collector.result, session->deadline);
    session_finish(session, collection);
}

/* A socket whose far end is the witness's: [1] is inherited by whoever is not careful. */
static bool plant(struct hearing *hearing, struct error *error)
{
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, hearing->planted) != 0 ||
        socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, hearing->peer) != 0 ||
        fcntl(hearing->planted[1], F_SETFD, 0) != 0)
        return error_system(error, "can't make the witnesses' sockets");
    return true;
}

/* Names and paths at which something is planned to be tried. */
static void list_sockets(const struct run_plan *plan, const char **names, const char **paths, size_t room)
{
    size_t name_count = 0, path_count = 0;
    names[name_count++] = CONTROL_ABSTRACT_NAME;
    for (uint16_t i = 0; i < plan->count; i++) {
        const struct run_attempt *attempt = &plan->attempts[i];
        bool stream = attempt->target->mechanism == MECHANISM_UNIX_STREAM && !plan_is_for_peer(attempt);
        if (stream && strncmp(attempt->address, "@abstract:", 10) == 0 && name_count + 1 < room)
            names[name_count++] = attempt->address + 10;
        if (stream && strncmp(attempt->address, "@path:", 6) == 0 && path_count + 1 < room)
            paths[path_count++] = attempt->address + 6;
    }
    names[name_count] = paths[path_count] = NULL;
}

bool hearing_start(struct hearing *hearing, const struct site *site, const struct secret *secret, struct error *error)
{
    const struct phase_options *options = hearing->options;
    const struct run_plan *plan = options->plan;
    hearing->world_namespace = site->world_namespace;
    hearing->setting =
        (struct controls_setting){ .ipv6 = options->ipv6, .vsock = options->vsock, .no_ping = options->no_ping };
    hearing->control_start = (size_t)PRINCIPALS * plan->count;
    hearing->peer_start = hearing->control_start + (size_t)ROUNDS * controls_count(hearing->setting);
    hearing->watch_count = hearing->peer_start + PEER_ROUNDS * PEER_CONTROLS;
    hearing->watches = calloc(hearing->watch_count, sizeof *hearing->watches);
    if (hearing->watches == NULL)
        return error_set(error, ERROR_SYSTEM, "out of memory for the watches");
    if (!plan_watches(plan, secret, options->kind, hearing->watches, error) ||
        !controls_watches(plan, secret, options->kind, hearing->setting, &hearing->watches[hearing->control_start],
                          error) ||
        !controls_peer_watches(plan, secret, options->kind, &hearing->watches[hearing->peer_start], error))
        return false;
    if (!secret_derive(secret, hearing->door_key, 32, "door|%d", (int)options->kind) ||
        !secret_derive(secret, hearing->result->token, 16, "token|%d", (int)options->kind) ||
        !plan_vsock_port(plan, secret, options->kind, &hearing->vsock_port))
        return error_set(error, ERROR_BROKEN, "can't derive the witnesses' keys");
    if (!plant(hearing, error))
        return false;

    const char *names[16], *paths[16];
    list_sockets(plan, names, paths, 16);
    struct witness_setup setup = {
        .host_namespace = site->host_namespace,
        .world_namespace = site->world_namespace,
        .watches = hearing->watches,
        .watch_count = hearing->watch_count,
        .ipv6 = options->ipv6,
        .abstract_names = names,
        .path_directory = SITE_SOCKETS,
        .paths = paths,
        .held = { { hearing->planted[0], WITNESS_DESCRIPTOR, "a planted descriptor" },
                  { hearing->peer[0], WITNESS_PEER, "a second bottle" } },
        .vsock_port = options->vsock ? hearing->vsock_port : 0,
        .sweeps = hearing->result->sweeps,
        .own_listeners = options->backend->own_listeners,
        .lo_ports = options->machine != NULL ? MACHINE_LO_PORTS : NULL,
    };
    memcpy(setup.door_key, hearing->door_key, sizeof setup.door_key);
    memcpy(setup.token, hearing->result->token, sizeof setup.token);
    const struct fault *fault = fault_in(options->fault, options->kind);
    if (fault != NULL) {
        setup.fault = fault->witness;
        setup.fault_kinds = fault->kinds;
    }
    hearing->running = witness_start(&hearing->witness, &setup, error);
    cleanup_close_fd(&hearing->planted[0]);
    cleanup_close_fd(&hearing->peer[0]);
    return hearing->running;
}

void hearing_stop(struct hearing *hearing)
{
    uint64_t deadline = clock_microseconds() + fault_patience(hearing->options->fault, STOP_DEADLINE_MICROSECONDS);
    struct witness_message message;
    if (hearing->running)
        witness_ask_to_stop(&hearing->witness);
    while (hearing->running) {
        if (witness_next(&hearing->witness, &message, deadline))
            hearing_take_message(hearing, &message);
        else if (clock_microseconds() >= deadline) {
            hearing_note_broken(hearing, "the witness process did not end when it was told to");
            hearing->running = false; /* whoever asks again must not wait again */
        }
    }
}

void hearing_end(struct hearing *hearing)
{
    witness_end(&hearing->witness);
    for (int i = 0; i < 2; i++) {
        cleanup_close_fd(&hearing->planted[i]);
        cleanup_close_fd(&hearing->peer[i]);
    }
    free(hearing->watches);
    hearing->watches = NULL;
}
