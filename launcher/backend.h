/*
 * The backend contract: one table of functions a backend. The gate (and `bottle run`) start, fill,
 * use and destroy a bottle through it and know nothing else of how it is made.
 *
 * Every function runs in the caller's process, which is single-threaded. A backend is never swapped
 * for a weaker one: what was asked for is what runs, or the call fails and says what is missing.
 */
#ifndef LAUNCHER_BACKEND_H
#define LAUNCHER_BACKEND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "support/error.h"

/* Who acts inside a bottle: uid 65534, or uid 0 of the bottle. */
enum principal { PRINCIPAL_USER, PRINCIPAL_ROOT, PRINCIPALS };
const char *principal_name(enum principal principal); /* "user", "root" */

/* One part of a bottle that keeps something in. Its bit is 1u << its index in the backend's table. */
struct fence {
    const char *name;        /* what --mutant takes */
    const char *keeps;       /* one line for people: what it keeps in */
    const uint16_t *vectors; /* ids (49 for BG-049) that it stops, alone or with others; ends with 0 */
    uint32_t masked_by;      /* bits of the fences that stop the same vectors too */
};

/* Where the door leads. The relay (or the backend's own routing) connects there, outside the bottle. */
struct door {
    bool wanted;
    char host[64]; /* IP literal */
    uint16_t port;
};

struct control_group;

/* What a backend takes from the machine itself, where its bottles are to be in the machine's own network (--site=host): its descriptors lead there
 * whatever namespaces and mounts the caller has made since. Owned by whoever opened it. */
struct machine {
    int proc;      /* /proc of the PID namespace in which the machine's engine names its processes */
    int engine;    /* the socket of the engine (O_PATH) */
    char mark[33]; /* what is made there is marked with it: lower-case hex digits */
};

struct bottle_options {
    uint32_t without;     /* bits of the fences left out; the open bottle leaves out all */
    bool open;            /* it is the open bottle */
    enum principal first; /* of those who will run something in it: who tries it out */
    struct door door;
    const char *policy;      /* a backend's own word for how tight it is ("hardened", "cidr"); NULL: its default */
    bool system_directories; /* bind /usr, /bin, /sbin, /lib* and what programs need of /etc, read-only */
    const char *init_path;   /* bottle-init, the static PID 1 of a native bottle */
    const char *step_path;   /* bottle-step, which starts each command in a machine */
    /* For the engine, as `engine_mebibytes` says. Borrowed; NULL: none could be made. */
    const struct control_group *group;
    const struct machine *machine; /* for a backend with machine_open; NULL: in a sealed site. Borrowed */
};

/* One thing that a backend needs of the host, looked at alone. */
struct host_check {
    const char *name, *purpose;
    uint32_t after;    /* bits (1u << index) of the checks before it without which there is nothing to look at */
    bool makes_bottle; /* takes a while, and what every bottle needs: `preflight` leaves it out */
    bool (*look)(const char *policy, struct error *error); /* false: ERROR_HOST or ERROR_USAGE, with the remedy */
};

/* What `wrap` is told: command lines for /bin/sh, in which {probe} stands for what is to be run. Borrowed; NULL where not given. */
struct wrap_words {
    const char *command, *open_command; /* the sandbox, and the same without its fence */
    /* How it reaches the door: "none" (default), "direct", an IPv4 address with or without :PORT, or a proxy (probes/proxy.h). */
    const char *door;
};

struct bottle; /* owned by the backend */

#define FINGERPRINT_LACKS 8
#define FENCE_LOG         200 /* bytes */

/* What stands behind the bottle, for the report and against silent downgrades. */
struct fingerprint {
    char engine[64], version[64], kernel[128], boot_id[40];
    char details[400]; /* free text, one line */
    /* Vectors that need what its own kernel doesn't have, as something outside of it shows; ends with 0. */
    uint16_t lacks[FINGERPRINT_LACKS];
};

/* Standard descriptors of a process to be started inside; -1 means /dev/null. Borrowed. */
struct exec_streams {
    int input, output, errors;
    bool terminal; /* input is a slave from open_terminal and becomes the command's controlling terminal */
};

/* A way that a make of bottle hasn't, open or not: a vector, at places that begin so ("": at all of them). */
struct structural_way {
    uint16_t vector;
    const char *address;
};

struct backend {
    const char *name;
    const struct fence *fences;
    size_t fence_count;
    /* Of each fence, in the table's order, the vectors that may get out without it in a form that can't be told from another (ends with 0;
     * NULL: none): a self-proof expects nothing of them. NULL: there are no such. */
    const uint16_t *const *partly;
    const uint16_t *open_must_leak; /* vectors that its open bottle must leak, or it was not open; ends with 0 */
    const char *peer4, *peer6;      /* where one of its bottles would find another: an IP literal; loopback for bottles
                                * that have no address of their own; NULL where there is never a second one */
    /* What the engine itself sends from the host while it makes a bottle, as destinations ("8.8.8.8:53"); ends with NULL. NULL: nothing. It
     * is told of, and is no unexplained traffic. */
    const char *const *own_traffic;
    /* What runs its bottles, where there is a choice, which --runtime makes. Each has a table of its own, with the same name, fences and
     * policies; all of them are in `runtimes`, that which is used unasked where it is on the host before the others; ends with NULL. Both NULL:
     * there is no choice. */
    const char *runtime;
    const struct backend *const *runtimes;
    bool (*has_runtime)(struct error *error); /* is it on this host? ERROR_HOST with the remedy. NULL: it always is */

    const char *const *policies; /* what bottle_options.policy takes, its default first; ends with NULL. NULL: none */

    /* The bits of the fences that a bottle of this policy has. NULL: all of them. */
    uint32_t (*policy_fences)(const char *policy);

    /* Where two fences stop a vector between them: does this one stop the attempt at this place? `address` as for `structural`, `port` 0 where
     * it is a random one. Asked of fences whose table has the vector. NULL: each stops all of it. */
    bool (*fence_stops)(size_t fence, uint16_t vector, const char *address, uint16_t port);

    bool
        own_kernel; /* its bottles run a kernel of their own (microVMs, gVisor): the gate requires that they show another */
    bool own_ids;         /* its bottles map ids as they like: what uid a command in one sees says nothing */
    bool door_by_address; /* its bottles find the door at an address of the site; there is no relay into them */
    /* What listens on host loopback beside the witnesses is its own and inside the fence: proxies, relays. */
    bool own_listeners;
    unsigned bottle_mebibytes; /* the memory that a bottle may take; 0: no more than the commands in it */
    /* What its engine may take with all bottles of a phase: the gate makes a control group for that, where the host lets it, before it gives up the
     * rights for it, and the backend puts the engine in, and nothing else. 0: it has no use for one. */
    unsigned engine_mebibytes, engine_processes;
    unsigned
        command_milliseconds; /* what starting a command in a bottle may take, beyond a moment: added to bounds on hangs */
    unsigned attempt_milliseconds; /* what all attempts of a session get at least; more where a bottle is slow */
    unsigned drain_milliseconds;   /* how long witnesses go on listening after the bottle is gone */

    /* Takes this program as its engine from now on, in this process and its children; ERROR_USAGE if there is none. NULL for a
     * backend that has no engine. */
    bool (*name_engine)(const char *path, struct error *error);

    /* Takes these command lines from now on, the same way; ERROR_USAGE if they are none. NULL for a backend that is no command. */
    bool (*take_words)(const struct wrap_words *words, struct error *error);

    /* Whether its bottles have a door at all. NULL: all have. */
    bool (*has_door)(void);

    /* What the door is reached through from inside, as a plan says it (probes/proxy.h), or NULL: nothing. NULL: nothing, always. */
    const char *(*door_proxy)(const struct bottle *bottle);

    /* False where it has nothing to make an open bottle of: a run then makes no open run. NULL: it always can. */
    bool (*has_open)(void);

    /* Tells whether this host can run it with that policy (NULL: the default); on failure `error` names what is missing and the
     * remedy. */
    bool (*preflight)(const char *policy, struct error *error);

    /* The same one by one, for who wants to know all of it, and what takes too long before each run. NULL where preflight makes a
     * bottle and there is nothing to take apart. */
    const struct host_check *checks;
    size_t check_count;

    /* What shuts a vector where this backend leaves it open, or NULL for the general advice; NULL for a backend that has none. */
    const char *(*remedy)(uint16_t vector);

    /* The same for sandboxes of others that it can run, one by one: the name and the text of row `index`, NULL where that one has none for
     * this vector; false when there are no more rows. NULL: it runs none. */
    bool (*sandbox_remedy)(size_t index, uint16_t vector, const char **sandbox, const char **text);

    /* Starts a bottle and returns it, owned by the caller, who ends it with destroy; NULL on failure. */
    struct bottle *(*start)(const struct bottle_options *options, struct error *error);

    /* Where a command inside finds the door: IP literal (at most 63 bytes) and port. */
    bool (*door_address)(const struct bottle *bottle, char host[64], uint16_t *port, struct error *error);

    /* Copies all of `source` (a regular file or memfd, read from offset 0) to /tmp/NAME inside,
     * owned by root of the bottle. `name` has no slash. A name that exists inside is an error. */
    bool (*put)(struct bottle *bottle, const char *name, int source, mode_t mode, struct error *error);

    /* Starts `argv` (argv[0] an absolute path inside) as `principal` and returns at once. The process
     * to wait for is returned in *pid: it exits as the command does (128+n for a signal, 127 not found, 126
     * not executable), and killing it (SIGKILL) kills the command. A name without a slash is looked up in the
     * PATH that commands inside get. A command not waited for by the time of destroy is reaped there. */
    bool (*exec)(struct bottle *bottle, char *const argv[], enum principal principal,
                 const struct exec_streams *streams, pid_t *pid, struct error *error);

    /* Makes a pseudo-terminal of the bottle's own, for `principal`: both ends are owned by the caller, who
     * relays on the master and gives the slave to exec. NULL for a backend that has none. */
    bool (*open_terminal)(struct bottle *bottle, enum principal principal, int *master, int *slave,
                          struct error *error);

    /* The uid that a principal of this bottle has on the host (in the caller's user namespace). */
    bool (*host_uid)(const struct bottle *bottle, enum principal principal, uid_t *uid, struct error *error);

    bool (*fingerprint)(const struct bottle *bottle, struct fingerprint *fingerprint, struct error *error);

    /* What the engine itself says that it refused, one printable line or "": for the report, and proof of nothing. NULL: it has no such log. */
    void (*fence_log)(struct bottle *bottle, char text[FENCE_LOG]);

    /* True where silence in the open bottle is how this make of bottle is built (DESIGN: "structure"). `address` is the place as the plan
     * has it: a literal, a literal prefix with its star, or an @ name. */
    bool (*structural)(uint16_t vector, const char *address);

    /* Bottles in the machine's own network, of its own engine, which is ended by nobody here. NULL, all of them: it has none such.
     *
     * machine_open: finds that engine while the caller still sees the machine's files and processes, and asks whether it has this runtime; `machine->mark` has been set.
     * ERROR_HOST with the remedy where there is none; nothing is open then. */
    bool (*machine_open)(struct machine *machine, struct error *error);
    void (*machine_close)(struct machine *machine);
    /* Removes what bottles of that mark (an empty one: of any) have left in the engine, the firewall and among the interfaces: of a gate that was
     * killed. In the machine's network namespace. Counts what there was. */
    bool (*machine_clear)(const struct machine *machine, unsigned *removed, struct error *error);
    /* The networks of such bottles, as prefixes ("172.31.77.0/24"), and the gateway of the first one; ends with NULL. */
    const char *const *machine_networks;
    const char *machine_gateway4;

    /* Kills everything inside, waits until it is gone, checks that nothing remains, frees `bottle`.
     * Returns false (and still frees) if something remained. */
    bool (*destroy)(struct bottle *bottle, struct error *error);
};

#define BACKEND(name) extern const struct backend name##_backend;
#include "backends.def"
#undef BACKEND

/* The backend with this name, or NULL. backend_at(i) walks them all and ends with NULL. */
const struct backend *backend_find(const char *name);
const struct backend *backend_at(size_t index);

/* The fence with this name: its index, or -1. */
int backend_find_fence(const struct backend *backend, const char *name);

/* What a backend's `structural` answers by a table of its own, `count` rows. */
bool backend_has_way(const struct structural_way *ways, size_t count, uint16_t vector, const char *address);

/* The backend's own text for this policy, or NULL if it has none of that name. */
const char *backend_find_policy(const struct backend *backend, const char *name);

/* The backend with what runs its bottles: of that name, NULL if it has none such; for NULL what is used unasked on this host. The backend
 * itself where there is no choice and none is asked for. */
const struct backend *backend_find_runtime(const struct backend *backend, const char *name);

/* The same on this machine's own engine, which is asked for its runtimes: of that name, or for NULL the first that it has. NULL with `error`
 * where there is none, or no such engine. */
const struct backend *backend_find_machine_runtime(const struct backend *backend, const char *name,
                                                   struct error *error);

/* The bits of all fences of a backend. */
uint32_t backend_all_fences(const struct backend *backend);

/* The bits of the fences that its bottles of this policy have; `policy` is one of the backend's own, or NULL. */
uint32_t backend_policy_fences(const struct backend *backend, const char *policy);

#endif
