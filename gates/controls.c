/* See controls.h: a table of controls, one row for each kind of witness, place and address family. The
 * destinations are reserved for controls: no vector has them. The IPv6 neighbour is another one in every round (a star is
 * filled from the nonce): one that had answered before would be known to the host, and nobody would notice that neighbours
 * are answered for no more. IPv4 has no such star because the kernel itself answers there. */
#include "controls.h"

#include <stdio.h>
#include <string.h>

#include "plan_targets.h"
#include "site/site.h"

#define CONTROL_VECTOR 999 /* a control is no vector */
#define CAPTURED(kind) (WITNESS_CAPTURE | (kind))

static const struct control {
    const char *name;
    enum mechanism mechanism;
    const char *address;
    uint16_t port;
    unsigned heard_by;
    bool ipv6, vsock;
} controls[] = {
    { "TCP in the world", MECHANISM_TCP, "203.0.113.10", 443, CAPTURED(WITNESS_TCP), false, false },
    { "TCP in the world, IPv6", MECHANISM_TCP, "2001:db8:c0::10", 443, CAPTURED(WITNESS_TCP), true, false },
    { "UDP in the world", MECHANISM_UDP, "203.0.113.11", 9, CAPTURED(WITNESS_UDP), false, false },
    { "UDP in the world, IPv6", MECHANISM_UDP, "2001:db8:c0::11", 9, CAPTURED(WITNESS_UDP), true, false },
    { "DNS over UDP", MECHANISM_DNS_UDP, "203.0.113.12", 53, CAPTURED(WITNESS_DNS_UDP), false, false },
    { "DNS over UDP, IPv6", MECHANISM_DNS_UDP, "2001:db8:c0::12", 53, CAPTURED(WITNESS_DNS_UDP), true, false },
    { "DNS over TCP", MECHANISM_DNS_TCP, "203.0.113.13", 53, CAPTURED(WITNESS_DNS_TCP), false, false },
    { "DNS over TCP, IPv6", MECHANISM_DNS_TCP, "2001:db8:c0::13", 53, CAPTURED(WITNESS_DNS_TCP), true, false },
    { "ICMP in the world", MECHANISM_ICMP_ECHO, "203.0.113.14", 0, CAPTURED(WITNESS_ICMP), false, false },
    { "ICMP in the world, IPv6", MECHANISM_ICMP_ECHO, "2001:db8:c0::14", 0, CAPTURED(WITNESS_ICMP), true, false },
    { "a neighbour on the LAN", MECHANISM_TCP, "10.77.0.99", 443, CAPTURED(WITNESS_TCP), false, false },
    { "a neighbour on the LAN, IPv6", MECHANISM_TCP, "fd77::*", 443, CAPTURED(WITNESS_TCP), true, false },
    { "TCP on host loopback", MECHANISM_TCP, "127.0.0.99", 19001, CAPTURED(WITNESS_TCP), false, false },
    { "TCP on host loopback, IPv6", MECHANISM_TCP, "::1", 19001, CAPTURED(WITNESS_TCP), true, false },
    { "UDP on host loopback", MECHANISM_UDP, "127.0.0.99", 19002, WITNESS_CAPTURE, false, false },
    { "UDP on host loopback, IPv6", MECHANISM_UDP, "::1", 19002, WITNESS_CAPTURE, true, false },
    { "ICMP on host loopback", MECHANISM_ICMP_ECHO, "127.0.0.98", 0, CAPTURED(WITNESS_ICMP), false, false },
    { "ICMP on host loopback, IPv6", MECHANISM_ICMP_ECHO, "::1", 0, CAPTURED(WITNESS_ICMP), true, false },
    { "the host by a cable", MECHANISM_UDP, SITE_SIDE4, 9, WITNESS_HOST, false, false },
    { "the host by a cable, IPv6", MECHANISM_UDP, SITE_SIDE6, 9, WITNESS_HOST, true, false },
    { "data in a SYN", MECHANISM_TCP_FASTOPEN, "203.0.113.15", 443, WITNESS_CAPTURE | WITNESS_SYN, false, false },
    { "data in a SYN, IPv6", MECHANISM_TCP_FASTOPEN, "2001:db8:c0::15", 443, WITNESS_CAPTURE | WITNESS_SYN, true,
      false },
    { "Unix stream, abstract", MECHANISM_UNIX_STREAM, "@abstract:" CONTROL_ABSTRACT_NAME, 0, WITNESS_UNIX_ABSTRACT,
      false, false },
    { "Unix datagram, abstract", MECHANISM_UNIX_DGRAM, "@abstract:" CONTROL_ABSTRACT_NAME ".d", 0,
      WITNESS_UNIX_ABSTRACT, false, false },
    { "Unix stream, path", MECHANISM_UNIX_STREAM, "@path:" SITE_SOCKETS "/stream", 0, WITNESS_UNIX_PATH, false, false },
    { "Unix datagram, path", MECHANISM_UNIX_DGRAM, "@path:" SITE_SOCKETS "/dgram", 0, WITNESS_UNIX_PATH, false, false },
    { "a planted descriptor", MECHANISM_INHERITED, "@inherited", 0, WITNESS_DESCRIPTOR, false, false },
    { "vsock", MECHANISM_VSOCK, "", 0, WITNESS_VSOCK, false, true },
};

#define CONTROL_COUNT (sizeof controls / sizeof *controls)
_Static_assert(CONTROL_COUNT <= CONTROLS_MAX, "CONTROLS_MAX is too small");
_Static_assert(PRINCIPALS *PLAN_ATTEMPTS_MAX + ROUNDS * CONTROLS_MAX + PEER_ROUNDS * PEER_CONTROLS <= WATCHES_MAX,
               "WATCHES_MAX is too small");

static const struct peer_control {
    enum mechanism mechanism;
    const char *address;
    uint16_t port;
    unsigned accepted;
} peer_controls[PEER_CONTROLS] = {
    { MECHANISM_TCP, "127.0.0.1", PEER_CONTROL_PORT, WITNESS_PEER | WITNESS_TCP },
    { MECHANISM_UDP, "127.0.0.1", PEER_CONTROL_PORT, WITNESS_PEER },
    { MECHANISM_UNIX_STREAM, "@abstract:bg-028", 0, WITNESS_PEER },
};

/* Control `index` of those that this phase can have. */
static const struct control *control_at(uint16_t index, struct controls_setting setting)
{
    for (size_t i = 0; i < CONTROL_COUNT; i++)
        if ((setting.ipv6 || !controls[i].ipv6) && (setting.vsock || !controls[i].vsock) &&
            (!setting.no_ping || controls[i].mechanism != MECHANISM_ICMP_ECHO) && index-- == 0)
            return &controls[i];
    return NULL;
}

uint16_t controls_count(struct controls_setting setting)
{
    uint16_t count = 0;
    while (control_at(count, setting) != NULL)
        count++;
    return count;
}

static void fill_watch(struct watch *watch, enum mechanism mechanism, const char *address, uint16_t port)
{
    memset(watch, 0, sizeof *watch);
    watch->control = true;
    if (plan_tuple(address, mechanism_transport(mechanism), port, &watch->tuple))
        return;
    watch->tuple.family = AF_UNIX;
    watch->tuple.transport = (uint8_t)mechanism_transport(mechanism);
}

bool controls_watches(const struct run_plan *plan, const struct secret *secret, enum phase_kind phase,
                      struct controls_setting setting, struct watch *watches, struct error *error)
{
    uint16_t count = controls_count(setting);
    for (int round = 0; round < ROUNDS; round++)
        for (uint16_t i = 0; i < count; i++) {
            const struct control *control = control_at(i, setting);
            struct watch *watch = &watches[round * count + i];
            uint8_t nonce[NONCE_BYTES];
            char address[sizeof((struct planned_attempt *)0)->address];
            if (!secret_derive(secret, nonce, NONCE_BYTES, "control|%s|%d|%d|%u", plan->run, (int)phase, round, i))
                return error_set(error, ERROR_BROKEN, "can't derive the nonce of a control");
            plan_fill_star(control->address, nonce, address, sizeof address);
            fill_watch(watch, control->mechanism, address, control->port);
            memcpy(watch->nonce, nonce, NONCE_BYTES);
        }
    return true;
}

void controls_plan(const struct run_plan *plan, const struct watch *watches, enum control_round round,
                   struct controls_setting setting, uint32_t vsock_port, struct probe_plan *out)
{
    memset(out, 0, sizeof *out);
    memcpy(out->run, plan->run, sizeof out->run);
    out->root = true;
    out->count = controls_count(setting);
    out->repeats = 1;
    for (uint16_t i = 0; i < out->count; i++) {
        const struct control *control = control_at(i, setting);
        struct planned_attempt *planned = &out->attempts[i];
        planned->seq = (uint16_t)(i + 1);
        planned->vector = CONTROL_VECTOR;
        planned->mechanism = control->mechanism;
        planned->port = control->port;
        const uint8_t *nonce = watches[(unsigned)round * out->count + i].nonce;
        plan_fill_star(control->address, nonce, planned->address, sizeof planned->address);
        if (control->vsock)
            snprintf(planned->address, sizeof planned->address, "@vsock:1:%u", vsock_port);
        memcpy(planned->nonce, nonce, NONCE_BYTES);
    }
}

unsigned controls_expected(uint16_t index, struct controls_setting setting)
{
    return control_at(index, setting)->heard_by;
}

const char *controls_name(uint16_t index, struct controls_setting setting)
{
    return control_at(index, setting)->name;
}

bool controls_peer_watches(const struct run_plan *plan, const struct secret *secret, enum phase_kind phase,
                           struct watch *watches, struct error *error)
{
    for (int i = 0; i < PEER_ROUNDS * PEER_CONTROLS; i++) {
        const struct peer_control *control = &peer_controls[i % PEER_CONTROLS];
        fill_watch(&watches[i], control->mechanism, control->address, control->port);
        if (!secret_derive(secret, watches[i].nonce, NONCE_BYTES, "peer|%s|%d|%d", plan->run, (int)phase, i))
            return error_set(error, ERROR_BROKEN, "can't derive the nonce of a control");
    }
    return true;
}

void controls_peer_plan(const struct run_plan *plan, const struct watch *watches, unsigned round,
                        struct probe_plan *out)
{
    memset(out, 0, sizeof *out);
    memcpy(out->run, plan->run, sizeof out->run);
    out->root = true;
    out->count = PEER_CONTROLS;
    out->repeats = 1;
    for (uint16_t i = 0; i < PEER_CONTROLS; i++) {
        struct planned_attempt *planned = &out->attempts[i];
        planned->seq = (uint16_t)(i + 1);
        planned->vector = CONTROL_VECTOR;
        planned->mechanism = peer_controls[i].mechanism;
        planned->port = peer_controls[i].port;
        snprintf(planned->address, sizeof planned->address, "%s", peer_controls[i].address);
        memcpy(planned->nonce, watches[round * PEER_CONTROLS + i].nonce, NONCE_BYTES);
    }
}

unsigned controls_peer_accepted(uint16_t index)
{
    return peer_controls[index].accepted;
}
