/* Machines that don't come up, whatever the engine says: never a bottle, always a reason, within a bound, and nothing left. */
#include "launcher_machine_fake.h"

TestSuite(launcher_machine_start, .init = machines_begin, .fini = scratch_remove);

struct refusal {
    const char *behaviour;
    enum error_code code;
    const char *says;
};

static void expect_refused(const struct refusal *refusals, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct error error = { 0 };
        behave(refusals[i].behaviour);
        cr_expect_null(start_machine(NULL, 0, &error), "\"%s\" made a bottle", refusals[i].behaviour);
        cr_expect(error.code == refusals[i].code && strstr(error.text, refusals[i].says) != NULL, "%s: %d, %s",
                  refusals[i].behaviour, (int)error.code, error.text);
        expect_nothing_left(refusals[i].behaviour);
    }
}
#define EXPECT_REFUSED(table) expect_refused(table, sizeof(table) / sizeof *(table))

static const struct refusal broken[] = {
    { "version die", ERROR_HOST, "--version ended with status 137" },
    { "version junk", ERROR_HOST, "smolvm X.Y.Z" },
    { "version nothing", ERROR_HOST, "smolvm X.Y.Z" },
    { "version flood", ERROR_HOST, "--version printed more than 1048576 bytes" },
    { "create die", ERROR_HOST, "machine create ended with status 137" },
    { "create die-after", ERROR_HOST, "machine create ended with status 137" },
    { "create refuse", ERROR_HOST, "not today" },
    { "create junk", ERROR_HOST, "state database" },
    { "create nothing", ERROR_HOST, "state database" },
    { "create flood", ERROR_HOST, "machine create printed more than" },
    { "start die", ERROR_BROKEN, "machine start ended with status 137" },
    { "start die-after", ERROR_BROKEN, "machine start ended with status 137" },
    { "start refuse", ERROR_BROKEN, "not today" },
    { "start flood", ERROR_BROKEN, "machine start printed more than" },
    { "status junk", ERROR_HOST, "is not as it writes it" },
    { "status die", ERROR_HOST, "machine status ended with status 137" },
    { "status flood", ERROR_HOST, "machine status printed more than" },
    { "exec on-host", ERROR_BROKEN, "the host's kernel" },
};

Test(launcher_machine_start, an_engine_that_dies_floods_or_prints_junk_makes_no_bottle)
{
    EXPECT_REFUSED(broken);
}

/* What remains after it was ended and removed, as far as that went. */
static const struct refusal leaving[] = {
    { "start refuse\ndelete keep-row", ERROR_BROKEN,
      "not today; and then: the engine says that it deleted the machine, and its row is still there" },
    { "start nothing\ndelete keep-row", ERROR_BROKEN,
      "and then: the engine says that it deleted the machine, and its row is still there" },
    { "exec on-host\nstop nothing\ndelete keep-vmm", ERROR_BROKEN,
      "its boot id is the same; and then: the engine, process " },
};

Test(launcher_machine_start, what_remains_of_a_machine_that_didnt_start_is_told_after_the_first_cause)
{
    machine_bounds.gone = 100;
    EXPECT_REFUSED(leaving);
}

Test(launcher_machine_start, a_first_cause_that_leaves_no_room_stays_as_it_is)
{
    struct error error = { .code = ERROR_HOST };
    memset(error.text, 'x', sizeof error.text - 1);
    behave(leaving[0].behaviour);
    cr_expect_null(start_machine(NULL, 0, &error));
    cr_expect_eq(strspn(error.text, "x"), sizeof error.text - 1);
    cr_expect_eq(error.text[sizeof error.text - 1], '\0');
    expect_nothing_left(leaving[0].behaviour);
}

static const struct refusal other_rows[] = {
    { "create without-names", ERROR_BROKEN, "another policy than was asked for: cidrs " DOOR "/32, names any" },
    { "create without-dns", ERROR_BROKEN, "another policy than was asked for" },
    { "create no-json", ERROR_HOST, "is no JSON object" },
};

Test(launcher_machine_start, a_row_with_another_policy_is_not_started)
{
    EXPECT_REFUSED(other_rows);
    cr_expect_str_eq(line_of("machine start"), "");
}

static const struct {
    const char *behaviour, *policy;
    uint32_t without;
    const char *says;
} unasked[] = {
    { "create extra-names", "cidr", 0, "cidrs " DOOR "/32, names elsewhere.test" },
    { "create wider", NULL, OPEN, "cidrs 0.0.0.0/0, names any" },
};

Test(launcher_machine_start, a_row_with_a_policy_that_was_not_asked_for_is_not_started_either)
{
    for (size_t i = 0; i < sizeof unasked / sizeof *unasked; i++) {
        struct error error = { 0 };
        behave(unasked[i].behaviour);
        cr_expect_null(start_machine(unasked[i].policy, unasked[i].without, &error));
        cr_expect(error.code == ERROR_BROKEN && strstr(error.text, unasked[i].says) != NULL, "%s", error.text);
        expect_nothing_left(unasked[i].behaviour);
    }
}

/* Their bounds are long and are not waited out. */
static const struct refusal dead[] = {
    { "start nothing", ERROR_ABSENT, "has no VMM that lives: smolvm machine exec ended with status 1" },
    { "start junk", ERROR_ABSENT, "has no VMM that lives" },
    { "start dead-vmm", ERROR_ABSENT,
      "has no VMM that lives: smolvm machine exec ended with status 1: Error: machine" },
};

Test(launcher_machine_start, a_machine_that_is_said_to_run_and_has_no_vmm_is_not_waited_for)
{
    EXPECT_REFUSED(dead);
}

static const struct refusal deaf[] = {
    { "exec deaf", ERROR_ABSENT,
      "answers nothing: smolvm machine exec ended with status 1: Error: machine 'bottle' is" },
    { "start no-vmm", ERROR_ABSENT,
      "answers nothing: smolvm machine exec ended with status 1: Error: machine 'bottle' is" },
    { "exec junk", ERROR_ABSENT, "answers nothing: what it says of its kernel is no release and boot id" },
    { "exec odd-kernel", ERROR_ABSENT, "answers nothing: what it says of its kernel is no release and boot id" },
    { "exec odd-boot", ERROR_ABSENT, "answers nothing: what it says of its kernel is no release and boot id" },
    { "exec junk-after", ERROR_ABSENT, "answers nothing: what it says of its kernel is no release and boot id" },
    { "exec nothing", ERROR_ABSENT, "answers nothing: what it says of its kernel is no release and boot id" },
    { "exec flood", ERROR_ABSENT, "answers nothing: smolvm machine exec printed more than" },
    { "exec die-after", ERROR_ABSENT, "answers nothing: smolvm machine exec ended with status 137" },
    { "exec hang", ERROR_ABSENT, "answers nothing: smolvm machine exec did not end in time" },
};

Test(launcher_machine_start, a_machine_that_is_said_to_run_and_answers_nothing_is_given_up_within_the_bound)
{
    machine_bounds.start = SHORT;
    EXPECT_REFUSED(deaf);
}

/* When each try began, in seconds: how many there were. */
static size_t tries(double times[64])
{
    size_t count = 0;
    char *rest = NULL;
    for (const char *at = told("times"); count < 64 && *at != '\0'; at = rest + 1)
        times[count++] = strtod(at, &rest);
    return count;
}

Test(launcher_machine_start, between_two_tries_it_pauses_for_twice_as_long_each_time)
{
    static const struct refusal always[] = { { "exec deaf", ERROR_ABSENT, "answers nothing" } };
    double times[64], pause = 0.05;
    machine_bounds.start = SHORT;
    EXPECT_REFUSED(always);
    size_t count = tries(times);
    cr_assert_geq(count, 2);
    /* The last one is cut short by the bound. */
    for (size_t i = 1; i + 1 < count; i++, pause *= 2)
        cr_expect_geq(times[i] - times[i - 1], pause, "pause %zu", i);
}

Test(launcher_machine_start, a_machine_that_answers_late_is_waited_for)
{
    double times[64];
    behave("exec slow");
    struct bottle *bottle = machine_must_start(NULL, 0);
    cr_expect_geq(tries(times), 3);
    machine_must_end(bottle);
}

static size_t starts(void)
{
    size_t count = 0;
    for (const char *at = told("log"); (at = strstr(at, "machine start ")) != NULL; at++)
        count++;
    return count;
}

Test(launcher_machine_start, a_machine_that_does_not_become_ready_in_the_engines_time_is_started_again)
{
    behave("start late");
    machine_must_end(machine_must_start(NULL, 0));
    cr_expect_eq(starts(), 3);
}

Test(launcher_machine_start, a_machine_that_is_lost_before_it_has_answered_is_started_again)
{
    behave("start dies-early");
    machine_must_end(machine_must_start(NULL, 0));
    cr_expect_eq(starts(), 3);
}

static const struct refusal lost[] = { { "start dead-vmm", ERROR_ABSENT, ", each time" } };

Test(launcher_machine_start, and_given_up_when_it_is_lost_for_the_third_time)
{
    EXPECT_REFUSED(lost);
    cr_expect_eq(starts(), 3);
}

static const struct refusal unready[] = {
    { "start never-ready", ERROR_BROKEN, "did not become ready within 30 seconds, each time" },
};

Test(launcher_machine_start, and_given_up_after_the_third_time)
{
    EXPECT_REFUSED(unready);
    cr_expect_eq(starts(), 3);
}

static const struct refusal hanging[] = {
    { "create hang", ERROR_HOST, "machine create did not end in time" },
    { "create hang-after", ERROR_HOST, "machine create did not end in time" },
    { "status hang", ERROR_HOST, "machine status did not end in time" },
    { "version hang", ERROR_HOST, "--version did not end in time" },
    { "create hang\nstop hang\ndelete hang", ERROR_HOST, "machine create did not end in time" },
};

static const struct refusal hanging_starts[] = {
    { "start hang", ERROR_BROKEN, "machine start did not end in time" },
    { "start hang-after", ERROR_BROKEN, "machine start did not end in time" },
};

Test(launcher_machine_start, an_engine_that_hangs_is_killed)
{
    machine_bounds.other = SHORT;
    EXPECT_REFUSED(hanging);
    machine_bounds.other = 60000;
    machine_bounds.start = SHORT;
    EXPECT_REFUSED(hanging_starts);
}

/* Neither `status` nor `delete` helps to find the VMM. */
static const struct refusal forsaken[] = {
    { "start die-after\nstatus junk\nstop refuse\ndelete refuse", ERROR_BROKEN, "machine start ended with status 137" },
    { "start plain-vmm\nexec on-host\nstop refuse\ndelete refuse", ERROR_BROKEN, "the host's kernel" },
    { "start hidden-vmm\nexec on-host\nstop refuse\ndelete refuse", ERROR_BROKEN, "the host's kernel" },
    { "exec on-host\nstop nothing\ndelete nothing", ERROR_BROKEN, "the host's kernel" },
};

Test(launcher_machine_start, a_vmm_that_the_engine_forsakes_is_found_and_ended)
{
    machine_bounds.gone = 100;
    EXPECT_REFUSED(forsaken);
}
