/* See fault_before_round in fault.h: what happens to the witnesses, to the site or to the clock at a given round of
 * controls, made by the phase itself. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../launcher/support/cleanup.h"
#include "../../launcher/support/process.h"
#include "../fault.h"
#include "../site/site.h"
#include "flood.h"

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x00000080
#endif

/* The witness process hears nothing until it is let go on. */
static void stop_and(const struct witness *witness, void (*flood)(void))
{
    siginfo_t stopped = { 0 };
    kill(witness->pid, SIGSTOP);
    while (waitid(P_PID, (id_t)witness->pid, &stopped, WSTOPPED) < 0 && errno == EINTR)
        ;
    flood();
    kill(witness->pid, SIGCONT);
}

static void flood_lo(void)
{
    flood_datagrams("127.0.0.99", 60000, 40 << 20);
}

static void flood_host(void)
{
    flood_datagrams(SITE_SIDE4, 1400, 32 << 20);
}

static void flood_udp(void)
{
    flood_datagrams("203.0.113.11", 1, 16000); /* small ones: there is room for them in the capture's ring */
}

static void flood_tcp(void)
{
    flood_connections("127.0.0.99"); /* where the capture's ring is the larger one */
}

static void flood_table(int world_namespace)
{
    cleanup_close int home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    if (home >= 0)
        flood_tracked(world_namespace, home);
}

/* The clocks of a time namespace are set before anybody is in it. Source: time_namespaces(7). */
static void jump(void)
{
    struct error ignored = { 0 };
    if (unshare(CLONE_NEWTIME) != 0 ||
        !file_write("/proc/self/timens_offsets", "monotonic 3600 0\nboottime 3600 0\n", &ignored))
        return;
    cleanup_close int ahead = open("/proc/self/ns/time_for_children", O_RDONLY | O_CLOEXEC);
    if (ahead >= 0)
        (void)setns(ahead, CLONE_NEWTIME);
}

void fault_before_round(const struct fault *fault, const struct witness *witness, int world_namespace,
                        enum control_round round, struct probe_plan *plan)
{
    if (fault == NULL || fault->upset.round != round)
        return;
    switch (fault->upset.what) {
    case UPSET_BREAK:
        witness_ask_to_break(witness);
        break;
    case UPSET_KILL:
        kill(witness->pid, SIGKILL);
        break;
    case UPSET_STOP:
        kill(witness->pid, SIGSTOP);
        break;
    case UPSET_LOSE_CONTROL:
        for (int i = 0; i < NONCE_BYTES; i++) /* no eight bytes of it are left */
            plan->attempts[fault->upset.control].nonce[i] ^= 0x55;
        break;
    case UPSET_FLOOD_LO:
        stop_and(witness, flood_lo);
        break;
    case UPSET_FLOOD_HOST:
        stop_and(witness, flood_host);
        break;
    case UPSET_FLOOD_UDP:
        stop_and(witness, flood_udp);
        break;
    case UPSET_FLOOD_TCP:
        stop_and(witness, flood_tcp);
        break;
    case UPSET_FLOOD_TRACKED:
        flood_table(world_namespace);
        break;
    default:
        break;
    }
}

bool fault_breaks_witness(const struct fault *fault, enum control_round round)
{
    return fault != NULL && fault->upset.what == UPSET_BREAK && fault->upset.round == round;
}

void fault_during_round(const struct fault *fault, unsigned round)
{
    if (fault != NULL && fault->upset.what == UPSET_CLOCK && fault->upset.round == (enum control_round)round)
        jump();
}
