/*
 * How a bottle comes to be. Two processes:
 *
 *   caller    clones init into new namespaces; while init prepares what needs no ids it looks for ids and maps them; while
 *             init builds the root it loads bottle-init into memory; then it opens the namespaces, and hears that
 *             bottle-init runs
 *   init      PID 1: makes the network, the door's listener, the namespace of the `user` principal and the root, gives up
 *             all it may do and becomes bottle-init, from the sealed copy in memory
 *
 * Each step is a row of a table with the fence that it belongs to. An error comes back over the channel as one line; the
 * caller then ends init. A caller that dies takes init with it (parent death signal, and the lifeline).
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

enum build_message { IDS_MAPPED = CHANNEL_ERROR + 1, PROGRAM, DOOR_LISTENER, USER_NAMESPACE, TEMPORARY };

struct build {
    const struct bottle *bottle;
    int channel;  /* init's end */
    int lifeline; /* init's end */
    uint64_t deadline;
};

static bool tell(const struct build *build, enum build_message kind, int descriptor, struct error *error)
{
    struct channel_message message = { .kind = (int)kind };
    return channel_send(build->channel, &message, descriptor) || error_system(error, "can't report to the launcher");
}

static bool set_up_network(const struct build *build, struct error *error)
{
    (void)build;
    return native_network_set_up(error);
}

static bool set_up_ping(const struct build *build, struct error *error)
{
    (void)build;
    return native_network_allow_ping(error);
}

/* Not fenced by `network`: without that fence the listener is made all the same, in the caller's namespace. */
static bool set_up_door(const struct build *build, struct error *error)
{
    if (!build->bottle->door.wanted)
        return true;
    cleanup_close int listener = native_door_listen(error);
    return listener >= 0 && tell(build, DOOR_LISTENER, listener, error);
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
    pid_t holder = namespaces_fork(0, error);
    if (holder < 0)
        return false;
    if (holder == 0) {
        struct error failure = { 0 };
        process_die_with_parent(-1);
        int namespace = namespaces_become_only_user(&failure) ? open("/proc/self/ns/user", O_RDONLY | O_CLOEXEC) : -1;
        if (namespace < 0)
            error_system(&failure, "can't open the namespace of uid 65534");
        else
            tell(build, USER_NAMESPACE, namespace, &failure);
        if (failure.code != ERROR_NONE)
            channel_fail(build->channel, &failure);
        _exit(0);
    }
    int status = -1;
    return (process_wait(holder, build->deadline, &status) && status == 0) ||
           error_set(error, ERROR_SYSTEM, "can't make the namespace of uid 65534");
}

static bool set_up_nesting(const struct build *build, struct error *error)
{
    (void)build;
    return file_write("/proc/sys/user/max_user_namespaces", "0", error);
}

/* A new time namespace is for children first, and since Linux 6.3 for the next program; so the process enters it itself. */
static bool set_up_time(const struct build *build, struct error *error)
{
    (void)build;
    cleanup_close int namespace = -1;
    if (unshare(CLONE_NEWTIME) != 0 ||
        (namespace = open("/proc/self/ns/time_for_children", O_RDONLY | O_CLOEXEC)) < 0 ||
        setns(namespace, CLONE_NEWTIME) != 0)
        return error_system(error, "can't make a time namespace");
    return true;
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
    return tell(build, TEMPORARY, temporary, error);
}

#define ALWAYS NATIVE_FENCES
struct step {
    enum native_fence fence;
    bool (*run)(const struct build *build, struct error *error);
};
/* While the caller looks for ids: a new user namespace gives its rights before it has any. */
static const struct step early_steps[] = {
    { FENCE_NETWORK, set_up_network },
    { FENCE_UTS, set_up_name },
    { FENCE_TIME, set_up_time },
    { ALWAYS, set_up_door },
};
static const struct step steps[] = {
    { FENCE_NETWORK, set_up_ping }, { ALWAYS, set_up_user_namespace }, { FENCE_NESTING, set_up_nesting },
    { FENCE_MOUNT, set_up_root },   { ALWAYS, set_up_temporary },
};

static void run_steps(const struct build *build, const struct step *list, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct error error = { 0 };
        if (list[i].fence != ALWAYS && !native_fenced(build->bottle->without, list[i].fence))
            continue;
        if (!list[i].run(build, &error))
            channel_fail(build->channel, &error);
    }
}

/* Waits for what the caller has to give. A caller that gave up has closed the channel. */
static int await(const struct build *build, enum build_message kind)
{
    int descriptor;
    struct error error = { 0 };
    struct channel_message message;
    enum channel_result result = channel_receive(build->channel, &message, &descriptor, build->deadline, &error);
    if (result == CHANNEL_CLOSED)
        _exit(1);
    if (result != CHANNEL_MESSAGE || message.kind != (int)kind)
        channel_fail(build->channel, &error);
    return descriptor;
}

/* From an id that is unmapped here to root of the bottle; an ordinary user's groups can't be dropped. */
static bool become_root(struct error *error)
{
    if (setgroups(0, NULL) != 0 && errno != EPERM)
        return error_system(error, "can't drop the supplementary groups");
    return (setresgid(0, 0, 0) == 0 && setresuid(0, 0, 0) == 0) ||
           error_system(error, "can't become root of the bottle");
}

static _Noreturn void become_program(const struct build *build, int program)
{
    struct error error = { 0 };
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    char *const argv[] = { "bottle-init", NULL }, *const environment[] = { NULL };
    /* The lifeline takes place 0. Whatever fence is left out, init holds nothing else that is the caller's. */
    if (null < 0 || dup2(null, 1) < 0 || dup2(null, 2) < 0 || dup2(build->lifeline, 0) < 0)
        error_system(&error, "can't give bottle-init its descriptors");
    else if (native_descriptors_close_on_exec(&error) && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        error_system(&error, "can't set no_new_privs");
    if (error.code == ERROR_NONE && capabilities_drop_all(&error)) {
        fexecve(program, argv, environment);
        error_system(&error, "can't run bottle-init");
    }
    channel_fail(build->channel, &error);
}

static _Noreturn void be_init(const struct build *build)
{
    struct error error = { 0 };
    process_die_with_parent(build->channel);
    setsid();
    run_steps(build, early_steps, sizeof early_steps / sizeof *early_steps);
    await(build, IDS_MAPPED);
    if (native_fenced(build->bottle->without, FENCE_USER) && !become_root(&error))
        channel_fail(build->channel, &error);
    process_die_with_parent(build->channel); /* a change of ids undoes it */
    run_steps(build, steps, sizeof steps / sizeof *steps);
    become_program(build, await(build, PROGRAM));
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

/* Listens to init until it becomes bottle-init, or ends, which is when the channel closes. */
static bool follow(struct bottle *bottle, int channel, uint64_t deadline, int *listener, struct error *error)
{
    for (;;) {
        struct channel_message message = { .kind = -1 };
        int descriptor;
        enum channel_result result = channel_receive(channel, &message, &descriptor, deadline, error);
        if (result != CHANNEL_MESSAGE)
            return result == CHANNEL_CLOSED;
        if (message.kind == DOOR_LISTENER)
            *listener = descriptor;
        else if (message.kind == USER_NAMESPACE)
            bottle->user_namespace = descriptor;
        else if (message.kind == TEMPORARY)
            bottle->temporary = descriptor;
    }
}

/* What init waits for: its ids first, and its program when it has built the root. */
static bool give(const struct bottle *bottle, int channel, const char *init_path, struct error *error)
{
    struct channel_message ids = { .kind = IDS_MAPPED }, program = { .kind = PROGRAM };
    if (native_fenced(bottle->without, FENCE_USER) && !namespaces_map_ids(bottle->init, 0, error))
        return false;
    if (!channel_send(channel, &ids, -1))
        return true; /* init ended; what it said is still to be heard */
    cleanup_close int memory = load_program(init_path, error);
    if (memory < 0)
        return false;
    channel_send(channel, &program, memory);
    return true;
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

/* The flags of the first clone. A time namespace can't be made by it. */
static bool choose_namespaces(struct bottle *bottle, int *flags, struct error *error)
{
    for (size_t i = 0; i < NATIVE_NAMESPACES; i++) {
        const struct native_namespace *wanted = &native_namespaces[i];
        if (!native_fenced(bottle->without, wanted->fence))
            continue;
        if (native_namespace_exists(wanted))
            *flags |= wanted->flag != CLONE_NEWTIME ? wanted->flag : 0;
        else if (wanted->fence == FENCE_TIME || wanted->fence == FENCE_CGROUP)
            bottle->without |= 1u << wanted->fence; /* an old kernel: told by the fingerprint */
        else
            return error_set(error, ERROR_HOST, "this kernel has no %s namespaces: a bottle needs them", wanted->file);
    }
    return true;
}

bool native_build(struct bottle *bottle, const char *init_path, int *listener, struct error *error)
{
    int ends[2], life[2], flags = 0;
    if (!choose_namespaces(bottle, &flags, error) || !channel_open(ends, error))
        return false;
    cleanup_close int channel = ends[0], init_channel = ends[1];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, life) != 0)
        return error_system(error, "can't make a lifeline");
    bottle->lifeline = life[0];
    cleanup_close int init_lifeline = life[1];
    uint64_t deadline = clock_microseconds() + BUILD_MICROSECONDS;
    pid_t init = namespaces_fork(flags, error);
    if (init < 0)
        return false;
    if (init == 0) {
        close(channel);
        close(bottle->lifeline);
        struct build build = { bottle, init_channel, init_lifeline, deadline };
        be_init(&build);
    }
    cleanup_close_fd(&init_channel);
    cleanup_close_fd(&init_lifeline);
    bottle->init = init;
    bool built = give(bottle, channel, init_path, error) && follow(bottle, channel, deadline, listener, error) &&
                 open_namespaces(bottle, error);
    if (!built) {
        process_kill(bottle->init);
        bottle->init = 0;
    }
    return built;
}

bool native_build_finish(const struct bottle *bottle, struct error *error)
{
    char byte;
    struct timeval left = { .tv_sec = BUILD_MICROSECONDS / 1000000 };
    setsockopt(bottle->lifeline, SOL_SOCKET, SO_RCVTIMEO, &left, sizeof left);
    return read_all(bottle->lifeline, &byte, 1) == 1 || error_set(error, ERROR_SYSTEM, "bottle-init did not start");
}
