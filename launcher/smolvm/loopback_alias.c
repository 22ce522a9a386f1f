/* See loopback_alias.h. */
#include "loopback_alias.h"

#include <stdio.h>
#include <string.h>

#include "../support/process.h"
#include "engine.h"

#define LIST_BYTES   16384
#define MICROSECONDS 60000000 /* sudo may ask somebody */

extern char **environ;

static bool list_of_host(char *text, size_t capacity, struct error *error)
{
    struct smolvm_engine command = { .program = "/sbin/ifconfig", .environment = environ };
    char *arguments[] = { "ifconfig", "lo0", NULL };
    struct smolvm_result result;
    if (!smolvm_run(&command, arguments, clock_microseconds() + MICROSECONDS, &result, error))
        return false;
    bool listed = result.status == 0 && result.output_size < capacity;
    if (listed)
        memcpy(text, result.output, result.output_size + 1);
    smolvm_result_free(&result);
    return listed || error_set(error, ERROR_HOST, "ifconfig lo0 does not list the addresses of the loopback interface");
}

static bool add_of_host(const char *address, struct error *error)
{
    struct smolvm_engine command = { .program = "/usr/bin/sudo", .environment = environ };
    char *arguments[] = { "sudo", "ifconfig", "lo0", "alias", (char *)address, NULL };
    struct smolvm_result result;
    if (!smolvm_run(&command, arguments, clock_microseconds() + MICROSECONDS, &result, error))
        return false;
    int status = result.status;
    smolvm_result_free(&result);
    return status == 0 ||
           error_set(error, ERROR_HOST, "can't add %s to the loopback interface: sudo ifconfig lo0 alias %s", address,
                     address);
}

const struct loopback_commands loopback_commands_of_host = { list_of_host, add_of_host };

/* "inet ADDRESS " as ifconfig writes it; 127.0.0.1 isn't in 127.0.0.16. */
static bool has_address(const char *text, const char *address)
{
    size_t length = strlen(address);
    for (const char *at = text; (at = strstr(at, "inet ")) != NULL; at += 5)
        if (strncmp(at + 5, address, length) == 0 && strchr(" \t\n", at[5 + length]) != NULL)
            return true;
    return false;
}

bool loopback_alias_add(enum smolvm_platform platform, const struct loopback_commands *commands, unsigned first,
                        unsigned count, struct error *error)
{
    char text[LIST_BYTES], address[24];
    if (platform != SMOLVM_MACOS)
        return true;
    if (!commands->list(text, sizeof text, error))
        return false;
    for (unsigned i = first; i < first + count; i++) {
        snprintf(address, sizeof address, "127.0.0.%u", i);
        if (!has_address(text, address) && !commands->add(address, error))
            return false;
    }
    return true;
}
