/* What the host must have for machines: every check alone, with programs that play the engine, and a trial that boots none. */
#include "launcher_smolvm_fake.h"

#include <sys/mman.h>

#include "../../launcher/backends/smolmachines/machine.h"
#include "../../launcher/smolvm/kvm.h"

TestSuite(launcher_smolmachines_checks, .init = scratch_make, .fini = scratch_remove);

static size_t index_of(const char *name)
{
    for (size_t i = 0; i < MACHINE_CHECKS; i++)
        if (strcmp(machine_checks[i].name, name) == 0)
            return i;
    cr_assert_fail("there is no check %s", name);
    return 0;
}

static void expect(const char *check, const char *policy, const char *told)
{
    struct error error = { 0 };
    bool well = machine_checks[index_of(check)].look(policy, &error);
    cr_expect_eq(well, told == NULL, "%s: %s", check, error.text);
    cr_expect(told == NULL || strstr(error.text, told) != NULL, "%s: %s", check, error.text);
    cr_expect_null(strchr(error.text, '\n'));
}

static void engine_that(const char *lines)
{
    struct error error = { 0 };
    cr_assert(smolvm_name_program(fake_engine("bin/smolvm", lines), &error), "%s", error.text);
}

Test(launcher_smolmachines_checks, each_has_a_name_and_stands_behind_what_it_needs)
{
    for (size_t i = 0; i < MACHINE_CHECKS; i++) {
        cr_expect(machine_checks[i].name != NULL && machine_checks[i].purpose != NULL &&
                  machine_checks[i].look != NULL);
        cr_expect_eq(machine_checks[i].after >> i, 0, "%s", machine_checks[i].name);
        cr_expect_eq(index_of(machine_checks[i].name), i);
    }
    cr_expect_eq(smolmachines_backend.checks, machine_checks);
    cr_expect_eq(smolmachines_backend.check_count, (size_t)MACHINE_CHECKS);
}

Test(launcher_smolmachines_checks, no_engine_one_that_can_not_be_run_and_one_without_its_parts_are_three_things)
{
    setenv("PATH", in_scratch("bin"), 1);
    expect("smolvm", NULL, "smolvm is not on PATH");
    write_scratch("bin/smolvm", 0644, "");
    expect("smolvm", NULL, "not executable by you");
    write_scratch("bin/smolvm", 0755, "\177ELF");
    expect("smolvm", NULL, NULL);
    expect("smolvm-libraries", NULL, "libkrun.so and libkrunfw.so.5 are not");
    write_scratch("bin/libkrun.so", 0644, "");
    write_scratch("bin/libkrunfw.so.5", 0644, "");
    expect("smolvm-libraries", NULL, NULL);
    setenv("HOME", scratch, 1);
    unsetenv("XDG_DATA_HOME");
    expect("smolvm-rootfs", NULL, "agent-rootfs is not beside");
    write_scratch("bin/agent-rootfs.tar.zst", 0644, "");
    expect("smolvm-rootfs", NULL, NULL);
    setenv("PATH", "/usr/bin:/bin", 1);
}

Test(launcher_smolmachines_checks, a_version_that_is_unreadable_or_too_old_is_told_as_that)
{
    static const struct {
        const char *lines, *told;
    } rows[] = {
        { "echo smolvm 1.32.2; echo 'note: no packed assets' >&2", NULL },
        { "echo smolvm 0.7.9", "0.7.9" },
        { "echo hello", "hello" },
        { ":", "smolvm" },
        { "echo smolvm 1.32.2; exit 3", "status 3" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        engine_that(rows[i].lines);
        expect("smolvm-version", NULL, rows[i].told);
    }
}

Test(launcher_smolmachines_checks, where_hardened_can_not_be_had_the_way_without_is_named)
{
    engine_that("echo smolvm 1.2.4");
    expect("smolvm-policy", NULL, "--policy=cidr runs it without that");
    expect("smolvm-policy", "hardened", "--policy=cidr");
    expect("smolvm-policy", "cidr", NULL);
    struct error error = { 0 };
    cr_expect_not(machine_preflight("hardened", &error));
    cr_expect(error.code == ERROR_HOST && strstr(error.text, "--policy=cidr") != NULL, "%s", error.text);
    engine_that("echo smolvm 1.2.5");
    expect("smolvm-policy", NULL, NULL);
    expect("smolvm-policy", "cidr", NULL);
}

Test(launcher_smolmachines_checks, a_device_is_tried_as_root_of_a_site)
{
    struct error error = { 0 };
    cr_expect_eq(chmod(scratch, 0755), 0);
    cr_expect(machine_may_open(write_scratch("everybodys", 0666, ""), &error), "%s", error.text);
    const char *own = write_scratch("own", 0600, "");
    /* Root is somebody else there; an ordinary user stays the same. */
    cr_expect_eq(machine_may_open(own, &error), geteuid() != 0);
    cr_expect(geteuid() != 0 || strstr(error.text, "usermod -aG kvm") != NULL, "%s", error.text);
}

Test(launcher_smolmachines_checks, a_wrappers_libraries_are_those_that_its_machine_has_loaded)
{
    static struct bottle bottle;
    char directory[PATH_MAX];
    bottle.monitor = getpid();
    machine_find_libraries(&bottle);
    cr_expect_str_empty(bottle.location.libraries);
    int file = open(write_scratch("with blank/libkrunfw.so.5", 0644, "fw"), O_RDONLY | O_CLOEXEC);
    void *loaded = mmap(NULL, 1, PROT_READ, MAP_PRIVATE, file, 0);
    cr_assert(file >= 0 && loaded != MAP_FAILED);
    close(file);
    machine_find_libraries(&bottle);
    cr_assert_not_null(realpath(in_scratch("with blank"), directory));
    cr_expect_str_eq(bottle.location.libraries, directory);
    snprintf(bottle.location.libraries, sizeof bottle.location.libraries, "/known");
    machine_find_libraries(&bottle);
    cr_expect_str_eq(bottle.location.libraries, "/known");
    munmap(loaded, 1);
}

/* Plays an engine whose machines boot: a row in a real database, a process in the VMM's place, and the answers of a kernel. */
static void engine_that_boots(void)
{
    static const char program[] =
        "#!/usr/bin/python3\n"
        "import os, signal, sqlite3, subprocess, sys\n"
        "words, home = sys.argv[1:], os.environ['XDG_DATA_HOME'] if 'machine' in sys.argv else '/nonexistent'\n"
        "path = home + '/smolvm/server/smolvm.db'\n"
        "if words == ['--version']:\n    print('smolvm 1.32.2')\n"
        "elif words[1] == 'create':\n"
        "    os.makedirs(os.path.dirname(path))\n"
        "    db = sqlite3.connect(path)\n"
        "    db.execute('CREATE TABLE vms (name TEXT PRIMARY KEY NOT NULL, data BLOB NOT NULL)')\n"
        "    row = b'{\"name\":\"bottle\",\"network\":true,\"allowed_cidrs\":[\"192.0.2.1/32\"]}'\n"
        "    db.execute('INSERT INTO vms VALUES (?, ?)', ('bottle', row)); db.commit()\n"
        "elif words[1] == 'start':\n"
        "    vmm = subprocess.Popen(['/usr/bin/sleep', '600'], start_new_session=True)\n"
        "    open(home + '/pid', 'w').write(str(vmm.pid))\n"
        "elif words[1] == 'exec':\n    print('6.9.0\\n5f2b9f0e-5d5c-4d0e-9a39-0c1d2e3f4a5b')\n"
        "elif words[1] == 'status':\n"
        "    print('{\"name\":\"bottle\",\"state\":\"running\",\"pid\":' + open(home + '/pid').read() + '}')\n"
        "elif words[1] == 'stop':\n    os.kill(int(open(home + '/pid').read()), signal.SIGKILL)\n"
        "elif words[1] == 'delete':\n"
        "    db = sqlite3.connect(path); db.execute('DELETE FROM vms'); db.commit()\n";
    struct error error = { 0 };
    cr_assert(smolvm_name_program(write_scratch("bin/smolvm", 0755, program), &error), "%s", error.text);
}

static bool remembered(void)
{
    char boot_id[SMOLVM_BOOT_ID];
    struct error error = { 0 };
    cr_assert(smolvm_boot_id(NULL, boot_id, &error), "%s", error.text);
    return smolvm_kvm_known(in_scratch("cache/bottle-gate"), boot_id);
}

static void cache_in_scratch(void)
{
    char cache[PATH_MAX];
    snprintf(cache, sizeof cache, "%s", in_scratch("cache"));
    setenv("XDG_CACHE_HOME", cache, 1);
    chmod(scratch, 0755);
}

Test(launcher_smolmachines_checks, a_trial_that_boots_is_remembered_and_not_made_again)
{
    struct error error = { 0 };
    cache_in_scratch();
    engine_that_boots();
    cr_assert(machine_trial(SMOLVM_CIDR_ONLY, &error), "%s", error.text);
    cr_expect(remembered());
    engine_that("exit 1");
    cr_expect(machine_trial(SMOLVM_CIDR_ONLY, &error), "%s", error.text);
}

Test(launcher_smolmachines_checks, a_trial_that_fails_says_why_and_is_made_again)
{
    struct error error = { 0 };
    cache_in_scratch();
    engine_that("[ \"$1\" = --version ] && echo smolvm 1.32.2 && exit; echo 'Error: no boot progress' >&2; exit 1");
    cr_expect_not(machine_trial(SMOLVM_HARDENED, &error));
    cr_expect(strstr(error.text, "no boot progress") != NULL && strstr(error.text, "nested virtualisation") != NULL &&
                  strstr(error.text, "--backend=native") != NULL,
              "%s", error.text);
    cr_expect_not(remembered());
    engine_that_boots(); /* whose row lacks what hardened asks for */
    error = (struct error){ 0 };
    cr_expect_not(machine_trial(SMOLVM_HARDENED, &error));
    cr_expect_not_null(strstr(error.text, "another policy than was asked for"), "%s", error.text);
    cr_expect_not(remembered());
    cr_expect(machine_trial(SMOLVM_CIDR_ONLY, &error), "%s", error.text);
}
