/* Writes what a terminal would act on: a new title, a cleared screen, a coloured PASS in a record's place. */
#include "hostile.h"

#include <string.h>

static void act(void)
{
    static const char text[] = "\033]0;owned\007\033[2J\033[H\033[1;32mPASS\033[0m  owned\r\n"
                               "BG1 hello \033[1;32mPASS owned\033[0m 142 65534 6.1 - -\n";
    if (write(2, text, strlen(text)) < 0 || write(1, text, strlen(text)) < 0)
        _exit(1);
    _exit(0);
}
