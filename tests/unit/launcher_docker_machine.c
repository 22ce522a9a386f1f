/*
 * Bottles of a machine's own Docker Engine. The machine is made for it: namespaces of its own, the user namespace excepted, with a real
 * engine at /run/docker.sock. A bottle's maker is a process in further namespaces, which sees neither that socket nor the engine's
 * processes by their paths. What remains is asked of the engine afterwards.
 */
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

__attribute__((format(printf, 2, 3))) static bool expect(bool good, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    if (!good && shared->wrong[0] == '\0')
        vsnprintf(shared->wrong, sizeof shared->wrong, format, list);
    va_end(list);
    return good;
}

static char step[PATH_MAX], group[64];
static struct machine machine;

static struct bottle *start_of(const struct backend *backend, uint32_t without, struct error *error)
{
    struct bottle_options options = { .without = without,
                                      .open = without == backend_policy_fences(backend, NULL),
                                      .step_path = step,
                                      .machine = &machine };
    options.door = (struct door){ .wanted = true, .host = "127.0.0.1", .port = DOOR };
    return backend->start(&options, error);
}

static struct bottle *start(const struct backend *backend, uint32_t without)
{
    struct error error = { 0 };
    struct bottle *bottle = start_of(backend, without, &error);
    expect(bottle != NULL, "can't start: %s", error.text);
    return bottle;
}

static void expect_no_start(enum error_code code, const char *text)
{
    struct error error = { 0 };
    struct bottle *bottle = start_of(&docker_backend, 0, &error);
    expect(bottle == NULL && error.code == code && strstr(error.text, text) != NULL, "no \"%s\" but %d: %s", text,
           error.code, error.text);
}

static void destroy(struct bottle *bottle)
{
    struct error error = { 0 };
    expect(docker_backend.destroy(bottle, &error), "can't destroy: %s", error.text);
}

static bool put_busybox(struct bottle *bottle)
{
    struct error error = { 0 };
    cleanup_close int file = open("/bin/busybox", O_RDONLY | O_CLOEXEC);
    return expect(docker_backend.put(bottle, "busybox", file, 0555, &error), "can't put: %s", error.text);
}

/* Its exit status, and what it says. */
static int shell(struct bottle *bottle, enum principal principal, const char *script, char *said, size_t capacity)
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
static pid_t greet(void)
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

/* --- the machine --- */

static void be_engine(int listener, const char *settings)
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

static void settle(const char *settings)
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
    settled = settled && bind(listener, (struct sockaddr *)&address, sizeof address) == 0 && listen(listener, 64) == 0;
    unsetenv("DOCKER_HOST");
    expect(settled, "can't make the machine: %s", strerror(errno));
    if (settled && fork() == 0)
        be_engine(listener, settings);
    close(listener);
}

/* A bottle's maker: it opens the machine, and then has a /proc, /run and /tmp of its own. */
static pid_t fork_maker(void (*work)(void))
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

static void in_maker(void (*work)(void))
{
    int status = 0;
    pid_t pid = fork_maker(work);
    bool ended = process_wait(pid, clock_microseconds() + PATIENCE, &status);
    expect(ended && process_exit_status(status) == 7, "the maker died: %d", process_exit_status(status));
}

/* A call to the machine's engine by who is on the machine. */
static cJSON *ask(const char *method, const char *path, const char *body)
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

static int count(const char *path)
{
    cleanup_json cJSON *answer = ask("GET", path, NULL);
    return cJSON_GetArraySize(answer);
}

static void expect_nothing_left(void)
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

static int remove_group(const char *path, const struct stat *status, int kind, struct FTW *where)
{
    (void)status, (void)where;
    if (kind == FTW_DP)
        rmdir(path);
    return 0;
}

static void remove_groups(void)
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

static const char *with_runsc(void)
{
    static char settings[512];
    char program[256 + PATH_MAX];
    snprintf(settings, sizeof settings, "{}");
    if (container_find_program(GVISOR, program))
        snprintf(settings, sizeof settings,
                 "{\"runtimes\":{\"runsc\":{\"path\":\"%.256s\",\"runtimeArgs\":[\"--network=host\"]}}}", program);
    return settings;
}

static void attempt(const char *settings, void (*work)(void))
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

static void needs_an_engine(void)
{
    struct error error = { 0 };
    if (geteuid() == 0 && docker_backend.preflight(NULL, &error))
        return;
    cr_expect(geteuid() != 0 || getenv("MUST_WORK") == NULL, "%s", error.text);
    cr_skip_test("not root, or no Docker here: %s", error.text);
}

TestSuite(docker_machine, .init = needs_an_engine, .timeout = 300);

/* --- what is tried --- */

static void use_it(void)
{
    char said[1024];
    uid_t user = 1, root = 1;
    struct fingerprint print;
    struct error error = { 0 };
    pid_t greeter = greet();
    struct bottle *bottle = start(&docker_backend, 0);
    if (bottle == NULL || !put_busybox(bottle))
        return;
    expect(shell(bottle, PRINCIPAL_USER, "$0 id -u; $0 nc 172.31.77.2 8080 </dev/null; exit 7", said, sizeof said) ==
                   7 &&
               strcmp(said, "65534\nit\n") == 0,
           "user and door: %s", said);
    shell(bottle, PRINCIPAL_ROOT,
          "$0 grep -E '^(CapBnd|NoNewPrivs|Seccomp):' /proc/self/status; $0 touch /x 2>&1; ulimit -n", said,
          sizeof said);
    expect(strstr(said, "CapBnd:\t0000000000000000\nNoNewPrivs:\t1\nSeccomp:\t2\n") != NULL &&
               strstr(said, "Read-only file system\n4096\n") != NULL,
           "fences: %s", said);
    /* What listens on the machine itself is reached by no address of it. */
    expect(shell(bottle, PRINCIPAL_ROOT, "$0 nc -w 2 172.31.77.1 7700 </dev/null 2>&1", said, sizeof said) != 0,
           "the machine is reached: %s", said);
    expect(docker_backend.host_uid(bottle, PRINCIPAL_USER, &user, &error) && user == 65534 &&
               docker_backend.host_uid(bottle, PRINCIPAL_ROOT, &root, &error) && root == 0,
           "uids: %s", error.text);
    expect(docker_backend.fingerprint(bottle, &print, &error) &&
               strncmp(print.details, "the machine's own engine; API 1.", 32) == 0,
           "fingerprint: %s%s", print.details, error.text);
    snprintf(said, sizeof said, "/sys/fs/cgroup/memory/%s/%s/memory.limit_in_bytes", group, bottle->container);
    char limit[32] = "";
    if (file_read(said, limit, sizeof limit))
        expect(strcmp(limit, "268435456\n") == 0 &&
                   strstr(print.details, "; memory and processes limited by the engine: 256 MiB, 256; ") != NULL,
               "the limit is %s: %s", limit, print.details);
    struct bottle *other = start(&docker_backend, 0);
    if (other != NULL)
        destroy(other);
    destroy(bottle);
    process_kill(greeter);
}

static void try_use(void)
{
    in_maker(use_it);
}

Test(docker_machine, runs_a_bottle_and_is_left_as_it_was)
{
    attempt("{}", try_use);
}

static void use_open(void)
{
    char said[1024];
    pid_t greeter = greet();
    struct bottle *bottle = start(&docker_backend, backend_all_fences(&docker_backend));
    if (bottle == NULL || !put_busybox(bottle))
        return;
    shell(bottle, PRINCIPAL_ROOT,
          "$0 grep -E '^(CapBnd|NoNewPrivs|Seccomp):' /proc/self/status; $0 touch /x 2>&1; ulimit -n; $0 ls /run 2>&1; "
          "$0 grep -E '/(run|docker.sock) ' /proc/self/mountinfo; $0 nc 127.0.0.1 7700 </dev/null",
          said, sizeof said);
    expect(strstr(said, "CapBnd:\t0000000000000000\nNoNewPrivs:\t1\nSeccomp:\t0\n") != NULL, "fences: %s", said);
    expect(strstr(said, "Read-only file system\n4096\nls: /run: No such file or directory\nit\n") != NULL,
           "files and network: %s", said);
    destroy(bottle);
    process_kill(greeter);
}

static void try_open(void)
{
    in_maker(use_open);
}

Test(docker_machine, is_seen_and_not_changed_by_an_open_bottle)
{
    attempt("{}", try_open);
}

static int told;

static void make_and_wait(void)
{
    struct bottle *bottle = start(&docker_backend, 0);
    if (bottle != NULL && write_all(told, "x", 1))
        pause();
}

static void kill_the_maker(void)
{
    int ends[2];
    char byte;
    unsigned removed = 99;
    struct error error = { 0 };
    if (!expect(pipe2(ends, O_CLOEXEC) == 0, "no pipe"))
        return;
    told = ends[1];
    pid_t maker = fork_maker(make_and_wait);
    close(ends[1]);
    expect(read(ends[0], &byte, 1) == 1, "it made no bottle");
    process_kill(maker);
    snprintf(machine.mark, sizeof machine.mark, "0123456789abcdef0123456789abcdee");
    if (!expect(docker_backend.machine_open(&machine, &error), "no machine: %s", error.text))
        return;
    expect(docker_backend.machine_clear(&machine, &removed, &error) && removed == 0, "another's mark: %u %s", removed,
           error.text);
    char tables[CONTAINER_TABLES_MAX];
    expect(count("/containers/json") == 2 && count("/networks") == 3 && count("/images/json") == 1 &&
               rules_list_tables(tables, &error) && strstr(tables, "inet bottle-0\n") != NULL,
           "another's bottle was removed, and the mark was another");
    snprintf(machine.mark, sizeof machine.mark, MARK);
    expect(docker_backend.machine_clear(&machine, &removed, &error) && removed == 5, "removed %u of 5: %s", removed,
           error.text);
    expect(docker_backend.machine_clear(&machine, &removed, &error) && removed == 0, "again: %u %s", removed,
           error.text);
    snprintf(machine.mark, sizeof machine.mark, "0\"]}");
    expect(!docker_backend.machine_clear(&machine, &removed, &error) && error.code == ERROR_USAGE,
           "a mark that is none");
    docker_backend.machine_close(&machine);
}

Test(docker_machine, is_cleared_of_what_a_killed_maker_left_by_its_mark_alone)
{
    attempt("{}", kill_the_maker);
}

static void make_two_and_wait(void)
{
    if (start(&docker_backend, 0) != NULL && start(&docker_backend, backend_all_fences(&docker_backend)) != NULL &&
        write_all(told, "x", 1))
        pause();
}

static void clear_all(void)
{
    int ends[2];
    char byte;
    unsigned removed = 99;
    struct error error = { 0 };
    if (!expect(pipe2(ends, O_CLOEXEC) == 0, "no pipe"))
        return;
    told = ends[1];
    pid_t maker = fork_maker(make_two_and_wait);
    close(ends[1]);
    expect(read(ends[0], &byte, 1) == 1, "it made no bottles");
    process_kill(maker);
    cleanup_json cJSON *other = ask("POST", "/networks/create", "{\"Name\":\"other\"}");
    machine.mark[0] = '\0';
    expect(docker_backend.machine_open(&machine, &error) && docker_backend.machine_clear(&machine, &removed, &error) &&
               removed == 6,
           "removed %u of 6: %s", removed, error.text);
    expect(count("/networks") == 3, "a network that isn't ours was removed");
    docker_backend.machine_close(&machine);
    char path[100] = "/networks/";
    struct docker_client client;
    docker_id(other, "Id", path + strlen(path));
    expect(docker_connect(&client, "/run/docker.sock", clock_microseconds() + PATIENCE, &error) &&
               docker_call(&client, "DELETE", path, NULL, NULL, &error),
           "%s", error.text);
}

Test(docker_machine, is_cleared_of_all_marks_and_of_nothing_else)
{
    attempt("{}", clear_all);
}

/* A directory that looks like /proc, in which every process is there and is none of an engine's. */
static void be_elsewhere(void)
{
    static const char not_this[] = "the Docker Engine is not this machine's";
    cleanup_close int real = machine.proc;
    cleanup_close int own = machine.proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
    expect_no_start(ERROR_BROKEN, not_this);
    mkdir("/tmp/proc", 0755);
    cleanup_close int made = machine.proc = open("/tmp/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
    for (int pid = 2; pid < 5000; pid++) {
        char name[16];
        snprintf(name, sizeof name, "%d", pid);
        symlinkat("/proc/self", made, name);
    }
    expect_no_start(ERROR_BROKEN, not_this);
    machine.proc = take_fd(&real);
}

static void try_elsewhere(void)
{
    in_maker(be_elsewhere);
}

Test(docker_machine, is_refused_whose_engine_runs_its_containers_elsewhere)
{
    attempt("{}", try_elsewhere);
}

static void leave_the_network(void)
{
    if (!expect(unshare(CLONE_NEWNET) == 0, "no network namespace"))
        return;
    expect_no_start(ERROR_HOST, "has its networks elsewhere: there is no bridge bottle-0 here");
    struct error error = { 0 };
    expect(start_of(&docker_backend, backend_all_fences(&docker_backend), &error) == NULL &&
               strstr(error.text, "the open container in another network") != NULL,
           "open: %s", error.text);
}

static void try_another_network(void)
{
    in_maker(leave_the_network);
}

Test(docker_machine, is_refused_whose_engine_has_another_network)
{
    attempt("{}", try_another_network);
}

static void be_in_the_way(void)
{
    unsigned removed = 0;
    struct error error = { 0 };
    char tables[CONTAINER_TABLES_MAX];
    expect(rules_drop_input(0, "ab", &error), "%s", error.text);
    expect_no_start(ERROR_HOST, "the firewall has a table \"inet bottle-0\" already");
    expect(rules_list_tables(tables, &error) && strstr(tables, "inet bottle-0\n") != NULL,
           "another's table was removed");
    expect(rules_clear(0, "abc", &removed, &error) && removed == 0 && rules_clear(0, "ab", &removed, &error) &&
               removed == 1,
           "the table with the mark: %u %s", removed, error.text);
    expect(rules_clear(0, "ab", &removed, &error) && removed == 1, "no table: %s", error.text);
    struct machine other = machine;
    machine.mark[0] = '\0';
    expect_no_start(ERROR_USAGE, "a machine's mark is 1 to 32");
    machine = other;
}

static void need_other_addresses(void)
{
    expect_no_start(ERROR_HOST, "172.31.77.0/24 is in use by another network of this Docker Engine: look for it");
}

static void need_another_bridge(void)
{
    expect_no_start(ERROR_HOST, "this machine has an interface bottle-0 already");
}

static void remove_network(const char *name)
{
    char path[64];
    struct docker_client client;
    struct error error = { 0 };
    snprintf(path, sizeof path, "/networks/%s", name);
    expect(docker_connect(&client, "/run/docker.sock", clock_microseconds() + PATIENCE, &error) &&
               docker_call(&client, "DELETE", path, NULL, NULL, &error),
           "%s", error.text);
}

static void try_in_the_way(void)
{
    in_maker(be_in_the_way);
    cJSON_Delete(
        ask("POST", "/networks/create", "{\"Name\":\"old\",\"IPAM\":{\"Config\":[{\"Subnet\":\"172.31.77.0/24\"}]}}"));
    in_maker(need_other_addresses);
    remove_network("old");
    cJSON_Delete(ask("POST", "/networks/create",
                     "{\"Name\":\"old\",\"Options\":{\"com.docker.network.bridge.name\":\"bottle-0\"}}"));
    in_maker(need_another_bridge);
    remove_network("old");
}

Test(docker_machine, says_what_is_in_the_way_and_leaves_it_there)
{
    attempt("{}", try_in_the_way);
}

static void outlive(void)
{
    struct error error = { 0 };
    struct bottle *bottle = start(&docker_backend, 0);
    if (bottle == NULL)
        return;
    close(bottle->process);
    bottle->process = open("/proc/self", O_PATH | O_DIRECTORY | O_CLOEXEC);
    expect(!docker_backend.destroy(bottle, &error) && error.code == ERROR_BROKEN &&
               strstr(error.text, "its first process lives on") != NULL,
           "a process that lives on: %s", error.text);
}

static void try_outlive(void)
{
    in_maker(outlive);
}

Test(docker_machine, tells_of_a_process_that_outlives_its_container)
{
    attempt("{}", try_outlive);
}

static void expect_no_machine(const char *text)
{
    struct error error = { 0 };
    struct machine none = { 0 };
    expect(!docker_backend.machine_open(&none, &error) && error.code == ERROR_HOST && strcmp(error.text, text) == 0 &&
               none.proc == -1 && none.engine == -1,
           "%s", error.text);
    struct error found = { 0 };
    expect(backend_find_machine_runtime(&docker_backend, NULL, &found) == NULL && strcmp(found.text, text) == 0, "%s",
           found.text);
}

static void look_for_it(void)
{
    static const char remedy[] =
        "is Docker running? sudo systemctl start docker; or take --site=sealed, which starts an "
        "engine of its own";
    char text[512];
    snprintf(text, sizeof text, "can't speak to a Docker Engine on /run/docker.sock: No such file or directory: %s",
             remedy);
    expect_no_machine(text);
    struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = "/tmp/sock" };
    cleanup_close int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    expect(bind(listener, (struct sockaddr *)&address, sizeof address) == 0, "can't bind");
    setenv("DOCKER_HOST", "unix:///tmp/sock", 1);
    snprintf(text, sizeof text, "can't speak to a Docker Engine on /tmp/sock: Connection refused: %s", remedy);
    expect_no_machine(text);
    setenv("DOCKER_HOST", "tcp://127.0.0.1:2375", 1);
    expect_no_machine(
        "DOCKER_HOST is \"tcp://127.0.0.1:2375\", and the engine must be this machine's own: unset it, or set it "
        "to unix://PATH");
    unsetenv("DOCKER_HOST");
    /* By no path, and yet by the descriptor. */
    struct bottle_options options = { .step_path = step };
    struct error error = { 0 };
    expect(docker_backend.start(&options, &error) == NULL && strstr(error.text, "in a sealed site only") != NULL, "%s",
           error.text);
    pid_t pid = fork();
    if (pid == 0) {
        process_die_with_parent(-1);
        expect(unshare(CLONE_NEWUSER) == 0, "no user namespace");
        expect_no_start(ERROR_USAGE, "for no bottle of a sealed site");
        _exit(0);
    }
    process_wait(pid, clock_microseconds() + PATIENCE, NULL);
    pid = fork();
    if (pid == 0) {
        process_die_with_parent(-1);
        expect(setresuid(65534, 65534, 65534) == 0, "can't be nobody");
        expect_no_machine(
            "can't speak to the Docker Engine on this machine: Operation not permitted: run it as root (sudo)");
        _exit(0);
    }
    process_wait(pid, clock_microseconds() + PATIENCE, NULL);
    unsigned removed = 1;
    expect(docker_backend.machine_clear(&machine, &removed, &error) && removed == 0, "the socket is out of sight");
}

static void choose_runc(void)
{
    struct error error = { 0 };
    expect(backend_find_machine_runtime(&docker_backend, NULL, &error) == &docker_backend, "%s", error.text);
    expect(backend_find_machine_runtime(&docker_backend, GVISOR, &error) == NULL && error.code == ERROR_HOST &&
               strstr(error.text, "has no runtime \"runsc\": register it") != NULL,
           "%s", error.text);
    struct error other = { 0 }, none = { 0 };
    expect(backend_find_machine_runtime(&docker_backend, "kata", &other) == NULL && other.code == ERROR_USAGE, "%s",
           other.text);
    expect(backend_find_machine_runtime(&native_backend, NULL, &none) == NULL && none.code == ERROR_USAGE &&
               strcmp(none.text, "native has no bottles in the machine's own network") == 0,
           "%s", none.text);
    in_maker(look_for_it);
}

Test(docker_machine, is_found_by_its_socket_or_the_reason_is_told)
{
    attempt("{}", choose_runc);
}

static const struct backend *gvisor;

static void use_gvisor(void)
{
    char said[512];
    struct fingerprint print;
    struct error error = { 0 };
    pid_t greeter = greet();
    struct bottle *bottle = start(gvisor, 0);
    if (bottle == NULL || !put_busybox(bottle))
        return;
    expect(shell(bottle, PRINCIPAL_USER, "$0 uname -r; $0 nc 172.31.77.2 8080 </dev/null", said, sizeof said) == 0 &&
               strcmp(said, "4.4.0\nit\n") == 0,
           "gVisor: %s", said);
    expect(gvisor->fingerprint(bottle, &print, &error) &&
               strncmp(print.details, "the machine's own engine; API", 29) == 0 &&
               strstr(print.details, "runtime runsc") != NULL,
           "fingerprint: %s%s", print.details, error.text);
    destroy(bottle);
    bottle = start(gvisor, backend_policy_fences(gvisor, NULL));
    if (bottle == NULL || !put_busybox(bottle))
        return;
    shell(bottle, PRINCIPAL_ROOT, "$0 uname -r; $0 grep CapBnd /proc/self/status; $0 nc 127.0.0.1 7700 </dev/null",
          said, sizeof said);
    expect(strcmp(said, "4.4.0\nCapBnd:\t0000000000000000\nit\n") == 0, "open gVisor: %s", said);
    destroy(bottle);
    cleanup_close int real = machine.proc;
    cleanup_close int own = machine.proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
    expect(start_of(gvisor, backend_policy_fences(gvisor, NULL), &error) == NULL &&
               strstr(error.text, "is not this machine's") != NULL,
           "gVisor elsewhere: %s", error.text);
    machine.proc = take_fd(&real);
    process_kill(greeter);
}

static void try_gvisor(void)
{
    struct error error = { 0 };
    gvisor = backend_find_machine_runtime(&docker_backend, NULL, &error);
    if (!expect(gvisor != NULL && strcmp(gvisor->runtime, GVISOR) == 0, "runsc isn't taken: %s", error.text))
        return;
    expect(backend_find_machine_runtime(&docker_backend, RUNC, &error) == &docker_backend, "%s", error.text);
    in_maker(use_gvisor);
}

Test(docker_machine, runs_bottles_with_gvisor_where_its_engine_has_it)
{
    struct error error = { 0 };
    if (!gvisor_is_here(&error)) {
        cr_expect(getenv("MUST_WORK") == NULL, "%s", error.text);
        cr_skip_test("%s", error.text);
    }
    attempt(with_runsc(), try_gvisor);
}

/* --- what needs no engine --- */

/* A process with a user namespace whose ids 0 to 9 are others of this machine. */
static void look_at_ids(void)
{
    int ready[2];
    char path[64], byte;
    uid_t uid = 1;
    struct error error = { 0 };
    if (!expect(pipe2(ready, O_CLOEXEC) == 0, "no pipe"))
        return;
    pid_t pid = fork();
    if (pid == 0) {
        process_die_with_parent(-1);
        (void)!write(ready[1], "x", unshare(CLONE_NEWUSER) == 0 ? 1 : 0);
        pause();
    }
    close(ready[1]);
    expect(read(ready[0], &byte, 1) == 1, "no user namespace");
    snprintf(path, sizeof path, "/proc/%d", (int)pid);
    int process = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    expect(!first_process_uid(process, 0, &uid, NULL), "uid 0 of no map is %u", (unsigned)uid);
    snprintf(path, sizeof path, "/proc/%d/uid_map", (int)pid);
    expect(file_write(path, "0 100000 10\n20 200000 5\n", &error), "%s", error.text);
    expect(first_process_uid(process, 0, &uid, &error) && uid == 100000, "0 is %u", (unsigned)uid);
    expect(first_process_uid(process, 24, &uid, &error) && uid == 200004, "24 is %u", (unsigned)uid);
    expect(!first_process_uid(process, 10, &uid, &error) && error.code == ERROR_BROKEN &&
               strcmp(error.text, "uid 10 of the container is no uid of this machine") == 0,
           "10 is %u: %s", (unsigned)uid, error.text);
    process_kill(pid);
    expect(!first_process_uid(process, 0, &uid, NULL), "uid 0 of a process that is gone is %u", (unsigned)uid);
    close(process);
}

/* What the engine calls started may still be about to become the container's program. */
static void become_it(void)
{
    struct error error = { 0 };
    struct bottle bottle = { 0 };
    char path[64], byte;
    int ready[2];
    if (!expect(pipe(ready) == 0, "no pipe"))
        return;
    container_engine.of_machine = true;
    snprintf(container_engine.token, sizeof container_engine.token, "cafe");
    pid_t pid = fork();
    if (pid == 0) {
        char *const arguments[] = { (char[]){ "sh" }, (char[]){ "-c" },
                                    (char[]){ "echo >&$0; sleep 0.3; BOTTLE_GATE_TOKEN=cafe exec sleep 1000" },
                                    (char[]){ "9" }, NULL };
        char *const environment[] = { (char[]){ "_LIBCONTAINER_FIFOFD=5" }, (char[]){ "PATH=/bin:/usr/bin" }, NULL };
        process_die_with_parent(-1);
        dup2(ready[1], 9);
        execve("/bin/sh", arguments, environment);
        _exit(1);
    }
    close(ready[1]);
    expect(read(ready[0], &byte, 1) == 1, "no shell");
    snprintf(path, sizeof path, "/proc/%d", (int)pid);
    int process = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    expect(first_process_is_ours(&bottle, process, bottle.container, &error), "%s", error.text);
    snprintf(container_engine.token, sizeof container_engine.token, "beef");
    expect(!first_process_is_ours(&bottle, process, bottle.container, &error), "another token");
    close(process);
    close(ready[0]);
    process_kill(pid);
    container_engine = (struct engine){ 0 };
}

/* Answers each request with the next of `answers`, and keeps their first lines in `asked`. */
static pid_t lie(const char *path, const char *const answers[], char *asked)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    expect(bind(listener, (struct sockaddr *)&address, sizeof address) == 0 && listen(listener, 64) == 0, "can't lie");
    pid_t pid = fork();
    if (pid != 0) {
        close(listener);
        return pid;
    }
    process_die_with_parent(-1);
    for (; *answers != NULL; answers++) {
        char request[1024] = "";
        int guest = accept(listener, NULL, NULL);
        ssize_t got = read(guest, request, sizeof request - 1);
        snprintf(asked + strlen(asked), 2000 - strlen(asked), "%.*s\n", (int)strcspn(request, "\r"),
                 got > 0 ? request : "");
        dprintf(guest, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n%s", strlen(*answers), *answers);
        close(guest);
    }
    _exit(0);
}

#define VERSION_ANSWER "{\"Version\":\"20.10\",\"ApiVersion\":\"1.41\",\"MinAPIVersion\":\"1.12\"}"

static void clear_what_lies(void)
{
    static const char *const no_id[] = { VERSION_ANSWER, "[{\"Id\":\"../../images/prune\"}]", NULL },
                             *const no_list[] = { VERSION_ANSWER, "{}", NULL },
                             *const images[] = {
                                 VERSION_ANSWER,
                                 "[]",
                                 "[]",
                                 "[{\"RepoTags\":[\"debian:12\",\"bottle-gate:../x\",\"bottle-gate:cd\",7,"
                                 "\"bottle-gate:ab\"]},{\"RepoTags\":null},5]",
                                 "[]",
                                 NULL
                             };
    static const struct {
        const char *path, *const *answers, *text;
        unsigned removed;
    } rows[] = { { "/tmp/1", no_id, "Docker lists something that has no id", 0 },
                 { "/tmp/2", no_list, "is no list", 0 },
                 { "/tmp/3", images, "", 1 } };
    for (size_t i = 0; i < 3; i++) {
        unsigned removed = 9;
        struct error error = { 0 };
        char *asked = mmap(NULL, 2000, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        pid_t liar = lie(rows[i].path, rows[i].answers, asked);
        struct machine lying = { .proc = -1, .engine = open(rows[i].path, O_PATH | O_CLOEXEC), .mark = "ab" };
        bool cleared = machine_clear(&lying, &removed, &error);
        expect(cleared == (*rows[i].text == '\0') && strstr(error.text, rows[i].text) != NULL &&
                   removed == rows[i].removed,
               "%zu: %d, %u: %s", i, cleared, removed, error.text);
        static const char deletes[] = "\nDELETE /v1.41/images/bottle-gate:ab?force=true HTTP/1.1\n";
        const char *first = strstr(asked, "\nDELETE ");
        expect(rows[i].removed == 1 ? first != NULL && strcmp(first, deletes) == 0 : first == NULL, "%zu: asked %s", i,
               asked);
        process_kill(liar);
        close(lying.engine);
    }
}

static void without_an_engine(void)
{
    look_at_ids();
    become_it();
    clear_what_lies();
}

Test(docker_machine, takes_no_ones_word_for_ids_and_processes)
{
    attempt("{}", without_an_engine);
}
