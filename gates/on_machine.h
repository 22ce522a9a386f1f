/*
 * A run on the machine itself (--site=host): what it needs beside its phases. One such run a machine; the machine's descriptors, which
 * the phases inherit; and a guardian, a process that outlives a gate that is killed and removes what was made on the
 * machine. It ends with the run, and says whether there was anything left to remove.
 */
#ifndef GATES_ON_MACHINE_H
#define GATES_ON_MACHINE_H

#include <stdbool.h>
#include <sys/types.h>

#include "../launcher/backend.h"
#include "plan.h"

struct on_machine {
    const struct backend *backend;
    struct machine machine;
    pid_t guardian; /* -1: there is none */
    int lifeline;   /* the guardian waits for its end: this process and those that it forks hold it */
    int lock;
};

/* False with ERROR_USAGE for a backend that has no such bottles. */
bool on_machine_knows(const struct backend *backend, struct error *error);

/* What such a run needs, one by one: false with ERROR_HOST and the remedy. Each of a backend that has such bottles. */
struct on_machine_check {
    const char *name, *purpose;
    bool (*look)(const struct backend *backend, struct error *error);
};
enum { ON_MACHINE_CHECKS = 5 };
extern const struct on_machine_check on_machine_checks[ON_MACHINE_CHECKS];

/* All of it, up to the first that is missing. */
bool on_machine_preflight(const struct backend *backend, struct error *error);

/* What it can do without: echo requests (BG-064). */
bool on_machine_may_ping(struct error *error);

void on_machine_places(const struct backend *backend, struct machine_places *places);

/* Takes the machine for a run with this id and starts the guardian. To be ended with on_machine_end, or dropped with on_machine_drop. */
bool on_machine_begin(struct on_machine *on, const struct backend *backend, const char *run, struct error *error);

/* When all phases have ended: false if something of them was left on the machine; the guardian has removed what it could, and `text` says so, unless it says
 * something already. */
bool on_machine_end(struct on_machine *on, char text[160]);

/* Lets the guardian clear up, and takes no interest in what it finds. */
void on_machine_drop(struct on_machine *on);
#define cleanup_machine __attribute__((cleanup(on_machine_drop)))

/* For gc: removes what killed runs have left on this machine, for every backend that can be run there; `told` as in leftovers.h.
 * Nothing happens for who isn't root, or while a run is under way. */
bool on_machine_collect(bool dry, void (*told)(const char *path, const char *what, void *context), void *context,
                        struct error *error);

#endif
