/* Any bytes as a proxy: what is accepted has a host, a port and a login within their bounds, and what isn't says why. */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "../../probes/address.h"
#include "../../probes/proxy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct proxy *proxy)
{
    struct address address;
    if (proxy->port == 0 || !address_parse(proxy->host, strlen(proxy->host), &address) || address.kind != ADDRESS_IP ||
        (address.family != AF_INET && address.family != AF_INET6) || proxy->user[proxy->user_size] != '\0' ||
        proxy->password[proxy->password_size] != '\0' || proxy->login != (proxy->user_size > 0))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct proxy proxy;
    const char *text = (const char *)data, *problem = NULL;
    if (proxy_parse(text, size, &proxy, &problem))
        check(&proxy);
    else if (problem == NULL)
        abort();
    problem = NULL;
    if (!proxy_word_is_good(text, size, &problem) && problem == NULL)
        abort();
    return 0;
}
