/* See taken_ports.h. Both principals may try one port. */
#include "taken_ports.h"

#include <arpa/inet.h>
#include <string.h>

#include "../../probes/vectors.h"
#include "../site/site.h"

#define FIRST_PORT 1024 /* that an ordinary user may bind (ip(7)) */

/* The gateway by the bottle's own routes (any address), or by the one that it has in the site. What asks for the first ports is not
 * let to bind them, and leads there unasked. */
static bool is_gateways(const struct watch *watch)
{
    const struct tuple *tuple = &watch->tuple;
    uint8_t gateway[sizeof tuple->address] = { 0 };
    static const uint8_t unspecified[sizeof tuple->address];
    inet_pton(tuple->family, tuple->family == AF_INET6 ? SITE_GATEWAY6 : SITE_GATEWAY4, gateway);
    return tuple->transport == TRANSPORT_TCP && tuple->port >= FIRST_PORT && !watch->control && !watch->is_sweep &&
           (memcmp(tuple->address, unspecified, sizeof unspecified) == 0 ||
            memcmp(tuple->address, gateway, sizeof gateway) == 0);
}

static bool is_earlier(const struct house *house, size_t index)
{
    const struct watch *watches = house->setup->watches;
    for (size_t i = 0; i < index; i++)
        if (is_gateways(&watches[i]) && watches[i].tuple.family == watches[index].tuple.family &&
            watches[i].tuple.port == watches[index].tuple.port)
            return true;
    return false;
}

bool taken_ports_open(const struct house *house, struct error *error)
{
    for (size_t i = 0; i < house->setup->watch_count; i++) {
        const struct tuple *tuple = &house->setup->watches[i].tuple;
        if (!is_gateways(&house->setup->watches[i]) || is_earlier(house, i) ||
            (tuple->family == AF_INET6 && !house->setup->ipv6))
            continue;
        if (house_bind(tuple->family, SOCK_STREAM, tuple->family == AF_INET6 ? "::" : "0.0.0.0", tuple->port, 0,
                       error) < 0)
            return false;
    }
    return true;
}
