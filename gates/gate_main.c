/*
 * bottle-gate: boots a bottle, tries every known way out from inside, listens outside for each of them, and
 * says PASS only when the evidence for PASS is complete. This file holds the table of commands and nothing
 * else; each command is a file in commands/. The way through a run: plan -> site -> witnesses -> bottle ->
 * probe -> collector -> evidence -> judge -> report.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "../launcher/support/process.h"
#include "commands/command.h"

static const struct command *const commands[] = { &command_run, &command_selftest };
#define COMMAND_COUNT (sizeof commands / sizeof *commands)

static void print_usage(FILE *stream)
{
    fprintf(stream, "usage: bottle-gate COMMAND [OPTION...]\n\n"
                    "Tells the truth about AI-agent sandboxes: can anything inside get a byte out, other "
                    "than by the one door?\n\n");
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        fprintf(stream, "  %-10s %s\n", commands[i]->name, commands[i]->summary);
    fprintf(stream, "\nbottle-gate COMMAND --help tells more; --version tells the version.\n");
}

/* A descriptor 0, 1 or 2 that is closed would be given to the next file that is opened: they are filled
 * first. A closed standard output gets one that can't be written to, so that a report which nobody can read
 * is an error and not a success. */
static void fill_standard_descriptors(void)
{
    for (int fd = 0; fd <= 2; fd++)
        if (fcntl(fd, F_GETFD) < 0 && errno == EBADF)
            (void)!open("/dev/null", fd == 2 ? O_WRONLY : O_RDONLY);
}

int main(int argc, char **argv)
{
    fill_standard_descriptors();
    /* The bare and open probes write to every descriptor that they find (BG-116): the caller's may not be among them. */
    descriptors_close_from(3);
    if (argc < 2) {
        print_usage(stderr);
        return EXIT_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "help") == 0) {
        print_usage(stdout);
        return EXIT_PASS;
    }
    if (strcmp(argv[1], "--version") == 0) {
        printf("bottle-gate %s\n", BOTTLE_VERSION);
        return EXIT_PASS;
    }
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        if (strcmp(argv[1], commands[i]->name) == 0)
            return commands[i]->run(argc - 1, argv + 1);
    fprintf(stderr, "bottle-gate: there is no command \"%.60s\"; see bottle-gate --help\n", argv[1]);
    return EXIT_USAGE;
}
