/* See wrap.h: how the users of well-known sandboxes shut what these leave open. Each row is one that ci/sandboxes has shown, open and shut. */
#include <ctype.h>
#include <string.h>

#include "wrap.h"

#define ALL_IP                                                                                                         \
    1, 17, 18, 20, 21, 22, 23, 26, 27, 34, 38, 39, 44, 45, 46, 48, 49, 54, 55, 56, 60, 61, 62, 64, 68, 69, 70, 78

static const uint16_t ip[] = { ALL_IP, 0 };
static const uint16_t network[] = { ALL_IP, 114, 0 }; /* an abstract Unix socket belongs to a network namespace */
static const uint16_t by_stack[] = {
    17, 18, 22, 26, 34, 38, 39, 44, 46, 48, 49, 54, 55, 56, 61, 62, 64, 68, 69, 70, 0
};
static const uint16_t by_splice[] = { 1,  17, 18, 21, 23, 26, 27, 34, 39, 44, 45, 46, 48,
                                      49, 54, 55, 56, 60, 61, 62, 64, 68, 69, 70, 78, 0 };
static const uint16_t past_rules[] = { 1,  17, 18, 20, 21, 22, 23, 26, 27, 34, 38,  39, 46,
                                       48, 54, 55, 56, 60, 62, 64, 68, 69, 78, 114, 0 };
static const uint16_t files[] = { 112, 0 };
static const uint16_t descriptors[] = { 116, 0 };

#define CLOSE "it passes on what its caller has open: close every descriptor from 3 on before it is started"
#define HIDE  "it hides no file: give what it runs a mount namespace with an empty /run (bwrap --tmpfs /run)"

static const struct {
    const char *sandbox; /* as its command is called */
    const uint16_t *vectors;
    const char *text;
} remedies[] = {
    { "bwrap", network, "--unshare-net, or --unshare-all without --share-net" },
    { "bwrap", files, "--tmpfs /run after --ro-bind / /: a read-only bind leaves a socket to be connected to" },
    { "bwrap", descriptors, CLOSE },
    { "firejail", network, "--net=none" },
    { "firejail", files, "--whitelist=/run/nothing, which leaves /run empty" },
    { "systemd-nspawn", network, "--private-network" },
    { "sandbox-runtime", ip,
      "an empty list of allowed domains was taken for no list (CVE-2025-66479): take a newer version" },
    { "slirp4netns", by_stack,
      "it leads to all that its host reaches: filter in its network namespace, or give no network; "
      "--disable-host-loopback shuts 10.0.2.2 alone" },
    { "pasta", by_splice,
      "it leads to all that its host reaches: filter in its network namespace, or give no network; "
      "--no-map-gw -t none -u none -T none -U none shuts host loopback alone" },
    { "pasta", files, HIDE },
    { "pasta", descriptors, CLOSE },
    { "unshare", network, "--net" },
    { "unshare", files, HIDE },
    { "unshare", descriptors, CLOSE },
    { "landlock", past_rules,
      "its rules know TCP's bind and connect alone: give what it runs a network namespace as well" },
    { "landlock", files, HIDE },
    { "landlock", descriptors, CLOSE },
};

static bool shuts(const uint16_t *vectors, uint16_t vector)
{
    while (*vectors != 0 && *vectors != vector)
        vectors++;
    return *vectors != 0;
}

bool wrap_sandbox_remedy(size_t index, uint16_t vector, const char **sandbox, const char **text)
{
    if (index >= sizeof remedies / sizeof *remedies)
        return false;
    *sandbox = remedies[index].sandbox;
    *text = shuts(remedies[index].vectors, vector) ? remedies[index].text : NULL;
    return true;
}

/* As a word, or the beginning of one: firejail-in-container is firejail's. */
static bool is_named(const char *command, const char *sandbox)
{
    for (const char *at = command; (at = strstr(at, sandbox)) != NULL; at++) {
        unsigned char before = at == command ? ' ' : (unsigned char)at[-1], after = (unsigned char)at[strlen(sandbox)];
        if (!isalnum(before) && before != '-' && before != '_' && !isalnum(after))
            return true;
    }
    return false;
}

const char *wrap_find_remedy(const char *command, uint16_t vector)
{
    const char *sandbox, *text;
    for (size_t i = 0; command != NULL && wrap_sandbox_remedy(i, vector, &sandbox, &text); i++)
        if (text != NULL && is_named(command, sandbox))
            return text;
    return NULL;
}
