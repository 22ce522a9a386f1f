/* See plan_targets.h. Places of the site are resolved here and nowhere else. */
#include "plan_targets.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "site/machine.h"
#include "site/site.h"

static const struct {
    const char *name, *literal;
} places[] = {
    { "@host4", SITE_HOST4 },
    { "@host6", SITE_HOST6 },
    { "@gateway4", SITE_GATEWAY4 },
    { "@gateway6", SITE_GATEWAY6 },
    { "@neighbour4", SITE_NEIGHBOUR4 },
    { "@neighbour6", SITE_NEIGHBOUR6 },
    { "@resolver4", SITE_RESOLVER4 },
    { "@resolver6", SITE_RESOLVER6 },
    { "@broadcast4", SITE_BROADCAST4 },
    { "@link-host", SITE_LINK_HOST6 },
    { "@link-gateway", SITE_LINK_GATEWAY6 },
};

bool plan_target_is_wireless(const struct vector_target *target)
{
    enum transport transport = mechanism_transport(target->mechanism);
    return transport == TRANSPORT_UNIX || transport == TRANSPORT_VSOCK || transport == TRANSPORT_DESCRIPTOR;
}

/* The literal behind the place that `text` begins with, and what follows its name; `text` itself if there is none. */
static const char *literal_of(const char *text, const struct plan_wishes *wishes, const char **rest)
{
    size_t name = strcspn(text, "%/");
    const struct machine_places *machine = wishes->machine;
    *rest = text + name;
    if (machine != NULL && name == 6 && memcmp(text, "@host", 5) == 0)
        return text[5] == '4' ? machine->host4 : machine->host6;
    if (machine != NULL && strncmp(text, "@route:", 7) == 0 && strchr(text + 7, ':') == NULL) {
        *rest = "";
        return machine->gateway4;
    }
    for (size_t i = 0; i < sizeof places / sizeof *places; i++)
        if (strlen(places[i].name) == name && memcmp(places[i].name, text, name) == 0)
            return places[i].literal;
    if (name == 6 && memcmp(text, "@peer", 5) == 0) {
        const char *peer = text[5] == '4' ? wishes->peer4 : wishes->peer6;
        return peer != NULL ? peer : ""; /* nowhere; what is planned never leads there */
    }
    *rest = "";
    return text;
}

void plan_resolve_target(struct run_attempt *attempt, const struct plan_wishes *wishes)
{
    const struct vector_target *target = attempt->target;
    const char *rest, *literal = literal_of(target->address, wishes, &rest);
    bool resolver = strncmp(target->address, "@resolver", 9) == 0;
    snprintf(attempt->address, sizeof attempt->address, "%s%s%s", resolver ? "@resolver:" : "", literal, rest);
    if (plan_target_is_wireless(target))
        return;
    attempt->ipv6 = strchr(literal, ':') != NULL;
    if (strncmp(literal, "@route:", 7) == 0) {
        attempt->ipv6 = strchr(literal + 7, ':') != NULL;
        literal = attempt->ipv6 ? "::" : "0.0.0.0";
    }
    if (target->wire != NULL)
        snprintf(attempt->wire, sizeof attempt->wire, "%s", target->wire);
    else
        snprintf(attempt->wire, sizeof attempt->wire, "%.*s", (int)strcspn(literal, "%/"), literal);
}

static bool is_of_one_host(enum mechanism mechanism)
{
    return mechanism != MECHANISM_UDP_BROADCAST && mechanism != MECHANISM_MULTICAST_JOIN &&
           mechanism != MECHANISM_UDP_ON_LINK;
}

bool plan_target_is_allowed(const struct run_attempt *attempt, const struct machine_places *machine)
{
    const struct vector_target *target = attempt->target;
    char literal[sizeof attempt->wire];
    if (machine == NULL)
        return true;
    if (plan_target_is_wireless(target))
        return target->mechanism == MECHANISM_INHERITED || strncmp(attempt->address, "@abstract:", 10) == 0;
    if (attempt->address[0] == '@' || !is_of_one_host(target->mechanism))
        return false;
    snprintf(literal, sizeof literal, "%.*s", (int)strcspn(attempt->wire, "*"), attempt->wire);
    return machine_owns(literal, machine->networks) || strcmp(literal, machine->host4) == 0 ||
           strcmp(literal, machine->host6) == 0;
}

void plan_fill_star(const char *pattern, const uint8_t *nonce, char *literal, size_t size)
{
    size_t length = strlen(pattern);
    char before = length < 2 || pattern[length - 1] != '*' ? '\0' : pattern[length - 2];
    if (before == '.') {
        snprintf(literal, size, "%.*s%u.%u.%u", (int)(length - 1), pattern, nonce[0], nonce[1], nonce[2]);
    } else if (before == ':') {
        struct in6_addr address = { 0 };
        char prefix[64];
        snprintf(prefix, sizeof prefix, "%.*s", (int)(length - 1), pattern);
        inet_pton(AF_INET6, prefix, &address);
        memcpy(&address.s6_addr[8], nonce, 8);
        inet_ntop(AF_INET6, &address, literal, (socklen_t)size);
    } else {
        snprintf(literal, size, "%s", pattern);
    }
}

void plan_describe_target(const struct run_plan *plan, uint16_t seq, enum principal principal, char *text, size_t size)
{
    const struct run_attempt *attempt = &plan->attempts[seq - 1];
    const char *address = attempt->address;
    const char *transport = transport_name(mechanism_transport(attempt->target->mechanism));
    uint16_t port = plan_port(plan, seq, principal);
    if (strncmp(address, "@resolver:", 10) == 0)
        address += 10;
    int length = (int)strcspn(address, "/");
    if (strncmp(address, "@abstract:", 10) == 0)
        snprintf(text, size, "@%s/%s", address + 10, transport);
    else if (strncmp(address, "@path:", 6) == 0)
        snprintf(text, size, "%s/%s", address + 6, transport);
    else if (strncmp(address, "@route:", 7) == 0)
        snprintf(text, size, "gateway(%s):%u/%s", attempt->ipv6 ? "IPv6" : "IPv4", port, transport);
    else if (address[0] == '@')
        snprintf(text, size, "%s/%s", address + 1, transport);
    else if (plan_is_sweep(attempt) && plan->sweep == SWEEP_ALL)
        snprintf(text, size, attempt->ipv6 ? "[%s]:1-65535/%s" : "%s:1-65535/%s", address, transport);
    else if (plan_is_sweep(attempt))
        snprintf(text, size, attempt->ipv6 ? "[%s]:%u ports/%s" : "%s:%u ports/%s", address, SWEEP_SAMPLE_PORTS,
                 transport);
    else if (port == 0)
        snprintf(text, size, "%s/%s", address, transport);
    else
        snprintf(text, size, attempt->ipv6 ? "[%.*s]:%u/%s" : "%.*s:%u/%s", length, address, port, transport);
}
