/* Fills the bottle's files to the last byte and the last name, then goes on as if nothing had been. */
#include "hostile.h"

#include <fcntl.h>
#include <stdio.h>

static void act(void)
{
    static const char bytes[1 << 20] = { 1 };
    int file = open("/tmp/hostile-file", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    while (write(file, bytes, sizeof bytes) > 0)
        ;
    close(file);
    for (int number = 0; file >= 0; number++) {
        char name[64];
        snprintf(name, sizeof name, "/tmp/hostile-file-%d", number);
        file = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        close(file);
    }
}
