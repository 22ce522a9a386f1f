/* See arguments.h. Each command line is a few lines of code over one builder, which keeps the first failure and
 * checks the bounds. */
#include "arguments.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

static const char *const policies[SMOLVM_POLICIES] = {
    [SMOLVM_HARDENED] = "hardened",
    [SMOLVM_CIDR_ONLY] = "cidr",
    [SMOLVM_OPEN] = "open",
};

const char *smolvm_policy_name(enum smolvm_policy policy)
{
    return policies[policy];
}

bool smolvm_policy_find(const char *name, enum smolvm_policy *policy)
{
    for (int i = 0; i < SMOLVM_POLICIES; i++)
        if (strcmp(name, policies[i]) == 0) {
            *policy = (enum smolvm_policy)i;
            return true;
        }
    return false;
}

bool smolvm_name_valid(const char *name)
{
    size_t length = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-");
    return length > 0 && length < SMOLVM_NAME && name[length] == '\0' && *name != '-' && name[length - 1] != '-' &&
           strstr(name, "--") == NULL;
}

/* Blocks that can't hold a door. `loopback`: only where the policy goes with virtio-net. */
static const struct {
    const char *block;
    unsigned bits;
    bool loopback;
    const char *why;
} no_doors[] = {
    { "127.0.0.0", 8, true, "stays in the guest" },
    { "0.0.0.0", 8, false, "is no address of a host" },
    { "100.64.0.0", 10, false, "is the engine's own network, whose gateway leads to the host's loopback" },
    { "169.254.0.0", 16, false, "is link-local, which the engine denies" },
    { "224.0.0.0", 3, false, "is no address of one host" },
    { "::1", 128, true, "stays in the guest" },
    { "::", 96, false, "is no address of a host" },
    { "::ffff:0:0", 96, false, "is an IPv4 address in another spelling" },
    { "fd53:4d00::", 32, false, "is the engine's own network" },
    { "fe80::", 10, false, "is link-local, which the engine denies" },
    { "ff00::", 8, false, "is no address of one host" },
};

static bool in_block(const unsigned char *address, const unsigned char *block, unsigned bits)
{
    for (unsigned bit = 0; bit < bits; bit++)
        if (((address[bit / 8] ^ block[bit / 8]) >> (7 - bit % 8) & 1) != 0)
            return false;
    return true;
}

/* AF_INET or AF_INET6, or 0. */
static int family_of(const char *door, unsigned char address[16])
{
    return inet_pton(AF_INET, door, address) == 1 ? AF_INET : inet_pton(AF_INET6, door, address) == 1 ? AF_INET6 : 0;
}

bool smolvm_door_cidr(const char *door, char cidr[64], struct error *error)
{
    unsigned char address[16];
    int family = family_of(door, address);
    if (family == 0)
        return error_set(error, ERROR_USAGE, "\"%.64s\" is no IP address for a door", door);
    snprintf(cidr, 64, "%.45s/%d", door, family == AF_INET ? 32 : 128);
    return true;
}

static bool check_door(const struct smolvm_version *version, enum smolvm_policy policy, const char *door,
                       struct error *error)
{
    unsigned char address[16], block[16];
    int family = door == NULL ? 0 : family_of(door, address);
    if (family == 0 || (family == AF_INET6 && policy == SMOLVM_HARDENED))
        return error_set(error, ERROR_USAGE, "\"%.64s\" is no IP%s address for the door of a machine",
                         door == NULL ? "" : door, policy == SMOLVM_HARDENED ? "v4" : "");
    bool virtio = smolvm_can(version, SMOLVM_POLICY_VIRTIO);
    for (size_t i = 0; i < sizeof no_doors / sizeof *no_doors; i++) {
        if (family_of(no_doors[i].block, block) != family || !in_block(address, block, no_doors[i].bits) ||
            (no_doors[i].loopback && !virtio))
            continue;
        /* ::1 stands in ::/96 too, and is a door where loopback may be one. */
        if (!virtio && strcmp(no_doors[i].block, "::") == 0 && address[15] == 1)
            continue;
        return error_set(error, ERROR_USAGE, "%s can't be the door of a machine of smolvm %s: it %s", door,
                         version->text, no_doors[i].why);
    }
    return true;
}

bool smolvm_policy_check(const struct smolvm_version *version, enum smolvm_policy policy, const char *door,
                         struct error *error)
{
    if (!smolvm_can(version, SMOLVM_SUPPORTED))
        return smolvm_version_lacks(version, SMOLVM_SUPPORTED, error);
    if (policy == SMOLVM_OPEN)
        return true;
    if (policy == SMOLVM_HARDENED && !smolvm_can(version, SMOLVM_DNS_OPTION))
        return error_set(error, ERROR_HOST,
                         "smolvm %s can't keep DNS in: --policy=hardened takes %s or a newer one. --policy=cidr runs "
                         "it without that",
                         version->text, smolvm_feature_since(SMOLVM_DNS_OPTION));
    return check_door(version, policy, door, error);
}

bool smolvm_policy_is_lost(const struct smolvm_version *version, const struct smolvm_machine *machine)
{
    return machine->from != NULL && machine->policy != SMOLVM_OPEN && !smolvm_can(version, SMOLVM_FROM_KEEPS_POLICY);
}

/* Writes a word; after the first failure nothing any more. */
static void add(struct smolvm_arguments *arguments, struct error *error, bool *well, const char *word)
{
    size_t size = strlen(word) + 1;
    if (!*well)
        return;
    if (arguments->count == SMOLVM_WORDS || size > sizeof arguments->bytes - arguments->used) {
        *well = error_set(error, ERROR_USAGE, "the command line for smolvm is too long: %d words and %d bytes at most",
                          SMOLVM_WORDS, SMOLVM_WORD_BYTES);
        return;
    }
    arguments->words[arguments->count] = memcpy(arguments->bytes + arguments->used, word, size);
    arguments->used += size;
    arguments->words[++arguments->count] = NULL;
}

#define ADD(...)                                                                                                       \
    do {                                                                                                               \
        const char *const added[] = { __VA_ARGS__ };                                                                   \
        for (size_t next = 0; next < sizeof added / sizeof *added; next++)                                             \
            add(arguments, error, &well, added[next]);                                                                 \
    } while (0)

static void begin(struct smolvm_arguments *arguments)
{
    arguments->count = arguments->used = 0;
    arguments->words[0] = NULL;
}

static bool check_name(const char *name, struct error *error)
{
    return smolvm_name_valid(name) ||
           error_set(error, ERROR_USAGE,
                     "\"%.64s\" is no name for a machine: 1 to 63 of a-z, 0-9 and single '-' within", name);
}

static bool is_variable(const char *word)
{
    size_t length = strspn(word, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_");
    return length > 0 && word[length] == '=' && !(*word >= '0' && *word <= '9');
}

static void add_variables(struct smolvm_arguments *arguments, const char *const *variables, bool *state,
                          struct error *error)
{
    bool well = *state;
    for (size_t i = 0; well && variables != NULL && variables[i] != NULL; i++) {
        if (!is_variable(variables[i]))
            well = error_set(error, ERROR_USAGE, "\"%.64s\" is no NAME=VALUE for a machine", variables[i]);
        ADD("-e", variables[i]);
    }
    *state = well;
}

static void add_policy(struct smolvm_arguments *arguments, const struct smolvm_machine *machine, bool *state,
                       struct error *error)
{
    char cidr[64];
    bool well = *state;
    if (machine->policy == SMOLVM_OPEN) {
        ADD("--net");
    } else if (machine->policy == SMOLVM_HARDENED) {
        ADD("--allow-host", machine->door, "--dns", machine->door);
    } else if ((well = well && smolvm_door_cidr(machine->door, cidr, error))) {
        ADD("--allow-cidr", cidr);
    }
    if (machine->policy == SMOLVM_OPEN || machine->virtio_net)
        ADD("--net-backend", "virtio-net");
    *state = well;
}

bool smolvm_arguments_create(struct smolvm_arguments *arguments, const struct smolvm_version *version,
                             const struct smolvm_machine *machine, struct error *error)
{
    char cpus[16], memory[16];
    begin(arguments);
    bool well = check_name(machine->name, error) && smolvm_policy_check(version, machine->policy, machine->door, error);
    if (well && (machine->cpus < 1 || machine->cpus > 255 || machine->memory_mib < 64 || machine->memory_mib > 1048576))
        well = error_set(error, ERROR_USAGE, "a machine takes 1 to 255 processors and 64 to 1048576 MiB, not %u and %u",
                         machine->cpus, machine->memory_mib);
    if (well && machine->from != NULL && *machine->from != '/')
        well = error_set(error, ERROR_USAGE, "the machine to start from must be an absolute path, not \"%.64s\"",
                         machine->from);
    /* The list can be forced into the row afterwards; the DNS filter is dropped with it and can't be had that way. */
    if (well && machine->policy == SMOLVM_HARDENED && smolvm_policy_is_lost(version, machine))
        well = smolvm_version_lacks(version, SMOLVM_FROM_KEEPS_POLICY, error);
    snprintf(cpus, sizeof cpus, "%u", machine->cpus);
    snprintf(memory, sizeof memory, "%u", machine->memory_mib);
    ADD("smolvm", "machine", "create");
    if (smolvm_can(version, SMOLVM_NAME_OPTION))
        ADD("--name");
    ADD(machine->name, "--cpus", cpus, "--mem", memory);
    add_policy(arguments, machine, &well, error);
    if (machine->from != NULL)
        ADD("--from", machine->from);
    add_variables(arguments, machine->variables, &well, error);
    return well;
}

/* One row a verb. `always_option`: --name on every version. */
static const struct {
    const char *word;
    bool always_option;
    const char *before, *after; /* further words */
} verbs[SMOLVM_VERBS] = {
    [SMOLVM_START] = { "start", true, NULL, NULL },        [SMOLVM_STOP] = { "stop", true, NULL, NULL },
    [SMOLVM_DELETE] = { "delete", false, "-f", NULL },     [SMOLVM_STATUS] = { "status", true, NULL, "--json" },
    [SMOLVM_DATA_DIR] = { "data-dir", false, NULL, NULL }, [SMOLVM_EVENTS] = { "egress-events", true, "--json", NULL },
};

bool smolvm_arguments_plain(struct smolvm_arguments *arguments, const struct smolvm_version *version,
                            enum smolvm_verb verb, const char *name, struct error *error)
{
    char limit[16];
    begin(arguments);
    bool well = check_name(name, error);
    if (well && verb == SMOLVM_EVENTS && !smolvm_can(version, SMOLVM_EGRESS_EVENTS))
        well = smolvm_version_lacks(version, SMOLVM_EGRESS_EVENTS, error);
    ADD("smolvm", "machine", verbs[verb].word);
    if (verbs[verb].before != NULL)
        ADD(verbs[verb].before);
    if (verbs[verb].always_option || smolvm_can(version, SMOLVM_NAME_OPTION))
        ADD("--name");
    ADD(name);
    if (verbs[verb].after != NULL)
        ADD(verbs[verb].after);
    if (verb == SMOLVM_EVENTS) {
        snprintf(limit, sizeof limit, "%d", SMOLVM_EVENTS_LIMIT);
        ADD("--limit", limit);
    }
    return well;
}

bool smolvm_arguments_exec(struct smolvm_arguments *arguments, const char *name, const struct smolvm_exec *exec,
                           struct error *error)
{
    char timeout[16];
    begin(arguments);
    bool well = check_name(name, error);
    if (well && exec->command[0] == NULL)
        well = error_set(error, ERROR_USAGE, "there is no command to run in the machine");
    ADD("smolvm", "machine", "exec", "--name", name);
    snprintf(timeout, sizeof timeout, "%us", exec->timeout_seconds);
    if (exec->timeout_seconds > 0)
        ADD("--timeout", timeout);
    if (exec->input)
        ADD("-i");
    else if (exec->live)
        ADD("--stream");
    add_variables(arguments, exec->variables, &well, error);
    ADD("--");
    for (size_t i = 0; exec->command[i] != NULL; i++)
        ADD(exec->command[i]);
    return well;
}

bool smolvm_arguments_put(struct smolvm_arguments *arguments, const char *name, const char *from, const char *to,
                          struct error *error)
{
    char target[4096];
    begin(arguments);
    bool well = check_name(name, error);
    if (well && (*from != '/' || strchr(from, ':') != NULL))
        well = error_set(error, ERROR_USAGE,
                         "smolvm can't copy from \"%.128s\": it must be an absolute path without a ':'", from);
    if (well && (*to != '/' || snprintf(target, sizeof target, "%s:%s", name, to) >= (int)sizeof target))
        well = error_set(error, ERROR_USAGE,
                         "smolvm can't copy to \"%.128s\": it must be an absolute path in the machine", to);
    ADD("smolvm", "machine", "cp", from, well ? target : "");
    return well;
}

bool smolvm_arguments_version(struct smolvm_arguments *arguments, struct error *error)
{
    bool well = true;
    begin(arguments);
    ADD("smolvm", "--version");
    return well;
}
