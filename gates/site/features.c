/*
 * See features.h. A child in user, network, mount and PID namespaces of its own tries one feature after the other and sends
 * an error object for each: what one lacks is no reason not to look at the next.
 */
#include "features.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <netinet/in.h>
#include <unistd.h>

#include "../../launcher/namespaces.h"
#include "../../launcher/support/cleanup.h"
#include "../../launcher/support/process.h"
#include "firewall.h"
#include "links.h"

#define BOUND (40 * 1000 * 1000ULL) /* microseconds; loading modules included */

static bool try_proc(struct error *error)
{
    if (mount("", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
        mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) == 0)
        return true;
    return error_set(error, ERROR_HOST,
                     "can't mount /proc (%s): parts of this container's /proc are masked; run where /proc is whole "
                     "(docker: --security-opt systempaths=unconfined)",
                     strerror(errno));
}

static bool try_settings(struct error *error)
{
    cleanup_close int file = open("/proc/sys/net/ipv4/ip_forward", O_WRONLY | O_CLOEXEC);
    if (file >= 0 && write(file, "0", 1) == 1)
        return true;
    return error_set(error, ERROR_HOST,
                     "can't write /proc/sys/net (%s): run outside this container, or give it a writable /proc/sys/net",
                     strerror(errno));
}

static bool try_veth(struct error *error)
{
    struct links links = { 0 };
    cleanup_close int here = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    bool made = here >= 0 && links_open(&links, error) &&
                links_add_pair(&links, "veth", "feature0", "feature1", here, NULL, error);
    links_close(&links);
    return made || error_set(error, ERROR_HOST, "can't open /proc/self/ns/net (%s)", strerror(errno));
}

static bool try_rules(struct error *error)
{
    struct links links = { 0 };
    struct error said = { 0 };
    bool made = links_open(&links, error) && links_add_rule(&links, AF_INET, "lo", 100, &said);
    links_close(&links);
    return made || error_set(error, ERROR_HOST,
                             "this kernel has no policy routing (%.200s): boot one with CONFIG_IP_MULTIPLE_TABLES and "
                             "CONFIG_IPV6_MULTIPLE_TABLES",
                             said.text);
}

#define FILTER_CHAIN "table inet feature {\n chain c {\n type filter hook prerouting priority mangle;\n"
#define NAT_CHAIN    "table inet nat_feature {\n chain c {\n type nat hook prerouting priority dstnat;\n"
#define END          "\n }\n}\n"

static bool try_tables(struct error *error)
{
    return firewall_load("first", FILTER_CHAIN END, "nf_tables", error);
}

static bool try_redirect(struct error *error)
{
    return firewall_load("redirecting", NAT_CHAIN " tcp dport 1 redirect to :2" END, "nft_chain_nat nft_redir", error);
}

static bool try_fib(struct error *error)
{
    return firewall_load("address type", FILTER_CHAIN " fib daddr type local accept" END, "nft_fib_inet", error);
}

static bool try_tproxy(struct error *error)
{
    return firewall_load("transparent proxy", FILTER_CHAIN " meta nfproto ipv4 tcp dport 1 tproxy ip to :2" END,
                         "nft_tproxy", error);
}

static bool try_log(struct error *error)
{
    return firewall_load("logging", FILTER_CHAIN " log group 1" END, "nft_log nfnetlink_log", error);
}

static bool try_conntrack(struct error *error)
{
    return access("/proc/net/stat/nf_conntrack", F_OK) == 0 ||
           error_set(
               error, ERROR_HOST,
               "this kernel doesn't count what its connection table drops: sudo modprobe nf_conntrack, or boot one "
               "with CONFIG_NF_CONNTRACK_PROCFS");
}

static bool try_packets(struct error *error)
{
    cleanup_close int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETH_P_ALL));
    return fd >= 0 || error_set(error, ERROR_HOST,
                                "can't capture packets (%s): sudo modprobe af_packet, or boot a kernel with "
                                "CONFIG_PACKET",
                                strerror(errno));
}

static bool try_ping(struct error *error)
{
    cleanup_close int file = open("/proc/sys/net/ipv4/ping_group_range", O_WRONLY | O_CLOEXEC);
    if (file < 0 || (write(file, "0 65534", 7) != 7 && write(file, "0 0", 3) != 3))
        return error_set(error, ERROR_HOST, "can't set net.ipv4.ping_group_range (%s): give a writable /proc/sys/net",
                         strerror(errno));
    cleanup_close int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, IPPROTO_ICMP);
    return fd >= 0 ||
           error_set(error, ERROR_HOST, "can't open a ping socket (%s): boot a kernel that has them", strerror(errno));
}

static const struct {
    const char *name, *purpose;
    bool (*attempt)(struct error *error);
} features[SITE_FEATURES] = {
    [FEATURE_PROC] = { "proc", "a /proc of its own for each run", try_proc },
    [FEATURE_SETTINGS] = { "net-settings", "writing the network settings of a namespace", try_settings },
    [FEATURE_VETH] = { "veth", "the cable between the site's two namespaces", try_veth },
    [FEATURE_RULES] = { "policy-routing", "owning every address there is", try_rules },
    [FEATURE_TABLES] = { "nf-tables", "leading packets to the witnesses", try_tables },
    [FEATURE_REDIRECT] = { "nft-redirect", "one witness for every port of the world", try_redirect },
    [FEATURE_FIB] = { "nft-fib", "telling the host's own addresses", try_fib },
    [FEATURE_TPROXY] = { "nft-tproxy", "one witness for every port of host loopback", try_tproxy },
    [FEATURE_LOG] = { "nft-log", "hearing what the host lets in by other interfaces", try_log },
    [FEATURE_CONNTRACK] = { "conntrack-counters", "knowing that the kernel lost no connection", try_conntrack },
    [FEATURE_PACKETS] = { "packet-sockets", "the capture witness", try_packets },
    [FEATURE_PING] = { "ping-sockets", "attempts by ICMP", try_ping },
};

const char *site_feature_name(enum site_feature feature)
{
    return features[feature].name;
}

const char *site_feature_purpose(enum site_feature feature)
{
    return features[feature].purpose;
}

/* The child: waits until its ids are mapped, then tries. */
static _Noreturn void try_all(int go, struct error missing[SITE_FEATURES])
{
    char byte;
    if (read_all(go, &byte, 1) != 1 || setresgid(0, 0, 0) != 0 || setresuid(0, 0, 0) != 0)
        _exit(1);
    for (size_t i = 0; i < SITE_FEATURES; i++)
        (void)features[i].attempt(&missing[i]);
    _exit(0);
}

static bool try_in_child(struct error *shared, struct error *error)
{
    int go[2], status = -1;
    if (pipe2(go, O_CLOEXEC) < 0)
        return error_system(error, "can't make a pipe");
    cleanup_close int go_read = go[0], go_write = go[1];
    pid_t pid = namespaces_fork(CLONE_NEWUSER | CLONE_NEWNET | CLONE_NEWNS | CLONE_NEWPID, error);
    if (pid < 0)
        return false;
    if (pid == 0) {
        close(go_write);
        try_all(go_read, shared);
    }
    bool ended = namespaces_map_ids(pid, 0, error) && write_all(go_write, "", 1) &&
                 process_wait(pid, clock_microseconds() + BOUND, &status);
    if (!ended)
        process_kill(pid);
    return (ended && status == 0) ||
           error_set(error, ERROR_HOST, "can't tell what this kernel has: the attempt did not end well");
}

bool site_features_try(struct error missing[SITE_FEATURES], struct error *error)
{
    size_t size = SITE_FEATURES * sizeof *missing;
    struct error *shared = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED)
        return error_system(error, "out of memory");
    bool tried = try_in_child(shared, error);
    if (tried)
        memcpy(missing, shared, size);
    munmap(shared, size);
    return tried;
}
