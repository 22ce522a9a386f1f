/*
 * bottle-gate: boots a bottle, tries every known way out from inside, listens outside for each of them, and
 * says PASS only when the evidence for PASS is complete. Each command is a file in commands/, their table is
 * commands/gate.c. The way through a run: plan -> site -> witnesses -> bottle -> probe -> collector ->
 * evidence -> judge -> report.
 */
#include "../launcher/support/process.h"
#include "commands/command.h"

int main(int argc, char **argv)
{
    /* What the caller left open is none of ours. The bare and the open probe write to every descriptor that they are started
     * with (BG-116): without this, into the caller's files and connections. */
    descriptors_close_from(3);
    return program_main(&gate_program, argc, argv);
}
