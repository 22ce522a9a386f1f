/*
 * A proxy between the probe and the door, as a URL: http://[USER[:PASSWORD]@]HOST:PORT (CONNECT, RFC 9110 section 9.3.6) or
 * socks5://[USER[:PASSWORD]@]HOST:PORT (RFC 1928, 1929; socks5h is the same here). HOST is an IP literal, an IPv6 one in
 * brackets, or localhost, which is 127.0.0.1; nothing is looked up. In USER and PASSWORD any byte may be spelled %HH. A slash
 * may follow. env:NAME stands for the URL in that variable of the probe's environment, where sandboxes leave theirs.
 */
#ifndef PROBES_PROXY_H
#define PROBES_PROXY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PROXY_WORD 112 /* bytes of a plan's spelling, with its terminator */
#define PROXY_NAME 255 /* bytes of a user's name or password (RFC 1929) */

struct proxy {
    bool socks;
    char host[64]; /* an IP literal */
    uint16_t port;
    bool login;
    uint8_t user_size, password_size;
    char user[PROXY_NAME + 1], password[PROXY_NAME + 1]; /* any bytes; terminated */
};

/* Reads `text`, a URL. On failure returns false and, if `problem` is not NULL, points it to a constant text that says why. */
bool proxy_parse(const char *text, size_t size, struct proxy *proxy, const char **problem);

/* Whether the text is meant as a proxy, good or not: an address has no slashes, and no name before a colon. */
bool proxy_is_meant(const char *text);

/* The same for what a plan says: a URL, or env:NAME, whose variable is looked up by the second one. */
bool proxy_word_is_good(const char *text, size_t size, const char **problem);
bool proxy_find(const char *word, struct proxy *proxy, const char **problem);

#endif
