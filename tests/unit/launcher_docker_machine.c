/* Bottles of a machine's own Docker Engine: commands, doors and fences, open ones and gVisor's; and the machine is left as it was. */
#include "launcher_docker_machine.h"

TestSuite(docker_machine, .init = needs_an_engine, .timeout = 300);

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
    /* Not by what others on the machine run as the same id, where the engine has groups for it. */
    shell(bottle, PRINCIPAL_USER, "ulimit -u", said, sizeof said);
    expect((strcmp(said, "1024\n") == 0) == (strstr(print.details, "limited by the engine") == NULL),
           "processes: %s with %s", said, print.details);
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

static void use_remapped(void)
{
    char said[512];
    uid_t user = 1, root = 1;
    struct error error = { 0 };
    pid_t greeter = greet();
    struct bottle *bottle = start(&docker_backend, 0);
    if (bottle == NULL || !put_busybox(bottle))
        return;
    expect(shell(bottle, PRINCIPAL_USER, "$0 id -u; $0 nc 172.31.77.2 8080 </dev/null", said, sizeof said) == 0 &&
               strcmp(said, "65534\nit\n") == 0,
           "remapped: %s", said);
    bool known = docker_backend.host_uid(bottle, PRINCIPAL_USER, &user, &error) &&
                 docker_backend.host_uid(bottle, PRINCIPAL_ROOT, &root, &error);
    expect(known && user == 365534 && root == 300000, "uids %u and %u: %s", (unsigned)user, (unsigned)root, error.text);
    destroy(bottle);
    bottle = start(&docker_backend, backend_all_fences(&docker_backend));
    if (bottle == NULL || !put_busybox(bottle))
        return;
    expect(shell(bottle, PRINCIPAL_USER, "$0 nc 127.0.0.1 7700 </dev/null", said, sizeof said) == 0 &&
               strcmp(said, "it\n") == 0 && docker_backend.host_uid(bottle, PRINCIPAL_ROOT, &root, &error) && root == 0,
           "open: %s%s", said, error.text);
    destroy(bottle);
    process_kill(greeter);
}

static void try_remapped(void)
{
    in_maker(use_remapped);
}

Test(docker_machine, says_whose_ids_an_engine_gives_its_containers)
{
    attempt(REMAPPED, try_remapped);
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
