/* Closes its output before the first record, and tries everything all the same. */
#include "hostile.h"

static void act(void)
{
    close(1);
}
