/*
 * See bottle_options.h.
 */
#include "bottle_options.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool parse_door(const char *text, struct door *door, struct error *error)
{
    unsigned char address[16];
    const char *colon = strrchr(text, ':');
    char *end = NULL;
    bool bracketed = *text == '[' && colon != NULL && colon > text && colon[-1] == ']';
    const char *host = text + bracketed;
    size_t length = colon == NULL ? 0 : (size_t)(colon - host) - bracketed;
    unsigned long port = colon == NULL || colon[1] < '0' || colon[1] > '9' ? 0 : strtoul(colon + 1, &end, 10);
    if (port == 0 || port > 65535 || *end != '\0' || length == 0 || length >= sizeof door->host)
        return error_set(error, ERROR_USAGE, "--door %.64s: not HOST:PORT, as 10.0.0.1:8080 or [fd00::1]:8080", text);
    memcpy(door->host, host, length);
    door->host[length] = '\0';
    if (strcmp(door->host, "localhost") == 0)
        snprintf(door->host, sizeof door->host, "127.0.0.1");
    if (inet_pton(bracketed ? AF_INET6 : AF_INET, door->host, address) != 1)
        return error_set(error, ERROR_USAGE, "--door %.64s: the host must be an IP address", text);
    door->port = (uint16_t)port;
    door->wanted = true;
    return true;
}

static bool parse_without(const char *names, uint32_t *without, struct error *error)
{
    while (*names != '\0') {
        char name[32];
        size_t length = strcspn(names, ",");
        snprintf(name, sizeof name, "%.*s", (int)length, names);
        int fence = length < sizeof name ? backend_find_fence(&native_backend, name) : -1;
        if (fence < 0)
            return error_set(error, ERROR_USAGE, "no fence is named \"%s\": bottle backends native lists them", name);
        *without |= 1u << fence;
        names += length + (names[length] == ',');
    }
    return true;
}

bool bottle_option_principal(const char *value, enum principal *principal, struct error *error)
{
    for (enum principal known = 0; known < PRINCIPALS; known++)
        if (strcmp(value, principal_name(known)) == 0) {
            *principal = known;
            return true;
        }
    return error_set(error, ERROR_USAGE, "--as %.64s: must be user or root", value);
}

bool bottle_option_read(int option, const char *value, struct bottle_options *bottle, enum principal *principal,
                        struct error *error)
{
    switch (option) {
    case 'd':
        return parse_door(value, &bottle->door, error);
    case 'w':
        return parse_without(value, &bottle->without, error);
    case 'a':
        return bottle_option_principal(value, principal, error);
    default:
        return false;
    }
}
