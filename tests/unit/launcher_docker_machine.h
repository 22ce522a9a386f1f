/*
 * For tests with a machine's own Docker Engine. The machine is made for them: namespaces of its own, the user namespace excepted, with a real
 * engine at /run/docker.sock. A bottle's maker is a process in further namespaces, which sees neither that socket nor the engine's
 * processes by their paths. What remains is asked of the engine afterwards.
 */
#ifndef TESTS_UNIT_LAUNCHER_DOCKER_MACHINE_H
#define TESTS_UNIT_LAUNCHER_DOCKER_MACHINE_H

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../launcher/backends/docker/docker.h"
#include "../../launcher/namespaces.h"
#include "../../launcher/support/cleanup.h"
#include "../../launcher/support/process.h"

#define MACHINE_NAMESPACES (CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS)
#define MAKER_NAMESPACES   (CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS)
#define PATIENCE           120000000ull /* a bound on hangs */
#define MARK               "0123456789abcdef0123456789abcdef"
#define DOOR               7700

/* Shared with the processes that try it: the first thing that was wrong. */
static struct {
    bool done;
    char wrong[700];
} * shared;

__attribute__((format(printf, 2, 3))) static inline bool expect(bool good, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    if (!good && shared->wrong[0] == '\0' && vsnprintf(shared->wrong, sizeof shared->wrong, format, list) == 0)
        snprintf(shared->wrong, sizeof shared->wrong, "what should have failed did not: %s", format);
    va_end(list);
    return good;
}

static char step[PATH_MAX], group[64];
static struct machine machine;

static inline struct bottle *start_of(const struct backend *backend, uint32_t without, struct error *error)
{
    struct bottle_options options = { .without = without,
                                      .open = without == backend_policy_fences(backend, NULL),
                                      .step_path = step,
                                      .machine = &machine };
    options.door = (struct door){ .wanted = true, .host = "127.0.0.1", .port = DOOR };
    return backend->start(&options, error);
}

static inline struct bottle *start(const struct backend *backend, uint32_t without)
{
    struct error error = { 0 };
    struct bottle *bottle = start_of(backend, without, &error);
    expect(bottle != NULL, "can't start: %s", error.text);
    return bottle;
}

static inline void expect_no_start(enum error_code code, const char *text)
{
    struct error error = { 0 };
    struct bottle *bottle = start_of(&docker_backend, 0, &error);
    expect(bottle == NULL && error.code == code && strstr(error.text, text) != NULL, "no \"%s\" but %d: %s", text,
           error.code, error.text);
}

static inline void destroy(struct bottle *bottle)
{
    struct error error = { 0 };
    expect(docker_backend.destroy(bottle, &error), "can't destroy: %s", error.text);
}

static inline bool put_busybox(struct bottle *bottle)
{
    struct error error = { 0 };
    cleanup_close int file = open("/bin/busybox", O_RDONLY | O_CLOEXEC);
    return expect(docker_backend.put(bottle, "busybox", file, 0555, &error), "can't put: %s", error.text);
}

/* Its exit status, and what it says. */
static inline int shell(struct bottle *bottle, enum principal principal, const char *script, char *said,
                        size_t capacity)
{
    char *const argv[] = { (char[]){ "/tmp/busybox" }, (char[]){ "sh" },
                           (char[]){ "-c" },           (char *)script,
                           (char[]){ "/tmp/busybox" }, NULL };
    int out[2], status = -1;
    pid_t pid;
    struct error error = { 0 };
    if (pipe2(out, O_CLOEXEC) != 0)
        return -1;
    struct exec_streams streams = { .input = -1, .output = out[1], .errors = out[1] };
    bool started = docker_backend.exec(bottle, argv, principal, &streams, &pid, &error);
    close(out[1]);
    ssize_t got = started ? read_all(out[0], said, capacity - 1) : 0;
    said[got > 0 ? got : 0] = '\0';
    close(out[0]);
    bool ended = started && process_wait(pid, clock_microseconds() + PATIENCE, &status);
    return expect(ended, "can't run: %s", error.text) ? process_exit_status(status) : -1;
}

/* Says "it" to whoever comes, at the machine's port for the door. */
static inline pid_t greet(void)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_port = htons(DOOR),
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
    expect(setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
               bind(listener, (struct sockaddr *)&address, sizeof address) == 0 && listen(listener, 8) == 0,
           "can't listen: %s", strerror(errno));
    pid_t pid = fork();
    if (pid != 0) {
        close(listener);
        return pid;
    }
    process_die_with_parent(-1);
    for (;;) {
        int guest = accept(listener, NULL, NULL);
        (void)!write(guest, "it\n", 3);
        close(guest);
    }
}

static inline void be_engine(int listener, const char *settings)
{
    char program[PATH_MAX], parent[96], pid[32];
    int file = open("/run/settings.json", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    int log = open("/run/log", O_WRONLY | O_CREAT | O_APPEND, 0600);
    snprintf(parent, sizeof parent, "--cgroup-parent=/%s", group);
    snprintf(pid, sizeof pid, "LISTEN_PID=%d", (int)getpid());
    char *const arguments[] = { (char[]){ "dockerd" },
                                (char[]){ "--config-file=/run/settings.json" },
                                (char[]){ "--data-root=/run/data" },
                                (char[]){ "--exec-root=/run/exec" },
                                (char[]){ "--pidfile=/run/pid" },
                                (char[]){ "--host=fd://" },
                                (char[]){ "--bridge=none" },
                                (char[]){ "--log-level=warn" },
                                parent,
                                NULL };
    char *const environment[] = { (char[]){ "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" },
                                  (char[]){ "LISTEN_FDS=1" }, pid, NULL };
    if (!container_find_program("dockerd", program) || !write_all(file, settings, strlen(settings)) ||
        dup2(log, 1) < 0 || dup2(log, 2) < 0 || dup2(listener, 3) < 0)
        _exit(125);
    descriptors_close_from(4);
    execve(program, arguments, environment);
    _exit(125);
}

/* Ids for an engine that gives its containers others than the machine's. */
#define REMAPPED "{\"userns-remap\":\"nobody:nogroup\"}"
static inline bool remap(void)
{
    static const char ids[] = "nobody:300000:65536\nnogroup:300000:65536\n";
    int file = open("/run/ids", O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    bool mapped = write_all(file, ids, sizeof ids - 1) && mount("/run/ids", "/etc/subuid", NULL, MS_BIND, NULL) == 0 &&
                  mount("/run/ids", "/etc/subgid", NULL, MS_BIND, NULL) == 0;
    close(file);
    return mapped;
}

static inline void settle(const char *settings)
{
    struct ifreq loopback = { .ifr_name = "lo", .ifr_flags = IFF_UP };
    struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = "/run/docker.sock" };
    cleanup_close int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    process_die_with_parent(-1);
    bool settled = setsid() >= 0 && mount("", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
                   mount("proc", "/proc", "proc", 0, NULL) == 0 && mount("tmpfs", "/run", "tmpfs", 0, NULL) == 0 &&
                   mount("tmpfs", "/tmp", "tmpfs", 0, "mode=1777") == 0 &&
                   mount("tmpfs", "/etc/docker", "tmpfs", 0, NULL) == 0 && ioctl(fd, SIOCSIFFLAGS, &loopback) == 0;
    int listener = socket(AF_UNIX, SOCK_STREAM, 0);
    settled = settled && (strcmp(settings, REMAPPED) != 0 || remap()) &&
              bind(listener, (struct sockaddr *)&address, sizeof address) == 0 && listen(listener, 64) == 0;
    unsetenv("DOCKER_HOST");
    expect(settled, "can't make the machine: %s", strerror(errno));
    if (settled && fork() == 0)
        be_engine(listener, settings);
    close(listener);
}

/* A bottle's maker: it opens the machine, and then has a /proc, /run and /tmp of its own. */
static inline pid_t fork_maker(void (*work)(void))
{
    struct error error = { 0 };
    pid_t pid = namespaces_fork(MAKER_NAMESPACES, &error);
    if (pid != 0) {
        expect(pid > 0, "%s", error.text);
        return pid;
    }
    process_die_with_parent(-1);
    snprintf(machine.mark, sizeof machine.mark, MARK);
    if (expect(docker_backend.machine_open(&machine, &error), "no machine: %s", error.text) &&
        expect(mount("proc", "/proc", "proc", 0, NULL) == 0 && mount("tmpfs", "/run", "tmpfs", 0, NULL) == 0 &&
                   mount("tmpfs", "/tmp", "tmpfs", 0, "mode=1777") == 0,
               "can't make the maker: %s", strerror(errno)))
        work();
    docker_backend.machine_close(&machine);
    _exit(7);
}

static inline void in_maker(void (*work)(void))
{
    int status = 0;
    pid_t pid = fork_maker(work);
    bool ended = process_wait(pid, clock_microseconds() + PATIENCE, &status);
    expect(ended && process_exit_status(status) == 7, "the maker died: %d", process_exit_status(status));
}

/* A call to the machine's engine by who is on the machine. */
static inline cJSON *ask(const char *method, const char *path, const char *body)
{
    struct error error = { 0 };
    struct docker_client client;
    cJSON *answer = NULL;
    cleanup_json cJSON *said = body != NULL ? cJSON_Parse(body) : NULL;
    expect(docker_connect(&client, "/run/docker.sock", clock_microseconds() + PATIENCE, &error) &&
               docker_call(&client, method, path, said, &answer, &error),
           "the engine: %s", error.text);
    return answer;
}

static inline int count(const char *path)
{
    cleanup_json cJSON *answer = ask("GET", path, NULL);
    return cJSON_GetArraySize(answer);
}

static inline void expect_nothing_left(void)
{
    char tables[CONTAINER_TABLES_MAX], forwarding[8] = "";
    struct error error = { 0 };
    int containers = count("/containers/json?all=true"), networks = count("/networks"),
        images = count("/images/json?all=true");
    expect(containers == 0 && networks == 2 && images == 0, "left: %d containers, %d of 2 networks, %d images",
           containers, networks, images);
    expect(rules_list_tables(tables, &error) && strstr(tables, "bottle") == NULL, "rules are left: %s%s", tables,
           error.text);
    struct if_nameindex *links = if_nameindex();
    expect(links != NULL && links[1].if_index == 0, "an interface is left: %s", links != NULL ? links[1].if_name : "?");
    expect(file_read("/proc/sys/net/ipv4/ip_forward", forwarding, sizeof forwarding) && forwarding[0] == '1',
           "the machine's forwarding was changed");
}

static inline int remove_group(const char *path, const struct stat *status, int kind, struct FTW *where)
{
    (void)status, (void)where;
    if (kind == FTW_DP)
        rmdir(path);
    return 0;
}

static inline void remove_groups(void)
{
    DIR *kinds = opendir("/sys/fs/cgroup");
    for (struct dirent *kind; kinds != NULL && (kind = readdir(kinds)) != NULL;) {
        char path[400];
        snprintf(path, sizeof path, "/sys/fs/cgroup/%s/%s", strcmp(kind->d_name, "..") == 0 ? "." : kind->d_name,
                 group);
        nftw(path, remove_group, 8, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
    }
    if (kinds != NULL)
        closedir(kinds);
}

static inline const char *with_runsc(void)
{
    static char settings[512];
    char program[256 + PATH_MAX];
    snprintf(settings, sizeof settings, "{}");
    if (container_find_program(GVISOR, program))
        snprintf(settings, sizeof settings,
                 "{\"runtimes\":{\"runsc\":{\"path\":\"%.256s\",\"runtimeArgs\":[\"--network=host\"]}}}", program);
    return settings;
}

static inline void attempt(const char *settings, void (*work)(void))
{
    struct error error = { 0 };
    char path[PATH_MAX];
    const char *build = getenv("BOTTLE_BUILD");
    snprintf(path, sizeof path, "%s/bottle-step", build != NULL ? build : ".");
    snprintf(group, sizeof group, "bottle-test-%d", (int)getpid());
    int file = open(path, O_RDONLY | O_CLOEXEC);
    snprintf(step, sizeof step, "/proc/self/fd/%d", file);
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    cr_assert(file >= 0 && shared != MAP_FAILED);
    pid_t pid = namespaces_fork(MACHINE_NAMESPACES, &error);
    cr_assert_geq(pid, 0, "%s", error.text);
    if (pid == 0) {
        settle(settings);
        if (shared->wrong[0] == '\0')
            work();
        expect_nothing_left();
        shared->done = true;
        _exit(0);
    }
    bool ended = process_wait(pid, clock_microseconds() + PATIENCE, NULL);
    if (!ended)
        process_kill(pid);
    remove_groups();
    close(file);
    cr_expect(ended && shared->done && shared->wrong[0] == '\0', "%s",
              shared->wrong[0] != '\0' ? shared->wrong : "it died");
}

/* An engine that is no rootless one starts with them only: of version 1, or of version 2. */
static inline bool has_control_groups(struct error *error)
{
    return access("/sys/fs/cgroup/devices", W_OK) == 0 || access("/sys/fs/cgroup/cgroup.procs", W_OK) == 0 ||
           error_set(error, ERROR_HOST, "control groups can't be written here, and a machine's engine needs them");
}

static inline void needs_an_engine(void)
{
    struct error error = { 0 };
    if (geteuid() == 0 && docker_backend.preflight(NULL, &error) && has_control_groups(&error))
        return;
    cr_expect(geteuid() != 0 || getenv("MUST_WORK") == NULL, "%s", error.text);
    cr_skip_test("%s", geteuid() == 0 ? error.text : "these engines are root's");
}

#endif
