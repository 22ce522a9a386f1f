/*
 * A small sealed site for tests of the witness process: the network of gates/site, made with ip(8) and
 * nft(8), in namespaces that end with the test. No packet can leave it: neither network namespace has a way
 * out. A test body runs as the site's root in a child of the test, in the host namespace; what it finds wrong
 * comes back as a text.
 */
#ifndef TESTS_UNIT_WITNESS_SITE_H
#define TESTS_UNIT_WITNESS_SITE_H

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../gates/witness/witness.h"
#include "../../launcher/support/process.h"
#include "../../probes/encode.h"

#define SITE_WATCHES     64
#define SITE_MESSAGES    1024
#define SITE_PATIENCE    5000000 /* microseconds, for one message */
#define SITE_SOCKETS_DIR "/tmp/witness"

struct test_site {
    int complaints; /* pipe to the test */
    int host, world;
    struct watch watches[SITE_WATCHES];
    struct witness_setup setup;
    struct witness witness;
    struct witness_message messages[SITE_MESSAGES];
    size_t message_count;
};

typedef void site_body(struct test_site *site);

/* Ends the body: the test fails with this text. */
__attribute__((format(printf, 2, 3))) static inline void site_complain(struct test_site *site, const char *format, ...)
{
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    write_all(site->complaints, text, strlen(text));
    _exit(1);
}

#define site_check(site, condition, ...)                                                                               \
    do {                                                                                                               \
        if (!(condition))                                                                                              \
            site_complain(site, __VA_ARGS__);                                                                          \
    } while (0)

/* Runs a shell script in a network namespace of the site. */
static inline void site_run(struct test_site *site, int network_namespace, const char *script)
{
    pid_t pid = fork();
    if (pid == 0) {
        setenv("PATH", "/usr/sbin:/usr/bin:/sbin:/bin", 1);
        if (setns(network_namespace, CLONE_NEWNET) == 0)
            execl("/bin/sh", "sh", "-ec", script, (char *)NULL);
        _exit(127);
    }
    int status = 0;
    waitpid(pid, &status, 0);
    site_check(site, status == 0, "the site can't be made: status %d of: %.400s", status, script);
}

static inline void site_map_self(struct test_site *site)
{
    char uids[32], gids[32];
    snprintf(uids, sizeof uids, "0 %u 1", getuid());
    snprintf(gids, sizeof gids, "0 %u 1", getgid());
    struct error error = { 0 };
    site_check(site, unshare(CLONE_NEWUSER | CLONE_NEWNET | CLONE_NEWNS) == 0, "unshare: %s", strerror(errno));
    site_check(site,
               file_write("/proc/self/setgroups", "deny", &error) && file_write("/proc/self/uid_map", uids, &error) &&
                   file_write("/proc/self/gid_map", gids, &error),
               "%s", error.text);
    site_check(site,
               mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
                   mount("tmpfs", "/tmp", "tmpfs", 0, NULL) == 0 && mkdir(SITE_SOCKETS_DIR, 0755) == 0,
               "mount: %s", strerror(errno));
}

static inline void site_make(struct test_site *site)
{
    char script[256];
    site_map_self(site);
    site->host = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    site_check(site, unshare(CLONE_NEWNET) == 0, "unshare: %s", strerror(errno));
    site->world = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    site_check(site, setns(site->host, CLONE_NEWNET) == 0, "setns: %s", strerror(errno));
    snprintf(script, sizeof script, "ip link add lan0 type veth peer name wan0 netns /proc/%d/fd/%d", getpid(),
             site->world);
    site_run(site, site->host, script);
    site_run(site, site->host,
             "ip link set lo up\n"
             "ip link add side0 address 02:00:00:00:77:01 type veth peer name side1 address 02:00:00:00:77:01\n"
             "ip link set side0 up arp off; ip link set side1 up arp off; ip route add 192.0.2.77/32 dev side0\n"
             "sysctl -qw net.ipv6.conf.lan0.accept_dad=0 net.ipv4.ping_group_range='0 0'\n"
             "ip addr add 10.77.0.1/24 dev lan0; ip -6 addr add fd77::1/64 dev lan0 nodad; ip link set lan0 up\n"
             "ip route add default via 10.77.0.254; ip -6 route add fd77::fe/128 dev lan0\n"
             "ip -6 route add default via fd77::fe dev lan0\n"
             "nft -f - <<END\n"
             "table inet host {\n"
             " chain divert {\n"
             "  type filter hook prerouting priority mangle; policy accept;\n"
             "  iifname lo fib daddr type local meta nfproto ipv4 tcp dport != 7700-7799 tproxy ip to :7712\n"
             "  iifname lo fib daddr type local meta nfproto ipv6 tcp dport != 7700-7799 tproxy ip6 to :7712\n"
             "  iifname side1 ip daddr 192.0.2.77 ip daddr set 10.77.0.1\n"
             " }\n"
             " chain let_in {\n"
             "  type filter hook input priority 2147483647; policy accept;\n"
             "  iifname != { lo, lan0 } log group 77\n"
             " }\n"
             "}\n"
             "END\n");
    site_run(site, site->world,
             "ip link set lo up\n"
             "sysctl -qw net.ipv4.conf.all.arp_ignore=0 net.ipv4.conf.all.rp_filter=0 "
             "net.ipv4.conf.wan0.rp_filter=0 net.ipv6.conf.wan0.accept_dad=0\n"
             "ip link set wan0 up; ip addr add 10.77.0.254/32 dev wan0; ip route add 10.77.0.1/32 dev wan0\n"
             "ip route add default via 10.77.0.1 dev wan0\n"
             "ip -6 addr add fd77::fe/128 dev wan0 nodad; ip -6 route add fd77::1/128 dev wan0\n"
             "ip -6 route add default via fd77::1 dev wan0\n"
             "ip route add local default dev lo table 100; ip rule add iif wan0 lookup 100\n"
             "ip -6 route add local default dev lo table 100; ip -6 rule add iif wan0 lookup 100\n"
             "nft -f - <<END\n"
             "table inet world {\n"
             " chain redirect_all {\n"
             "  type nat hook prerouting priority -100; policy accept;\n"
             "  iifname wan0 meta l4proto tcp redirect to :7712\n"
             "  iifname wan0 udp dport 53 redirect to :7711\n"
             "  iifname wan0 meta l4proto udp redirect to :7710\n"
             "  iifname wan0 icmp type echo-request redirect\n"
             "  iifname wan0 icmpv6 type echo-request redirect\n"
             " }\n"
             "}\n"
             "END\n");
}

#define SITE_LOST  75 /* exit status of a body that was told of a loss: it gives up and may be tried again */
#define SITE_TRIES 8

/* Runs `body` in a child of the test, which has yet to make its site; returns how the child ended. */
static inline int in_site_once(site_body *body, char text[512])
{
    int ends[2];
    cr_assert_eq(pipe2(ends, O_CLOEXEC), 0);
    pid_t pid = fork();
    if (pid == 0) {
        static struct test_site site;     /* large */
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* a test that is cut off by its time limit leaves nothing */
        close(ends[0]);
        site.complaints = ends[1];
        body(&site);
        _exit(0);
    }
    close(ends[1]);
    ssize_t size = read_all(ends[0], text, 511);
    text[size > 0 ? size : 0] = '\0';
    close(ends[0]);
    int status = 0;
    waitpid(pid, &status, 0);
    return status;
}

static inline void in_site_made_by_body(site_body *body)
{
    char text[512];
    int status = in_site_once(body, text);
    cr_assert(text[0] == '\0' && status == 0, "%s (wait status 0x%x)", text, status);
}

/* For a body that floods the witnesses: on a machine that is busy with other things something may be lost, and is told. It is
 * given SITE_TRIES chances to lose nothing. */
static inline void in_site_made_by_body_and_calm(site_body *body)
{
    char text[512] = "";
    int status = 0;
    for (int tries = 0; tries < SITE_TRIES; tries++) {
        status = in_site_once(body, text);
        if (!WIFEXITED(status) || WEXITSTATUS(status) != SITE_LOST)
            break;
    }
    cr_assert(text[0] == '\0' && status == 0, "%s (wait status 0x%x)", text, status);
}

static site_body *made_site_body;

static inline void make_site_and_run(struct test_site *site)
{
    site_make(site);
    made_site_body(site);
}

/* Runs `body` in a new site. */
static inline void in_site(site_body *body)
{
    made_site_body = body;
    in_site_made_by_body(make_site_and_run);
}

static inline void in_calm_site(site_body *body)
{
    made_site_body = body;
    in_site_made_by_body_and_calm(make_site_and_run);
}

/* Gives watch `index` a random nonce; the tuple may be NULL for none. */
static inline void site_watch(struct test_site *site, size_t index, bool control, uint8_t transport,
                              const char *address, uint16_t port)
{
    struct watch *watch = &site->watches[index];
    site_check(site, getrandom(watch->nonce, sizeof watch->nonce, 0) == sizeof watch->nonce, "no random bytes");
    watch->control = control;
    if (address != NULL) {
        watch->tuple.family = strchr(address, ':') != NULL ? AF_INET6 : AF_INET;
        watch->tuple.transport = transport;
        watch->tuple.port = port;
        inet_pton(watch->tuple.family, address, watch->tuple.address);
    }
    if (index >= site->setup.watch_count)
        site->setup.watch_count = index + 1;
}

static inline void site_start_witness(struct test_site *site)
{
    static const char *const names[] = { "bottle-gate-test", NULL };
    struct error error = { 0 };
    site->setup.host_namespace = site->host;
    site->setup.world_namespace = site->world;
    site->setup.watches = site->watches;
    site->setup.ipv6 = true;
    site->setup.abstract_names = names;
    site->setup.path_directory = SITE_SOCKETS_DIR;
    memset(site->setup.door_key, 0x5a, sizeof site->setup.door_key);
    memset(site->setup.token, 0xc3, sizeof site->setup.token);
    site_check(site, witness_start(&site->witness, &site->setup, &error), "%s", error.text);
}

/* Waits for one message; false if none comes in time. */
static inline bool site_take_message(struct test_site *site)
{
    if (site->message_count == SITE_MESSAGES)
        site_complain(site, "more than %d messages", SITE_MESSAGES);
    struct witness_message *message = &site->messages[site->message_count];
    if (!witness_next(&site->witness, message, clock_microseconds() + SITE_PATIENCE))
        return false;
    site->message_count++;
    if (getenv("WITNESS_SHOW") != NULL)
        fprintf(stderr, "event %d watch %u kind 0x%x%s point %s at %s peer %s %s\n", (int)message->event,
                message->watch, (unsigned)message->kind, message->by_tuple ? " tuple" : "", message->point, message->at,
                message->peer, message->text);
    return true;
}

/* Asks the witness to stop and takes all it still has to say; it must end with DONE. */
static inline void site_stop_witness(struct test_site *site)
{
    witness_ask_to_stop(&site->witness);
    while (site_take_message(site))
        if (site->messages[site->message_count - 1].event == WITNESS_DONE)
            break;
    site_check(site, site->message_count > 0 && site->messages[site->message_count - 1].event == WITNESS_DONE,
               "the witness was not done after it was stopped");
    witness_end(&site->witness);
}

static inline size_t site_count_events(const struct test_site *site, enum witness_event event)
{
    size_t count = 0;
    for (size_t i = 0; i < site->message_count; i++)
        count += site->messages[i].event == event;
    return count;
}

/* The first message of this event, or NULL. */
static inline const struct witness_message *site_find_event(const struct test_site *site, enum witness_event event)
{
    for (size_t i = 0; i < site->message_count; i++)
        if (site->messages[i].event == event)
            return &site->messages[i];
    return NULL;
}

static inline void site_check_no(struct test_site *site, enum witness_event event)
{
    const struct witness_message *found = site_find_event(site, event);
    if (found != NULL)
        site_complain(site, "unexpected event %d: watch %u kind 0x%x at %s from %s: %s", (int)event, found->watch,
                      (unsigned)found->kind, found->at, found->peer, found->text);
}

/* Nothing was lost, or the body ends here: see in_site_made_by_body_and_calm. */
static inline void site_check_nothing_lost(struct test_site *site)
{
    const struct witness_message *found = site_find_event(site, WITNESS_LOST);
    if (found == NULL)
        return;
    dprintf(site->complaints, "something was lost in each try: %s", found->text);
    _exit(SITE_LOST);
}

static inline bool site_was_heard(const struct test_site *site, size_t watch, enum witness_kind kind, const char *point,
                                  const char *at, bool by_tuple)
{
    for (size_t i = 0; i < site->message_count; i++) {
        const struct witness_message *message = &site->messages[i];
        if (message->event == WITNESS_HIT && message->watch == watch && message->kind == kind &&
            message->by_tuple == by_tuple && strcmp(message->point, point) == 0 && strcmp(message->at, at) == 0)
            return true;
    }
    return false;
}

static inline socklen_t site_address(const char *text, uint16_t port, struct sockaddr_storage *storage)
{
    memset(storage, 0, sizeof *storage);
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)storage;
    struct sockaddr_in *v4 = (struct sockaddr_in *)storage;
    if (strchr(text, ':') != NULL) {
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons(port);
        inet_pton(AF_INET6, text, &v6->sin6_addr);
        return sizeof *v6;
    }
    v4->sin_family = AF_INET;
    v4->sin_port = htons(port);
    inet_pton(AF_INET, text, &v4->sin_addr);
    return sizeof *v4;
}

/* A socket connected to address and port; from `source`, if that is not NULL. */
static inline int site_connect(struct test_site *site, int type, int protocol, const char *source, const char *address,
                               uint16_t port)
{
    struct sockaddr_storage to, from;
    socklen_t size = site_address(address, port, &to);
    int fd = socket(to.ss_family, type | SOCK_CLOEXEC, protocol);
    struct timeval patience = { .tv_sec = 3 };
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    if (source != NULL) {
        socklen_t source_size = site_address(source, 0, &from);
        site_check(site, bind(fd, (const struct sockaddr *)&from, source_size) == 0, "bind %s: %s", source,
                   strerror(errno));
    }
    site_check(site, connect(fd, (const struct sockaddr *)&to, size) == 0, "connect to %s port %u: %s", address, port,
               strerror(errno));
    return fd;
}

/* Reads one answer and checks that it contains the witness's token. */
static inline void site_check_token(struct test_site *site, int fd)
{
    uint8_t answer[2048] = "";
    char digits[33];
    ssize_t size = recv(fd, answer, sizeof answer, 0);
    encode_hex(site->setup.token, sizeof site->setup.token, digits);
    site_check(site, size > 0, "no answer: %s", size < 0 ? strerror(errno) : "closed");
    site_check(site, memmem(answer, (size_t)size, digits, 32) != NULL, "%zd bytes of answer without a token", size);
}

#endif
