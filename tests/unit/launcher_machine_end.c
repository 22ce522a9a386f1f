/* The end of a machine on an engine that hangs, dies or lies about it: everything is ended and removed, and what the engine left is
 * told. */
#include "launcher_machine_fake.h"

TestSuite(launcher_machine_end, .init = machines_begin, .fini = scratch_remove);

struct ending {
    const char *behaviour;
    enum error_code code; /* ERROR_NONE: it ends well */
    const char *says;
};

static void expect_ends(const struct ending *endings, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct error error = { 0 };
        behave("");
        struct bottle *bottle = machine_must_start(NULL, 0);
        behave(endings[i].behaviour);
        bool well = smolmachines_backend.destroy(bottle, &error);
        cr_expect(well == (endings[i].code == ERROR_NONE) && error.code == endings[i].code &&
                      strstr(error.text, endings[i].says) != NULL,
                  "%s: %d, %s", endings[i].behaviour, (int)error.code, error.text);
        expect_nothing_left(endings[i].behaviour);
    }
}
#define EXPECT_ENDS(table) expect_ends(table, sizeof(table) / sizeof *(table))

/* What counts is what remains. */
static const struct ending endings[] = {
    { "stop refuse", ERROR_NONE, "" },
    { "stop junk", ERROR_NONE, "" },
    { "stop die-after", ERROR_NONE, "" },
    { "stop flood", ERROR_NONE, "" },
    { "delete junk-after", ERROR_NONE, "" },
    { "delete shut-directory", ERROR_NONE, "" },
    { "delete refuse", ERROR_BROKEN, "not today" },
    { "delete die", ERROR_BROKEN, "machine delete ended with status 137" },
    { "delete die-after", ERROR_BROKEN, "machine delete ended with status 137" },
    { "delete flood", ERROR_BROKEN, "machine delete printed more than" },
    { "delete junk", ERROR_BROKEN, "its row is still there" },
    { "delete nothing", ERROR_BROKEN, "its row is still there" },
    { "delete keep-row", ERROR_BROKEN, "its row is still there" },
};

Test(launcher_machine_end, what_remains_is_removed_and_told)
{
    EXPECT_ENDS(endings);
}

static const struct ending hanging[] = {
    { "stop hang", ERROR_NONE, "" },
    { "delete hang", ERROR_BROKEN, "machine delete did not end in time" },
    { "stop hang\ndelete hang", ERROR_BROKEN, "machine delete did not end in time" },
};

Test(launcher_machine_end, an_engine_that_hangs_is_killed)
{
    machine_bounds.other = SHORT;
    EXPECT_ENDS(hanging);
}

static const struct ending living[] = {
    { "stop nothing\ndelete keep-vmm", ERROR_BROKEN, "the machine's VMM, process " },
    { "stop refuse\ndelete keep-vmm", ERROR_BROKEN, "lived on after its machine was deleted" },
    { "stop refuse\ndelete refuse", ERROR_BROKEN, "not today" },
};

Test(launcher_machine_end, a_vmm_that_lives_on_is_killed_and_told)
{
    machine_bounds.gone = 100;
    EXPECT_ENDS(living);
}

/* A junk pid, or one that is somebody else's by now. */
Test(launcher_machine_end, a_stranger_that_the_engine_calls_its_vmm_is_left_alone_and_told)
{
    struct error error = { 0 };
    char text[16];
    int status;
    pid_t stranger = fork();
    if (stranger == 0) {
        process_die_with_parent(-1);
        for (;;)
            pause();
    }
    snprintf(text, sizeof text, "%d", (int)stranger);
    write_scratch("stranger", 0644, text);
    behave("status stranger");
    struct bottle *bottle = machine_must_start(NULL, 0);
    machine_bounds.gone = 100;
    cr_expect_not(smolmachines_backend.destroy(bottle, &error));
    cr_expect(error.code == ERROR_BROKEN && strstr(error.text, "was left alone") != NULL, "%s", error.text);
    cr_expect_eq(waitpid(stranger, &status, WNOHANG), 0, "it was ended");
    process_kill(stranger);
    expect_nothing_left("status stranger");
}

Test(launcher_machine_end, a_row_that_cant_be_looked_for_is_not_gone)
{
    struct error error = { 0 };
    char path[PATH_MAX];
    struct bottle *bottle = machine_must_start(NULL, 0);
    struct smolvm_state state;
    cr_assert(machine_state(bottle, path, &state, &error), "%s", error.text);
    behave("stop nothing\ndelete nothing");
    cr_assert_eq(truncate(path, 100), 0);
    machine_bounds.gone = 100;
    cr_expect_not(smolmachines_backend.destroy(bottle, &error));
    cr_expect_not_null(strstr(error.text, "state database"), "%s", error.text);
    expect_nothing_left("a torn database");
}

/* Where the caller isn't the reaper, a dead VMM stays in the table of processes for a while. */
Test(launcher_machine_end, a_vmm_that_nobody_has_reaped_yet_is_gone)
{
    int status = -1;
    pid_t caller = fork();
    if (caller == 0) {
        struct error error = { 0 };
        struct bottle *bottle = start_machine(NULL, 0, &error);
        _exit(bottle != NULL && smolmachines_backend.destroy(bottle, &error) ? 0 : 1);
    }
    cr_assert(process_wait(caller, clock_microseconds() + PATIENCE, &status));
    cr_expect_eq(status, 0);
    expect_nothing_left("another's orphan");
}

/* A command that was started in the machine and not waited for, and a file that didn't get in. */
Test(launcher_machine_end, a_machine_whose_commands_fail_ends_well)
{
    struct bottle *bottle = machine_must_start(NULL, 0);
    struct error error = { 0 };
    pid_t pid;
    char *const argv[] = { "/bin/sh", "-c", "read line", NULL };
    int ends[2], file = memfd_create("file", MFD_CLOEXEC);
    cr_assert_eq(pipe2(ends, O_CLOEXEC), 0);
    const struct exec_streams streams = { .input = ends[0], .output = -1, .errors = -1 };
    cr_assert(smolmachines_backend.exec(bottle, argv, PRINCIPAL_ROOT, &streams, &pid, &error), "%s", error.text);
    behave("exec die");
    cr_expect_not(smolmachines_backend.put(bottle, "file", file, 0644, &error));
    cr_expect(error.code == ERROR_BROKEN && strstr(error.text, "exit status 137") != NULL, "%s", error.text);
    smolvm_kill(pid);
    close(ends[0]);
    close(ends[1]);
    close(file);
    machine_must_end(bottle);
}
