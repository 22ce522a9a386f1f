/*
 * See address.h. The one place that reads an address: the plan's parser uses it to refuse, the mechanisms to
 * make socket addresses, the resolver's file reader to believe a nameserver line.
 */
#include "address.h"

#include <arpa/inet.h>
#include <string.h>
#include <sys/socket.h>

static bool scope_parse(const char *text, size_t size, struct address *address)
{
    if (size == 0 || size >= sizeof address->scope)
        return false;
    for (size_t i = 0; i < size; i++) {
        char c = text[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!plain && c != '.' && c != '_' && c != '-')
            return false;
    }
    memcpy(address->scope, text, size);
    return true;
}

static bool ip_parse(const char *text, size_t size, struct address *address)
{
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

bool address_parse(const char *text, size_t size, struct address *address)
{
    static const struct {
        const char *prefix;
        enum address_kind kind;
        bool (*parse)(const char *text, size_t size, struct address *address);
    } kinds[] = {
        { "@resolver:", ADDRESS_RESOLVER, ip_parse },
        { "@abstract:", ADDRESS_ABSTRACT, name_parse },
        { "@path:", ADDRESS_PATH, name_parse },
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
