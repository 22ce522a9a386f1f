/* The version line of smolvm, whoever wrote it, and what each version can do. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../launcher/smolvm/version.h"

/* Parses from memory of exactly that size, so that the sanitizer sees who reads on. */
static bool parse(const char *bytes, size_t size, struct smolvm_version *version, struct error *error)
{
    char *exact = malloc(size + !size);
    cr_assert_not_null(exact);
    memcpy(exact, bytes, size);
    bool parsed = smolvm_version_parse(exact, size, version, error);
    free(exact);
    return parsed;
}

static struct smolvm_version version_of(const char *number)
{
    char line[80];
    struct smolvm_version version;
    struct error error = { 0 };
    snprintf(line, sizeof line, "smolvm %s\n", number);
    cr_assert(parse(line, strlen(line), &version, &error), "%s", error.text);
    return version;
}

Test(launcher_smolvm_version, the_line_is_read_with_and_without_its_end_and_suffixes)
{
    static const struct {
        const char *line, *text;
        unsigned major, minor, patch;
        bool before;
    } rows[] = {
        { "smolvm 1.32.2\n", "1.32.2", 1, 32, 2, false },
        { "smolvm 0.8.0", "0.8.0", 0, 8, 0, false },
        { "smolvm 99999.99999.99999\n", "99999.99999.99999", 99999, 99999, 99999, false },
        { "smolvm 1.2.5-rc.1\n", "1.2.5-rc.1", 1, 2, 5, true },
        { "smolvm 1.2.5-0-x\n", "1.2.5-0-x", 1, 2, 5, true },
        { "smolvm 1.2.5+git.abc\n", "1.2.5+git.abc", 1, 2, 5, false },
        { "smolvm 1.2.5-rc.1+7\n", "1.2.5-rc.1+7", 1, 2, 5, true },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct smolvm_version version;
        struct error error = { 0 };
        cr_expect(parse(rows[i].line, strlen(rows[i].line), &version, &error), "row %zu: %s", i, error.text);
        cr_expect(version.major == rows[i].major && version.minor == rows[i].minor && version.patch == rows[i].patch &&
                      version.before == rows[i].before,
                  "row %zu", i);
        cr_expect_str_eq(version.text, rows[i].text);
    }
}

Test(launcher_smolvm_version, anything_else_is_refused_and_shown_without_control_characters)
{
    static const char *const lines[] = {
        "",
        "\n",
        "smolvm",
        "smolvm ",
        "smolvm 1",
        "smolvm 1.2",
        "smolvm 1.2.",
        "smolvm .1.2",
        "smolvm 1.2.3.4",
        "smolvm 01.2.3",
        "smolvm 1.02.3",
        "smolvm 1.2.3 ",
        "smolvm 1.2.3 (abc)",
        "smolvm 1.2.3\n\n",
        "smolvm 1.2.3\nsmolvm 1.2.4\n",
        "note: no packed assets\nsmolvm 1.2.3\n",
        "smolvm 1.2.3\r\n",
        " smolvm 1.2.3",
        "smolvm  1.2.3",
        "Smolvm 1.2.3",
        "smolvmx 1.2.3",
        "smol-vmm 1.2.3",
        "smolvm v1.2.3",
        "smolvm -1.2.3",
        "smolvm 1.2.-3",
        "smolvm 100000.1.1",
        "smolvm 1.4294967297.0",
        "smolvm 99999999999999999999.1.1",
        "smolvm 1.2.3-",
        "smolvm 1.2.3+",
        "smolvm 1.2.3-a..b",
        "smolvm 1.2.3-.a",
        "smolvm 1.2.3-a.",
        "smolvm 1.2.3-a b",
        "smolvm 1.2.3-\x1b[2J",
        "smolvm 1.2.3-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        "\x1b[31msmolvm 1.2.3\n",
        "docker version 1.2.3\n",
    };
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        struct smolvm_version version;
        struct error error = { 0 };
        cr_expect_not(parse(lines[i], strlen(lines[i]), &version, &error), "\"%s\"", lines[i]);
        cr_expect(error.code == ERROR_HOST && strstr(error.text, "--smolvm=PATH") != NULL, "%s", error.text);
        for (const char *at = error.text; *at != '\0'; at++)
            cr_expect(*at >= ' ' && *at <= '~', "line %zu", i);
    }
}

Test(launcher_smolvm_version, a_nul_or_a_megabyte_of_junk_is_refused)
{
    static char junk[1 << 20];
    struct smolvm_version version;
    struct error error = { 0 };
    cr_expect_not(parse("smolvm 1.2.3\0", 13, &version, &error));
    cr_expect_not(parse("smolvm 1.2.3\0\n", 14, &version, NULL));
    memset(junk, '7', sizeof junk);
    memcpy(junk, "smolvm 1.2.", 11);
    cr_expect_not(parse(junk, sizeof junk, &version, NULL));
}

Test(launcher_smolvm_version, each_feature_begins_with_its_version_and_not_with_the_one_before)
{
    static const struct {
        enum smolvm_feature feature;
        const char *last_without, *first_with;
    } rows[SMOLVM_FEATURES] = {
        { SMOLVM_SUPPORTED, "0.7.99", "0.8.0" },    { SMOLVM_SIGNAL_STATUS, "0.8.0", "0.8.1" },
        { SMOLVM_DELETE_STOPS, "0.8.0", "0.8.1" },  { SMOLVM_ROOTFS_TAR, "0.99.99", "1.0.0" },
        { SMOLVM_NAME_OPTION, "1.0.1", "1.0.2" },   { SMOLVM_POLICY_VIRTIO, "1.1.2", "1.1.3" },
        { SMOLVM_DNS_OPTION, "1.2.4", "1.2.5" },    { SMOLVM_UID_DROP, "1.2.4", "1.2.5" },
        { SMOLVM_FLOOR_SETTING, "1.3.8", "1.3.9" }, { SMOLVM_FROM_KEEPS_POLICY, "1.7.7", "1.8.0" },
        { SMOLVM_EGRESS_EVENTS, "1.8.0", "1.8.1" }, { SMOLVM_ROOTFS_READ_ONLY, "1.27.2", "1.27.3" },
    };
    for (size_t i = 0; i < SMOLVM_FEATURES; i++) {
        char number[40];
        struct smolvm_version old = version_of(rows[i].last_without), first = version_of(rows[i].first_with);
        struct smolvm_version newest = version_of("2.0.0");
        struct error error = { 0 };
        cr_expect_not(smolvm_can(&old, rows[i].feature), "%s", rows[i].last_without);
        cr_expect(smolvm_can(&first, rows[i].feature) && smolvm_can(&newest, rows[i].feature), "%s",
                  rows[i].first_with);
        cr_expect_str_eq(smolvm_feature_since(rows[i].feature), rows[i].first_with);
        snprintf(number, sizeof number, "%s-rc.1", rows[i].first_with);
        struct smolvm_version before = version_of(number);
        cr_expect_not(smolvm_can(&before, rows[i].feature), "%s", number);
        cr_expect_not(smolvm_version_lacks(&old, rows[i].feature, &error));
        cr_expect(error.code == ERROR_HOST && strstr(error.text, rows[i].last_without) != NULL &&
                      strstr(error.text, rows[i].first_with) != NULL,
                  "%s", error.text);
    }
}
