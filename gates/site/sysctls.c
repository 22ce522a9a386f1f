/*
 * See sysctls.h. One table: a row a setting, with the value in each namespace. A `*` in a path stands for the
 * interface, and the row is written for `all`, for `default` (interfaces to come) and for the site's own: the
 * kernel combines them in a different way for each setting (by the greater, by or, by and), and equal values
 * leave nothing to combine.
 *
 * A setting that the kernel doesn't have is an error, unless the row says that its absence does no harm.
 */
#include "sysctls.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "../../launcher/support/cleanup.h"

enum absence { MUST_EXIST, MAY_LACK };

struct setting {
    const char *path; /* below /proc/sys/net */
    const char *host, *world;
    enum absence absence; /* MAY_LACK: a kernel without it behaves as if it were set so, or the harm is noticed */
};

/* Forwarding comes first: changing it resets others. Sources: Linux Documentation/networking/ip-sysctl.rst.
 */
static const struct setting settings4[] = {
    { "ipv4/ip_forward", "0", "0", MUST_EXIST },
    { "ipv4/conf/*/rp_filter", "0", "0", MUST_EXIST },  /* un-masqueraded sources are heard, too */
    { "ipv4/conf/*/arp_ignore", "0", "0", MUST_EXIST }, /* ARP answers for every local address, so for all */
    { "ipv4/conf/*/arp_filter", "0", "0", MUST_EXIST },
    { "ipv4/conf/*/arp_announce", "0", "0", MUST_EXIST },
    { "ipv4/conf/*/accept_local", "0", "1", MUST_EXIST }, /* a forged source may well be the world's own address */
    { "ipv4/conf/*/route_localnet", "0", "0", MUST_EXIST },
    { "ipv4/conf/*/accept_redirects", "0", "0", MUST_EXIST },
    { "ipv4/conf/*/send_redirects", "0", "0", MUST_EXIST },
    { "ipv4/conf/*/drop_unicast_in_l2_multicast", "0", "0", MAY_LACK },
    { "ipv4/icmp_echo_ignore_all", "0", "0", MUST_EXIST },
    { "ipv4/ip_local_port_range", "32768 60999", "32768 60999", MUST_EXIST }, /* clear of the site's own ports */
    { "ipv4/tcp_syncookies", "1", "1", MAY_LACK }, /* a burst of connections is answered, not dropped */
    { "ipv4/tcp_max_syn_backlog", "32768", "32768", MUST_EXIST },
    /* Linux 6.1 shows it to the first user namespace alone. The queue is 4,096 there; losses.c sees it overflow. */
    { "core/somaxconn", "32768", "32768", MAY_LACK },
    { "ipv4/tcp_abort_on_overflow", "0", "0", MAY_LACK },
    /* What bare attempts need of their own kernel; where it has none of it, the attempt's record says so. */
    { "ipv4/tcp_fastopen", "3", "3", MAY_LACK },
    { "ipv4/tcp_fastopen_blackhole_timeout_sec", "0", "0", MAY_LACK }, /* one that was lost shuts off no other */
    { "mptcp/enabled", "1", "1", MAY_LACK },
    { "ipv4/igmp_max_memberships", "20", "20", MUST_EXIST },
    { "ipv4/igmp_link_local_mcast_reports", "1", "1", MAY_LACK },
    { "ipv4/conf/*/force_igmp_version", "0", "0", MUST_EXIST },
    { "ipv4/conf/*/igmpv3_unsolicited_report_interval", "1000", "1000", MAY_LACK },
};

static const struct setting settings6[] = {
    { "ipv6/conf/*/disable_ipv6", "0", "0", MUST_EXIST },
    { "ipv6/conf/*/forwarding", "0", "0", MUST_EXIST },
    { "ipv6/conf/*/accept_dad", "0", "0", MUST_EXIST }, /* addresses are usable at once */
    { "ipv6/conf/*/dad_transmits", "0", "0", MUST_EXIST },
    { "ipv6/conf/*/accept_ra", "0", "0", MUST_EXIST },
    { "ipv6/conf/*/autoconf", "0", "0", MUST_EXIST },
    { "ipv6/conf/*/router_solicitations", "0", "0", MUST_EXIST }, /* no packet that no attempt explains */
    { "ipv6/conf/*/accept_redirects", "0", "0", MUST_EXIST },
    { "ipv6/conf/*/use_tempaddr", "0", "0", MAY_LACK },  /* the source address of a packet is known beforehand */
    { "ipv6/conf/*/addr_gen_mode", "1", "1", MAY_LACK }, /* link-local ones are the site's own */
    { "ipv6/conf/*/drop_unicast_in_l2_multicast", "0", "0", MAY_LACK },
    { "ipv6/conf/*/force_mld_version", "0", "0", MUST_EXIST },
    { "ipv6/conf/*/mldv2_unsolicited_report_interval", "1000", "1000", MAY_LACK },
    { "ipv6/bindv6only", "0", "0", MUST_EXIST },
    { "ipv6/icmp/echo_ignore_all", "0", "0", MAY_LACK },
};

#define COUNT(table) (sizeof(table) / sizeof(table)[0])

static int write_setting(const char *path, const char *value)
{
    char full[160];
    snprintf(full, sizeof full, "/proc/sys/net/%s", path);
    cleanup_close int file = open(full, O_WRONLY | O_CLOEXEC);
    if (file < 0)
        return errno;
    return write(file, value, strlen(value)) == (ssize_t)strlen(value) ? 0 : errno;
}

static bool set(const struct setting *setting, const char *path, bool world, struct error *error)
{
    const char *value = world ? setting->world : setting->host;
    int failed = write_setting(path, value);
    if (failed == 0 || (failed == ENOENT && setting->absence == MAY_LACK))
        return true;
    if (failed == EROFS)
        return error_set(error, ERROR_HOST,
                         "can't set net/%s: /proc/sys is read-only here; run outside this container, or give it a "
                         "writable /proc/sys/net",
                         path);
    errno = failed;
    return error_system(error, "can't set net/%s to %s", path, value);
}

static bool set_all(const struct setting *settings, size_t count, bool world, const char *device, struct error *error)
{
    const char *const interfaces[] = { "all", "default", device, "lo" };
    for (size_t i = 0; i < count; i++) {
        const char *star = strchr(settings[i].path, '*');
        if (star == NULL && !set(&settings[i], settings[i].path, world, error))
            return false;
        for (size_t j = 0; star != NULL && j < COUNT(interfaces); j++) {
            char path[128];
            snprintf(path, sizeof path, "%.*s%s%s", (int)(star - settings[i].path), settings[i].path, interfaces[j],
                     star + 1);
            if (!set(&settings[i], path, world, error))
                return false;
        }
    }
    return true;
}

bool sysctls_have_ipv6(void)
{
    return access("/proc/sys/net/ipv6/conf/all/disable_ipv6", F_OK) == 0;
}

/* Who may open ping sockets (icmp(7)): everybody who has an id here. Groups that aren't mapped are refused
 * with EINVAL: then there is but one, and it is 0 for those below it as well. */
static bool allow_ping(struct error *error)
{
    int failed = write_setting("ipv4/ping_group_range", "0 65534");
    if (failed == EINVAL)
        failed = write_setting("ipv4/ping_group_range", "0 0");
    errno = failed;
    return failed == 0 || error_system(error, "can't set net/ipv4/ping_group_range");
}

bool sysctls_set(bool world, bool ipv6, const char *device, struct error *error)
{
    return set_all(settings4, COUNT(settings4), world, device, error) &&
           (!ipv6 || set_all(settings6, COUNT(settings6), world, device, error)) && allow_ping(error);
}

static bool set_one(const struct setting *settings, size_t count, const char *device, struct error *error)
{
    for (size_t i = 0; i < count; i++) {
        const char *star = strchr(settings[i].path, '*');
        char path[128];
        if (star == NULL)
            continue;
        snprintf(path, sizeof path, "%.*s%s%s", (int)(star - settings[i].path), settings[i].path, device, star + 1);
        if (!set(&settings[i], path, false, error))
            return false;
    }
    return true;
}

bool sysctls_set_device(bool ipv6, const char *device, struct error *error)
{
    return set_one(settings4, COUNT(settings4), device, error) &&
           (!ipv6 || set_one(settings6, COUNT(settings6), device, error));
}

bool sysctls_accept_own(const char *device, struct error *error)
{
    char path[64];
    snprintf(path, sizeof path, "ipv4/conf/%s/accept_local", device);
    errno = write_setting(path, "1");
    return errno == 0 || error_system(error, "can't set net/%s", path);
}
