/* Takes memory, more than any bottle needs and less than any machine has, and keeps it. */
#include "hostile.h"

#include <string.h>
#include <sys/mman.h>

#define TAKEN ((size_t)384 << 20) /* bytes */

static void act(void)
{
    char *memory = mmap(NULL, TAKEN, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory != MAP_FAILED)
        memset(memory, 1, TAKEN);
    if (write(1, memory != MAP_FAILED ? "taken\n" : "refused\n", memory != MAP_FAILED ? 6 : 8) < 0)
        return;
    for (;;)
        pause();
}
