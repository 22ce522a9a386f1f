/*
 * The docker backend's own parts: a bottle is a container of a Docker Engine: of one that runs in the site and nowhere else, or of the
 * machine's own. Only the files in this folder include this.
 */
#ifndef LAUNCHER_BACKENDS_DOCKER_DOCKER_H
#define LAUNCHER_BACKENDS_DOCKER_DOCKER_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "../../backend.h"
#include "../../docker/client.h"

/* Index of each fence in the backend's table. */
enum container_fence {
    CONTAINER_NETWORK,
    CONTAINER_INPUT,
    CONTAINER_FILES,
    CONTAINER_CAPABILITIES,
    CONTAINER_NO_NEW_PRIVILEGES,
    CONTAINER_SECCOMP,
    CONTAINER_READ_ONLY,
    CONTAINER_LIMITS,
    CONTAINER_FENCES
};

static inline bool container_fenced(uint32_t without, enum container_fence fence)
{
    return (without >> fence & 1) == 0;
}

/* Bottles at once, each with a network of its own: 172.31.77.0/24 and so on. */
#define CONTAINER_BOTTLES    4
#define CONTAINER_SUBNET     77
#define CONTAINER_DOOR_PORT  8080
#define CONTAINER_STEP       "/bottle-step"
#define CONTAINER_TABLES_MAX 2048
#define CONTAINER_LINKS_MAX  2048
#define CONTAINER_COMMANDS   64 /* at once */
#define CONTAINER_PROCESSES  256
#define CONTAINER_MEBIBYTES  256

#define CONTAINER_MARK  "org.bottle-gate.mark" /* the label of what is made in the machine's engine */
#define CONTAINER_IMAGE "bottle-gate"          /* its image there is CONTAINER_IMAGE:MARK */

/* The one engine of this process: made for the first bottle, ended with the last one; or the machine's, which is entered and left. */
struct engine {
    bool of_machine;
    struct machine machine; /* its descriptors are borrowed */
    char token[33];         /* in the environment of the containers there: see first_process.c */
    bool has_limits;        /* it says that it can limit memory and processes */
    char runsc[256];        /* the program that it has registered as gVisor; "": as in our PATH */
    pid_t pid;              /* PID 1 of the engine's namespaces, our child; 0: there is no engine of our own */
    unsigned bottles;       /* bits of the places that are taken */
    char directory[64];
    char image[DOCKER_ID_BYTES];
    char tables[CONTAINER_TABLES_MAX]; /* of nftables, before it */
    char links[CONTAINER_LINKS_MAX];   /* and interfaces */
    char forwarding[8];
    bool has_gvisor;               /* it is registered */
    unsigned mebibytes, processes; /* of its control group; 0: it is in none */
    struct docker_client client;
};
extern struct engine container_engine;

/* engine.c: takes the first free place of the engine, which is started if there is none (the program `step` is what its image
 * holds), in the control group if that isn't NULL and the kernel lets it; gives a place back, and ends the engine after the last one: its processes, mounts and directory are gone then, and its
 * rules and interfaces. With `machine`, that one's engine is taken, and nothing of it ends but what was made in it. */
struct control_group;
bool engine_enter(const char *step, const struct control_group *group, const struct machine *machine, unsigned *place,
                  struct error *error);
bool engine_leave(unsigned place, struct error *error);

/* False, with what was `said` of a call that failed while a bottle was made; or that the engine was killed, if that is why. */
bool engine_explain(const struct error *said, struct error *error);

/* The directory of /proc of a process that the engine names, opened (O_PATH); -1 if there is none. */
int engine_process(pid_t process);

/* machine.c: speaks to the machine's engine, takes what it says of itself, and draws the token. The rest is as in backend.h. */
bool machine_enter(const struct machine *machine, struct engine *engine, struct error *error);
bool machine_open_runc(struct machine *machine, struct error *error);
bool machine_open_gvisor(struct machine *machine, struct error *error);
void machine_close(struct machine *machine);

/* machine_clear.c */
bool machine_clear(const struct machine *machine, unsigned *removed, struct error *error);
bool machine_is_mark(const char *mark); /* 1 to 32 lower-case hex digits */

/* What the program said last, for an error. */
void engine_last_words(char text[160]);

/* rules.c: the host's firewall and interfaces, in this process's network namespace. Needs CAP_NET_ADMIN. */
bool rules_list_tables(char text[CONTAINER_TABLES_MAX], struct error *error);
bool rules_run(const char *what, const char *rules, struct error *error);
/* What comes from the bottle's bridge; the rule has the mark. ERROR_HOST where there is such a table already. */
bool rules_drop_input(unsigned place, const char *mark, struct error *error);
bool rules_allow_input(unsigned place, struct error *error); /* that again */
/* Removes that table if it is there with that mark (an empty one: any), and counts it. */
bool rules_clear(unsigned place, const char *mark, unsigned *removed, struct error *error);
bool rules_available(struct error *error);
bool rules_list_links(char text[CONTAINER_LINKS_MAX], struct error *error);
bool rules_end_links(const char *before, struct error *error); /* all that are not in that list */

/* What a bottle with a kernel of its own says of it, from inside. */
struct own_kernel {
    char release[65], version[65], boot_id[40], log[96];
    unsigned long long capabilities;
    bool no_new_privs;
};

struct bottle {
    bool gvisor; /* it is run by runsc, and `kernel` is what it then says */
    struct own_kernel kernel;
    uint32_t without;
    bool input_dropped;
    unsigned place;
    struct door door;
    char policy[16];
    bool networked; /* it has a network of its own */
    char container[DOCKER_ID_BYTES], sidecar[DOCKER_ID_BYTES], network[DOCKER_ID_BYTES]; /* "": not made */
    pid_t relay;
    /* The directory of PID 1 inside, in the /proc of the engine's PID namespace; -1: none. */
    int process, sidecar_process;
    char warnings[160];
    struct {
        pid_t pid; /* the process that carries a command's streams, our child */
        int handle;
    } commands[CONTAINER_COMMANDS];
    size_t command_count;
};

/* container.c: the network, the bottle's container and the sidecar of its door, all started; what the engine and the kernel say of
 * them is compared with what was asked for. */
bool container_make(struct bottle *bottle, struct error *error);
bool container_end(struct bottle *bottle, struct error *error);

/* The fences that a bottle of those options is left without. */
uint32_t container_left_out(const struct bottle_options *options);

#define CONTAINER_TOKEN "BOTTLE_GATE_TOKEN=" /* in the environment of containers of the machine's engine */

/* first_process.c: what the kernel says of a container's first process, `process` as in struct bottle. */
bool first_process_is_ours(const struct bottle *bottle, int process, const char *id, struct error *error);
bool first_process_has_fences(const struct bottle *bottle, int process, uint32_t without, struct error *error);
bool first_process_is_gone(int *process, struct error *error); /* and closes it */
bool first_process_uid(int process, uid_t inside, uid_t *outside, struct error *error);

/* sidecar.c: the door's listener in the sidecar's network, and its relay. */
bool sidecar_open_door(struct bottle *bottle, struct error *error);

/* gvisor.c: the runtimes by their names for the engine. What is in its settings of gVisor, if that is here; the bottle that runs is looked
 * at from outside and inside. */
#define RUNC            "runc"
#define GVISOR          "runsc"
#define GVISOR_OPEN     "runsc-open"
#define GVISOR_SETTINGS 1024
bool gvisor_is_here(struct error *error);
void gvisor_register(char settings[GVISOR_SETTINGS]);
bool gvisor_prove(struct bottle *bottle, struct error *error);
void gvisor_version(char version[48]);
bool gvisor_structural(uint16_t vector, const char *address); /* what such a bottle is by its make: see backend.h */

/* Reads what `bottle-step kernel` prints; changes `said`. False if that is cut or something else. Pure, as is the other. */
bool gvisor_read_kernel(char *said, struct own_kernel *kernel);
bool gvisor_is_own_kernel(const struct own_kernel *kernel, const char *host_release, const char *host_boot_id);

/* command.c. container_step: runs bottle-step to its end, with `input` (-1: nothing); what it prints, cut to fit, is in `said`. */
bool container_step(const struct bottle *bottle, const char *const words[], size_t count, int input, char *said,
                    size_t capacity, struct error *error);
bool container_put(struct bottle *bottle, const char *name, int source, mode_t mode, struct error *error);
void container_end_commands(struct bottle *bottle);
bool container_exec(struct bottle *bottle, char *const argv[], enum principal principal,
                    const struct exec_streams *streams, pid_t *pid, struct error *error);

/* fingerprint.c */
bool container_fingerprint(const struct bottle *bottle, struct fingerprint *fingerprint, struct error *error);

/* host_checks.c */
enum { CONTAINER_CHECKS = 4 }; /* and one more with gVisor */
extern const struct host_check container_checks[CONTAINER_CHECKS + 1];
bool container_preflight(const char *policy, struct error *error);
bool container_preflight_gvisor(const char *policy, struct error *error);

/* The program in the engine's own PATH, or false. */
bool container_find_program(const char *name, char path[PATH_MAX]);

#endif
