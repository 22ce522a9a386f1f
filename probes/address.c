/*
 * See address.h. The one place that reads an address: the plan's parser uses it to refuse, the mechanisms to
 * make socket addresses, the resolver's file reader to believe a nameserver line.
 */
#include "address.h"

#include <arpa/inet.h>
#include <string.h>
#include <sys/socket.h>

#include "fields.h"

static bool scope_parse(const char *text, size_t size, struct address *address)
{
    if (size == 0 || size >= sizeof address->scope)
        return false;
    if (size == 1 && text[0] == '*') {
        address->scope[0] = '*';
        return true;
    }
    for (size_t i = 0; i < size; i++) {
        char c = text[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!plain && c != '.' && c != '_' && c != '-')
            return false;
    }
    memcpy(address->scope, text, size);
    return true;
}

/* Labels of letters, digits and hyphens, with single dots between them (RFC 952). */
static bool parent_parse(const char *text, size_t size, struct address *address)
{
    size_t label = 0;
    if (size == 0 || size >= sizeof address->parent)
        return false;
    for (size_t i = 0; i < size; i++) {
        char c = text[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
        if (!plain && (c != '.' || label == 0))
            return false;
        label = plain ? label + 1 : 0;
    }
    memcpy(address->parent, text, size);
    return label > 0;
}

static bool ip_parse(const char *text, size_t size, struct address *address)
{
    const char *slash = memchr(text, '/', size);
    if (slash != NULL && !parent_parse(slash + 1, size - (size_t)(slash - text) - 1, address))
        return false;
    size = slash != NULL ? (size_t)(slash - text) : size;
    const char *percent = memchr(text, '%', size);
    size_t digits = percent != NULL ? (size_t)(percent - text) : size;
    char literal[INET6_ADDRSTRLEN];
    if (digits >= sizeof literal || memchr(text, '\0', digits) != NULL)
        return false;
    memcpy(literal, text, digits);
    literal[digits] = '\0';

    address->family = memchr(literal, ':', digits) != NULL ? AF_INET6 : AF_INET;
    if (percent != NULL && (address->family != AF_INET6 || !scope_parse(percent + 1, size - digits - 1, address)))
        return false;
    return inet_pton(address->family, literal, address->ip) == 1;
}

static bool name_parse(const char *text, size_t size, struct address *address)
{
    if (size == 0 || size >= sizeof address->name)
        return false;
    for (size_t i = 0; i < size; i++)
        if (text[i] < '!' || text[i] > '~')
            return false;
    memcpy(address->name, text, size);
    address->family = AF_UNIX;
    return address->kind != ADDRESS_PATH || text[0] == '/';
}

/* "1:PORT". Context 1 only: see address.h. */
static bool vsock_parse(const char *text, size_t size, struct address *address)
{
    uint64_t port;
    if (size < 3 || memcmp(text, "1:", 2) != 0 ||
        !field_decimal((struct field){ text + 2, size - 2 }, UINT32_MAX - 1, &port) || port == 0)
        return false;
    address->family = AF_VSOCK;
    address->context = 1;
    address->vsock_port = (uint32_t)port;
    return true;
}

static bool nothing_parse(const char *text, size_t size, struct address *address)
{
    (void)text;
    address->family = AF_UNSPEC;
    return size == 0;
}

bool address_parse(const char *text, size_t size, struct address *address)
{
    static const struct {
        const char *prefix;
        enum address_kind kind;
        bool (*parse)(const char *text, size_t size, struct address *address);
    } kinds[] = {
        { "@resolver:", ADDRESS_RESOLVER, ip_parse },
        { "@route:", ADDRESS_ROUTE, ip_parse },
        { "@abstract:", ADDRESS_ABSTRACT, name_parse },
        { "@path:", ADDRESS_PATH, name_parse },
        { "@vsock:", ADDRESS_VSOCK, vsock_parse },
        { "@inherited", ADDRESS_INHERITED, nothing_parse },
        { "", ADDRESS_IP, ip_parse },
    };
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        size_t prefix = strlen(kinds[i].prefix);
        if (size < prefix || memcmp(text, kinds[i].prefix, prefix) != 0)
            continue;
        *address = (struct address){ .kind = kinds[i].kind };
        return kinds[i].parse(text + prefix, size - prefix, address);
    }
    return false;
}

bool address_is_multicast(const struct address *address)
{
    return address->family == AF_INET6 ? address->ip[0] == 0xff : (address->ip[0] & 0xf0) == 0xe0;
}
