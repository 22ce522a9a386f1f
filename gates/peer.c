/* See peer.h. */
#include "peer.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "../launcher/support/cleanup.h"
#include "../launcher/support/process.h"
#include "phase.h"

#define SPECS_MAX  24
#define PEER_PROBE "peer-probe" /* two bottles without a mount fence share their /tmp */

bool peer_is_wanted(const struct run_plan *plan)
{
    for (uint16_t i = 0; i < plan->count; i++)
        if (plan_is_for_peer(&plan->attempts[i]))
            return true;
    return false;
}

/* What the listener listens on: the planned ports of both principals, and the controls'. */
static void list_specs(const struct run_plan *plan, char text[SPECS_MAX][32], char *specs[SPECS_MAX + 1])
{
    size_t count = 0;
    snprintf(text[count++], 32, "tcp:%d", PEER_CONTROL_PORT);
    snprintf(text[count++], 32, "udp:%d", PEER_CONTROL_PORT);
    for (uint16_t seq = 1; seq <= plan->count; seq++) {
        const struct run_attempt *attempt = &plan->attempts[seq - 1];
        enum transport transport = mechanism_transport(attempt->target->mechanism);
        if (!plan_is_for_peer(attempt))
            continue;
        if (transport == TRANSPORT_UNIX && count < SPECS_MAX)
            snprintf(text[count++], 32, "abstract:%.20s", attempt->address + strlen("@abstract:"));
        /* One port serves both families, and the same one is never planned twice. */
        for (int principal = 0; principal < PRINCIPALS && transport != TRANSPORT_UNIX && count < SPECS_MAX; principal++)
            snprintf(text[count++], 32, "%s:%u", transport_name(transport),
                     plan_port(plan, seq, (enum principal)principal));
    }
    for (size_t i = 0; i < count; i++)
        specs[i] = text[i];
    specs[count] = NULL;
}

static struct session_place place_of(const struct peer *peer, const struct hearing *hearing)
{
    return (struct session_place){ .backend = peer->bottle == NULL ? NULL : hearing->options->backend,
                                   .bottle = peer->bottle,
                                   .probe_path = hearing->options->probe_path,
                                   .probe_name = PEER_PROBE };
}

bool peer_start(struct peer *peer, struct hearing *hearing, const struct bottle_options *with, struct error *error)
{
    char text[SPECS_MAX][32], *specs[SPECS_MAX + 1];
    list_specs(hearing->options->plan, text, specs);
    if (with != NULL && (peer->bottle = hearing->options->backend->start(with, error)) == NULL)
        return false;
    struct session_place place = place_of(peer, hearing);
    if (!session_prepare(&place, error) || !session_listen(&place, specs, hearing->peer[1], &peer->listener, error))
        return false;
    cleanup_close_fd(&hearing->peer[1]);
    return true;
}

bool peer_round(const struct peer *peer, struct hearing *hearing, unsigned round)
{
    char name[16];
    struct session_place place = place_of(peer, hearing);
    snprintf(name, sizeof name, "controls-%u", round);
    place.plan_name = name;
    const struct fault *fault = fault_in(hearing->options->fault, hearing->options->kind);
    if (fault != NULL && fault->deaf_peer && round > 0)
        kill(peer->listener, SIGKILL);
    return hearing_peer_round(hearing, round, &place);
}

bool peer_end(struct peer *peer, const struct backend *backend, struct error *error)
{
    struct bottle *bottle = peer->bottle;
    if (peer->listener > 0)
        process_kill(peer->listener);
    *peer = (struct peer){ 0 };
    return bottle == NULL || backend->destroy(bottle, error);
}
