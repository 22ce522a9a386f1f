/*
 * The wrap backend: any sandbox that is a command. A bottle is a directory with what is put into it, and a command line in which
 * {probe} stands for what is to be run; each command of the bottle is that command line run once more. What stands around it is
 * looked at from outside, before anything that matters runs in it.
 */
#ifndef LAUNCHER_BACKENDS_WRAP_H
#define LAUNCHER_BACKENDS_WRAP_H

#include "../../backend.h"

#define WRAP_COMMANDS 32   /* in the life of one bottle */
#define WRAP_LINE     8192 /* bytes of a command line, with what stands for its words */

struct bottle {
    const char *command;  /* the line, with its words in braces; borrowed */
    bool open;            /* it is the one without a fence */
    enum principal first; /* who tries it out: a sandbox may be for one of them only */
    struct door door;
    char directory[32];
    char version[64];
    char around[200];            /* what was seen around what it runs */
    int commands[WRAP_COMMANDS]; /* pidfds */
    size_t command_count;
};

/* Writes the bottle's command line for `argv`, in which /tmp/NAME is what was put in as NAME. */
bool wrap_expand(const struct bottle *bottle, char *const argv[], char line[WRAP_LINE], struct error *error);

/* Starts `line` by the shell as `principal`, in a PID namespace that ends with the returned process. */
bool wrap_start(struct bottle *bottle, const char *line, enum principal principal, const struct exec_streams *streams,
                pid_t *pid, struct error *error);

/* Ends every command of the bottle that hasn't ended. */
void wrap_end(struct bottle *bottle);

/* Runs bottle-step in it and looks at that process from outside: fills `around`. False (ERROR_ABSENT) if it doesn't run, with what the
 * command said last; (ERROR_BROKEN) if it runs with nothing around it. */
bool wrap_look(struct bottle *bottle, const char *step_path, struct error *error);

/* Asks the command's first word for its version. It may have none. */
void wrap_ask_version(struct bottle *bottle);

/* What shuts the vector in the first well-known sandbox that the command line names, or NULL; and those sandboxes one by one, as for
 * `sandbox_remedy` of the backend. */
const char *wrap_find_remedy(const char *command, uint16_t vector);
bool wrap_sandbox_remedy(size_t index, uint16_t vector, const char **sandbox, const char **text);

/* The first word of a command line, without its directory. */
void wrap_name(const char *command, char *name, size_t size);

#endif
