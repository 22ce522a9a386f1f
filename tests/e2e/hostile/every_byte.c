/* Writes every byte value as records, and ends. */
#include "hostile.h"

static void act(void)
{
    unsigned char bytes[256];
    for (unsigned value = 0; value < sizeof bytes; value++)
        bytes[value] = (unsigned char)value;
    if (write(1, bytes, sizeof bytes) > 0)
        _exit(0);
}
