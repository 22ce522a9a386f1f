/* Stops itself, again whenever it is continued. */
#include "hostile.h"

static void act(void)
{
#ifdef HOSTILE_ALONE
    if (write(1, "ready\n", 6) < 0)
        return;
#endif
    for (;;)
        raise(SIGSTOP);
}
