/*
 * See resolver.h. The file belongs to the bottle and may hold anything: only its first 4 KB are looked at,
 * and a line that is not "nameserver <IP literal>" is passed over.
 */
#include "resolver.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

static bool line_names(const char *line, size_t size, struct address *address)
{
    static const char keyword[] = "nameserver";
    const size_t length = sizeof keyword - 1;
    if (size <= length || memcmp(line, keyword, length) != 0 || !is_blank(line[length]))
        return false;
    size_t start = length, end = size;
    while (start < size && is_blank(line[start]))
        start++;
    for (size_t i = start; i < end; i++)
        if (is_blank(line[i]))
            end = i;
    return address_parse(line + start, end - start, address) && address->kind == ADDRESS_IP &&
           address->parent[0] == '\0' && strcmp(address->scope, "*") != 0;
}

void resolver_prefer(const char *text, size_t size, struct address *address)
{
    while (size > 0) {
        const char *newline = memchr(text, '\n', size);
        size_t length = newline != NULL ? (size_t)(newline - text) : size;
        struct address named;
        if (line_names(text, length, &named) && named.family == address->family) {
            *address = named;
            return;
        }
        size_t step = newline != NULL ? length + 1 : length;
        text += step;
        size -= step;
    }
}

void resolver_prefer_given(struct address *address)
{
    char text[4096];
    int file = open("/etc/resolv.conf", O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (file < 0)
        return;
    ssize_t size = read(file, text, sizeof text);
    close(file);
    if (size > 0)
        resolver_prefer(text, (size_t)size, address);
}
