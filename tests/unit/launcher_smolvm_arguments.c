/* The shapes of smolvm's command lines, per version and policy, and the words that must never get into one. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../launcher/smolvm/arguments.h"

static struct smolvm_arguments arguments;

static struct smolvm_version version_of(const char *number)
{
    char line[64];
    struct smolvm_version version;
    int length = snprintf(line, sizeof line, "smolvm %s", number);
    cr_assert(smolvm_version_parse(line, (size_t)length, &version, NULL), "%s", number);
    return version;
}

/* The words after "smolvm machine ", with a blank between. */
static const char *spoken(void)
{
    static char text[SMOLVM_WORD_BYTES + SMOLVM_WORDS];
    size_t used = 0;
    cr_assert_str_eq(arguments.words[0], "smolvm");
    cr_assert_null(arguments.words[arguments.count]);
    *text = '\0';
    for (size_t i = 2; i < arguments.count; i++)
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%s", i == 2 ? "" : " ", arguments.words[i]);
    cr_assert_str_eq(arguments.words[1], "machine");
    return text;
}

#define DOOR "10.88.0.1"

Test(launcher_smolvm_arguments, create_names_the_machine_and_its_policy_as_the_version_wants_it)
{
    static const struct {
        const char *version;
        enum smolvm_policy policy;
        const char *from, *line; /* NULL: refused */
    } rows[] = {
        { "0.8.0", SMOLVM_CIDR_ONLY, NULL, "create b1 --cpus 2 --mem 512 --allow-cidr 10.88.0.1/32" },
        { "1.0.1", SMOLVM_CIDR_ONLY, NULL, "create b1 --cpus 2 --mem 512 --allow-cidr 10.88.0.1/32" },
        { "1.0.2", SMOLVM_CIDR_ONLY, NULL, "create --name b1 --cpus 2 --mem 512 --allow-cidr 10.88.0.1/32" },
        { "1.32.2", SMOLVM_CIDR_ONLY, NULL, "create --name b1 --cpus 2 --mem 512 --allow-cidr 10.88.0.1/32" },
        { "1.32.2", SMOLVM_HARDENED, NULL,
          "create --name b1 --cpus 2 --mem 512 --allow-host 10.88.0.1 --dns 10.88.0.1" },
        { "1.2.5", SMOLVM_HARDENED, NULL,
          "create --name b1 --cpus 2 --mem 512 --allow-host 10.88.0.1 --dns 10.88.0.1" },
        { "1.2.5-rc.1", SMOLVM_HARDENED, NULL, NULL },
        { "1.2.4", SMOLVM_HARDENED, NULL, NULL },
        { "0.8.0", SMOLVM_HARDENED, NULL, NULL },
        { "0.8.0", SMOLVM_OPEN, NULL, "create b1 --cpus 2 --mem 512 --net --net-backend virtio-net" },
        { "1.32.2", SMOLVM_OPEN, NULL, "create --name b1 --cpus 2 --mem 512 --net --net-backend virtio-net" },
        { "0.7.9", SMOLVM_OPEN, NULL, NULL },
        { "0.7.9", SMOLVM_CIDR_ONLY, NULL, NULL },
        { "1.7.7", SMOLVM_CIDR_ONLY, "/p.smolmachine",
          "create --name b1 --cpus 2 --mem 512 --allow-cidr 10.88.0.1/32 --from /p.smolmachine" },
        { "1.7.7", SMOLVM_HARDENED, "/p.smolmachine", NULL },
        { "1.8.0", SMOLVM_HARDENED, "/p.smolmachine",
          "create --name b1 --cpus 2 --mem 512 --allow-host 10.88.0.1 --dns 10.88.0.1 --from /p.smolmachine" },
        { "1.8.0", SMOLVM_HARDENED, "--net", NULL },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct error error = { 0 };
        struct smolvm_version version = version_of(rows[i].version);
        struct smolvm_machine machine = {
            .name = "b1", .policy = rows[i].policy, .door = DOOR, .cpus = 2, .memory_mib = 512, .from = rows[i].from
        };
        bool made = smolvm_arguments_create(&arguments, &version, &machine, &error);
        cr_expect_eq(made, rows[i].line != NULL, "row %zu: %s", i, error.text);
        if (made)
            cr_expect_str_eq(spoken(), rows[i].line);
        else
            cr_expect(error.code == ERROR_HOST || error.code == ERROR_USAGE);
    }
}

Test(launcher_smolvm_arguments, hardened_names_the_way_without_it_where_it_can_not_be_had)
{
    struct error error = { 0 };
    struct smolvm_version version = version_of("1.2.4");
    cr_expect_not(smolvm_policy_check(&version, SMOLVM_HARDENED, DOOR, &error));
    cr_expect(error.code == ERROR_HOST && strstr(error.text, "--policy=cidr") && strstr(error.text, "1.2.5") &&
                  strstr(error.text, "1.2.4"),
              "%s", error.text);
}

Test(launcher_smolvm_arguments, the_variables_of_a_machine_are_passed_and_checked)
{
    struct error error = { 0 };
    struct smolvm_version version = version_of("1.32.2");
    const char *variables[] = { "HTTPS_PROXY=http://10.88.0.1:8080", "_x=", NULL };
    struct smolvm_machine machine = {
        .name = "b1", .policy = SMOLVM_OPEN, .cpus = 1, .memory_mib = 64, .variables = variables
    };
    cr_assert(smolvm_arguments_create(&arguments, &version, &machine, &error), "%s", error.text);
    cr_expect_str_eq(spoken(), "create --name b1 --cpus 1 --mem 64 --net --net-backend virtio-net "
                               "-e HTTPS_PROXY=http://10.88.0.1:8080 -e _x=");
    static const char *const bad[] = { "", "=x", "--net", "-e=1", "A", "1A=x", "A B=x", "A-B=x" };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        variables[1] = bad[i];
        cr_expect_not(smolvm_arguments_create(&arguments, &version, &machine, NULL), "%s", bad[i]);
    }
}

Test(launcher_smolvm_arguments, sizes_outside_their_range_are_refused)
{
    static const unsigned sizes[][2] = { { 0, 512 }, { 256, 512 }, { 1, 63 }, { 1, 1048577 } };
    struct smolvm_version version = version_of("1.32.2");
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct smolvm_machine machine = {
            .name = "b1", .policy = SMOLVM_OPEN, .cpus = sizes[i][0], .memory_mib = sizes[i][1]
        };
        cr_expect_not(smolvm_arguments_create(&arguments, &version, &machine, NULL), "row %zu", i);
    }
}

Test(launcher_smolvm_arguments, only_plain_names_reach_the_engine)
{
    static const struct {
        const char *name;
        bool valid;
    } rows[] = {
        { "b1", true },
        { "a", true },
        { "0-a", true },
        { "bottle-gate-12345678-open", true },
        { "012345678901234567890123456789012345678901234567890123456789012", true },
        { "0123456789012345678901234567890123456789012345678901234567890123", false },
        { "", false },
        { "-f", false },
        { "--name", false },
        { "a-", false },
        { "a--b", false },
        { "A", false },
        { "a b", false },
        { "a:b", false },
        { "a/b", false },
        { "a\n", false },
        { "a_b", false },
        { "\xc3\xa4", false },
    };
    struct smolvm_version version = version_of("0.8.0");
    char *command[] = { "true", NULL };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct smolvm_machine machine = { .name = rows[i].name, .policy = SMOLVM_OPEN, .cpus = 1, .memory_mib = 512 };
        struct smolvm_exec exec = { .command = command };
        cr_expect_eq(smolvm_name_valid(rows[i].name), rows[i].valid, "%s", rows[i].name);
        cr_expect_eq(smolvm_arguments_create(&arguments, &version, &machine, NULL), rows[i].valid);
        cr_expect_eq(smolvm_arguments_exec(&arguments, rows[i].name, &exec, NULL), rows[i].valid);
        cr_expect_eq(smolvm_arguments_put(&arguments, rows[i].name, "/a", "/b", NULL), rows[i].valid);
        for (int verb = 0; verb < SMOLVM_EVENTS; verb++)
            cr_expect_eq(smolvm_arguments_plain(&arguments, &version, (enum smolvm_verb)verb, rows[i].name, NULL),
                         rows[i].valid);
    }
}

Test(launcher_smolvm_arguments, a_door_that_can_not_be_reached_or_opens_more_is_refused)
{
    static const struct {
        const char *version, *door;
        enum smolvm_policy policy;
        bool good;
    } rows[] = {
        { "1.32.2", "10.88.0.1", SMOLVM_HARDENED, true },
        { "1.32.2", "192.0.2.16", SMOLVM_HARDENED, true },
        { "1.32.2", "127.0.0.16", SMOLVM_HARDENED, false },
        { "1.1.3", "127.0.0.16", SMOLVM_CIDR_ONLY, false },
        { "1.1.2", "127.0.0.16", SMOLVM_CIDR_ONLY, true },
        { "0.8.0", "127.0.0.16", SMOLVM_CIDR_ONLY, true },
        { "1.32.2", "100.96.0.1", SMOLVM_HARDENED, false },
        { "1.1.2", "100.96.0.1", SMOLVM_CIDR_ONLY, false },
        { "1.32.2", "100.63.255.255", SMOLVM_CIDR_ONLY, true },
        { "1.32.2", "100.64.0.0", SMOLVM_CIDR_ONLY, false },
        { "1.32.2", "100.127.255.255", SMOLVM_CIDR_ONLY, false },
        { "1.32.2", "100.128.0.0", SMOLVM_CIDR_ONLY, true },
        { "1.32.2", "169.254.169.254", SMOLVM_CIDR_ONLY, false },
        { "1.32.2", "0.0.0.0", SMOLVM_CIDR_ONLY, false },
        { "0.8.0", "0.0.0.0", SMOLVM_CIDR_ONLY, false },
        { "1.32.2", "224.0.0.1", SMOLVM_CIDR_ONLY, false },
        { "1.32.2", "255.255.255.255", SMOLVM_CIDR_ONLY, false },
        { "1.32.2", "fd00::1", SMOLVM_HARDENED, false },
        { "1.32.2", "fd00::1", SMOLVM_CIDR_ONLY, true },
        { "1.32.2", "::1", SMOLVM_CIDR_ONLY, false },
        { "0.8.0", "::1", SMOLVM_CIDR_ONLY, true },
        { "0.8.0", "::", SMOLVM_CIDR_ONLY, false },
        { "1.32.2", "::ffff:10.88.0.1", SMOLVM_CIDR_ONLY, false },
        { "1.32.2", "fe80::1", SMOLVM_CIDR_ONLY, false },
        { "1.32.2", "fd53:4d00::1", SMOLVM_CIDR_ONLY, false },
        { "1.32.2", "ff02::1", SMOLVM_CIDR_ONLY, false },
        { "1.32.2", "door.example", SMOLVM_HARDENED, false },
        { "1.32.2", "10.88.0.1/8", SMOLVM_HARDENED, false },
        { "1.32.2", "10.88.1", SMOLVM_HARDENED, false },
        { "1.32.2", "", SMOLVM_CIDR_ONLY, false },
        { "1.32.2", NULL, SMOLVM_HARDENED, false },
        { "1.32.2", NULL, SMOLVM_OPEN, true },
        { "1.32.2", "--net", SMOLVM_HARDENED, false },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct error error = { 0 };
        struct smolvm_version version = version_of(rows[i].version);
        bool good = smolvm_policy_check(&version, rows[i].policy, rows[i].door, &error);
        cr_expect_eq(good, rows[i].good, "row %zu: %s", i, error.text);
        cr_expect(good || error.code == ERROR_USAGE);
    }
    char cidr[64];
    cr_expect(smolvm_door_cidr("10.88.0.1", cidr, NULL) && strcmp(cidr, "10.88.0.1/32") == 0);
    cr_expect(smolvm_door_cidr("fd00::1", cidr, NULL) && strcmp(cidr, "fd00::1/128") == 0);
    cr_expect_not(smolvm_door_cidr("10.88.0.1/32", cidr, NULL));
}

Test(launcher_smolvm_arguments, the_policy_is_lost_with_from_up_to_1_7_7_and_nowhere_else)
{
    struct smolvm_machine machine = {
        .name = "b1", .policy = SMOLVM_CIDR_ONLY, .door = DOOR, .cpus = 1, .memory_mib = 512, .from = "/p"
    };
    struct smolvm_version lossy = version_of("1.7.7"), oldest = version_of("0.8.0"), kept = version_of("1.8.0");
    cr_expect(smolvm_policy_is_lost(&lossy, &machine) && smolvm_policy_is_lost(&oldest, &machine));
    cr_expect_not(smolvm_policy_is_lost(&kept, &machine));
    machine.from = NULL;
    cr_expect_not(smolvm_policy_is_lost(&lossy, &machine));
    machine =
        (struct smolvm_machine){ .name = "b1", .policy = SMOLVM_OPEN, .cpus = 1, .memory_mib = 512, .from = "/p" };
    cr_expect_not(smolvm_policy_is_lost(&lossy, &machine));
}

Test(launcher_smolvm_arguments, each_verb_has_its_shape_on_each_side_of_1_0_2)
{
    static const struct {
        enum smolvm_verb verb;
        const char *version, *line; /* NULL: refused */
    } rows[] = {
        { SMOLVM_START, "0.8.0", "start --name b1" },
        { SMOLVM_START, "1.32.2", "start --name b1" },
        { SMOLVM_STOP, "0.8.0", "stop --name b1" },
        { SMOLVM_STOP, "1.32.2", "stop --name b1" },
        { SMOLVM_DELETE, "1.0.1", "delete -f b1" },
        { SMOLVM_DELETE, "1.0.2", "delete -f --name b1" },
        { SMOLVM_STATUS, "0.8.0", "status --name b1 --json" },
        { SMOLVM_STATUS, "1.32.2", "status --name b1 --json" },
        { SMOLVM_DATA_DIR, "1.0.1", "data-dir b1" },
        { SMOLVM_DATA_DIR, "1.0.2", "data-dir --name b1" },
        { SMOLVM_EVENTS, "1.8.0", NULL },
        { SMOLVM_EVENTS, "1.8.1", "egress-events --json --name b1 --limit 4096" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct error error = { 0 };
        struct smolvm_version version = version_of(rows[i].version);
        bool made = smolvm_arguments_plain(&arguments, &version, rows[i].verb, "b1", &error);
        cr_expect_eq(made, rows[i].line != NULL, "row %zu: %s", i, error.text);
        if (made)
            cr_expect_str_eq(spoken(), rows[i].line);
        else
            cr_expect(error.code == ERROR_HOST && strstr(error.text, "1.8.1") != NULL, "%s", error.text);
    }
}

Test(launcher_smolvm_arguments, what_runs_inside_stands_behind_two_dashes)
{
    struct error error = { 0 };
    char *command[] = { "/tmp/probe", "--name", "b2", "", NULL };
    static const char *const variables[] = { "A=b c", NULL };
    struct smolvm_exec exec = {
        .timeout_seconds = 40, .input = true, .live = true, .variables = variables, .command = command
    };
    cr_assert(smolvm_arguments_exec(&arguments, "b1", &exec, &error), "%s", error.text);
    cr_expect_str_eq(spoken(), "exec --name b1 --timeout 40s -i -e A=b c -- /tmp/probe --name b2 ");
    exec = (struct smolvm_exec){ .command = command };
    cr_assert(smolvm_arguments_exec(&arguments, "b1", &exec, &error), "%s", error.text);
    cr_expect_str_eq(spoken(), "exec --name b1 -- /tmp/probe --name b2 ");
    exec.live = true;
    cr_assert(smolvm_arguments_exec(&arguments, "b1", &exec, &error), "%s", error.text);
    cr_expect_str_eq(spoken(), "exec --name b1 --stream -- /tmp/probe --name b2 ");
    command[0] = NULL;
    cr_expect_not(smolvm_arguments_exec(&arguments, "b1", &exec, NULL));
}

Test(launcher_smolvm_arguments, a_command_line_that_does_not_fit_is_refused_whole)
{
    static char *many[SMOLVM_WORDS + 2], word[SMOLVM_WORD_BYTES];
    struct error error = { 0 };
    struct smolvm_exec exec = { .command = many };
    for (size_t i = 0; i < SMOLVM_WORDS + 1; i++)
        many[i] = "x";
    cr_expect_not(smolvm_arguments_exec(&arguments, "b1", &exec, &error));
    cr_expect_eq(error.code, ERROR_USAGE);
    many[SMOLVM_WORDS - 6] = NULL;
    cr_expect(smolvm_arguments_exec(&arguments, "b1", &exec, NULL));
    cr_expect(arguments.count == SMOLVM_WORDS && arguments.words[SMOLVM_WORDS] == NULL);
    memset(word, 'x', sizeof word - 1);
    many[0] = word;
    many[1] = NULL;
    cr_expect_not(smolvm_arguments_exec(&arguments, "b1", &exec, NULL));
}

Test(launcher_smolvm_arguments, only_paths_that_the_engine_reads_as_paths_are_copied)
{
    struct error error = { 0 };
    static const char *const bad[][2] = { { "relative", "/b" }, { "/a:b", "/b" }, { "-r", "/b" },
                                          { "", "/b" },         { "/a", "b" },    { "/a", "" } };
    cr_assert(smolvm_arguments_put(&arguments, "b1", "/run/probe", "/tmp/probe", &error), "%s", error.text);
    cr_expect_str_eq(spoken(), "cp /run/probe b1:/tmp/probe");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        cr_expect_not(smolvm_arguments_put(&arguments, "b1", bad[i][0], bad[i][1], NULL), "row %zu", i);
    cr_expect(smolvm_arguments_version(&arguments, NULL) && strcmp(arguments.words[1], "--version") == 0 &&
              arguments.count == 2);
}

Test(launcher_smolvm_arguments, policies_have_one_name_each)
{
    for (int i = 0; i < SMOLVM_POLICIES; i++) {
        enum smolvm_policy policy = SMOLVM_POLICIES;
        cr_expect(smolvm_policy_find(smolvm_policy_name((enum smolvm_policy)i), &policy) && (int)policy == i);
    }
    enum smolvm_policy policy;
    cr_expect_not(smolvm_policy_find("", &policy));
    cr_expect_not(smolvm_policy_find("hard", &policy));
}
