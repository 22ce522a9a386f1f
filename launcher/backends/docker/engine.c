/*
 * See docker.h: a Docker Engine of our own, in the site's host namespace, where a host's engine would be.
 *
 * It runs in the user namespace of the site, as root of 65536 ids that nobody else has: that is what the engine calls
 * rootless, and what it then can't do is set limits by control groups. The keeper goes into one that was made outside, if there is one, and
 * all that it starts is in it. Its processes are in a PID namespace of their own, so killing one
 * process ends them all, and in a mount namespace of their own, so what it mounts ends with them. There, its data is on a tmpfs, /run is
 * empty (it writes to fixed places there), and so is /etc/docker (it writes a key there, and the host's settings are none of
 * its own). The site's /run is kept aside for the open bottle.
 *
 *   /tmp/bottle-docker-XXXXXX/socket   the API
 *                            /log      what the engine says
 *                            /engine/  a tmpfs in its own mounts: data, exec, config.json, site-run
 *
 * Two bottles share one engine: two engines would write the same rules into the one network namespace.
 *
 * Where the bottles are the machine's own engine's (machine.c), nothing of this is made, and nothing ended but the image.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../control_group.h"
#include "../../docker/tar.h"
#include "../../namespaces.h"
#include "../../support/channel.h"
#include "../../support/cleanup.h"
#include "../../support/process.h"
#include "docker.h"

#define START_MICROSECONDS 60000000ull /* bounds on hangs */
#define END_MICROSECONDS   30000000ull
#define END_NOTICED        10000 /* milliseconds */
#define KILLED             1     /* the keeper's exit status where a signal ended the engine */
#define FORWARDING         "/proc/sys/net/ipv4/ip_forward"
#define ENGINE_PATH        "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/run/current-system/sw/bin"

enum { STARTED = CHANNEL_ERROR + 1, STARTED_LIMITED }; /* what the keeper says */

struct engine container_engine;

bool container_find_program(const char *name, char path[PATH_MAX])
{
    char places[] = ENGINE_PATH, *rest = places;
    for (char *place; (place = strsep(&rest, ":")) != NULL;)
        if (snprintf(path, PATH_MAX, "%s/%s", place, name) < PATH_MAX && access(path, X_OK) == 0)
            return true;
    return false;
}

int engine_process(pid_t process)
{
    char path[80];
    if (container_engine.of_machine)
        snprintf(path, sizeof path, "/proc/self/fd/%d/%d", container_engine.machine.proc, (int)process);
    else
        snprintf(path, sizeof path, "/proc/%d/root/proc/%d", (int)container_engine.pid, (int)process);
    return open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

void engine_last_words(char text[160])
{
    char path[128], log[8192] = "";
    snprintf(path, sizeof path, "%.63s/log", container_engine.directory);
    cleanup_close int file = open(path, O_RDONLY | O_CLOEXEC);
    off_t size = file >= 0 ? lseek(file, 0, SEEK_END) : 0;
    ssize_t got = file >= 0 ? pread(file, log, sizeof log - 1, size > 8191 ? size - 8191 : 0) : 0;
    while (got > 0 && log[got - 1] == '\n')
        got--;
    log[got > 0 ? got : 0] = '\0';
    const char *last = strrchr(log, '\n');
    snprintf(text, 160, "%.159s", last != NULL ? last + 1 : log);
    for (char *c = text; *c != '\0'; c++)
        if (*c < ' ' || *c > '~')
            *c = '?';
}

static bool mount_over(const char *path, const char *options, struct error *error)
{
    return mount("tmpfs", path, "tmpfs", MS_NOSUID | MS_NODEV, options) == 0 ||
           error_system(error, "can't mount an empty %s for Docker", path);
}

static bool make_mounts(char engine[80], struct error *error)
{
    char aside[128], config[128], said[GVISOR_SETTINGS];
    gvisor_register(said);
    snprintf(engine, 80, "%.63s/engine", container_engine.directory);
    snprintf(aside, sizeof aside, "%s/site-run", engine);
    snprintf(config, sizeof config, "%s/config.json", engine);
    if (mount("", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) != 0)
        return error_system(error, "can't make Docker's own mounts");
    if (!mount_over(engine, "mode=0700,size=512m", error))
        return false;
    cleanup_close int settings = open(config, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (settings < 0 || !write_all(settings, said, strlen(said)) || mkdir(aside, 0700) != 0 ||
        mount("/run", aside, NULL, MS_BIND | MS_REC, NULL) != 0)
        return error_system(error, "can't fill Docker's directory");
    return mount_over("/run", "mode=0755,size=16m", error) && mount_over("/etc/docker", "mode=0700,size=1m", error);
}

static _Noreturn void be_daemon(const char *program, const char *engine, int log, int listener)
{
    char data[128], state[128], pid[128], config[128], own_pid[32], temporary[128];
    snprintf(data, sizeof data, "--data-root=%s/data", engine);
    snprintf(state, sizeof state, "--exec-root=%s/exec", engine);
    snprintf(pid, sizeof pid, "--pidfile=%s/pid", engine);
    snprintf(config, sizeof config, "--config-file=%s/config.json", engine);
    snprintf(own_pid, sizeof own_pid, "LISTEN_PID=%d", (int)getpid());
    char *const arguments[] = { (char[]){ "dockerd" },
                                data,
                                state,
                                pid,
                                config,
                                (char[]){ "--host=fd://" },
                                (char[]){ "--rootless" },
                                (char[]){ "--bridge=none" },
                                (char[]){ "--userland-proxy=false" },
                                (char[]){ "--log-level=warn" },
                                NULL };
    snprintf(temporary, sizeof temporary, "TMPDIR=%s", engine); /* what a runtime that is killed leaves goes with it */
    char *const environment[] = { (char[]){ "PATH=" ENGINE_PATH },
                                  (char[]){ "HOME=/" },
                                  (char[]){ "LANG=C" },
                                  (char[]){ "LISTEN_FDS=1" },
                                  own_pid,
                                  temporary,
                                  NULL };
    int null = open("/dev/null", O_RDWR | O_CLOEXEC), held = fcntl(listener, F_DUPFD_CLOEXEC, 4);
    if (held < 0 || dup2(held, 3) < 0 || null < 0 || dup2(null, 0) < 0 || dup2(log, 1) < 0 || dup2(log, 2) < 0)
        _exit(125);
    descriptors_close_from(4);
    for (int number = 1; number < NSIG; number++)
        signal(number, SIG_DFL);
    setsid();
    execve(program, arguments, environment);
    dprintf(2, "can't start %s: %s\n", program, strerror(errno));
    _exit(125);
}

/* PID 1 of the engine's namespaces: reaps, and ends when the engine has ended, which ends everything. */
static _Noreturn void be_keeper(const char *program, const struct control_group *group, int log, int listener,
                                int channel)
{
    struct error error = { 0 };
    char engine[80];
    process_die_with_parent(channel);
    setsid();
    bool limited = group != NULL && control_group_enter(group);
    if (!make_mounts(engine, &error))
        channel_fail(channel, &error);
    pid_t daemon = fork();
    if (daemon == 0)
        be_daemon(program, engine, log, listener);
    struct channel_message started = { .kind = limited ? STARTED_LIMITED : STARTED, .pid = daemon };
    if (daemon < 0 || !channel_send(channel, &started, -1))
        _exit(1);
    int lifeline = fcntl(channel, F_DUPFD_CLOEXEC, 3);
    dup2(lifeline, 0);
    descriptors_close_from(1);
    int status = 0;
    for (pid_t ended; (ended = wait(&status)) != daemon;)
        if (ended < 0 && errno == ECHILD)
            break;
    _exit(WIFSIGNALED(status) ? KILLED : 0);
}

/* The engine is given its socket as systemd would: who asks before it is ready waits, and who asks one that has ended is told. */
static int listen_on(const char *path, struct error *error)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    snprintf(address.sun_path, sizeof address.sun_path, "%.107s", path);
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (listener < 0 || bind(listener, (struct sockaddr *)&address, sizeof address) != 0 || listen(listener, 64) != 0)
        error_system(error, "can't listen on %s for Docker", path);
    return listener;
}

static bool start_keeper(const char *program, const char *socket, const struct control_group *group,
                         struct error *error)
{
    struct engine *engine = &container_engine;
    char path[128];
    int ends[2];
    snprintf(path, sizeof path, "%.63s/log", engine->directory);
    cleanup_close int log = open(path, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0600);
    cleanup_close int listener = listen_on(socket, error);
    if (log < 0 || listener < 0 || !channel_open(ends, error))
        return error_system(error, "can't make %s", path);
    pid_t pid = namespaces_fork(CLONE_NEWPID | CLONE_NEWNS, error);
    if (pid == 0) {
        close(ends[0]);
        be_keeper(program, group, log, listener, ends[1]);
    }
    close(ends[1]);
    cleanup_close int channel = ends[0];
    if (pid < 0)
        return false;
    engine->pid = pid;
    struct channel_message message;
    enum channel_result result =
        channel_receive(channel, &message, NULL, clock_microseconds() + START_MICROSECONDS, error);
    if (result == CHANNEL_MESSAGE && message.kind == STARTED_LIMITED)
        engine->mebibytes = group->mebibytes, engine->processes = group->processes;
    return result == CHANNEL_MESSAGE || error_set(error, ERROR_SYSTEM, "Docker's namespaces could not be made");
}

/* Its end is seen a moment after that of its connections. */
static bool has_ended(siginfo_t *how)
{
    cleanup_close int handle = (int)syscall(SYS_pidfd_open, container_engine.pid, 0);
    struct pollfd ended = { .fd = handle, .events = POLLIN };
    return handle >= 0 && poll(&ended, 1, END_NOTICED) == 1 &&
           waitid(P_PID, (id_t)container_engine.pid, how, WEXITED | WNOWAIT) == 0;
}

/* An engine that gives up has found that something is missing here, and says what; one that was killed was able to run. */
static bool was_killed(const siginfo_t *how)
{
    return how->si_code != CLD_EXITED || how->si_status == KILLED;
}

static bool say_ended(const siginfo_t *how, struct error *error)
{
    char words[160];
    engine_last_words(words);
    if (was_killed(how))
        return error_set(error, ERROR_BROKEN, "the Docker Engine of the site was killed as it was started");
    return error_set(error, ERROR_HOST, "the Docker Engine of the site ended as it was started: %s", words);
}

bool engine_explain(const struct error *said, struct error *error)
{
    siginfo_t how;
    bool killed = container_engine.client.lost && has_ended(&how) && was_killed(&how);
    return killed ? say_ended(&how, error) : error_set(error, said->code, "%s", said->text);
}

static bool import_image(const char *step, struct error *error)
{
    cleanup_free char *archive = NULL;
    size_t size = 0;
    cleanup_close int program = step != NULL ? open(step, O_RDONLY | O_CLOEXEC) : -1;
    if (program < 0)
        return error_set(error, ERROR_HOST, "can't open bottle-step, which is the bottle's image");
    return tar_of_program(program, &CONTAINER_STEP[1], &archive, &size, error) &&
           docker_import(&container_engine.client, archive, size, container_engine.of_machine ? CONTAINER_IMAGE : NULL,
                         container_engine.machine.mark, container_engine.image, error);
}

static bool start_engine(const char *step, const struct control_group *group, struct error *error)
{
    struct engine *engine = &container_engine;
    char program[PATH_MAX], directory[] = "/tmp/bottle-docker-XXXXXX", path[128];
    *engine = (struct engine){ 0 };
    engine->has_gvisor = gvisor_is_here(NULL);
    if (!container_find_program("dockerd", program))
        return error_set(error, ERROR_HOST, "there is no dockerd: sudo apt install docker.io");
    if (!file_read(FORWARDING, engine->forwarding, sizeof engine->forwarding) ||
        !rules_list_tables(engine->tables, error) || !rules_list_links(engine->links, error))
        return error_system(error, "can't read " FORWARDING);
    if (mkdtemp(directory) == NULL)
        return error_system(error, "can't make a directory for Docker in /tmp");
    snprintf(engine->directory, sizeof engine->directory, "%s", directory);
    snprintf(path, sizeof path, "%s/engine", directory);
    if (mkdir(path, 0700) != 0)
        return error_system(error, "can't make %s", path);
    snprintf(path, sizeof path, "%s/socket", directory);
    if (!start_keeper(program, path, group, error))
        return false;
    struct error said = { 0 };
    if (docker_connect(&engine->client, path, clock_microseconds() + START_MICROSECONDS, &said))
        return import_image(step, &said) || engine_explain(&said, error);
    siginfo_t how;
    return has_ended(&how) ? say_ended(&how, error) : error_set(error, said.code, "%s", said.text);
}

/* The tables that the engine made, by the way of iptables, are those that weren't there before. */
static bool remove_tables(struct error *error)
{
    char now[CONTAINER_TABLES_MAX], rules[4 * CONTAINER_TABLES_MAX] = "", *rest = now;
    size_t used = 0;
    if (!rules_list_tables(now, error))
        return false;
    for (char *line; (line = strsep(&rest, "\n")) != NULL && used < sizeof rules;)
        if (*line != '\0' && strstr(container_engine.tables, line) == NULL)
            used += (size_t)snprintf(rules + used, sizeof rules - used, "delete %.64s\n", line);
    return used == 0 || rules_run("Docker's own", rules, error);
}

static bool remove_directory(struct error *error)
{
    char path[128];
    static const char *const names[] = { "socket", "log" };
    for (size_t i = 0; i < 2; i++) {
        snprintf(path, sizeof path, "%.63s/%s", container_engine.directory, names[i]);
        unlink(path);
    }
    snprintf(path, sizeof path, "%.63s/engine", container_engine.directory);
    rmdir(path);
    return rmdir(container_engine.directory) == 0 ||
           error_system(error, "can't remove Docker's directory %s", container_engine.directory);
}

/* The image is all that is left of us in the machine's engine. */
static bool leave_machine(struct error *error)
{
    struct engine *engine = &container_engine;
    char path[80];
    snprintf(path, sizeof path, "/images/" CONTAINER_IMAGE ":%.32s?force=true", engine->machine.mark);
    bool gone = engine->image[0] == '\0' || docker_call(&engine->client, "DELETE", path, NULL, NULL, error);
    *engine = (struct engine){ 0 };
    return gone;
}

static bool end_engine(struct error *error)
{
    struct engine *engine = &container_engine;
    bool gone = true;
    if (engine->of_machine)
        return leave_machine(error);
    if (engine->pid > 0) {
        kill(engine->pid, SIGKILL);
        gone = process_wait(engine->pid, clock_microseconds() + END_MICROSECONDS, NULL) ||
               error_set(error, ERROR_BROKEN, "processes of the site's Docker Engine outlive it");
    }
    /* An engine that was killed leaves bridges, and the kernel takes its time with cables into namespaces that are gone. */
    if (engine->directory[0] != '\0') {
        gone = rules_end_links(engine->links, error) && gone;
        gone = remove_tables(error) && gone;
        gone = file_write(FORWARDING, engine->forwarding, error) && gone;
        gone = remove_directory(error) && gone;
    }
    *engine = (struct engine){ 0 };
    return gone;
}

bool engine_enter(const char *step, const struct control_group *group, const struct machine *machine, unsigned *place,
                  struct error *error)
{
    struct engine *engine = &container_engine;
    bool entered = engine->of_machine || engine->pid != 0;
    if (!entered)
        entered = machine == NULL ? start_engine(step, group, error)
                                  : machine_enter(machine, engine, error) && import_image(step, error);
    if (!entered) {
        end_engine(NULL);
        return false;
    }
    for (*place = 0; *place < CONTAINER_BOTTLES; ++*place)
        if ((engine->bottles >> *place & 1) == 0) {
            engine->bottles |= 1u << *place;
            return true;
        }
    return error_set(error, ERROR_USAGE, "Docker runs at most %d bottles at once here", CONTAINER_BOTTLES);
}

bool engine_leave(unsigned place, struct error *error)
{
    container_engine.bottles &= ~(1u << place);
    return container_engine.bottles != 0 || end_engine(error);
}
