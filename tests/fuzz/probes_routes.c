/*
 * What a hostile kernel may answer when the probe asks for its routes and links: one datagram, read for both
 * families. What is believed of it must be usable.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "../../probes/mechanisms/routes.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int condition)
{
    if (!condition)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t zeroes[16];
    static const int families[] = { AF_INET, AF_INET6 };
    for (size_t i = 0; i < 2; i++) {
        struct routes_gateway best = { .family = families[i], .sequence = 7 };
        routes_read_gateways(data, size, &best);
        require(!best.found || memcmp(best.ip, zeroes, families[i] == AF_INET ? 4 : 16) != 0);
        bool link_local = families[i] == AF_INET6 && best.ip[0] == 0xfe && (best.ip[1] & 0xc0) == 0x80;
        require(!best.found || !link_local || (best.link >= 1 && best.link <= INT32_MAX));
    }
    struct routes_link first = { .sequence = 7 };
    routes_read_links(data, size, &first);
    require(first.index <= INT32_MAX);
    return 0;
}
