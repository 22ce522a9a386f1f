/*
 * Where an attempt goes: from the vector table's spelling of a target to the one that the probe gets, the one that is seen
 * on the wire, and the one that reports show.
 */
#ifndef GATES_PLAN_TARGETS_H
#define GATES_PLAN_TARGETS_H

#include "plan.h"

/* True for what has neither address nor port on a wire: Unix sockets, vsock, descriptors. */
bool plan_target_is_wireless(const struct vector_target *target);

/* Puts the literal behind the target's place into attempt->address and attempt->wire, and sets attempt->ipv6. */
void plan_resolve_target(struct run_attempt *attempt, const struct plan_wishes *wishes);

/* On the machine: may this attempt be made, by its mechanism and by where it leads? Always, in a sealed site. */
bool plan_target_is_allowed(const struct run_attempt *attempt, const struct machine_places *machine);

/* The literal with its star filled from the nonce: "2001:db8:61::*" -> four more groups, "239.*" -> three more bytes. The
 * star of a scope ("fe80::1%*") is the probe's to fill. */
void plan_fill_star(const char *pattern, const uint8_t *nonce, char *literal, size_t size);

#endif
