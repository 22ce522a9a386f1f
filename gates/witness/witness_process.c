/*
 * See witness_process.h. The order of the set-up is the point: lifeline first, then foreign descriptors out,
 * then the sockets of the world, those of the host, then the jail, and READY last. After the jail nothing is
 * opened, allocated or executed; whoever takes over the process can only speak to sockets that it has.
 */
#include "witness_process.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../../launcher/support/jail.h"
#include "../../launcher/support/process.h"
#include "../../probes/encode.h"
#include "sabotage.h"
#include "witness_house.h"

#define DRAIN_MICROSECONDS 2000000 /* for the last packets to come through the rings */
#define FLUSH_MILLISECONDS 2000    /* for a parent that reads slowly */
#define DESCRIPTORS        (CONVERSATIONS_MAX + SWEEP_CONNECTIONS_MAX + 256)

/* What the listeners' files say that they need, and what libpcap does when it reads. */
/* clang-format off */
static const int jail_calls[] = {
    SYS_accept4, SYS_recvfrom, SYS_recvmsg, SYS_sendto, SYS_sendmsg, SYS_getsockname, SYS_getsockopt, SYS_close,
    SYS_epoll_ctl, SYS_epoll_pwait, SYS_ppoll, /* the loop */
#ifdef SYS_epoll_wait
    SYS_epoll_wait,
#endif
#ifdef SYS_poll
    SYS_poll,
#endif
    SYS_read, SYS_restart_syscall,       /* libpcap's wake-up, held pipes; a poll that was stopped */
    SYS_clock_gettime, SYS_gettimeofday, /* where there is no vDSO */
#ifdef BOTTLE_SANITIZED
    SYS_write, SYS_mmap, SYS_munmap, SYS_futex, SYS_sigaltstack, SYS_madvise,
#endif
};
/* clang-format on */

static int compare_descriptors(const void *one, const void *other)
{
    return *(const int *)one - *(const int *)other;
}

static void close_foreign(const struct witness_setup *setup, int channel)
{
    int kept[3 + HELD_MAX] = { channel, setup->host_namespace, setup->world_namespace };
    for (size_t i = 0; i < HELD_MAX; i++)
        kept[3 + i] = held_is_used(setup, i) ? setup->held[i].fd : -1;
    qsort(kept, sizeof kept / sizeof *kept, sizeof *kept, compare_descriptors);
    unsigned first = STDERR_FILENO + 1;
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++) {
        if (kept[i] > (int)first)
            syscall(SYS_close_range, first, (unsigned)kept[i] - 1, 0);
        if (kept[i] >= (int)first)
            first = (unsigned)kept[i] + 1;
    }
    syscall(SYS_close_range, first, ~0u, 0);
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
#ifdef BOTTLE_SANITIZED
    const int last = STDOUT_FILENO; /* the sanitizer's report must find its way out */
#else
    const int last = STDERR_FILENO;
#endif
    for (int fd = STDIN_FILENO; fd <= last; fd++)
        if (null < 0)
            close(fd);
        else
            dup2(null, fd);
    if (null > STDERR_FILENO)
        close(null);
}

static void detach(const struct witness_setup *setup, int channel)
{
    static const int ignored[] = { SIGINT, SIGTERM, SIGQUIT, SIGHUP, SIGPIPE, SIGUSR1, SIGUSR2, SIGALRM };
    process_die_with_parent(channel);
    for (size_t i = 0; i < sizeof ignored / sizeof *ignored; i++)
        signal(ignored[i], SIG_IGN); /* the parent takes care of them, and of this process */
    close_foreign(setup, channel);
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < DESCRIPTORS) {
        limit.rlim_cur = limit.rlim_max < DESCRIPTORS ? limit.rlim_max : DESCRIPTORS;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static void prepare(struct witness_house *all, const struct witness_setup *setup)
{
    struct house *house = &all->house;
    char digits[2 * sizeof setup->token + 1];
    house->setup = setup;
    encode_hex(setup->token, sizeof setup->token, digits);
    snprintf(house->token_line, sizeof house->token_line, "BGW1 %s\n", digits);
    windows_open(&house->windows);
    for (size_t i = 0; i < setup->watch_count; i++)
        windows_insert(&house->windows, setup->watches[i].nonce, (uint16_t)i);
    memcpy(all->names.key, setup->token, sizeof all->names.key);
    conversation_prepare(&all->conversations, house, &all->names);
    sweep_connections_prepare(&all->sweep_connections, house);
}

static bool prepare_sweeps(struct sweeps *sweeps, const struct witness_setup *setup, struct error *error)
{
    sweeps->ports = setup->sweeps;
    for (size_t i = 0; i < setup->watch_count; i++)
        if (setup->watches[i].is_sweep &&
            (setup->sweeps == NULL || !sweeps_insert(sweeps, &setup->watches[i], (uint16_t)i)))
            return error_set(error, ERROR_USAGE, "can't watch for more than %d sweeps, nor for one without its ports",
                             SWEEPS_MAX);
    return true;
}

static bool open_world(struct witness_house *all, struct error *error)
{
    struct house *house = &all->house;
    return house_enter(house->setup->world_namespace, error) && origin_open(&all->origin, error) &&
           udp_open(&all->udp, house, &all->origin, &all->names, error) &&
           tcp_open(&all->tcp, &all->conversations, &all->sweep_connections, POINT_WAN, error) &&
           icmp_open(&all->icmp, house, POINT_WAN, &all->origin, error) &&
           (!house->setup->ipv6 || neighbour_open(&all->neighbour, house, error));
}

static bool open_host(struct witness_house *all, struct error *error)
{
    struct house *house = &all->house;
    return house_enter(house->setup->host_namespace, error) &&
           tcp_open(&all->tcp, &all->conversations, &all->sweep_connections, POINT_LO, error) &&
           icmp_open(&all->icmp, house, POINT_LO, NULL, error) &&
           unix_sockets_open(&all->unix_sockets, &all->conversations, error) &&
           vsock_open(&all->vsock, &all->conversations, error) && door_open(&all->door, house, error) &&
           taken_ports_open(house, error);
}

static bool open_all(struct witness_house *all, const struct witness_setup *setup, int channel, struct error *error)
{
    struct house *house = &all->house;
    if (setup->watch_count > WATCHES_MAX)
        return error_set(error, ERROR_USAGE, "can't watch for more than %d nonces", WATCHES_MAX);
    prepare(all, setup);
    if (!prepare_sweeps(&house->sweeps, setup, error) || !loop_open(&house->loop, error) ||
        !outbox_open(&house->outbox, &house->loop, channel, setup, error) || !open_world(all, error) ||
        !open_host(all, error) || !held_open(&all->held, house, error) || !capture_open(&all->capture, house, error) ||
        !host_input_open(&all->host_input, &all->capture, error))
        return false;
    close(setup->host_namespace);
    close(setup->world_namespace);
    prctl(PR_SET_DUMPABLE, 0);
    return jail_shut(jail_calls, sizeof jail_calls / sizeof *jail_calls, error);
}

static void serve(struct witness_house *all)
{
    struct outbox *outbox = &all->house.outbox;
    while (!outbox->stop_asked) {
        loop_turn(&all->house.loop, -1);
        if (outbox->break_asked)
            sabotage_make(all);
    }
    if (outbox->fault == WITNESS_FAULT_DIES)
        _exit(1);
}

static bool is_drained(const struct witness_house *all)
{
    return capture_is_drained(&all->capture) && all->host_input.marker_seen;
}

/* Listens until the marker frames came through all captures and nothing else moves any more. */
static void drain(struct witness_house *all)
{
    uint64_t deadline = clock_microseconds() + DRAIN_MICROSECONDS;
    unsigned moved = 1;
    capture_mark(&all->capture);
    host_input_mark(&all->host_input);
    while ((moved > 0 || !is_drained(all)) && clock_microseconds() < deadline)
        moved = loop_turn(&all->house.loop, 2 * CAPTURE_MILLISECONDS);
    if (moved > 0)
        outbox_lost(&all->house.outbox, "traffic still arrived when the witness was stopped");
}

void witness_process(const struct witness_setup *setup, int channel)
{
    struct error error = { 0 };
    detach(setup, channel);
    struct witness_house *all = calloc(1, sizeof *all);
    if (all == NULL || !open_all(all, setup, channel, &error)) {
        if (all == NULL)
            error_system(&error, "can't set the witnesses up");
        send(channel, &error, sizeof error, MSG_NOSIGNAL);
        _exit(1);
    }
    outbox_event(&all->house.outbox, WITNESS_READY);
    serve(all);
    drain(all);
    capture_finish(&all->capture);
    host_input_finish(&all->host_input);
    outbox_event(&all->house.outbox, WITNESS_DONE);
    _exit(outbox_flush(&all->house.outbox, FLUSH_MILLISECONDS) ? 0 : 1);
}
