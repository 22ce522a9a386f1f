/*
 * Ownership by attribute: a variable marked cleanup_close or cleanup_free gives its resource back
 * when it goes out of scope, whatever path leaves the function. `take_fd` hands a descriptor on.
 */
#ifndef LAUNCHER_SUPPORT_CLEANUP_H
#define LAUNCHER_SUPPORT_CLEANUP_H

#include <stdlib.h>
#include <unistd.h>

static inline void cleanup_close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

static inline void cleanup_free_pointer(void *pointer)
{
    free(*(void **)pointer);
}

#define cleanup_close __attribute__((cleanup(cleanup_close_fd)))
#define cleanup_free  __attribute__((cleanup(cleanup_free_pointer)))

/* Returns the descriptor and leaves -1 behind, so that cleanup_close does not close it. */
static inline int take_fd(int *fd)
{
    int taken = *fd;
    *fd = -1;
    return taken;
}

#endif
