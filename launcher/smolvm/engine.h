/*
 * One smolvm command: started in a process group of its own with nothing of the caller's but what it is given, its
 * output read apart from its errors and bounded, ended with its whole group when its time is over. The engine is
 * somebody else's program: it may hang, flood, die midway, or say "done" and have done nothing. What it did is proved
 * elsewhere.
 */
#ifndef LAUNCHER_SMOLVM_ENGINE_H
#define LAUNCHER_SMOLVM_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "../support/error.h"

enum { SMOLVM_OUTPUT_BYTES = 1 << 20 }; /* most that is read of each of its two streams */

/* How to run it. Everything is borrowed. */
struct smolvm_engine {
    const char *program;      /* path of the executable */
    char *const *environment; /* ends with NULL; see environment.h */
    /* Where the caller is root of a user namespace that maps one ordinary user, smolvm would take itself for root
     * (chown, uid drop) and fail. It is then run in a user namespace within, as `uid` and `gid` again. */
    bool own_user;
    uid_t uid;
    gid_t gid;
};

/* What a command left. Freed with smolvm_result_free; all zero is empty. */
struct smolvm_result {
    int status;            /* exit status; 128+n if signal n ended it */
    char *output, *errors; /* owned; always ended with a 0 that isn't counted, may hold others */
    size_t output_size, errors_size;
};

void smolvm_result_free(struct smolvm_result *result);

/* Starts `arguments` (arguments[0] is shown as its name; ends with NULL) and returns at once with the process to
 * wait for, which leads a process group of its own and dies with the caller. `streams`: its input, output and
 * errors, -1 for /dev/null; borrowed. An executable that can't be run is an error. */
bool smolvm_spawn(const struct smolvm_engine *engine, char *const arguments[], const int streams[3], pid_t *pid,
                  struct error *error);

/* Kills the process group of a command from smolvm_spawn, and reaps the command. */
void smolvm_kill(pid_t pid);

/* Runs a command to its end, with no input. True if it ended by itself, whatever its status: `result` is then
 * filled. Output that others still hold open (a VMM that it left behind) isn't waited for. Past `deadline`
 * (clock_microseconds) or SMOLVM_OUTPUT_BYTES the whole group is killed, and it is an error (ERROR_HOST) that says
 * what was run. */
bool smolvm_run(const struct smolvm_engine *engine, char *const arguments[], uint64_t deadline,
                struct smolvm_result *result, struct error *error);

/* Like smolvm_run, but a status other than 0 is an error too, with the last line of what the engine wrote to its
 * errors. `result` may be NULL. */
bool smolvm_run_well(const struct smolvm_engine *engine, char *const arguments[], uint64_t deadline,
                     struct smolvm_result *result, struct error *error);

/* Copies the last line that isn't empty of some output into `line` (always ended), what can't be printed as '?'. */
void smolvm_last_line(const char *text, size_t size, char *line, size_t capacity);

#endif
