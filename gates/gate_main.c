/*
 * bottle-gate: boots a bottle, tries every known way out from inside, listens outside for each of them, and
 * says PASS only when the evidence for PASS is complete. Each command is a file in commands/, their table is
 * commands/gate.c. The way through a run: plan -> site -> witnesses -> bottle -> probe -> collector ->
 * evidence -> judge -> report.
 */
#include "commands/command.h"

int main(int argc, char **argv)
{
    return program_main(&gate_program, argc, argv);
}
