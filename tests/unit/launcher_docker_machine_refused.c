/* What is no machine's own Docker Engine, or none to make a bottle in, is refused with the reason, and nothing remains of the try. */
#include "launcher_docker_machine.h"

TestSuite(docker_machine_refused, .init = needs_an_engine, .timeout = 300);

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

Test(docker_machine_refused, is_refused_whose_engine_runs_its_containers_elsewhere)
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

Test(docker_machine_refused, is_refused_whose_engine_has_another_network)
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

Test(docker_machine_refused, says_what_is_in_the_way_and_leaves_it_there)
{
    attempt("{}", try_in_the_way);
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

Test(docker_machine_refused, is_found_by_its_socket_or_the_reason_is_told)
{
    attempt("{}", choose_runc);
}
