/*
 * What `machine status --json` says of a machine. "running" there is a claim: that a machine runs is proved by what
 * runs in it. Source: smolvm, src/cli/machine.rs; seen with 1.4.0 and 1.32.2.
 */
#ifndef LAUNCHER_SMOLVM_STATUS_H
#define LAUNCHER_SMOLVM_STATUS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "../support/error.h"

enum smolvm_state_word {
    SMOLVM_STATE_OTHER, /* a word that isn't known here */
    SMOLVM_STATE_CREATED,
    SMOLVM_STATE_RUNNING,
    SMOLVM_STATE_STOPPED,
    SMOLVM_STATE_FAILED,
    SMOLVM_STATE_UNREACHABLE,
    SMOLVM_STATE_FROZEN,
};

struct smolvm_status {
    enum smolvm_state_word state;
    char word[24]; /* the state as it was written, printable */
    pid_t pid;     /* of the VMM; 0: none is said */
};

/* Reads the JSON that the engine wrote about machine `name`. False (ERROR_HOST): it is no object about that machine
 * with a state, or its pid is none. `text` needs no ending 0. */
bool smolvm_status_parse(const char *text, size_t size, const char *name, struct smolvm_status *status,
                         struct error *error);

#endif
