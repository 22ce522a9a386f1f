/*
 * See bottle_options.h.
 */
#include "bottle_options.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool bottle_take_door(void *settings, const char *text, struct error *error)
{
    struct door *door = &((struct new_bottle *)settings)->options.door;
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

bool bottle_take_without(void *settings, const char *names, struct error *error)
{
    for (;; names++) {
        char name[32];
        size_t length = strcspn(names, ",");
        snprintf(name, sizeof name, "%.*s", (int)length, names);
        int fence = length < sizeof name ? backend_find_fence(&native_backend, name) : -1;
        if (fence < 0)
            return error_set(error, ERROR_USAGE, "no fence is named \"%s\": bottle backends native lists them", name);
        ((struct new_bottle *)settings)->options.without |= 1u << fence;
        names += length;
        if (*names == '\0')
            return true;
    }
}

const char *bottle_fence_at(size_t index)
{
    return index < native_backend.fence_count ? native_backend.fences[index].name : NULL;
}

bool bottle_read_principal(const char *value, enum principal *principal, struct error *error)
{
    for (enum principal known = 0; known < PRINCIPALS; known++)
        if (strcmp(value, principal_name(known)) == 0) {
            *principal = known;
            return true;
        }
    return error_set(error, ERROR_USAGE, "--as %.64s: must be user or root", value);
}

bool bottle_take_principal(void *settings, const char *argument, struct error *error)
{
    return bottle_read_principal(argument, &((struct new_bottle *)settings)->principal, error);
}
