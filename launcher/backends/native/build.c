/*
 * How a bottle comes to be. Three processes:
 *
 *   caller    forks the builder into new namespaces, maps its ids, and from then on only listens on a channel
 *   builder   in the new namespaces but the PID and time ones (which only a child can be in): makes the network, the door's
 *             listener and the namespace of the `user` principal, then forks init as the *caller's* child and ends
 *   init      PID 1: makes the root (only a process of the PID namespace may mount its /proc), gives up all it may do and
 *             becomes bottle-init, from a sealed copy in memory
 *
 * Each step is a row of a table with the fence that it belongs to. An error comes back over the channel as one line; the
 * caller then ends whoever lives. A caller that dies takes all of them with it (parent death signals, and the lifeline).
 */
#include "native.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../capabilities.h"
#include "../../namespaces.h"
#include "../../support/channel.h"
#include "../../support/cleanup.h"
#include "../../support/process.h"

#define BUILD_MICROSECONDS 20000000
#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x00000080
#endif
#ifndef MFD_EXEC
#define MFD_EXEC 0x0010U
#endif

enum build_message { IDS_MAPPED = CHANNEL_ERROR + 1, DOOR_LISTENER, USER_NAMESPACE, TEMPORARY, INIT_STARTED };

struct build {
    struct bottle *bottle;
    int channel;  /* the helper's end */
    int lifeline; /* init's end */
    int program;  /* bottle-init in memory */
};

static bool tell(const struct build *build, enum build_message kind, pid_t pid, int descriptor, struct error *error)
{
    struct channel_message message = { .kind = (int)kind, .pid = pid };
    return channel_send(build->channel, &message, descriptor) || error_system(error, "can't report to the launcher");
}

static bool set_up_network(const struct build *build, struct error *error)
{
    (void)build;
    return native_network_set_up(error);
}

/* Not fenced by `network`: without that fence the listener is made all the same, in the caller's namespace. */
static bool set_up_door(const struct build *build, struct error *error)
{
    if (!build->bottle->door.wanted)
        return true;
    cleanup_close int listener = native_door_listen(error);
    return listener >= 0 && tell(build, DOOR_LISTENER, 0, listener, error);
}

static bool set_up_name(const struct build *build, struct error *error)
{
    (void)build;
    return sethostname("bottle", 6) == 0 || error_system(error, "can't name the bottle");
}

/* Where only one id is mapped, 65534 gets a namespace of its own, made before nesting is forbidden and kept by descriptor. */
static bool set_up_user_namespace(const struct build *build, struct error *error)
{
    if (geteuid() == 65534 && !capabilities_have(CAP_SYS_ADMIN))
        return true; /* it is that user already: a bottle without its user fence */
    if (namespaces_have_block() && capabilities_have(CAP_SETUID))
        return true;
    pid_t holder = namespaces_fork(CLONE_NEWUSER, error);
    if (holder < 0)
        return false;
    if (holder == 0) {
        process_die_with_parent(-1);
        for (;;)
            pause();
    }
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/ns/user", (int)holder);
    cleanup_close int namespace = -1;
    bool told = namespaces_map_ids(holder, 65534, error);
    if (told && (namespace = open(path, O_RDONLY | O_CLOEXEC)) < 0)
        told = error_system(error, "can't open %s", path);
    told = told && tell(build, USER_NAMESPACE, 0, namespace, error);
    process_kill(holder);
    return told;
}

static bool set_up_nesting(const struct build *build, struct error *error)
{
    (void)build;
    return file_write("/proc/sys/user/max_user_namespaces", "0", error);
}

/* Only children of the calling process are in the new time namespace. */
static bool set_up_time(const struct build *build, struct error *error)
{
    (void)build;
    return unshare(CLONE_NEWTIME) == 0 || error_system(error, "can't make a time namespace");
}

static bool set_up_root(const struct build *build, struct error *error)
{
    return native_root_enter(build->bottle->system_directories, native_fenced(build->bottle->without, FENCE_PID),
                             error);
}

/* Handed out as a descriptor, so that nobody inside can put another directory in its place. */
static bool set_up_temporary(const struct build *build, struct error *error)
{
    cleanup_close int temporary = open("/tmp", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (temporary < 0)
        return error_system(error, "can't open the bottle's /tmp");
    return tell(build, TEMPORARY, 0, temporary, error);
}

#define ALWAYS NATIVE_FENCES
struct step {
    enum native_fence fence;
    bool (*run)(const struct build *build, struct error *error);
};
static const struct step builder_steps[] = {
    { FENCE_NETWORK, set_up_network }, { ALWAYS, set_up_door },           { FENCE_UTS, set_up_name },
    { ALWAYS, set_up_user_namespace }, { FENCE_NESTING, set_up_nesting }, { FENCE_TIME, set_up_time },
};
static const struct step init_steps[] = {
    { FENCE_MOUNT, set_up_root },
    { ALWAYS, set_up_temporary },
};

static void run_steps(const struct build *build, const struct step *steps, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct error error = { 0 };
        if (steps[i].fence != ALWAYS && !native_fenced(build->bottle->without, steps[i].fence))
            continue;
        if (!steps[i].run(build, &error))
            channel_fail(build->channel, &error);
    }
}

static _Noreturn void be_init(const struct build *build)
{
    struct error error = { 0 };
    process_die_with_parent(build->channel);
    setsid();
    run_steps(build, init_steps, sizeof init_steps / sizeof *init_steps);
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    /* The lifeline takes place 0; program and channel close by themselves when the program runs. */
    if (null < 0 || dup2(null, 1) < 0 || dup2(null, 2) < 0 || dup2(build->lifeline, 0) < 0)
        error_system(&error, "can't give bottle-init its descriptors");
    char *const argv[] = { "bottle-init", NULL }, *const environment[] = { NULL };
    if (error.code == ERROR_NONE && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        error_system(&error, "can't set no_new_privs");
    if (error.code == ERROR_NONE && capabilities_drop_all(&error)) {
        fexecve(build->program, argv, environment);
        error_system(&error, "can't run bottle-init");
    }
    channel_fail(build->channel, &error);
}

static _Noreturn void be_builder(struct build *build)
{
    struct error error = { 0 };
    struct channel_message go;
    process_die_with_parent(build->channel);
    if (channel_receive(build->channel, &go, NULL, clock_microseconds() + BUILD_MICROSECONDS, &error) !=
        CHANNEL_MESSAGE)
        _exit(1);
    if (native_fenced(build->bottle->without, FENCE_USER)) {
        /* From an id that is unmapped here to root of the bottle; an ordinary user's groups can't be dropped. */
        if (setgroups(0, NULL) != 0 && errno != EPERM)
            error_system(&error, "can't drop the supplementary groups");
        else if (setresgid(0, 0, 0) != 0 || setresuid(0, 0, 0) != 0)
            error_system(&error, "can't become root of the bottle");
        if (error.code != ERROR_NONE)
            channel_fail(build->channel, &error);
        process_die_with_parent(build->channel);
    }
    run_steps(build, builder_steps, sizeof builder_steps / sizeof *builder_steps);
    int flags = native_fenced(build->bottle->without, FENCE_PID) ? CLONE_NEWPID : 0;
    pid_t init = namespaces_fork(CLONE_PARENT | flags, &error);
    if (init == 0)
        be_init(build);
    if (init < 0 || !tell(build, INIT_STARTED, init, -1, &error))
        channel_fail(build->channel, &error);
    _exit(0);
}

/* A copy that nobody can write to, not even through /proc/1/exe. */
static int load_program(const char *path, struct error *error)
{
    cleanup_close int file = open(path, O_RDONLY | O_CLOEXEC);
    struct stat status;
    if (file < 0 || fstat(file, &status) != 0) {
        error_system(error, "can't open %s", path);
        return -1;
    }
    cleanup_close int memory = memfd_create("bottle-init", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_EXEC);
    if (memory < 0 && errno == EINVAL) /* before Linux 6.3 every memfd was executable */
        memory = memfd_create("bottle-init", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    off_t copied = 0;
    while (memory >= 0 && copied < status.st_size &&
           sendfile(memory, file, &copied, (size_t)(status.st_size - copied)) > 0)
        ;
    if (memory < 0 || copied != status.st_size || fchmod(memory, 0555) != 0 ||
        fcntl(memory, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0) {
        error_system(error, "can't copy %s into memory", path);
        return -1;
    }
    return take_fd(&memory);
}

/* Listens to the helpers until they have all gone their way, which is when the channel closes. Goes on after an error: who
 * init is may be told after what failed in it. */
static bool follow(struct bottle *bottle, int channel, uint64_t deadline, int *listener, struct error *error)
{
    for (bool failed = false;;) {
        struct channel_message message = { .kind = -1 };
        int descriptor;
        enum channel_result result = channel_receive(channel, &message, &descriptor, deadline, error);
        if (result == CHANNEL_CLOSED)
            return !failed && (bottle->init > 0 || error_set(error, ERROR_SYSTEM, "the bottle's builder died"));
        if (result == CHANNEL_FAILED && message.kind != CHANNEL_ERROR)
            return false;
        failed |= result == CHANNEL_FAILED;
        if (message.kind == DOOR_LISTENER)
            *listener = descriptor;
        else if (message.kind == USER_NAMESPACE)
            bottle->user_namespace = descriptor;
        else if (message.kind == TEMPORARY)
            bottle->temporary = descriptor;
        else if (message.kind == INIT_STARTED)
            bottle->init = message.pid;
    }
}

/* Init says one byte when its signals and its parent death signal are set. */
static bool hear_init(const struct bottle *bottle, uint64_t deadline, struct error *error)
{
    char byte;
    struct timeval left = { .tv_sec = clock_poll_timeout(deadline) / 1000 + 1 };
    setsockopt(bottle->lifeline, SOL_SOCKET, SO_RCVTIMEO, &left, sizeof left);
    return read_all(bottle->lifeline, &byte, 1) == 1 || error_set(error, ERROR_SYSTEM, "bottle-init did not start");
}

static bool open_namespaces(struct bottle *bottle, struct error *error)
{
    for (size_t i = 0; i < NATIVE_NAMESPACES; i++) {
        char path[64];
        if (!native_fenced(bottle->without, native_namespaces[i].fence) ||
            !native_namespace_exists(&native_namespaces[i]))
            continue;
        snprintf(path, sizeof path, "/proc/%d/ns/%s", (int)bottle->init, native_namespaces[i].file);
        if ((bottle->namespaces[i] = open(path, O_RDONLY | O_CLOEXEC)) < 0)
            return error_system(error, "can't open %s", path);
    }
    return true;
}

bool native_build(struct bottle *bottle, const char *init_path, int *listener, struct error *error)
{
    cleanup_close int program = load_program(init_path, error);
    if (program < 0)
        return false;
    int ends[2], life[2], flags = 0;
    if (!channel_open(ends, error))
        return false;
    cleanup_close int channel = ends[0], helper_channel = ends[1];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, life) != 0)
        return error_system(error, "can't make a lifeline");
    bottle->lifeline = life[0];
    cleanup_close int helper_lifeline = life[1];

    for (size_t i = 0; i < NATIVE_NAMESPACES; i++) {
        const struct native_namespace *wanted = &native_namespaces[i];
        if (!native_fenced(bottle->without, wanted->fence))
            continue;
        if (!native_namespace_exists(wanted)) {
            if (wanted->fence != FENCE_TIME && wanted->fence != FENCE_CGROUP)
                return error_set(error, ERROR_HOST, "this kernel has no %s namespaces: a bottle needs them",
                                 wanted->file);
            bottle->without |= 1u << wanted->fence; /* an old kernel: told by the fingerprint */
        } else if (wanted->flag != CLONE_NEWPID && wanted->flag != CLONE_NEWTIME)
            flags |= wanted->flag;
    }
    pid_t builder = namespaces_fork(flags, error);
    if (builder < 0)
        return false;
    if (builder == 0) {
        close(channel);
        close(bottle->lifeline);
        struct build build = { bottle, helper_channel, helper_lifeline, program };
        be_builder(&build);
    }
    cleanup_close_fd(&helper_channel);
    cleanup_close_fd(&helper_lifeline);

    uint64_t deadline = clock_microseconds() + BUILD_MICROSECONDS;
    struct channel_message go = { .kind = IDS_MAPPED };
    bool built = (flags & CLONE_NEWUSER) == 0 || namespaces_map_ids(builder, 0, error);
    built = built && (channel_send(channel, &go, -1) || error_system(error, "can't reach the bottle's builder"));
    built = built && follow(bottle, channel, deadline, listener, error) && hear_init(bottle, deadline, error) &&
            open_namespaces(bottle, error);
    process_kill(builder);
    if (!built) {
        process_kill(bottle->init);
        bottle->init = 0;
    }
    return built;
}
