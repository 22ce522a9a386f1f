/* The pool of loopback addresses: the lowest free one, each to one holder only, whoever else is at it; and the
 * aliases of macOS. */
#include "launcher_smolvm_docker.h"

#include <sys/file.h>

#include "../../launcher/smolvm/pool.h"

static struct smolvm_pool pool;

static void make(void)
{
    scratch_make();
    docker_start();
    write_scratch("_containers_json", 0600, "[]");
    pool = (struct smolvm_pool){ SMOLVM_LINUX, scratch, docker_path, &loopback_commands_of_host };
}

static void unmake(void)
{
    docker_stop();
    scratch_remove();
}

TestSuite(launcher_smolvm_pool, .init = make, .fini = unmake);

static void expect_lease(struct smolvm_lease *lease, const char *address)
{
    struct error error = { 0 };
    cr_assert(smolvm_pool_allocate(&pool, clock_microseconds() + PATIENCE, lease, &error), "%s", error.text);
    cr_expect_str_eq(lease->address, address);
}

Test(launcher_smolvm_pool, the_lowest_address_that_nobody_holds_is_given)
{
    struct smolvm_lease first, second, third;
    expect_lease(&first, "127.0.0.16");
    expect_lease(&second, "127.0.0.17");
    expect_lease(&third, "127.0.0.18");
    smolvm_pool_release(&second);
    cr_expect(second.lock == -1 && *second.address == '\0');
    expect_lease(&second, "127.0.0.17");
    smolvm_pool_release(&first);
    smolvm_pool_release(&first);
    expect_lease(&first, "127.0.0.16");
    smolvm_pool_release(&first);
    smolvm_pool_release(&second);
    smolvm_pool_release(&third);
}

Test(launcher_smolvm_pool, published_addresses_are_left_out)
{
    struct smolvm_lease lease;
    write_scratch("_containers_json", 0600,
                  "[{\"Id\":\"" ID("a") "\",\"Names\":[\"/bot-bottle-sidecars-1\"]},{\"Id\":\"" ID(
                      "b") "\",\"Names\":[\"/bot-bottle-sidecars-2\"]}]");
    docker_container(ID("a"), "{\"1/tcp\":[{\"HostIp\":\"127.0.0.16\"}]}");
    docker_container(ID("b"), "{\"1/tcp\":[{\"HostIp\":\"127.0.0.18\"}],\"2/tcp\":[{\"HostIp\":\"127.0.0.17\"}]}");
    expect_lease(&lease, "127.0.0.19");
    smolvm_pool_release(&lease);
}

Test(launcher_smolvm_pool, an_exhausted_pool_is_an_error)
{
    struct smolvm_lease leases[17];
    struct error error = { 0 };
    for (unsigned i = 0; i < 16; i++) {
        char address[16];
        snprintf(address, sizeof address, "127.0.0.%u", 16 + i);
        expect_lease(&leases[i], address);
    }
    cr_expect_not(smolvm_pool_allocate(&pool, clock_microseconds() + PATIENCE, &leases[16], &error));
    cr_expect(error.code == ERROR_HOST && strstr(error.text, "127.0.0.16 to 127.0.0.31 are taken") != NULL, "%s",
              error.text);
    cr_expect_eq(leases[16].lock, -1);
    for (unsigned i = 0; i < 16; i++)
        smolvm_pool_release(&leases[i]);
    write_scratch("_containers_json", 0600, "[{\"Id\":\"" ID("a") "\",\"Names\":[\"/bot-bottle-sidecars-1\"]}]");
    docker_container(ID("a"), "{\"1/tcp\":[{\"HostIp\":\"0.0.0.0\"}]}");
    cr_expect_not(smolvm_pool_allocate(&pool, clock_microseconds() + PATIENCE, &leases[0], NULL));
}

Test(launcher_smolvm_pool, processes_at_the_same_moment_get_different_addresses)
{
    enum { PROCESSES = 16 };
    int go[2], told[2], held[2];
    pid_t processes[PROCESSES];
    char seen[PROCESSES + 1] = { 0 };
    cr_assert(pipe(go) == 0 && pipe(told) == 0 && pipe(held) == 0);
    for (int i = 0; i < PROCESSES; i++) {
        processes[i] = fork();
        if (processes[i] == 0) {
            char byte;
            struct smolvm_lease lease;
            close(go[1]);
            close(held[1]);
            if (read(go[0], &byte, 1) != 0 ||
                !smolvm_pool_allocate(&pool, clock_microseconds() + PATIENCE, &lease, NULL))
                _exit(1);
            char letter = (char)('a' + atoi(lease.address + 8) - 16);
            if (write(told[1], &letter, 1) != 1 || read(held[0], &byte, 1) != 0) /* held until all have one */
                _exit(1);
            _exit(0);
        }
    }
    close(go[1]);
    close(told[1]);
    cr_assert_eq(read_all(told[0], seen, PROCESSES), PROCESSES, "somebody got none: %s", seen);
    for (int i = 0; i < PROCESSES; i++)
        cr_expect_not_null(strchr(seen, 'a' + i), "nobody has 127.0.0.%d: %s", 16 + i, seen);
    close(held[1]);
    for (int i = 0; i < PROCESSES; i++) {
        int status;
        cr_assert(process_wait(processes[i], clock_microseconds() + PATIENCE, &status) && status == 0);
    }
}

Test(launcher_smolvm_pool, the_address_of_a_killed_holder_is_free)
{
    int told[2];
    char byte;
    struct smolvm_lease lease;
    cr_assert_eq(pipe(told), 0);
    pid_t holder = fork();
    if (holder == 0) {
        if (!smolvm_pool_allocate(&pool, clock_microseconds() + PATIENCE, &lease, NULL) || write(told[1], "x", 1) != 1)
            _exit(1);
        for (;;)
            pause();
    }
    cr_assert_eq(read(told[0], &byte, 1), 1);
    expect_lease(&lease, "127.0.0.17");
    smolvm_pool_release(&lease);
    process_kill(holder);
    expect_lease(&lease, "127.0.0.16");
    smolvm_pool_release(&lease);
}

Test(launcher_smolvm_pool, a_lease_given_back_is_free_though_a_child_has_it_open)
{
    struct smolvm_lease lease, again;
    expect_lease(&lease, "127.0.0.16");
    pid_t child = fork();
    if (child == 0)
        for (;;)
            pause();
    smolvm_pool_release(&lease);
    expect_lease(&again, "127.0.0.16");
    smolvm_pool_release(&again);
    process_kill(child);
}

Test(launcher_smolvm_pool, a_held_lock_is_waited_for_and_not_forever)
{
    struct smolvm_lease lease;
    struct error error = { 0 };
    int lock = open(in_scratch("pool.lock"), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    cr_assert_eq(flock(lock, LOCK_EX), 0);
    cr_expect_not(smolvm_pool_allocate(&pool, clock_microseconds() + 300000, &lease, &error));
    cr_expect(error.code == ERROR_HOST && strstr(error.text, "has held the pool") != NULL, "%s", error.text);
    cr_expect_eq(lease.lock, -1);
    /* A child gives it back once somebody waits for it: /proc/locks shows the waiter with "->". */
    pid_t child = fork();
    if (child == 0) {
        struct stat status;
        char text[65536], wanted[64];
        if (fstat(lock, &status) != 0)
            _exit(1);
        snprintf(wanted, sizeof wanted, ":%lu ", (unsigned long)status.st_ino);
        for (bool waiting = false; !waiting;) {
            if (!file_read("/proc/locks", text, sizeof text))
                _exit(1);
            for (char *line = strtok(text, "\n"); line != NULL && !waiting; line = strtok(NULL, "\n"))
                waiting = strstr(line, "-> FLOCK") != NULL && strstr(line, wanted) != NULL;
        }
        flock(lock, LOCK_UN);
        _exit(0);
    }
    expect_lease(&lease, "127.0.0.16");
    smolvm_pool_release(&lease);
    int status;
    cr_expect(process_wait(child, clock_microseconds() + PATIENCE, &status) && status == 0);
    close(lock);
}

Test(launcher_smolvm_pool, without_docker_the_leases_alone_decide_and_with_a_broken_one_nobody_does)
{
    struct smolvm_lease lease;
    struct error error = { 0 };
    pool.docker_socket = "/nonexistent/docker.sock";
    expect_lease(&lease, "127.0.0.16");
    smolvm_pool_release(&lease);
    pool.docker_socket = docker_path;
    write_scratch("_containers_json", 0600, "{}");
    cr_expect_not(smolvm_pool_allocate(&pool, clock_microseconds() + PATIENCE, &lease, &error));
    cr_expect_eq(lease.lock, -1);
    pool.directory = "/nonexistent";
    cr_expect_not(smolvm_pool_allocate(&pool, clock_microseconds() + PATIENCE, &lease, NULL));
}

static char added[1024];
static const char *interface_text, *refused_address;
static unsigned listed;

static bool list_fake(char *text, size_t capacity, struct error *error)
{
    listed++;
    snprintf(text, capacity, "%s", interface_text == NULL ? "" : interface_text);
    return interface_text != NULL || error_set(error, ERROR_HOST, "no ifconfig");
}

static bool add_fake(const char *address, struct error *error)
{
    if (refused_address != NULL && strcmp(address, refused_address) == 0)
        return error_set(error, ERROR_HOST, "sudo refused");
    size_t used = strlen(added);
    snprintf(added + used, sizeof added - used, "%s ", address);
    return true;
}

static const struct loopback_commands fakes = { list_fake, add_fake };

#define LO0                                                                                                            \
    "lo0: flags=8049<UP,LOOPBACK,RUNNING,MULTICAST> mtu 16384\n\tinet 127.0.0.1 netmask 0xff000000\n\tinet6 ::1 "      \
    "prefixlen 128\n"

Test(launcher_smolvm_pool, on_macos_exactly_the_missing_aliases_are_added)
{
    struct error error = { 0 };
    interface_text =
        LO0 "\tinet 127.0.0.17 netmask 0xff000000\n\tinet 127.0.0.160 netmask 0xff000000\n\tinet 127.0.0.19";
    cr_assert(loopback_alias_add(SMOLVM_MACOS, &fakes, 16, 4, &error), "%s", error.text);
    cr_expect_str_eq(added, "127.0.0.16 127.0.0.18 ", "%s", added);
    *added = '\0';
    interface_text = LO0 "\tinet 127.0.0.16 netmask 0xff000000 \n\tinet 127.0.0.17 netmask 0xff000000\n";
    cr_assert(loopback_alias_add(SMOLVM_MACOS, &fakes, 16, 2, &error));
    cr_expect_str_eq(added, "");
}

Test(launcher_smolvm_pool, an_alias_that_can_not_be_added_fails_the_allocation)
{
    struct smolvm_lease lease;
    struct error error = { 0 };
    interface_text = LO0;
    refused_address = "127.0.0.18";
    pool.platform = SMOLVM_MACOS;
    pool.loopback = &fakes;
    cr_expect_not(smolvm_pool_allocate(&pool, clock_microseconds() + PATIENCE, &lease, &error));
    cr_expect_str_eq(error.text, "sudo refused");
    cr_expect_str_eq(added, "127.0.0.16 127.0.0.17 ");
    cr_expect_eq(lease.lock, -1);
    interface_text = NULL;
    error = (struct error){ 0 };
    cr_expect_not(smolvm_pool_allocate(&pool, clock_microseconds() + PATIENCE, &lease, &error));
    cr_expect_str_eq(error.text, "no ifconfig");
}

Test(launcher_smolvm_pool, on_linux_the_interface_is_not_even_looked_at)
{
    struct smolvm_lease lease;
    pool.loopback = &fakes;
    expect_lease(&lease, "127.0.0.16");
    cr_expect_eq(listed, 0);
    smolvm_pool_release(&lease);
}
