/*
 * The smolmachines backend's own parts: a bottle is one smolvm machine, with an engine state of its own in a directory of its own,
 * so that no two bottles share a row, a socket or a disk. Only the files in this folder include this.
 */
#ifndef LAUNCHER_BACKENDS_SMOLMACHINES_MACHINE_H
#define LAUNCHER_BACKENDS_SMOLMACHINES_MACHINE_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "../../backend.h"
#include "../../smolvm/arguments.h"
#include "../../smolvm/engine.h"
#include "../../smolvm/environment.h"
#include "../../smolvm/locate.h"
#include "../../smolvm/state.h"
#include "../../smolvm/version.h"

/* Index of each fence in the backend's table. */
enum machine_fence { MACHINE_CIDRS, MACHINE_DNS_FILTER, MACHINE_FLOOR, MACHINE_FENCES };

#define MACHINE_NAME      "bottle"
#define MACHINE_MEBIBYTES 512           /* of memory, for a guest */
#define MACHINE_STEP      "bottle-step" /* in the guest's /tmp: see launcher/step_main.c */

struct bottle {
    uint32_t without;
    struct door door;
    char directory[SMOLVM_DIRECTORY + 1]; /* all of the engine's state; "" until it is made */
    struct smolvm_location location;
    struct smolvm_version version;
    struct smolvm_environment environment;
    struct smolvm_engine engine;
    bool created;       /* there may be a machine to delete */
    pid_t monitor;      /* of the VMM, as the engine tells it; 0: not known */
    int monitor_handle; /* pidfd of that process; -1: not known */
    char kernel[65], boot_id[40];
    char policy[192]; /* what the engine's row says, for the fingerprint */
};

/* Bounds on hangs, in milliseconds: the engine is somebody else's program. Tests make them short. */
struct machine_bounds {
    unsigned start; /* `start`, and the wait for an answer after it: seconds, minutes where everything is emulated */
    unsigned other; /* any other command */
    unsigned gone;  /* what may pass between a machine's deletion and the end of its processes */
};
extern struct machine_bounds machine_bounds;

/* Finds the engine and asks for its version: `location`, `version`, `environment` and `engine` of the bottle are then filled.
 * `directory` is made. */
bool machine_prepare(struct bottle *bottle, bool floors_off, struct error *error);

/* create, policy checked in the engine's row, start, and a wait until it answers a command of ours with a kernel and a boot id that
 * are not the host's. ERROR_BROKEN: it was said to run, and doesn't. */
bool machine_boot(struct bottle *bottle, enum smolvm_policy policy, struct error *error);

/* Puts the program of `path` (bottle-step) into the machine: before the first machine_exec. */
bool machine_put_step(struct bottle *bottle, const char *path, struct error *error);

/* stop, delete, and a look at what remains: row, process, directory. */
bool machine_end(struct bottle *bottle, struct error *error);

bool machine_put(struct bottle *bottle, const char *name, int source, mode_t mode, struct error *error);
bool machine_exec(struct bottle *bottle, char *const argv[], enum principal principal,
                  const struct exec_streams *streams, pid_t *pid, struct error *error);
bool machine_host_uid(const struct bottle *bottle, enum principal principal, uid_t *uid, struct error *error);
bool machine_fingerprint(const struct bottle *bottle, struct fingerprint *fingerprint, struct error *error);

/* Fills location.libraries of a machine that runs, where its engine is a wrapper; leaves it empty if that can't be seen. */
void machine_find_libraries(struct bottle *bottle);

/* See fence_log.c. */
void machine_fence_log(struct bottle *bottle, char text[FENCE_LOG]);

/* last_words.c: " (its VMM ended by signal 9; x.log ends with \"...\")", for an error; "" if its VMM lives, or nothing is known of its end. */
#define MACHINE_LAST_WORDS 192
void machine_last_words(const struct bottle *bottle, char text[MACHINE_LAST_WORDS]);

/* See structure.c. */
bool machine_structural(uint16_t vector, const char *address);

/* What `smolvm --version` says. */
bool machine_ask_version(const struct smolvm_engine *engine, struct smolvm_version *version, struct error *error);

/* A door for a machine that nobody uses, of the addresses for documentation (RFC 5737). */
#define MACHINE_TRIAL_DOOR "192.0.2.1"

/* What the host must have: host_checks.c. preflight is all of it but the trial. */
enum { MACHINE_CHECKS = 10 };
extern const struct host_check machine_checks[MACHINE_CHECKS];
bool machine_preflight(const char *policy, struct error *error);

/* Boots a machine and ends it, in namespaces like a run's, without a network: what no look at /dev/kvm can tell. Once it has
 * succeeded it isn't made again before the host boots. */
bool machine_trial(enum smolvm_policy policy, struct error *error);

/* Can root of namespaces like a run's open this file for reading and writing? Root of the host is somebody else there. */
bool machine_may_open(const char *path, struct error *error);

/* One plain command of the engine about this machine; `result` may be NULL. */
bool machine_command(const struct bottle *bottle, enum smolvm_verb verb, struct smolvm_result *result,
                     struct error *error);

/* The engine's state database of this bottle. `path` is borrowed by `state`. */
bool machine_state(const struct bottle *bottle, char path[PATH_MAX], struct smolvm_state *state, struct error *error);

#endif
