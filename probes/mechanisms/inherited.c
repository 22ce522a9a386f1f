/*
 * The descriptors that the probe was started with, but 0 to 2: whatever somebody forgot to close on the way into the
 * bottle is a way out. They are found by poll(2), which needs no /proc and sees descriptors above RLIMIT_NOFILE too, and
 * kept as a set of bits; the payload is written to each. They may be shared with the host, so their flags stay as they
 * are and nothing waits in them: one that isn't writable now is asked again a few times.
 */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "mechanism.h"

#define FIRST        3
#define NOTED_MAX    (1 << 18) /* looked at in 2 ms */
#define POLL_AT_ONCE 1024
#define RETRY_AFTER  40000u /* microseconds */

static uint8_t noted[NOTED_MAX / 8], pending[NOTED_MAX / 8];
static int noted_end; /* above the last one */

/* poll(2) refuses lists longer than RLIMIT_NOFILE, but looks up any descriptor in them. */
static int poll_some(struct pollfd *list, int count)
{
    while (count > 1 && poll(list, (nfds_t)count, 0) < 0 && errno == EINVAL)
        count /= 2;
    return count;
}

void inherited_note(void)
{
    static struct pollfd list[POLL_AT_ONCE];
    for (int first = FIRST; first < NOTED_MAX;) {
        int count = NOTED_MAX - first < POLL_AT_ONCE ? NOTED_MAX - first : POLL_AT_ONCE;
        for (int i = 0; i < count; i++)
            list[i] = (struct pollfd){ .fd = first + i };
        count = poll_some(list, count);
        for (int i = 0; i < count; i++) {
            int fd = first + i;
            if ((list[i].revents & POLLNVAL) != 0)
                continue;
            noted[fd / 8] = (uint8_t)(noted[fd / 8] | 1u << fd % 8);
            noted_end = fd + 1;
        }
        first += count;
    }
}

static ssize_t write_payload(const struct attempt *attempt, int fd)
{
    ssize_t size = send(fd, attempt->request, attempt->request_size, MSG_DONTWAIT | MSG_NOSIGNAL);
    /* What is no socket, or may not be sent to, was found writable, and SIGPIPE is ignored by the whole probe. */
    return size < 0 && (errno == ENOTSOCK || errno == EPERM || errno == EACCES || errno == ENOSYS)
               ? write(fd, attempt->request, attempt->request_size)
               : size;
}

/* Returns true if it must be asked again. */
static bool try_one(struct attempt *attempt, int fd)
{
    struct pollfd wait = { .fd = fd, .events = POLLOUT };
    ssize_t size = -1;
    errno = EAGAIN;
    if (poll(&wait, 1, 0) > 0 && (size = write_payload(attempt, fd)) >= 0) {
        attempt->sent += (uint32_t)size;
        return false;
    }
    if (errno == EAGAIN && attempt->sends + 1 < attempt->repeats)
        return true;
    if (attempt->error == 0)
        attempt->error = errno;
    return false;
}

static void try_all(struct attempt *attempt, uint64_t now)
{
    bool again = false;
    for (int fd = FIRST; fd < noted_end; fd++) {
        if ((pending[fd / 8] >> fd % 8 & 1) == 0)
            continue;
        if (try_one(attempt, fd))
            again = true;
        else
            pending[fd / 8] = (uint8_t)(pending[fd / 8] & ~(1u << fd % 8));
    }
    attempt->sends++;
    if (again && now < attempt->deadline)
        attempt->wake = now + RETRY_AFTER;
    else
        attempt_end(attempt, attempt->sent > 0 ? STAGE_SENT : STAGE_SEND, attempt->error);
}

static void start(struct attempt *attempt, uint64_t now)
{
    attempt_set_payload(attempt);
    memcpy(pending, noted, sizeof pending);
    if (noted_end == 0)
        attempt_end(attempt, STAGE_TARGET, EBADF);
    else
        try_all(attempt, now);
}

static void ignore_events(struct attempt *attempt, short events, uint64_t now)
{
    (void)attempt, (void)events, (void)now;
}

const struct mechanism_functions inherited_functions = { start, ignore_events, try_all };
