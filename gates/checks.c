/*
 * See checks.h. Settings first, then what only a try can tell, then what a run can do without. What needs namespaces is not
 * tried where they are forbidden: it would only say the same again.
 */
#include "checks.h"

#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../launcher/namespaces.h"
#include "../launcher/support/cleanup.h"
#include "../launcher/support/install.h"
#include "on_machine.h"
#include "preflight.h"
#include "site/features.h"
#include "site/site.h"
#include "site/sysctls.h"
#include "witness/socket_table.h"
#include "witness/vsock_owned.h"

struct list {
    struct check *checks;
    size_t count;
};

/* `error` is empty where it is ok. */
static void add(struct list *list, const char *name, const char *purpose, const char *unproved,
                const struct error *error)
{
    struct check *check = &list->checks[list->count];
    if (list->count == CHECKS_MAX)
        return;
    list->count++;
    *check = (struct check){ .purpose = purpose, .unproved = unproved };
    snprintf(check->name, sizeof check->name, "%s", name);
    snprintf(check->problem, sizeof check->problem, "%s", error->text);
    check->state = error->code == ERROR_NONE ? CHECK_OK : unproved != NULL ? CHECK_LESS : CHECK_MISSING;
}

static void add_unknown(struct list *list, const char *name, const char *purpose)
{
    struct error error = { ERROR_HOST, "can't be looked at before what is missing above is mended" };
    add(list, name, purpose, NULL, &error);
    list->checks[list->count - 1].state = CHECK_UNKNOWN;
}

static bool check_helpers(struct error *error)
{
    char path[PATH_MAX];
    return install_find("bottle-probe", path, error) && install_find("bottle-init", path, error) &&
           install_find("bottle-step", path, error);
}

static bool check_ipv6(struct error *error)
{
    return sysctls_have_ipv6() ||
           error_set(error, ERROR_HOST,
                     "this kernel has no IPv6: boot it without ipv6.disable=1, or one with CONFIG_IPV6");
}

static bool check_mptcp(struct error *error)
{
    cleanup_close int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_MPTCP);
    if (fd >= 0 || errno == ENOPROTOOPT) /* off by net.mptcp.enabled, which the site sets */
        return true;
    return error_set(error, ERROR_HOST, "this kernel has no multipath TCP (%s): boot one with CONFIG_MPTCP",
                     strerror(errno));
}

static bool check_fastopen(struct error *error)
{
    return access("/proc/sys/net/ipv4/tcp_fastopen", F_OK) == 0 ||
           error_set(error, ERROR_HOST, "this kernel has no TCP fast open: boot one that has net.ipv4.tcp_fastopen");
}

static bool check_socket_table(struct error *error)
{
    struct socket_table table = { .netlink = -1 };
    bool opened = socket_table_open(&table, error);
    socket_table_close(&table);
    return opened;
}

static bool check_ids(struct error *error)
{
    return (geteuid() == 0 && namespaces_have_block()) ||
           error_set(error, ERROR_HOST,
                     "an ordinary user can map one id only, so user, root and the gate are one uid: run it as root");
}

/* Those that a run can do without. */
static const struct {
    const char *name, *purpose, *unproved;
    bool (*look)(struct error *error);
} optional[] = {
    { "ids", "principals with ids of their own on the host", "BG-112: what file permissions alone would stop",
      check_ids },
    { "ipv6", "attempts over IPv6", "the IPv6 targets of all vectors", check_ipv6 },
    { "vsock-loopback", "a vsock context that the gate owns", "BG-106", vsock_owned },
    { "mptcp", "attempts by multipath TCP", "BG-068: blocked as unsupported, not by a fence", check_mptcp },
    { "tcp-fastopen", "attempts with data in the SYN", "BG-069: blocked as unsupported, not by a fence",
      check_fastopen },
    { "socket-diag", "the host's table of sockets", "BG-001: what listens or dials on the host for a bottle",
      check_socket_table },
};

static bool check_namespaces(struct list *list)
{
    bool allowed = true;
    char name[64];
    for (size_t i = 0; i < namespaces_settings(); i++) {
        struct error error = { 0 };
        allowed = namespaces_setting("/proc", i, name, &error) && allowed;
        add(list, name, "making namespaces", NULL, &error);
    }
    struct error error = { 0 };
    if (!allowed) {
        add_unknown(list, "namespaces", "a try with all that a bottle needs");
        return false;
    }
    bool tried = namespaces_try(&error);
    add(list, "namespaces", "a try with all that a bottle needs", NULL, &error);
    return tried;
}

static bool check_site(struct list *list, bool namespaces)
{
    struct error missing[SITE_FEATURES] = { 0 }, failed = { 0 };
    bool tried = namespaces && site_features_try(missing, &failed), whole = tried;
    for (size_t i = 0; i < SITE_FEATURES; i++) {
        const char *name = site_feature_name((enum site_feature)i);
        const char *purpose = site_feature_purpose((enum site_feature)i);
        if (tried)
            add(list, name, purpose, NULL, &missing[i]);
        else
            add_unknown(list, name, purpose);
        whole = whole && missing[i].code == ERROR_NONE;
    }
    if (namespaces && !tried)
        add(list, "site", "the sealed world around a bottle", NULL, &failed);
    else if (!whole)
        add_unknown(list, "site", "the sealed world around a bottle");
    else {
        whole = site_preflight(&failed);
        add(list, "site", "the sealed world around a bottle", NULL, &failed);
    }
    return whole;
}

/* What the backend itself asks for: its own list, or a try with a bottle. */
static void check_backend(struct list *list, const struct backend *backend, const char *policy, bool bottles)
{
    uint32_t well = 0;
    if (backend->check_count == 0 && !bottles)
        add_unknown(list, "bottle", "a try with a bottle of this backend");
    else if (backend->check_count == 0) {
        struct error error = { 0 };
        (void)backend->preflight(policy, &error);
        add(list, "bottle", "a try with a bottle of this backend", NULL, &error);
    }
    for (size_t i = 0; i < backend->check_count; i++) {
        const struct host_check *check = &backend->checks[i];
        struct error error = { 0 };
        if ((check->after & ~well) != 0 || (check->makes_bottle && !bottles)) {
            add_unknown(list, check->name, check->purpose);
            continue;
        }
        well |= check->look(policy, &error) ? 1u << i : 0;
        add(list, check->name, check->purpose, NULL, &error);
    }
}

static bool check_own(struct list *list)
{
    struct error descriptors = { 0 }, helpers = { 0 };
    bool ready = preflight_descriptors(&descriptors);
    add(list, "descriptors", "open files", NULL, &descriptors);
    ready = check_helpers(&helpers) && ready;
    add(list, "helpers", "bottle-probe, bottle-init and bottle-step", NULL, &helpers);
    return ready;
}

size_t checks_make_on_machine(const struct backend *backend, struct check checks[CHECKS_MAX])
{
    struct list list = { checks, 0 };
    struct error ping = { 0 };
    bool allowed = true;
    check_own(&list);
    for (size_t i = 0; i < ON_MACHINE_CHECKS; i++) {
        const struct on_machine_check *check = &on_machine_checks[i];
        struct error error = { 0 };
        if (!allowed) {
            add_unknown(&list, check->name, check->purpose);
            continue;
        }
        bool well = check->look(backend, &error);
        allowed = well || i > 0; /* the first are the rights, without which nothing can be looked at */
        add(&list, check->name, check->purpose, NULL, &error);
    }
    (void)on_machine_may_ping(&ping);
    add(&list, "ping-groups", "attempts by ICMP", "BG-064", &ping);
    for (size_t i = 0; i < sizeof optional / sizeof *optional; i++) {
        struct error error = { 0 };
        if (optional[i].look == vsock_owned) /* nothing is sent by vsock there */
            continue;
        (void)optional[i].look(&error);
        add(&list, optional[i].name, optional[i].purpose, optional[i].unproved, &error);
    }
    return list.count;
}

size_t checks_make(const struct backend *backend, const char *policy, struct check checks[CHECKS_MAX])
{
    struct list list = { checks, 0 };
    bool ready = check_own(&list);
    bool namespaces = check_namespaces(&list);
    check_site(&list, namespaces);
    check_backend(&list, backend, policy, namespaces && ready);
    for (size_t i = 0; i < sizeof optional / sizeof *optional; i++) {
        struct error error = { 0 };
        (void)optional[i].look(&error);
        add(&list, optional[i].name, optional[i].purpose, optional[i].unproved, &error);
    }
    return list.count;
}

bool checks_passed(const struct check *checks, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (checks[i].state == CHECK_MISSING || checks[i].state == CHECK_UNKNOWN)
            return false;
    return true;
}

const char *check_state_name(enum check_state state)
{
    static const char *const names[CHECK_STATES] = { "ok", "missing", "less", "unknown" };
    return names[state];
}
