/*
 * See wrap.h. The command lines are the caller's own and run as they are, by /bin/sh, as the principal's uid, inside the sealed site. There
 * is no second bottle (each command has a sandbox of its own), and no fence that could be left out alone: the open bottle is the
 * caller's other command line.
 */
#include "wrap.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "../../../probes/proxy.h"
#include "../../capabilities.h"
#include "../../namespaces.h"
#include "../../support/cleanup.h"
#include "../../support/process.h"

#include <linux/capability.h>

#define DIRECTORY "/tmp/bottle-wrap-XXXXXX"

static const uint16_t none[] = { 0 };

static struct wrap_words words;

/* 0 for a text that is no port. */
static uint16_t parse_port(const char *text)
{
    char *end;
    unsigned long port = strtoul(text, &end, 10);
    return *text >= '1' && *text <= '9' && *end == '\0' && port <= UINT16_MAX ? (uint16_t)port : 0;
}

static bool parse_door(const char *text, struct error *error)
{
    uint8_t address[4];
    char host[64];
    const char *problem;
    size_t length = strcspn(text, ":");
    if (proxy_is_meant(text))
        return proxy_word_is_good(text, strlen(text), &problem) ||
               error_set(error, ERROR_USAGE, "--wrap-door: %s, not \"%.60s\"", problem, text);
    snprintf(host, sizeof host, "%.*s", (int)length, text);
    return strcmp(text, "none") == 0 || strcmp(text, "direct") == 0 ||
           (inet_pton(AF_INET, host, address) == 1 && (text[length] == '\0' || parse_port(text + length + 1) != 0)) ||
           error_set(
               error, ERROR_USAGE,
               "--wrap-door is none, direct, an IPv4 address with or without :PORT, a proxy's URL, or env:NAME, not "
               "\"%.60s\"",
               text);
}

static bool take_words(const struct wrap_words *taken, struct error *error)
{
    static const char *const examples =
        "like --wrap='bwrap --unshare-all --ro-bind / / --dev /dev --proc /proc {probe}'";
    words = *taken;
    if (words.door == NULL)
        words.door = "none";
    if (words.command == NULL)
        return error_set(error, ERROR_USAGE, "backend wrap needs a command, %s", examples);
    for (int open = 0; open < 2; open++) {
        const char *line = open ? words.open_command : words.command;
        if (line != NULL && strstr(line, "{probe}") == NULL)
            return error_set(error, ERROR_USAGE, "%s: there is no {probe} in it, %s", open ? "--wrap-open" : "--wrap",
                             examples);
        if (line != NULL && strstr(line, "{door}") != NULL && strcmp(words.door, "none") == 0)
            return error_set(error, ERROR_USAGE, "%s: it has a {door} and there is none: see --wrap-door",
                             open ? "--wrap-open" : "--wrap");
        if (line != NULL && strlen(line) > WRAP_LINE / 2)
            return error_set(error, ERROR_USAGE, "%s: longer than %d bytes", open ? "--wrap-open" : "--wrap",
                             WRAP_LINE / 2);
    }
    return parse_door(words.door, error);
}

static bool has_door(void)
{
    return strcmp(words.door, "none") != 0;
}

static bool has_open(void)
{
    return words.open_command != NULL;
}

static bool remove_file(const char *directory, const char *name)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    return unlink(path) == 0;
}

static bool destroy(struct bottle *bottle, struct error *error)
{
    static const char *const names[] = { "bottle-step", "bottle-probe", "plan-user", "plan-root",
                                         "sweep-user",  "sweep-root",   "errors" };
    wrap_end(bottle);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        remove_file(bottle->directory, names[i]);
    bool gone = bottle->directory[0] == '\0' || rmdir(bottle->directory) == 0 ||
                error_system(error, "can't remove %s of the bottle", bottle->directory);
    free(bottle);
    return gone;
}

static struct bottle *start(const struct bottle_options *options, struct error *error)
{
    struct bottle *bottle = calloc(1, sizeof *bottle);
    if (bottle == NULL) {
        error_system(error, "can't start a bottle");
        return NULL;
    }
    bottle->open = options->open;
    bottle->first = options->first;
    bottle->command = bottle->open ? words.open_command : words.command;
    bottle->door = options->door;
    char directory[] = DIRECTORY;
    bool made = bottle->command != NULL && mkdtemp(directory) != NULL;
    if (made)
        snprintf(bottle->directory, sizeof bottle->directory, "%s", directory);
    if (!made)
        error_set(error, ERROR_SYSTEM, "can't make a directory for the bottle, or there is no such bottle");
    else if (chmod(directory, 0755) != 0)
        made = error_system(error, "can't open %s to all", directory);
    if (!made || !wrap_look(bottle, options->step_path, error)) {
        destroy(bottle, NULL);
        return NULL;
    }
    wrap_ask_version(bottle);
    return bottle;
}

static bool door_address(const struct bottle *bottle, char host[64], uint16_t *port, struct error *error)
{
    if (!bottle->door.wanted || !has_door())
        return error_set(error, ERROR_USAGE, "this bottle was started without a door");
    size_t length = strcspn(words.door, ":");
    bool own = strcmp(words.door, "direct") == 0 || proxy_is_meant(words.door);
    *port = !own && words.door[length] == ':' ? parse_port(words.door + length + 1) : bottle->door.port;
    if (own)
        snprintf(host, 64, "%s", bottle->door.host);
    else
        snprintf(host, 64, "%.*s", (int)length, words.door);
    return true;
}

/* An open bottle needs none: nothing is shut. */
static const char *door_proxy(const struct bottle *bottle)
{
    return proxy_is_meant(words.door) && !bottle->open ? words.door : NULL;
}

static bool put(struct bottle *bottle, const char *name, int source, mode_t mode, struct error *error)
{
    char path[128];
    if (*name == '\0' || strlen(name) >= 48 || strchr(name, '/') != NULL || name[0] == '.' || name[0] == '-')
        return error_set(error, ERROR_USAGE, "\"%.64s\" is no name for a file in the bottle's directory", name);
    snprintf(path, sizeof path, "%s/%s", bottle->directory, name);
    cleanup_close int file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (file < 0)
        return error_system(error, "can't make %s", path);
    struct stat status;
    off_t at = 0;
    if (fstat(source, &status) != 0)
        return error_system(error, "can't read what is to be put into the bottle");
    while (at < status.st_size)
        if (sendfile(file, source, &at, (size_t)(status.st_size - at)) <= 0)
            return error_system(error, "can't write %s", path);
    return fchmod(file, mode) == 0 || error_system(error, "can't give %s its mode", path);
}

static bool run(struct bottle *bottle, char *const argv[], enum principal principal, const struct exec_streams *streams,
                pid_t *pid, struct error *error)
{
    char line[WRAP_LINE];
    if (streams->terminal)
        return error_set(error, ERROR_USAGE, "this backend has no terminals");
    return wrap_expand(bottle, argv, line, error) && wrap_start(bottle, line, principal, streams, pid, error);
}

/* What the command does to ids is its own; this is who runs it. */
static bool host_uid(const struct bottle *bottle, enum principal principal, uid_t *uid, struct error *error)
{
    (void)bottle, (void)error;
    bool other = namespaces_have_block() && capabilities_have(CAP_SETUID);
    *uid = principal == PRINCIPAL_USER && other ? 65534 : geteuid();
    return true;
}

static bool fingerprint(const struct bottle *bottle, struct fingerprint *out, struct error *error)
{
    struct utsname names;
    memset(out, 0, sizeof *out);
    if (uname(&names) != 0 || !file_read("/proc/sys/kernel/random/boot_id", out->boot_id, sizeof out->boot_id))
        return error_system(error, "can't read the kernel's release and boot id");
    out->boot_id[strcspn(out->boot_id, "\n")] = '\0';
    wrap_name(bottle->command, out->engine, sizeof out->engine);
    snprintf(out->version, sizeof out->version, "%s", bottle->version);
    snprintf(out->kernel, sizeof out->kernel, "%s", names.release);
    snprintf(out->details, sizeof out->details, "%s%s", bottle->around,
             !has_door()                  ? "; no door: nothing is allowed, so nothing shows that its network was alive"
             : proxy_is_meant(words.door) ? "; the door by a proxy"
                                          : "");
    return true;
}

static bool preflight(const char *policy, struct error *error)
{
    (void)policy;
    return namespaces_preflight("/proc", error);
}

static const char *remedy(uint16_t vector)
{
    return wrap_find_remedy(words.command, vector);
}

static bool structural(uint16_t vector, const char *address)
{
    (void)vector, (void)address;
    return false; /* nothing is known of how somebody's command is built */
}

const struct backend wrap_backend = {
    .name = "wrap",
    .open_must_leak = none, /* that depends on the command: what didn't leak from it proves nothing */
    .own_ids = true,
    .door_by_address = true,
    .command_milliseconds = 10000,
    .attempt_milliseconds = 5000,
    .drain_milliseconds = 1000,
    .take_words = take_words,
    .has_door = has_door,
    .door_proxy = door_proxy,
    .own_listeners = true,
    .has_open = has_open,
    .preflight = preflight,
    .remedy = remedy,
    .sandbox_remedy = wrap_sandbox_remedy,
    .start = start,
    .door_address = door_address,
    .put = put,
    .exec = run,
    .host_uid = host_uid,
    .fingerprint = fingerprint,
    .structural = structural,
    .destroy = destroy,
};
