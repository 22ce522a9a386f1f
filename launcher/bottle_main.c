/* bottle: the launcher. Its commands are in commands/, their table in commands/bottle.c. */
#include "commands/command.h"

int main(int argc, char **argv)
{
    return program_main(&bottle_program, argc, argv);
}
