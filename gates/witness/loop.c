/* See loop.h. A source that closes another one in the same turn is safe: fd -1 says that its event is stale.
 */
#include "loop.h"

#include <sys/epoll.h>
#include <unistd.h>

#define EVENTS_A_TURN 64

bool loop_open(struct loop *loop, struct error *error)
{
    loop->epoll = epoll_create1(EPOLL_CLOEXEC);
    return loop->epoll >= 0 || error_system(error, "can't make an epoll descriptor");
}

bool loop_add(struct loop *loop, struct loop_source *source, int fd, struct error *error)
{
    struct epoll_event event = { .events = EPOLLIN, .data.ptr = source };
    if (epoll_ctl(loop->epoll, EPOLL_CTL_ADD, fd, &event) < 0)
        return error_system(error, "can't wait for descriptor %d", fd);
    source->fd = fd;
    return true;
}

void loop_want_write(struct loop *loop, struct loop_source *source, bool wanted)
{
    struct epoll_event event = { .events = EPOLLIN | (wanted ? EPOLLOUT : 0u), .data.ptr = source };
    if (source->fd >= 0)
        epoll_ctl(loop->epoll, EPOLL_CTL_MOD, source->fd, &event);
}

void loop_close(struct loop *loop, struct loop_source *source)
{
    if (source->fd < 0)
        return;
    epoll_ctl(loop->epoll, EPOLL_CTL_DEL, source->fd, NULL);
    close(source->fd);
    source->fd = -1;
}

unsigned loop_turn(struct loop *loop, int milliseconds)
{
    struct epoll_event events[EVENTS_A_TURN];
    int count = epoll_wait(loop->epoll, events, EVENTS_A_TURN, milliseconds);
    for (int i = 0; i < count; i++) {
        struct loop_source *source = events[i].data.ptr;
        if (source->fd >= 0)
            source->ready(source, events[i].events);
    }
    return count > 0 ? (unsigned)count : 0;
}
