/* See pool.h. The lock files stay: to remove one would let two processes hold different files of one name. */
#include "pool.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/file.h>
#include <unistd.h>

#include "../support/channel.h"
#include "../support/cleanup.h"
#include "../support/process.h"
#include "docker_ports.h"

#define POOL_LOCK   "pool.lock"
#define POOL_LOCKED (CHANNEL_ERROR + 1)

/* Opens (and makes) a lock file of ours. */
static int open_lock(const char *directory, const char *name, struct error *error)
{
    char path[PATH_MAX];
    if (snprintf(path, sizeof path, "%s/%s", directory, name) >= (int)sizeof path) {
        error_set(error, ERROR_USAGE, "the path of the pool's locks is too long");
        return -1;
    }
    int lock = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (lock < 0)
        error_system(error, "can't open the lock %.200s", path);
    return lock;
}

/* flock knows no deadline: a helper waits in it, on the description that both share, and the lock stays when the
 * helper ends. */
static bool wait_for(int lock, uint64_t deadline, struct error *error)
{
    int failed, channel;
    while ((failed = flock(lock, LOCK_EX | LOCK_NB)) != 0 && errno == EINTR)
        ;
    if (failed == 0)
        return true;
    if (errno != EWOULDBLOCK)
        return error_system(error, "can't lock the pool of addresses");
    pid_t helper = channel_fork(&channel, error);
    if (helper < 0)
        return false;
    if (helper == 0) {
        struct channel_message message = { .kind = POOL_LOCKED };
        while ((failed = flock(lock, LOCK_EX)) != 0 && errno == EINTR)
            ;
        if (failed == 0)
            channel_send(channel, &message, -1);
        _exit(0);
    }
    struct channel_message message;
    enum channel_result result = channel_receive(channel, &message, NULL, deadline, NULL);
    process_kill(helper);
    close(channel);
    return (result == CHANNEL_MESSAGE && message.kind == POOL_LOCKED) ||
           error_set(error, ERROR_HOST,
                     "another process has held the pool of loopback addresses too long: end it and try again");
}

/* Tries to hold one address. */
static bool take(const struct smolvm_pool *pool, unsigned last, struct smolvm_lease *lease, bool *held,
                 struct error *error)
{
    snprintf(lease->address, sizeof lease->address, "127.0.0.%u", last);
    lease->lock = open_lock(pool->directory, lease->address, error);
    if (lease->lock < 0)
        return false;
    *held = flock(lease->lock, LOCK_EX | LOCK_NB) == 0;
    if (!*held)
        cleanup_close_fd(&lease->lock);
    return *held || errno == EWOULDBLOCK || error_system(error, "can't lock the address %s", lease->address);
}

bool smolvm_pool_allocate(const struct smolvm_pool *pool, uint64_t deadline, struct smolvm_lease *lease,
                          struct error *error)
{
    uint16_t taken;
    *lease = (struct smolvm_lease){ .lock = -1 };
    cleanup_close int lock = open_lock(pool->directory, POOL_LOCK, error);
    if (lock < 0 || !wait_for(lock, deadline, error) ||
        !docker_ports_taken(pool->docker_socket, SMOLVM_SIDECAR_PREFIX, deadline, &taken, error) ||
        !loopback_alias_add(pool->platform, pool->loopback, DOCKER_POOL_FIRST, DOCKER_POOL_SIZE, error))
        return false;
    for (unsigned i = 0; i < DOCKER_POOL_SIZE; i++) {
        bool held = false;
        if ((taken >> i & 1) != 0)
            continue;
        if (!take(pool, DOCKER_POOL_FIRST + i, lease, &held, error))
            return false;
        if (held)
            return true;
    }
    *lease = (struct smolvm_lease){ .lock = -1 };
    return error_set(error, ERROR_HOST,
                     "all addresses from 127.0.0.%d to 127.0.0.%d are taken by running bottles: stop one (a "
                     "container " SMOLVM_SIDECAR_PREFIX "* that publishes on 0.0.0.0 takes them all)",
                     DOCKER_POOL_FIRST, DOCKER_POOL_FIRST + DOCKER_POOL_SIZE - 1);
}

void smolvm_pool_release(struct smolvm_lease *lease)
{
    if (lease->lock >= 0)
        flock(lease->lock, LOCK_UN); /* also for children that were forked meanwhile and have it open */
    cleanup_close_fd(&lease->lock);
    lease->address[0] = '\0';
}
