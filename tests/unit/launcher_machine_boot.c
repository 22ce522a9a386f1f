/* Machines that boot, on engines of several versions: the command lines that they get, what is stored, files and commands, and what is
 * told of them. */
#include "launcher_machine_fake.h"

#include <openssl/evp.h>

TestSuite(launcher_machine_boot, .init = machines_begin, .fini = scratch_remove);

#define CREATED "--cpus 1 --mem 512"

static const struct {
    const char *version, *policy;
    uint32_t without;
    const char *create, *delete;
} shapes[] = {
    { "1.32.2", NULL, 0, "machine create --name bottle " CREATED " --allow-host " DOOR " --dns " DOOR,
      "machine delete -f --name bottle" },
    { "1.32.2", "cidr", 0, "machine create --name bottle " CREATED " --allow-cidr " DOOR "/32",
      "machine delete -f --name bottle" },
    { "1.32.2", NULL, OPEN, "machine create --name bottle " CREATED " --net --net-backend virtio-net",
      "machine delete -f --name bottle" },
    { "1.32.2", NULL, 1u << MACHINE_CIDRS,
      "machine create --name bottle " CREATED " --allow-host " DOOR " --dns " DOOR " --net-backend virtio-net",
      "machine delete -f --name bottle" },
    { "1.27.3", "hardened", 0, "machine create --name bottle " CREATED " --allow-host " DOOR " --dns " DOOR,
      "machine delete -f --name bottle" },
    { "1.4.0", "hardened", 0, "machine create --name bottle " CREATED " --allow-host " DOOR " --dns " DOOR,
      "machine delete -f --name bottle" },
    { "1.4.0", "cidr", 0, "machine create --name bottle " CREATED " --allow-cidr " DOOR "/32",
      "machine delete -f --name bottle" },
    { "1.0.1", "cidr", 0, "machine create bottle " CREATED " --allow-cidr " DOOR "/32", "machine delete -f bottle" },
};

Test(launcher_machine_boot, each_version_gets_the_command_lines_that_it_takes)
{
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        fake_version(shapes[i].version);
        machine_must_end(machine_must_start(shapes[i].policy, shapes[i].without));
        cr_expect_str_eq(line_of("machine create"), shapes[i].create, "%s", shapes[i].version);
        cr_expect_str_eq(line_of("machine start"), "machine start --name bottle");
        cr_expect_str_eq(line_of("machine exec"), "machine exec --name bottle --timeout 60s -- /bin/cat "
                                                  "/proc/sys/kernel/osrelease /proc/sys/kernel/random/boot_id");
        cr_expect_str_eq(line_of("machine status"), "machine status --name bottle --json");
        cr_expect_str_eq(line_of("machine stop"), "machine stop --name bottle");
        cr_expect_str_eq(line_of("machine delete"), shapes[i].delete, "%s", shapes[i].version);
    }
}

Test(launcher_machine_boot, hardened_is_refused_where_the_engine_has_no_dns_option_and_the_way_without_is_named)
{
    static const char *const without_it[] = { "1.0.1", "1.2.4" };
    for (size_t i = 0; i < sizeof without_it / sizeof *without_it; i++) {
        struct error error = { 0 };
        fake_version(without_it[i]);
        cr_expect_null(start_machine(NULL, 0, &error));
        cr_expect_eq(error.code, ERROR_HOST);
        cr_expect(strstr(error.text, without_it[i]) != NULL && strstr(error.text, "--policy=cidr") != NULL, "%s",
                  error.text);
        cr_expect_str_eq(line_of("machine"), "", "a machine was made all the same");
        expect_nothing_left(without_it[i]);
    }
}

Test(launcher_machine_boot, the_floors_are_off_for_the_open_bottle_alone)
{
    machine_must_end(machine_must_start(NULL, OPEN));
    cr_expect_not_null(strstr(told("environment"), "SMOLVM_EGRESS_FLOOR=off\n"));
    machine_must_end(machine_must_start(NULL, 0));
    cr_expect_null(strstr(told("environment"), "SMOLVM_EGRESS_FLOOR"));
}

/* Runs a command in the machine to its end; its output is in `output`. */
static int run(struct bottle *bottle, enum principal principal, char *const argv[], char *output, size_t size)
{
    struct error error = { 0 };
    int memory = memfd_create("output", MFD_CLOEXEC), status = -1;
    pid_t pid = 0;
    cr_assert_geq(memory, 0);
    const struct exec_streams streams = { .input = -1, .output = memory, .errors = -1 };
    cr_assert(smolmachines_backend.exec(bottle, argv, principal, &streams, &pid, &error), "%s", error.text);
    cr_assert(process_wait(pid, clock_microseconds() + PATIENCE, &status));
    lseek(memory, 0, SEEK_SET);
    ssize_t got = read_all(memory, output, size - 1);
    output[got > 0 ? got : 0] = '\0';
    close(memory);
    return process_exit_status(status);
}

Test(launcher_machine_boot, a_file_is_put_again_where_the_connection_breaks_off_and_is_whole_then)
{
    behave("exec breaks-off");
    struct bottle *bottle = machine_must_start(NULL, 0);
    struct error error = { 0 };
    char output[256];
    int file = memfd_create("file", MFD_CLOEXEC);
    cr_assert(write_all(file, "what was put\n", 13));
    cr_assert(smolmachines_backend.put(bottle, "file", file, 0751, &error), "%s", error.text);
    char *const look[] = { "/bin/sh", "-c", "cat \"$0\"; stat -c %a \"$0\"", "/tmp/file", NULL };
    cr_expect_eq(run(bottle, PRINCIPAL_ROOT, look, output, sizeof output), 0);
    cr_expect_str_eq(output, "what was put\n751\n");
    behave("exec always-breaks-off");
    cr_expect_not(smolmachines_backend.put(bottle, "other", file, 0751, &error));
    cr_expect(strstr(error.text, "/tmp/other") != NULL && strstr(error.text, "connection closed") != NULL, "%s",
              error.text);
    close(file);
    behave("");
    machine_must_end(bottle);
}

Test(launcher_machine_boot, a_file_is_put_again_as_long_as_the_vmm_of_a_machine_that_is_not_running_lives)
{
    behave("exec busy");
    struct bottle *bottle = machine_must_start(NULL, 0);
    struct error error = { 0 };
    int file = memfd_create("file", MFD_CLOEXEC);
    cr_assert(smolmachines_backend.put(bottle, "file", file, 0751, &error), "%s", error.text);

    behave("exec always-busy");
    machine_bounds.other = 2000;
    cr_expect_not(smolmachines_backend.put(bottle, "late", file, 0751, &error));
    cr_expect(strstr(error.text, "/tmp/late") != NULL && strstr(error.text, "is not running") != NULL, "%s",
              error.text);

    machine_bounds.other = 60000;
    kill(bottle->monitor, SIGKILL);
    uint64_t began = clock_microseconds();
    cr_expect_not(smolmachines_backend.put(bottle, "never", file, 0751, &error));
    cr_expect_lt(clock_microseconds() - began, 50000000, "it was waited for a VMM that is dead");
    struct error last = { 0 };
    cr_expect_not(smolmachines_backend.put(bottle, "never", file, 0751, &last));
    cr_expect_not_null(strstr(last.text, "/tmp/never in the machine: exit status 1: Error: "), "%s", last.text);
    cr_expect_not_null(strstr(last.text, " (its VMM ended by signal 9; agent-console.log ends with \"last ? words\")"),
                       "%s", last.text);
    close(file);
    behave("");
    machine_must_end(bottle);
}

Test(launcher_machine_boot, files_go_in_and_commands_run_as_root_and_as_the_user)
{
    struct bottle *bottle = machine_must_start(NULL, 0);
    struct error error = { 0 };
    char output[256];
    int file = memfd_create("file", MFD_CLOEXEC);
    cr_assert(write_all(file, "what was put\n", 13)); /* and the offset is at its end */
    cr_assert(smolmachines_backend.put(bottle, "file", file, 0751, &error), "%s", error.text);
    char *const look[] = { "/bin/sh", "-c", "cat \"$0\"; stat -c %a \"$0\"; exit 7", "/tmp/file", NULL };
    cr_expect_eq(run(bottle, PRINCIPAL_ROOT, look, output, sizeof output), 7);
    cr_expect_str_eq(output, "what was put\n751\n");
    cr_expect_not(smolmachines_backend.put(bottle, "file", file, 0751, &error), "a file was put over another");
    cr_expect(strstr(error.text, "exit status 1: ") != NULL || strstr(error.text, "exit status 2: ") != NULL, "%s",
              error.text);
    cr_expect_not_null(strstr(error.text, "exist"), "%s", error.text);
    cr_expect_not(smolmachines_backend.put(bottle, "../file", file, 0751, &error));
    char *const who[] = { "/usr/bin/id", "-u", NULL };
    /* The fake's guest is the host, where only root can become another. */
    if (geteuid() == 0) {
        cr_expect_eq(run(bottle, PRINCIPAL_USER, who, output, sizeof output), 0);
        cr_expect_str_eq(output, "65534\n");
    }
    close(file);
    machine_must_end(bottle);
}

static void digest_of(const char *path, char text[17])
{
    static char bytes[1 << 22];
    unsigned char digest[EVP_MAX_MD_SIZE];
    int file = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t size = file < 0 ? -1 : read_all(file, bytes, sizeof bytes);
    cr_assert(size > 0 && size < (ssize_t)sizeof bytes, "%s", path);
    close(file);
    cr_assert_eq(EVP_Digest(bytes, (size_t)size, digest, NULL, EVP_sha256(), NULL), 1);
    for (int i = 0; i < 8; i++)
        snprintf(text + 2 * i, 3, "%02x", digest[i]);
}

Test(launcher_machine_boot, the_fingerprint_says_what_stands_behind_the_machine)
{
    struct bottle *bottle = machine_must_start(NULL, 0);
    struct fingerprint fingerprint;
    struct error error = { 0 };
    char expected[512], shell[17], library[17], kernel[17];
    digest_of("/bin/sh", shell);
    digest_of(in_scratch("libkrun.so"), library);
    digest_of(in_scratch("libkrunfw.so.5"), kernel);
    cr_assert(smolmachines_backend.fingerprint(bottle, &fingerprint, &error), "%s", error.text);
    cr_expect_str_eq(fingerprint.engine, "smolvm");
    cr_expect_str_eq(fingerprint.version, "1.32.2");
    cr_expect_str_eq(fingerprint.kernel, "6.12.87-fake");
    cr_expect_str_eq(fingerprint.boot_id, "5f2b9f0e-5d5c-4d0e-9a39-0c1d2e3f4a5b");
    snprintf(expected, sizeof expected,
             "VMM pid %d, sha256 %s; libkrun %s; libkrunfw %s; cidrs " DOOR "/32, names " DOOR ", dns " DOOR
             ", network virtio-net",
             (int)bottle->monitor, shell, library, kernel);
    cr_expect_str_eq(fingerprint.details, expected);
    kill(bottle->monitor, SIGKILL);
    process_wait(bottle->monitor, clock_microseconds() + PATIENCE, NULL);
    cr_expect_not(smolmachines_backend.fingerprint(bottle, &fingerprint, &error), "a dead VMM has a fingerprint");
    machine_must_end(bottle);
}

Test(launcher_machine_boot, the_fingerprint_has_room_for_the_longest_of_all)
{
    struct bottle bottle = { .monitor = getpid(), .version.text = "1.32.2" };
    struct fingerprint fingerprint;
    struct error error = { 0 };
    snprintf(bottle.location.libraries, sizeof bottle.location.libraries, "%s", scratch);
    memset(bottle.policy, 'p', sizeof bottle.policy - 2);
    bottle.policy[sizeof bottle.policy - 2] = '!';
    cr_assert(machine_fingerprint(&bottle, &fingerprint, &error), "%s", error.text);
    cr_expect_eq(fingerprint.details[strlen(fingerprint.details) - 1], '!', "%s", fingerprint.details);
}

/* As smolvm's VMM does: nobody but the privileged may look into it. */
Test(launcher_machine_boot, a_vmm_that_lets_nobody_look_has_no_digest_and_is_told_as_that)
{
    int status = -1;
    prctl(PR_SET_DUMPABLE, 0);
    pid_t looker = fork();
    if (looker == 0) {
        struct bottle bottle = { .monitor = getppid(), .version.text = "1.32.2" };
        struct fingerprint fingerprint;
        struct error error = { 0 };
        bool ordinary = geteuid() != 0 || (setresgid(65534, 65534, 65534) == 0 && setresuid(65534, 65534, 65534) == 0);
        snprintf(bottle.location.libraries, sizeof bottle.location.libraries, "%s", scratch);
        _exit(ordinary && machine_fingerprint(&bottle, &fingerprint, &error) &&
                      strstr(fingerprint.details, "sha256 unreadable; libkrun") != NULL
                  ? 0
                  : 1);
    }
    cr_assert(process_wait(looker, clock_microseconds() + PATIENCE, &status));
    prctl(PR_SET_DUMPABLE, 1);
    cr_expect_eq(status, 0);
}

Test(launcher_machine_boot, nothing_is_left_open)
{
    int before = open("/dev/null", O_RDONLY | O_CLOEXEC);
    close(before);
    machine_must_end(machine_must_start(NULL, 0));
    behave("start dead-vmm\n");
    cr_expect_null(start_machine(NULL, 0, NULL));
    int after = open("/dev/null", O_RDONLY | O_CLOEXEC);
    cr_expect_eq(after, before);
    close(after);
}

Test(launcher_machine_boot, an_allowlist_that_the_engine_lost_is_written_into_its_row_and_told)
{
    static const char *const lost[] = { "create without-cidrs\n", "create text\n", "create wider\n" };
    for (size_t i = 0; i < sizeof lost / sizeof *lost; i++) {
        behave(lost[i]);
        struct bottle *bottle = machine_must_start("cidr", 0);
        cr_expect_str_eq(bottle->policy, "cidrs " DOOR "/32 (written here), names any, dns , network virtio-net", "%s",
                         lost[i]);
        machine_must_end(bottle);
    }
}

static const struct {
    uint32_t without;
    const char *policy, *row;
} mutants[] = {
    { 1u << MACHINE_CIDRS, NULL, "cidrs any, names " DOOR ", dns " DOOR ", network virtio-net" },
    { 1u << MACHINE_DNS_FILTER, NULL, "cidrs " DOOR "/32, names any, dns , network virtio-net" },
    { 1u << MACHINE_CIDRS, "cidr", "cidrs any, names any, dns , network virtio-net" },
};

Test(launcher_machine_boot, a_mutants_row_lacks_what_it_is_to_lack)
{
    for (size_t i = 0; i < sizeof mutants / sizeof *mutants; i++) {
        struct bottle *bottle = machine_must_start(mutants[i].policy, mutants[i].without);
        cr_expect_str_eq(bottle->policy, mutants[i].row);
        machine_must_end(bottle);
    }
}

Test(launcher_machine_boot, what_the_engine_refused_is_told_and_that_it_says_nothing_too)
{
    static const struct {
        const char *version, *behaviour, *told;
    } rows[] = {
        { "1.32.2", "", "egress-events: 2 refused, the first connect 10.0.0.1:80" },
        { "1.32.2", "egress-events none", "egress-events: 0 refused" },
        { "1.32.2", "egress-events refuse", "egress-events: no answer" },
        { "1.32.2", "egress-events junk", "egress-events: unreadable" },
        { "1.4.0", "", "" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[FENCE_LOG] = "?";
        fake_version(rows[i].version);
        behave("");
        struct bottle *bottle = machine_must_start("cidr", 0);
        behave(rows[i].behaviour);
        smolmachines_backend.fence_log(bottle, text);
        cr_expect_str_eq(text, rows[i].told, "%s, %s: %s", rows[i].version, rows[i].behaviour, text);
        behave("");
        machine_must_end(bottle);
    }
}
