/* Writes records without end: well-formed ones, which come again and again. */
#include "hostile.h"

static void act(void)
{
    static const char line[] = "BG1 try 1 BG-020 user\n";
    char lines[(sizeof line - 1) * 2000];
    for (size_t i = 0; i < sizeof lines; i++)
        lines[i] = line[i % (sizeof line - 1)];
    while (write(1, lines, sizeof lines) > 0)
        ;
}
