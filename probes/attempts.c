/*
 * See attempts.h. Each attempt is told about its socket's events and its own timer; a list of a few hundred
 * is simply walked each time round, which costs less than its system calls. `try` is written before an
 * attempt's first system call, `did` as soon as it has ended. The loop blocks nowhere but in poll, and never
 * beyond the deadline.
 */
#include "attempts.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <time.h>

static uint64_t clock_now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000u + (uint64_t)time.tv_nsec / 1000u;
}

static void record_end(struct attempt *attempt, struct recorder *recorder)
{
    struct record record = { .kind = RECORD_DID };
    record.did.seq = attempt->planned->seq;
    record.did.stage = attempt->stage;
    strncpy(record.did.error, errno_name(attempt->error), sizeof record.did.error - 1);
    record.did.sent = attempt->sent;
    record.did.received = attempt->received;
    record.did.microseconds = clock_now() - attempt->started;
    memcpy(record.did.proof, attempt->proof, sizeof record.did.proof);
    recorder_write(recorder, &record);
}

static void start(struct attempt *attempt, uint64_t deadline, struct recorder *recorder)
{
    recorder_try(recorder, attempt->planned->seq, attempt->planned->vector);
    if (recorder->broken)
        return;
    attempt->socket = -1;
    attempt->started = clock_now();
    attempt->deadline = attempt->wake = deadline;
    attempt->functions->start(attempt, attempt->started);
    if (attempt->ended)
        record_end(attempt, recorder);
}

/* Fills the list for poll, the records' output first. Returns when the next timer is due; 0 if all have
 * ended. */
static uint64_t list_waits(struct attempt *attempts, size_t count, struct pollfd *waits)
{
    uint64_t wake = 0;
    for (size_t i = 0; i < count; i++) {
        const struct attempt *attempt = &attempts[i];
        waits[i + 1] = (struct pollfd){ .fd = attempt->ended ? -1 : attempt->socket, .events = attempt->events };
        if (!attempt->ended && (wake == 0 || attempt->wake < wake))
            wake = attempt->wake;
    }
    return wake;
}

static void serve(struct attempt *attempt, short events, struct recorder *recorder)
{
    uint64_t now = clock_now();
    if (events != 0)
        attempt->functions->ready(attempt, events, now);
    if (!attempt->ended && attempt->wake <= now)
        attempt->functions->timer(attempt, now);
    if (attempt->ended)
        record_end(attempt, recorder);
}

static int milliseconds_until(uint64_t time)
{
    uint64_t now = clock_now();
    uint64_t wait = time > now ? (time - now + 999) / 1000 : 0;
    return wait < INT_MAX ? (int)wait : INT_MAX;
}

void attempts_run(struct attempt *attempts, size_t count, uint32_t milliseconds, struct recorder *recorder)
{
    static struct pollfd waits[PLAN_ATTEMPTS_MAX + 1];
    uint64_t deadline = clock_now() + milliseconds * UINT64_C(1000);
    for (size_t i = 0; i < count && !recorder->broken; i++)
        start(&attempts[i], deadline, recorder);

    while (!recorder->broken) {
        /* An output whose reader has gone reports an error here, without being asked to. */
        waits[0] = (struct pollfd){ .fd = recorder->output };
        uint64_t wake = list_waits(attempts, count, waits);
        if (wake == 0)
            return;
        int ready = poll(waits, (nfds_t)(count + 1), milliseconds_until(wake));
        if (ready < 0 && errno != EINTR)
            recorder->broken = true;
        if (ready > 0 && (waits[0].revents & (POLLERR | POLLNVAL)) != 0)
            recorder->broken = true;
        for (size_t i = 0; i < count && !recorder->broken; i++)
            if (!attempts[i].ended)
                serve(&attempts[i], ready > 0 ? waits[i + 1].revents : (short)0, recorder);
    }
}
