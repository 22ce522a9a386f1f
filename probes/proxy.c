/* See proxy.h. Read on the user's side, where a wrong one is refused, and in the bottle, where a variable may say anything. */
#include "proxy.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "address.h"
#include "fields.h"

#define ENVIRONMENT "env:"

static bool wrong(const char **problem, const char *text)
{
    if (problem != NULL)
        *problem = text;
    return false;
}

static int digit(char letter)
{
    if (letter >= '0' && letter <= '9')
        return letter - '0';
    letter |= 0x20;
    return letter >= 'a' && letter <= 'f' ? letter - 'a' + 10 : -1;
}

/* Spelled %HH or as it is; what is no printable ASCII must be spelled. */
static bool decode(const char *text, size_t size, char bytes[PROXY_NAME + 1], uint8_t *length)
{
    size_t used = 0;
    for (size_t i = 0; i < size; i++) {
        char byte = text[i];
        if (byte == '%') {
            if (size - i < 3 || digit(text[i + 1]) < 0 || digit(text[i + 2]) < 0)
                return false;
            byte = (char)(digit(text[i + 1]) << 4 | digit(text[i + 2]));
            i += 2;
        } else if (byte <= ' ' || byte > '~')
            return false;
        if (used == PROXY_NAME)
            return false;
        bytes[used++] = byte;
    }
    bytes[used] = '\0';
    *length = (uint8_t)used;
    return true;
}

static bool read_login(const char *text, size_t size, struct proxy *proxy)
{
    const char *colon = memchr(text, ':', size);
    size_t user = colon != NULL ? (size_t)(colon - text) : size;
    proxy->login = true;
    return user > 0 && decode(text, user, proxy->user, &proxy->user_size) &&
           (colon == NULL || decode(colon + 1, size - user - 1, proxy->password, &proxy->password_size));
}

static bool read_host(struct field text, struct proxy *proxy)
{
    struct address address;
    if (field_is(text, "localhost"))
        text = (struct field){ "127.0.0.1", strlen("127.0.0.1") };
    bool bracketed = text.size > 2 && text.text[0] == '[' && text.text[text.size - 1] == ']';
    if (bracketed)
        text = (struct field){ text.text + 1, text.size - 2 };
    return text.size > 0 && field_copy(text, proxy->host, sizeof proxy->host) &&
           address_parse(text.text, text.size, &address) && address.kind == ADDRESS_IP && address.parent[0] == '\0' &&
           strcmp(address.scope, "*") != 0 && bracketed == (address.family == AF_INET6);
}

static bool take(const char **text, size_t *size, const char *word)
{
    size_t length = strlen(word);
    if (*size < length || memcmp(*text, word, length) != 0)
        return false;
    *text += length;
    *size -= length;
    return true;
}

bool proxy_parse(const char *text, size_t size, struct proxy *proxy, const char **problem)
{
    uint64_t port;
    memset(proxy, 0, sizeof *proxy);
    proxy->socks = take(&text, &size, "socks5://") || take(&text, &size, "socks5h://");
    if (!proxy->socks && !take(&text, &size, "http://"))
        return wrong(problem, "a proxy is http://HOST:PORT or socks5://HOST:PORT");
    if (size > 0 && text[size - 1] == '/')
        size--;
    const char *at = memrchr(text, '@', size);
    if (at != NULL && !read_login(text, (size_t)(at - text), proxy))
        return wrong(problem, "the proxy's user and password are not USER:PASSWORD, with %HH for what isn't plain");
    if (at != NULL) {
        size -= (size_t)(at + 1 - text);
        text = at + 1;
    }
    const char *colon = memrchr(text, ':', size);
    size_t host = colon != NULL ? (size_t)(colon - text) : 0;
    if (colon == NULL || !field_decimal((struct field){ colon + 1, size - host - 1 }, UINT16_MAX, &port) || port == 0)
        return wrong(problem, "the proxy has no port");
    proxy->port = (uint16_t)port;
    return read_host((struct field){ text, host }, proxy) ||
           wrong(problem, "the proxy's host is neither an IP literal nor localhost");
}

static bool is_name(const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        char letter = text[i];
        bool number = letter >= '0' && letter <= '9';
        if (!(letter == '_' || (letter >= 'A' && letter <= 'Z') || (letter >= 'a' && letter <= 'z') ||
              (number && i > 0)))
            return false;
    }
    return size > 0;
}

bool proxy_is_meant(const char *text)
{
    return strstr(text, "://") != NULL || strncmp(text, ENVIRONMENT, strlen(ENVIRONMENT)) == 0;
}

bool proxy_word_is_good(const char *text, size_t size, const char **problem)
{
    struct proxy proxy;
    if (size >= PROXY_WORD)
        return wrong(problem, "the proxy is too long: env:NAME takes it from a variable");
    for (size_t i = 0; i < size; i++)
        if (text[i] < '!' || text[i] > '~')
            return wrong(problem, "the proxy has a blank or what isn't ASCII in it");
    if (take(&text, &size, ENVIRONMENT))
        return is_name(text, size) || wrong(problem, "env: and no name of a variable");
    return proxy_parse(text, size, &proxy, problem);
}

bool proxy_find(const char *word, struct proxy *proxy, const char **problem)
{
    size_t prefix = strlen(ENVIRONMENT);
    if (strncmp(word, ENVIRONMENT, prefix) != 0)
        return proxy_parse(word, strlen(word), proxy, problem);
    const char *value = getenv(word + prefix);
    return value != NULL ? proxy_parse(value, strlen(value), proxy, problem)
                         : wrong(problem, "the variable that names the proxy is not set in the bottle");
}
