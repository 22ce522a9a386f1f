/* What the engine gets of its caller's environment: next to nothing; and what it gets instead. */
#include "launcher_smolvm_fake.h"

#include "../../launcher/smolvm/environment.h"
#include "../../launcher/smolvm/state.h"

TestSuite(launcher_smolvm_environment, .init = scratch_make, .fini = scratch_remove);

static struct smolvm_environment environment;
static struct smolvm_location location = {
    "/w/smol/smol-vmm", "/w/smol", "/w/smol/agent-rootfs.tar.zst", true, true, false
};

static struct smolvm_version version_of(const char *number)
{
    char line[64];
    struct smolvm_version version;
    int length = snprintf(line, sizeof line, "smolvm %s", number);
    cr_assert(smolvm_version_parse(line, (size_t)length, &version, NULL));
    return version;
}

static void fill(const struct smolvm_setting *setting, const char *version_text, char *const inherited[])
{
    struct smolvm_version version = version_of(version_text);
    struct error error = { 0 };
    cr_assert(smolvm_environment_fill(&environment, setting, &version, inherited, &error), "%s", error.text);
    cr_assert_null(environment.words[environment.count]);
}

/* The names, sorted as they come, with a blank behind each. */
static const char *names(void)
{
    static char text[2048];
    size_t used = 0;
    *text = '\0';
    for (size_t i = 0; i < environment.count; i++)
        used += (size_t)snprintf(text + used, sizeof text - used, "%.*s ", (int)strcspn(environment.words[i], "="),
                                 environment.words[i]);
    return text;
}

#define ALWAYS "HOME XDG_DATA_HOME XDG_CACHE_HOME XDG_CONFIG_HOME XDG_RUNTIME_DIR SMOLVM_LIB_DIR "

Test(launcher_smolvm_environment, nothing_of_the_callers_that_could_change_a_policy_gets_through)
{
    static char *const hostile[] = { "SMOLVM_EGRESS_ALLOW_PRIVATE=1",
                                     "SMOLVM_EGRESS_FLOOR=off",
                                     "SMOLVM_ALLOW_HOST_LOOPBACK=1",
                                     "SMOLVM_PUBLISH_ADDR=0.0.0.0",
                                     "SMOLVM_DATA_DIR=/root",
                                     "SMOLVM_BOOT_BINARY=/tmp/x",
                                     "SMOLVM_LIB_DIR=/tmp",
                                     "SMOLVM_AGENT_ROOTFS=/tmp",
                                     "SMOLVM_MACHINE_NAME=other",
                                     "SMOLVM_VM_UID_DROP=off",
                                     "SMOLVM_SECCOMP=off",
                                     "SMOLVM_WHATEVER_COMES=1",
                                     "XDG_DATA_HOME=/root",
                                     "XDG_RUNTIME_DIR=/root",
                                     "HOME=/root",
                                     "LD_PRELOAD=/tmp/x.so",
                                     "LD_LIBRARY_PATH=/tmp",
                                     "HTTPS_PROXY=http://127.0.0.1",
                                     "https_proxy=x",
                                     "ALL_PROXY=x",
                                     "RUST_LOG=trace",
                                     "RUST_BACKTRACE=1",
                                     "PATHX=/x",
                                     "LANGX=x",
                                     "=x",
                                     "NOVALUE",
                                     "",
                                     "PATH=/opt/bin",
                                     "PATH=/second",
                                     "LANG=de_DE.UTF-8",
                                     "TZ=",
                                     "TMPDIR=/tmp",
                                     NULL };
    struct smolvm_setting setting = { .directory = "/r", .location = &location };
    fill(&setting, "1.32.2", hostile);
    cr_expect_str_eq(names(), "PATH LANG TZ TMPDIR " ALWAYS "SMOLVM_AGENT_ROOTFS_TAR ");
    static const char *const values[][2] = {
        { "PATH", "/opt/bin:/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin:/run/current-system/sw/bin" },
        { "LANG", "de_DE.UTF-8" },
        { "HOME", "/r/home" },
        { "XDG_DATA_HOME", "/r/data" },
        { "XDG_CACHE_HOME", "/r/cache" },
        { "XDG_CONFIG_HOME", "/r/config" },
        { "XDG_RUNTIME_DIR", "/r/run" },
        { "SMOLVM_LIB_DIR", "/w/smol" },
        { "SMOLVM_AGENT_ROOTFS_TAR", "/w/smol/agent-rootfs.tar.zst" },
    };
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        cr_expect_str_eq(smolvm_environment_value(&environment, values[i][0]), values[i][1]);
    cr_expect_null(smolvm_environment_value(&environment, "SMOLVM_EGRESS_FLOOR"));
}

Test(launcher_smolvm_environment, without_a_path_the_tools_are_found_all_the_same)
{
    struct smolvm_setting setting = { .directory = "/r", .location = &location };
    static char *const empty[] = { "PATH=", NULL };
    char *const *const rows[] = { NULL, empty };
    for (size_t i = 0; i < 2; i++) {
        fill(&setting, "1.32.2", rows[i]);
        cr_expect_eq(strncmp(smolvm_environment_value(&environment, "PATH"), "/usr/local/sbin:/usr/sbin:", 26), 0);
    }
}

Test(launcher_smolvm_environment, floors_and_uid_drop_go_off_only_when_that_is_said)
{
    struct smolvm_setting setting = { .directory = "/r", .location = &location, .floors_off = true };
    fill(&setting, "1.32.2", NULL);
    cr_expect_str_eq(names(), "PATH " ALWAYS "SMOLVM_AGENT_ROOTFS_TAR SMOLVM_EGRESS_FLOOR SMOLVM_EGRESS_ALLOW_PRIVATE "
                              "SMOLVM_ALLOW_HOST_LOOPBACK ");
    cr_expect_str_eq(smolvm_environment_value(&environment, "SMOLVM_EGRESS_FLOOR"), "off");
    setting = (struct smolvm_setting){ .directory = "/r", .location = &location, .keep_uid = true };
    fill(&setting, "1.32.2", NULL);
    cr_expect_str_eq(names(), "PATH " ALWAYS "SMOLVM_AGENT_ROOTFS_TAR SMOLVM_VM_UID_DROP ");
    cr_expect_str_eq(smolvm_environment_value(&environment, "SMOLVM_VM_UID_DROP"), "off");
}

Test(launcher_smolvm_environment, a_root_file_system_is_given_as_the_version_takes_it)
{
    struct smolvm_version old = version_of("0.8.0");
    struct error error = { 0 };
    struct smolvm_setting setting = { .directory = "/r", .location = &location };
    cr_expect_not(smolvm_environment_fill(&environment, &setting, &old, NULL, &error));
    cr_expect(error.code == ERROR_HOST && strstr(error.text, "1.0.0") != NULL, "%s", error.text);
    setting.rootfs = "/r/rootfs";
    fill(&setting, "0.8.0", NULL);
    cr_expect_str_eq(smolvm_environment_value(&environment, "SMOLVM_AGENT_ROOTFS"), "/r/rootfs");
    cr_expect_null(smolvm_environment_value(&environment, "SMOLVM_AGENT_ROOTFS_TAR"));
    struct smolvm_location directory = { "/w/smolvm", "/w/lib", "/w/agent-rootfs", false, false, false };
    setting = (struct smolvm_setting){ .directory = "/r", .location = &directory };
    fill(&setting, "0.8.0", NULL);
    cr_expect_str_eq(smolvm_environment_value(&environment, "SMOLVM_AGENT_ROOTFS"), "/w/agent-rootfs");
}

Test(launcher_smolvm_environment, a_wrapper_is_left_to_name_what_it_has)
{
    struct smolvm_location wrapper = { "/usr/bin/smolvm", "", "", false, false, true };
    struct smolvm_setting setting = { .directory = "/r", .location = &wrapper };
    fill(&setting, "0.8.0", NULL);
    cr_expect_str_eq(names(), "PATH HOME XDG_DATA_HOME XDG_CACHE_HOME XDG_CONFIG_HOME XDG_RUNTIME_DIR ");
    setting.rootfs = "/r/rootfs"; /* but for a copy that is this machine's own */
    fill(&setting, "0.8.0", NULL);
    cr_expect_str_eq(smolvm_environment_value(&environment, "SMOLVM_AGENT_ROOTFS"), "/r/rootfs");
}

Test(launcher_smolvm_environment, a_directory_whose_sockets_would_have_no_address_is_refused)
{
    char directory[SMOLVM_DIRECTORY + 2];
    struct smolvm_version version = version_of("1.32.2");
    struct smolvm_setting setting = { .directory = directory, .location = &location };
    memset(directory, 'd', sizeof directory);
    *directory = '/';
    directory[SMOLVM_DIRECTORY] = '\0';
    fill(&setting, "1.32.2", NULL);
    /* The longest name that the engine is known to give a socket. */
    cr_expect_eq(strlen(directory) + strlen("/cache/smolvm/vms/0123456789abcdef/port-forward.sock"), 107);
    directory[SMOLVM_DIRECTORY] = 'd';
    directory[SMOLVM_DIRECTORY + 1] = '\0';
    for (int i = 0; i < 3; i++) {
        struct error error = { 0 };
        cr_expect_not(smolvm_environment_fill(&environment, &setting, &version, NULL, &error));
        cr_expect_eq(error.code, ERROR_USAGE);
        cr_expect_not(smolvm_environment_make(&setting, &version, NULL));
        setting.directory = i == 0 ? "relative" : "";
    }
}

Test(launcher_smolvm_environment, an_environment_that_does_not_fit_is_refused)
{
    static char long_one[SMOLVM_VARIABLE_BYTES];
    char *const inherited[] = { long_one, NULL };
    struct smolvm_version version = version_of("1.32.2");
    struct smolvm_setting setting = { .directory = "/r", .location = &location };
    struct error error = { 0 };
    memset(long_one, 'x', sizeof long_one - 1);
    memcpy(long_one, "LANG=", 5);
    cr_expect_not(smolvm_environment_fill(&environment, &setting, &version, inherited, &error));
    cr_expect(strstr(error.text, "LANG") != NULL, "%s", error.text);
}

Test(launcher_smolvm_environment, the_directories_are_the_users_alone_unless_a_vmm_has_to_pass)
{
    static const struct {
        const char *version;
        bool keep_uid, passed_for_root;
    } rows[] = { { "1.32.2", false, true }, { "1.32.2", true, false }, { "1.2.4", false, false } };
    umask(0);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        static const char *const below[] = { "home", "data", "cache", "config", "run" };
        struct smolvm_version version = version_of(rows[i].version);
        struct error error = { 0 };
        char name[16];
        snprintf(name, sizeof name, "%zu", i);
        struct smolvm_setting setting = { .directory = in_scratch(name),
                                          .location = &location,
                                          .keep_uid = rows[i].keep_uid };
        cr_expect_not(smolvm_environment_make(&setting, &version, NULL), "it is not there");
        cr_assert_eq(mkdir(setting.directory, 0700), 0);
        cr_assert(smolvm_environment_make(&setting, &version, &error), "%s", error.text);
        for (size_t k = 0; k < sizeof below / sizeof *below; k++) {
            char path[PATH_MAX];
            struct stat status;
            snprintf(path, sizeof path, "%s/%s", setting.directory, below[k]);
            bool passed = rows[i].passed_for_root && geteuid() == 0 && strcmp(below[k], "run") != 0;
            cr_assert_eq(stat(path, &status), 0);
            cr_expect_eq(status.st_mode & 07777, passed ? 0711 : 0700, "%s %zu", path, i);
        }
        cr_expect_not(smolvm_environment_make(&setting, &version, NULL), "another run's directories were taken");
    }
}

Test(launcher_smolvm_environment, the_state_database_is_below_the_directory)
{
    char path[PATH_MAX];
    struct smolvm_setting setting = { .directory = "/r", .location = &location };
    fill(&setting, "1.32.2", NULL);
    cr_assert(smolvm_state_path(SMOLVM_LINUX, smolvm_environment_value(&environment, "HOME"),
                                smolvm_environment_value(&environment, "XDG_DATA_HOME"), path, NULL));
    cr_expect_str_eq(path, "/r/data/smolvm/server/smolvm.db");
}
