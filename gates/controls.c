/* See controls.h: a table of controls, one row for each kind of witness, place and address family. The
 * destinations are reserved for controls: no vector has them. */
#include "controls.h"

#include <stdio.h>
#include <string.h>

#include "site/site.h"

#define CAPTURED(kind) (WITNESS_CAPTURE | (kind))

static const struct control {
    const char *name;
    enum mechanism mechanism;
    const char *address;
    uint16_t port;
    unsigned heard_by;
    bool ipv6;
} controls[] = {
    { "TCP in the world", MECHANISM_TCP, "203.0.113.10", 443, CAPTURED(WITNESS_TCP), false },
    { "TCP in the world, IPv6", MECHANISM_TCP, "2001:db8:c0::10", 443, CAPTURED(WITNESS_TCP), true },
    { "UDP in the world", MECHANISM_UDP, "203.0.113.11", 9, CAPTURED(WITNESS_UDP), false },
    { "UDP in the world, IPv6", MECHANISM_UDP, "2001:db8:c0::11", 9, CAPTURED(WITNESS_UDP), true },
    { "DNS over UDP", MECHANISM_DNS_UDP, "203.0.113.12", 53, CAPTURED(WITNESS_DNS_UDP), false },
    { "DNS over UDP, IPv6", MECHANISM_DNS_UDP, "2001:db8:c0::12", 53, CAPTURED(WITNESS_DNS_UDP), true },
    { "DNS over TCP", MECHANISM_DNS_TCP, "203.0.113.13", 53, CAPTURED(WITNESS_DNS_TCP), false },
    { "DNS over TCP, IPv6", MECHANISM_DNS_TCP, "2001:db8:c0::13", 53, CAPTURED(WITNESS_DNS_TCP), true },
    { "ICMP in the world", MECHANISM_ICMP_ECHO, "203.0.113.14", 0, CAPTURED(WITNESS_ICMP), false },
    { "ICMP in the world, IPv6", MECHANISM_ICMP_ECHO, "2001:db8:c0::14", 0, CAPTURED(WITNESS_ICMP), true },
    { "a neighbour on the LAN", MECHANISM_TCP, "10.77.0.99", 443, CAPTURED(WITNESS_TCP), false },
    { "a neighbour on the LAN, IPv6", MECHANISM_TCP, "fd77::99", 443, CAPTURED(WITNESS_TCP), true },
    { "TCP on host loopback", MECHANISM_TCP, "127.0.0.99", 19001, CAPTURED(WITNESS_TCP), false },
    { "TCP on host loopback, IPv6", MECHANISM_TCP, "::1", 19001, CAPTURED(WITNESS_TCP), true },
    { "UDP on host loopback", MECHANISM_UDP, "127.0.0.99", 19002, WITNESS_CAPTURE, false },
    { "UDP on host loopback, IPv6", MECHANISM_UDP, "::1", 19002, WITNESS_CAPTURE, true },
    { "ICMP on host loopback", MECHANISM_ICMP_ECHO, "127.0.0.98", 0, CAPTURED(WITNESS_ICMP), false },
    { "ICMP on host loopback, IPv6", MECHANISM_ICMP_ECHO, "::1", 0, CAPTURED(WITNESS_ICMP), true },
    { "Unix stream, abstract", MECHANISM_UNIX_STREAM, "@abstract:" CONTROL_ABSTRACT_NAME, 0, WITNESS_UNIX_ABSTRACT,
      false },
    { "Unix datagram, abstract", MECHANISM_UNIX_DGRAM, "@abstract:" CONTROL_ABSTRACT_NAME ".d", 0,
      WITNESS_UNIX_ABSTRACT, false },
    { "Unix stream, path", MECHANISM_UNIX_STREAM, "@path:" SITE_SOCKETS "/stream", 0, WITNESS_UNIX_PATH, false },
    { "Unix datagram, path", MECHANISM_UNIX_DGRAM, "@path:" SITE_SOCKETS "/dgram", 0, WITNESS_UNIX_PATH, false },
};

#define CONTROL_COUNT (sizeof controls / sizeof *controls)
_Static_assert(CONTROL_COUNT <= CONTROLS_MAX, "CONTROLS_MAX is too small");
_Static_assert(PRINCIPALS *PLAN_ATTEMPTS_MAX + ROUNDS * CONTROLS_MAX <= WATCHES_MAX, "WATCHES_MAX is too small");

/* Control `index` of those that this kernel can have. */
static const struct control *control_at(uint16_t index, bool ipv6)
{
    for (size_t i = 0; i < CONTROL_COUNT; i++)
        if ((ipv6 || !controls[i].ipv6) && index-- == 0)
            return &controls[i];
    return NULL;
}

uint16_t controls_count(bool ipv6)
{
    uint16_t count = 0;
    while (control_at(count, ipv6) != NULL)
        count++;
    return count;
}

bool controls_watches(const struct run_plan *plan, const struct secret *secret, enum phase_kind phase, bool ipv6,
                      struct watch *watches, struct error *error)
{
    uint16_t count = controls_count(ipv6);
    for (int round = 0; round < ROUNDS; round++)
        for (uint16_t i = 0; i < count; i++) {
            const struct control *control = control_at(i, ipv6);
            struct watch *watch = &watches[round * count + i];
            memset(watch, 0, sizeof *watch);
            watch->control = true;
            if (!plan_tuple(control->address, mechanism_transport(control->mechanism), control->port, &watch->tuple)) {
                watch->tuple.family = AF_UNIX;
                watch->tuple.transport = TRANSPORT_UNIX;
            }
            if (!secret_derive(secret, watch->nonce, NONCE_BYTES, "control|%s|%d|%d|%u", plan->run, (int)phase, round,
                               i))
                return error_set(error, ERROR_BROKEN, "can't derive the nonce of a control");
        }
    return true;
}

void controls_plan(const struct run_plan *plan, const struct watch *watches, enum control_round round, bool ipv6,
                   struct probe_plan *out)
{
    memset(out, 0, sizeof *out);
    memcpy(out->run, plan->run, sizeof out->run);
    out->root = true;
    out->count = controls_count(ipv6);
    out->repeats = 1;
    for (uint16_t i = 0; i < out->count; i++) {
        const struct control *control = control_at(i, ipv6);
        struct planned_attempt *planned = &out->attempts[i];
        planned->seq = (uint16_t)(i + 1);
        planned->vector = 999; /* a control is no vector */
        planned->mechanism = control->mechanism;
        planned->port = control->port;
        snprintf(planned->address, sizeof planned->address, "%s", control->address);
        memcpy(planned->nonce, watches[(unsigned)round * out->count + i].nonce, NONCE_BYTES);
    }
}

unsigned controls_expected(uint16_t index, bool ipv6)
{
    return control_at(index, ipv6)->heard_by;
}

const char *controls_name(uint16_t index, bool ipv6)
{
    return control_at(index, ipv6)->name;
}
