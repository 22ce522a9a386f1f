/*
 * Port sweeps that leak whole: every port of 127.0.0.1 and ::1, by TCP and UDP, for both principals at once, sent by real
 * sockets in the host namespace of a real site. Each port must be noted, and nothing lost: not by the capture, not by a
 * table, not by the kernel.
 */
#include <poll.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "../../gates/witness/sweep_connections.h"
#include "gates_site.h"

#define SWEEPS         8
#define OPEN_AT_A_TIME 256 /* connections of one sweep, as the probe has it */
#define PORTS          65535
#ifdef BOTTLE_SANITIZED /* a witness that is five times slower than the kernel around it must not be flooded by it */
#define STEP 40
#else
#define STEP 1
#endif

struct sweep_plan {
    const char *address;
    bool tcp, root;
};

static const struct sweep_plan plans[SWEEPS] = {
    { "127.0.0.1", true, false }, { "127.0.0.1", false, false }, { "::1", true, false }, { "::1", false, false },
    { "127.0.0.1", true, true },  { "127.0.0.1", false, true },  { "::1", true, true },  { "::1", false, true },
};

static bool is_site_port(unsigned port)
{
    return port >= SITE_PORT_FIRST && port <= SITE_PORT_LAST;
}

static void watch_sweeps(struct test_site *site)
{
    site->setup.sweeps =
        mmap(NULL, SWEEPS_MAX * sizeof *site->setup.sweeps, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    site_check(site, site->setup.sweeps != MAP_FAILED, "mmap: %s", strerror(errno));
    for (uint8_t i = 0; i < SWEEPS; i++) {
        const struct sweep_plan *plan = &plans[i];
        site_watch(site, i, false, plan->tcp ? TRANSPORT_TCP : TRANSPORT_UDP, plan->address, 0);
        struct watch *watch = &site->watches[i];
        watch->is_sweep = true;
        watch->sweep = i;
        watch->sweep_source[0] = sweep_source(plan->root, 1);
        watch->sweep_source[1] = sweep_source(plan->root, SWEEP_HALF);
    }
}

/* A socket that sends from the sweep's port. */
static int sweep_socket(struct test_site *site, const struct sweep_plan *plan, uint16_t port, bool any_port)
{
    struct sockaddr_storage from;
    int on = 1;
    struct timeval patience = { .tv_sec = 20 };
    socklen_t size = site_address(plan->address, any_port ? 0 : sweep_source(plan->root, port), &from);
    int fd = socket(from.ss_family, (plan->tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    site_check(site, fd >= 0 && bind(fd, (struct sockaddr *)&from, size) == 0, "bind: %s", strerror(errno));
    return fd;
}

static void sweep_udp(struct test_site *site, size_t index)
{
    const struct sweep_plan *plan = &plans[index];
    int fds[2] = { sweep_socket(site, plan, 1, false), sweep_socket(site, plan, SWEEP_HALF, false) };
    for (unsigned port = 1; port <= PORTS; port += STEP) {
        struct sockaddr_storage to;
        socklen_t size = site_address(plan->address, (uint16_t)port, &to);
        /* the second time without its nonce */
        for (size_t length = NONCE_BYTES; length > 0; length = length == 1 ? 0 : 1)
            while (sendto(fds[port >= SWEEP_HALF], site->watches[index].nonce, length, 0, (struct sockaddr *)&to,
                          size) < 0)
                site_check(site, errno == EAGAIN || errno == ENOBUFS || errno == ECONNREFUSED, "sendto: %s",
                           strerror(errno));
    }
}

struct tcp_sweep {
    struct test_site *site;
    size_t index;
    bool relayed; /* from ephemeral ports, as a relay of the bottle's would */
    int epoll;
    unsigned open, answered, refused;
};

static void begin_connection(struct tcp_sweep *sweep, uint16_t port)
{
    const struct sweep_plan *plan = &plans[sweep->index];
    struct sockaddr_storage to;
    int fd = sweep_socket(sweep->site, plan, port, sweep->relayed);
    struct epoll_event event = { .events = EPOLLOUT, .data.fd = fd };
    socklen_t size = site_address(plan->address, port, &to);
    if (connect(fd, (struct sockaddr *)&to, size) < 0 && errno != EINPROGRESS) {
        site_check(sweep->site, errno == ECONNREFUSED, "connect to port %u: %s", port, strerror(errno));
        sweep->refused++;
        close(fd);
        return;
    }
    epoll_ctl(sweep->epoll, EPOLL_CTL_ADD, fd, &event);
    sweep->open++;
}

static void end_connection(struct tcp_sweep *sweep, int fd)
{
    struct linger reset = { .l_onoff = 1 };
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    close(fd);
    sweep->open--;
}

static void move_connection(struct tcp_sweep *sweep, const struct epoll_event *event)
{
    const struct sweep_plan *plan = &plans[sweep->index];
    uint8_t answer[64];
    int fd = event->data.fd, failed = 0;
    socklen_t size = sizeof failed;
    struct epoll_event wanted = { .events = EPOLLIN, .data.fd = fd };
    getsockopt(fd, SOL_SOCKET, SO_ERROR, &failed, &size);
    if (failed != 0) {
        site_check(sweep->site, failed == ECONNREFUSED, "a connection: %s", strerror(failed));
        sweep->refused++;
        end_connection(sweep, fd);
    } else if (event->events & EPOLLOUT) {
        ssize_t sent = send(fd, sweep->site->watches[sweep->index].nonce, NONCE_BYTES, MSG_NOSIGNAL);
        site_check(sweep->site, sent == NONCE_BYTES, "send: %s", strerror(errno));
        if (!sweep->relayed && plan->root) { /* resets at once, so that nothing but the listen queue holds it back */
            sweep->answered++;
            end_connection(sweep, fd);
            return;
        }
        epoll_ctl(sweep->epoll, EPOLL_CTL_MOD, fd, &wanted);
    } else {
        sweep->answered += recv(fd, answer, sizeof answer, 0) > 0;
        end_connection(sweep, fd);
    }
}

static void move_connections(struct tcp_sweep *sweep)
{
    struct epoll_event events[64];
    int count = epoll_wait(sweep->epoll, events, 64, 20000);
    site_check(sweep->site, count > 0, "%u connections of sweep %zu hang", sweep->open, sweep->index);
    for (int i = 0; i < count; i++)
        move_connection(sweep, &events[i]);
}

static void sweep_tcp(struct test_site *site, size_t index, bool relayed)
{
    struct tcp_sweep sweep = { .site = site, .index = index, .relayed = relayed };
    sweep.epoll = epoll_create1(EPOLL_CLOEXEC);
    unsigned planned = 0, site_ports = 0;
    for (unsigned port = 1; port <= PORTS; port += STEP) {
        if (port == SITE_PORT_DOOR)
            continue;
        planned++;
        site_ports += is_site_port(port);
        begin_connection(&sweep, (uint16_t)port);
        while (sweep.open >= OPEN_AT_A_TIME)
            move_connections(&sweep);
    }
    while (sweep.open > 0)
        move_connections(&sweep);
    site_check(site, sweep.answered + sweep.refused == planned && sweep.refused <= site_ports,
               "sweep %zu: %u ports answered, %u refused", index, sweep.answered, sweep.refused);
}

/* One process a principal and transport: the probe has fewer, and so more time for the witness. */
static void run_sweeps(struct test_site *site, bool relayed)
{
    pid_t children[SWEEPS / 2];
    for (size_t i = 0; i < SWEEPS / 2; i++)
        if ((children[i] = fork()) == 0) {
            for (size_t index = 0; index < SWEEPS; index++)
                if (plans[index].root == (i >= 2) && plans[index].tcp == (i % 2 == 0)) {
                    if (plans[index].tcp)
                        sweep_tcp(site, index, relayed);
                    else if (!relayed)
                        sweep_udp(site, index);
                }
            _exit(0);
        }
    for (size_t i = 0; i < SWEEPS / 2; i++) {
        int status = 0;
        waitpid(children[i], &status, 0);
        site_check(site, status == 0, "sweep %zu ended with status %d", i, status);
    }
}

static bool is_noted(const struct swept_ports *swept, unsigned port)
{
    return (swept->ports[port / 8] >> (port % 8) & 1) != 0;
}

/* Ports of the site are refused to a relay, which then has nothing to say; the sweep itself is told by its SYN. */
static void check_ports(struct test_site *site, bool relayed)
{
    for (size_t i = 0; i < SWEEPS; i++) {
        const struct swept_ports *swept = &site->setup.sweeps[i];
        unsigned planned = 0, missing = 0, first = 0;
        for (unsigned port = 1; port <= PORTS && (plans[i].tcp || !relayed); port += STEP) {
            if ((plans[i].tcp && port == SITE_PORT_DOOR) || (relayed && is_site_port(port)))
                continue;
            planned++;
            if (!is_noted(swept, port)) {
                missing++;
                first = first == 0 ? port : first;
            }
        }
        site_check(site, missing == 0, "sweep %zu: %u ports unseen, the first is %u", i, missing, first);
        unsigned more = relayed && planned > 0 && is_noted(swept, SITE_PORT_TCP); /* the listener's own port is open */
        site_check(site, swept->count == planned + more, "sweep %zu: %u ports counted", i, swept->count);
        site_check(site, planned == 0 || is_noted(swept, swept->first), "sweep %zu: the first is %u", i, swept->first);
    }
}

static unsigned tracked_connections(void)
{
    char text[32] = "0";
    (void)file_read("/proc/sys/net/netfilter/nf_conntrack_count", text, sizeof text);
    return (unsigned)strtoul(text, NULL, 10);
}

static bool heard_somewhere(struct test_site *site, size_t watch, enum witness_kind kind, bool by_tuple)
{
    for (size_t i = 0; i < site->message_count; i++) {
        const struct witness_message *message = &site->messages[i];
        if (message->event == WITNESS_HIT && message->watch == watch && message->kind == kind &&
            message->by_tuple == by_tuple)
            return true;
    }
    return false;
}

static void sweep_everything(struct test_site *site)
{
    watch_sweeps(site);
    site_start_witness(site);
    uint64_t began = clock_microseconds();
    run_sweeps(site, false);
    uint64_t swept = clock_microseconds();
    site_stop_witness(site);
    if (getenv("WITNESS_SHOW") != NULL)
        fprintf(stderr, "swept in %llu ms, heard in %llu ms\n", (unsigned long long)(swept - began) / 1000,
                (unsigned long long)(clock_microseconds() - began) / 1000);
    site_check_nothing_lost(site);
    site_check_no(site, WITNESS_STRAY);
    check_ports(site, false);
    for (size_t i = 0; i < SWEEPS; i++) {
        site_check(site, heard_somewhere(site, i, WITNESS_CAPTURE, true), "sweep %zu: unheard by tuple", i);
        site_check(site, heard_somewhere(site, i, WITNESS_CAPTURE, false), "sweep %zu: unheard by nonce", i);
        site_check(site, !plans[i].tcp || plans[i].root || heard_somewhere(site, i, WITNESS_TCP, false),
                   "sweep %zu: the listener did not hear it", i);
    }
    site_check_lossless(site);
    site_check(site, tracked_connections() == 0, "%u connections are tracked", tracked_connections());
}

Test(gates_sweep, eight_sweeps_that_leak_whole_lose_nothing, .timeout = 120)
{
    in_calm_real_site(sweep_everything);
}

/* From ephemeral ports the nonce alone tells whose the connections are. */
static void relayed_sweeps(struct test_site *site)
{
    watch_sweeps(site);
    site_start_witness(site);
    run_sweeps(site, true);
    site_stop_witness(site);
    site_check_nothing_lost(site);
    for (size_t i = 0; i < SWEEPS; i++) {
        if (!plans[i].tcp)
            continue;
        site_check(site, heard_somewhere(site, i, WITNESS_CAPTURE, false), "sweep %zu: unseen", i);
        site_check(site, heard_somewhere(site, i, WITNESS_TCP, false), "sweep %zu: unheard", i);
        site_check(site, !heard_somewhere(site, i, WITNESS_CAPTURE, true), "sweep %zu: by tuple", i);
    }
    check_ports(site, true);
}

Test(gates_sweep, sweeps_that_a_relay_makes_are_known_by_their_nonces, .timeout = 120)
{
    in_calm_real_site(relayed_sweeps);
}

/* How many of the connections are answered; *silent is one that isn't. */
static unsigned count_answered(const int *fds, unsigned count, int *silent)
{
    unsigned answered = 0;
    for (unsigned i = 0; i < count; i++) {
        struct pollfd readable = { .fd = fds[i], .events = POLLIN };
        if (poll(&readable, 1, 0) == 1)
            answered++;
        else
            *silent = fds[i];
    }
    return answered;
}

/* Held open without a word: those that find no room are answered and closed, and cost no other connection its place. */
static void held_sweeps(struct test_site *site)
{
    enum { HELD = SWEEP_CONNECTIONS_MAX + 300 };
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < HELD + 64) {
        limit.rlim_cur = limit.rlim_max < HELD + 64 ? limit.rlim_max : HELD + 64;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
    watch_sweeps(site);
    site_watch(site, SWEEPS, false, TRANSPORT_TCP, "127.0.0.1", 40000);
    site_start_witness(site);
    int fds[HELD], attempt = site_connect(site, SOCK_STREAM, 0, NULL, "127.0.0.1", 40000);
    for (unsigned i = 0; i < HELD; i++) {
        struct sockaddr_storage to;
        socklen_t size = site_address("127.0.0.1", (uint16_t)(i + 20000), &to);
        fds[i] = sweep_socket(site, &plans[0], (uint16_t)(i + 20000), false);
        fcntl(fds[i], F_SETFL, 0);
        site_check(site, connect(fds[i], (struct sockaddr *)&to, size) == 0, "connection %u: %s", i, strerror(errno));
    }
    uint64_t deadline = clock_microseconds() + 4 * SITE_PATIENCE;
    unsigned answered;
    int silent = -1;
    while ((answered = count_answered(fds, HELD, &silent)) < HELD - SWEEP_CONNECTIONS_MAX)
        site_check(site, clock_microseconds() < deadline, "%u connections were answered", answered);
    site_check(site, answered == HELD - SWEEP_CONNECTIONS_MAX, "%u connections were answered", answered);
    site_check(site, send(silent, "x", 1, MSG_NOSIGNAL) == 1, "send: %s", strerror(errno));
    site_check_token(site, silent);
    site_check(site, send(attempt, site->watches[SWEEPS].nonce, NONCE_BYTES, MSG_NOSIGNAL) == NONCE_BYTES, "send: %s",
               strerror(errno));
    site_check_token(site, attempt);
    site_check_lossless(site); /* before the witness ends and a thousand sockets are closed in one go */
    site_stop_witness(site);
    site_check(site, site_was_heard(site, SWEEPS, WITNESS_TCP, "lo", "127.0.0.1:40000", false),
               "the attempt is unheard");
    site_check_nothing_lost(site);
    site_check_no(site, WITNESS_STRAY);
    site_check(site, site->setup.sweeps[0].count == HELD, "%u ports counted", site->setup.sweeps[0].count);
}

Test(gates_sweep, more_connections_of_a_sweep_than_there_is_room_for_cost_nobody_a_place, .timeout = 60)
{
    in_calm_real_site(held_sweeps);
}

static void deaf_capture(struct test_site *site)
{
    watch_sweeps(site);
    site->setup.fault = WITNESS_FAULT_DEAF_CAPTURE;
    site_start_witness(site);
    for (uint16_t port = 20000; port < 20002; port++) {
        struct sockaddr_storage to;
        socklen_t size = site_address("127.0.0.1", port, &to);
        int fd = sweep_socket(site, &plans[0], port, port == 20001); /* its own, and a relay's */
        fcntl(fd, F_SETFL, 0);
        site_check(site, connect(fd, (struct sockaddr *)&to, size) == 0, "connect: %s", strerror(errno));
        site_check(site, send(fd, site->watches[0].nonce, NONCE_BYTES, MSG_NOSIGNAL) == NONCE_BYTES, "send: %s",
                   strerror(errno));
        site_check_token(site, fd);
        close(fd);
    }
    site_stop_witness(site);
    site_check(site, is_noted(&site->setup.sweeps[0], 20000) && is_noted(&site->setup.sweeps[0], 20001),
               "%u ports noted by the listener", site->setup.sweeps[0].count);
}

Test(gates_sweep, the_listener_notes_ports_without_the_capture, .timeout = 60)
{
    in_real_site(deaf_capture);
}
