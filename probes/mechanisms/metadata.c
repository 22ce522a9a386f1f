/*
 * A cloud's metadata service, asked in all the ways at once on one connection: PUT for a session token (AWS
 * IMDSv2), and, without waiting for it, a GET without a token, which is the sound test: one that is answered
 * needs no second step. The GET carries the headers that Azure and Google want. The nonce is in the path and
 * in a header of both.
 */
#include <stdio.h>
#include <string.h>

#include "../encode.h"
#include "stream.h"

static void start(struct attempt *attempt, uint64_t now)
{
    const char *host = attempt->planned->address;
    if (host[0] == '@')
        host = strchr(host, ':') + 1; /* the literal behind "@route:": whoever stands for it answers to any name */
    char nonce[2 * NONCE_BYTES + 1];
    encode_hex(attempt->planned->nonce, NONCE_BYTES, nonce);
    int size = snprintf((char *)attempt->request, sizeof attempt->request,
                        "PUT /latest/api/token?n=%s HTTP/1.1\r\n"
                        "Host: %s\r\n"
                        "X-aws-ec2-metadata-token-ttl-seconds: 60\r\n"
                        "X-Bottle-Gate: %s\r\n"
                        "Content-Length: 0\r\n"
                        "\r\n"
                        "GET /latest/meta-data/?n=%s HTTP/1.1\r\n"
                        "Host: %s\r\n"
                        "Metadata: true\r\n"
                        "Metadata-Flavor: Google\r\n"
                        "X-Bottle-Gate: %s\r\n"
                        "Connection: close\r\n"
                        "\r\n",
                        nonce, host, nonce, nonce, host, nonce);
    _Static_assert(REQUEST_MAX > 350 + 4 * 2 * NONCE_BYTES + 2 * INET6_ADDRSTRLEN + 2 * 16, "the request fits");
    attempt->request_size = (uint16_t)size;
    stream_start(attempt, now);
}

const struct mechanism_functions metadata_functions = { start, stream_ready, stream_timer };
