/*
 * See machine.h: one machine, booted and ended, to see whether /dev/kvm runs kernels. A device may open, answer, and run a few
 * instructions, and yet no kernel: only a command in a machine that booted tells.
 *
 * The machine is made where a run would make it: as root of namespaces of its own, whose end is the end of everything in them.
 * There is no network in them, whatever the engine asks for.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../namespaces.h"
#include "../../smolvm/kvm.h"
#include "../../support/cleanup.h"
#include "../../support/process.h"
#include "machine.h"

#define ALL_NAMESPACES (CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS)
#define TRIAL_SECONDS  600 /* a bound on hangs, beyond those of each step */
#define REMEDY                                                                                                         \
    "switch on nested virtualisation in the host of this virtual machine, take a host whose KVM runs kernels, or "     \
    "another backend (--backend=native)"

/* Shared with the process that makes it. */
struct trial {
    enum smolvm_policy policy;
    const char *device;
    bool good;
    struct error error;
};

/* Where it is remembered: $XDG_CACHE_HOME/bottle-gate, by default ~/.cache/bottle-gate; made if it isn't there. */
static bool find_memory(char path[PATH_MAX])
{
    const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    bool named = cache != NULL && *cache == '/';
    if (!named && (home == NULL || *home != '/'))
        return false;
    char base[PATH_MAX - sizeof "/bottle-gate"];
    if (snprintf(base, sizeof base, "%s%s", named ? cache : home, named ? "" : "/.cache") >= (int)sizeof base)
        return false;
    mkdir(base, 0700);
    snprintf(path, PATH_MAX, "%s/bottle-gate", base);
    return mkdir(path, 0700) == 0 || errno == EEXIST;
}

static bool become_root(int mapped, struct error *error)
{
    char go;
    if (read(mapped, &go, 1) != 1)
        return error_set(error, ERROR_SYSTEM, "the trial was given up before it began");
    if (setresgid(0, 0, 0) != 0 || setresuid(0, 0, 0) != 0)
        return error_system(error, "can't become root of the trial's namespaces");
    prctl(PR_SET_DUMPABLE, 1); /* a change of ids took it, and with it /proc/self */
    process_die_with_parent(mapped);
    return true;
}

static bool see_own_processes(struct error *error)
{
    if (setsid() < 0 || mount("", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) != 0)
        return error_system(error, "can't make the trial's mounts");
    return true;
}

static pid_t start(int flags, void (*work)(struct trial *), struct trial *trial, int *lifeline, struct error *error)
{
    int mapped[2];
    if (pipe2(mapped, O_CLOEXEC) != 0) {
        error_system(error, "can't make a pipe");
        return -1;
    }
    pid_t pid = namespaces_fork(flags, error);
    if (pid == 0) {
        close(mapped[1]);
        signal(SIGPIPE, SIG_IGN);
        if (become_root(mapped[0], &trial->error))
            work(trial);
        _exit(0);
    }
    close(mapped[0]);
    *lifeline = mapped[1];
    if (pid > 0 && (!namespaces_map_ids(pid, 0, error) || !write_all(mapped[1], "", 1))) {
        process_kill(pid);
        pid = -1;
    }
    return pid;
}

/* Does the work as root of new namespaces. False with `error` if that couldn't be done; what came of it is in the trial. */
static bool do_inside(int flags, unsigned seconds, void (*work)(struct trial *), struct trial *trial,
                      struct error *error)
{
    cleanup_close int lifeline = -1;
    pid_t pid = start(flags, work, trial, &lifeline, error);
    if (pid <= 0)
        return false;
    if (!process_wait(pid, clock_microseconds() + seconds * 1000000ull, NULL)) {
        process_kill(pid);
        trial->good = false;
        error_set(&trial->error, ERROR_HOST, "it hung for %u s", seconds);
    }
    if (!trial->good && trial->error.text[0] == '\0')
        error_set(&trial->error, ERROR_HOST, "its process was killed");
    return true;
}

static void boot_and_end(struct trial *trial)
{
    if (!see_own_processes(&trial->error))
        return;
    struct bottle *bottle = calloc(1, sizeof *bottle);
    if (bottle == NULL) {
        error_system(&trial->error, "can't start a machine");
        return;
    }
    bottle->door = (struct door){ .wanted = true, .host = MACHINE_TRIAL_DOOR, .port = 9 };
    bool booted = machine_prepare(bottle, false, &trial->error) && machine_boot(bottle, trial->policy, &trial->error);
    trial->good = machine_end(bottle, booted ? &trial->error : NULL) && booted;
    free(bottle);
}

static bool boot(struct trial *trial, struct error *error)
{
    return do_inside(ALL_NAMESPACES, TRIAL_SECONDS, boot_and_end, trial, error) &&
           (trial->good || error_set(error, ERROR_HOST, "/dev/kvm opens, but no machine boots on it (%.200s): " REMEDY,
                                     trial->error.text));
}

static struct trial *make_trial(struct error *error)
{
    struct trial *trial = mmap(NULL, sizeof *trial, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (trial != MAP_FAILED)
        return trial;
    error_system(error, "can't make room for a trial");
    return NULL;
}

bool machine_trial(enum smolvm_policy policy, struct error *error)
{
    char boot_id[SMOLVM_BOOT_ID], memory[PATH_MAX];
    struct error ignored = { 0 };
    bool remembers = smolvm_boot_id(NULL, boot_id, &ignored) && find_memory(memory);
    if (remembers && smolvm_kvm_known(memory, boot_id))
        return true;
    struct trial *trial = make_trial(error);
    if (trial == NULL)
        return false;
    trial->policy = policy;
    bool booted = boot(trial, error);
    munmap(trial, sizeof *trial);
    if (booted && remembers)
        smolvm_kvm_remember(memory, boot_id, &ignored);
    return booted;
}

static void open_device(struct trial *trial)
{
    cleanup_close int device = open(trial->device, O_RDWR | O_CLOEXEC | O_NONBLOCK);
    trial->good = device >= 0 || error_system(&trial->error, "can't open it");
}

bool machine_may_open(const char *path, struct error *error)
{
    struct trial *trial = make_trial(error);
    if (trial == NULL)
        return false;
    trial->device = path;
    bool may =
        do_inside(CLONE_NEWUSER, TRIAL_SECONDS, open_device, trial, error) &&
        (trial->good ||
         error_set(error, ERROR_HOST,
                   "root's machines run under an id that nobody else has, which can't open %.128s: run as an ordinary "
                   "user in the group kvm (sudo usermod -aG kvm USER), or put root into that group (sudo usermod "
                   "-aG kvm root), and log in again",
                   path));
    munmap(trial, sizeof *trial);
    return may;
}
