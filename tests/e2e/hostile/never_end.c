/* Says nothing, ends never, ignores every signal that can be ignored. */
#include "hostile.h"

static void act(void)
{
    become_stubborn();
#ifdef HOSTILE_ALONE
    if (write(1, "ready\n", 6) < 0)
        return;
#endif
    for (;;)
        pause();
}
