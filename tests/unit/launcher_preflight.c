/* What is said where user namespaces are forbidden, and where helpers are looked for. */
#include "launcher_bottle.h"

#include <linux/capability.h>

#include "../../launcher/capabilities.h"
#include "../../launcher/namespaces.h"

struct settings {
    const char *max, *clone, *apparmor, *profile, *net, *time;
};

static void write_setting(const char *directory, const char *name, const char *text)
{
    char path[256];
    if (text == NULL)
        return;
    snprintf(path, sizeof path, "%s/%s", directory, name);
    for (char *slash = path + strlen(directory) + 1; (slash = strchr(slash, '/')) != NULL; slash++) {
        *slash = '\0';
        mkdir(path, 0755);
        *slash = '/';
    }
    int file = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    cr_assert(file >= 0 && write_all(file, text, strlen(text)));
    close(file);
}

static bool preflight_with(struct settings settings, struct error *error)
{
    char directory[] = "/tmp/preflight-XXXXXX", command[64];
    cr_assert_not_null(mkdtemp(directory));
    write_setting(directory, "sys/user/max_user_namespaces", settings.max);
    write_setting(directory, "sys/kernel/unprivileged_userns_clone", settings.clone);
    write_setting(directory, "sys/kernel/apparmor_restrict_unprivileged_userns", settings.apparmor);
    write_setting(directory, "sys/user/max_net_namespaces", settings.net);
    write_setting(directory, "sys/user/max_time_namespaces", settings.time);
    write_setting(directory, "self/attr/apparmor/current", settings.profile);
    bool passed = namespaces_preflight(directory, error);
    snprintf(command, sizeof command, "rm -r %s", directory);
    cr_assert_eq(system(command), 0);
    return passed;
}

Test(launcher_preflight, this_host_can_run_bottles)
{
    struct error error = { 0 };
    cr_expect(namespaces_preflight("/proc", &error), "%s", error.text);
    cr_expect(native_backend.preflight(NULL, &error), "%s", error.text);
}

Test(launcher_preflight, each_setting_that_forbids_is_named_with_its_remedy)
{
    static const struct {
        struct settings settings;
        const char *remedy; /* NULL: nothing forbids */
        bool binds_root;
    } rows[] = {
        { { "10000\n", "1\n", "0\n", .net = "5\n", .time = "5\n" }, NULL, false },
        { { 0 }, NULL, false },
        { { .max = "0\n" }, "sysctl -w user.max_user_namespaces=", true },
        { { .net = "0\n" },
          "network namespaces are off here (user.max_net_namespaces is 0): sudo sysctl -w user.max_net_"
          "namespaces=15000",
          true },
        { { .time = "0\n" }, "sysctl -w user.max_time_namespaces=15000", true },
        { { .max = "10000\n", .clone = "0\n" }, "sysctl -w kernel.unprivileged_userns_clone=1", false },
        { { .max = "10000\n", .apparmor = "1\n", .profile = "unconfined\n" },
          "sysctl -w kernel.apparmor_restrict_unprivileged_userns=0",
          false },
        { { .max = "10000\n", .apparmor = "1\n", .profile = "bottle (enforce)\n" }, NULL, false },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct error error = { 0 };
        bool forbidden = rows[i].remedy != NULL && (rows[i].binds_root || !capabilities_have(CAP_SYS_ADMIN));
        cr_expect_eq(preflight_with(rows[i].settings, &error), !forbidden, "row %zu: %s", i, error.text);
        if (forbidden) {
            cr_expect_eq(error.code, ERROR_HOST);
            cr_expect_not_null(strstr(error.text, rows[i].remedy), "row %zu: %s", i, error.text);
            cr_expect_null(strchr(error.text, '\n'));
        }
    }
}

Test(launcher_preflight, every_setting_that_forbids_is_told_and_not_only_the_first)
{
    char directory[] = "/tmp/preflight-XXXXXX", command[64], name[64];
    unsigned forbidden = 0;
    cr_assert_not_null(mkdtemp(directory));
    write_setting(directory, "sys/user/max_user_namespaces", "0\n");
    write_setting(directory, "sys/user/max_net_namespaces", "0\n");
    write_setting(directory, "sys/user/max_pid_namespaces", "0\n");
    for (size_t i = 0; i < namespaces_settings(); i++) {
        struct error error = { 0 };
        if (namespaces_setting(directory, i, name, &error))
            continue;
        forbidden++;
        cr_expect(strncmp(name, "user.max_", 9) == 0 && strstr(error.text, name) != NULL, "%s: %s", name, error.text);
    }
    cr_expect_eq(forbidden, 3);
    snprintf(command, sizeof command, "rm -r %s", directory);
    cr_assert_eq(system(command), 0);
}

Test(launcher_preflight, a_named_directory_of_helpers_is_the_only_one)
{
    char path[PATH_MAX];
    struct error error = { 0 };
    cr_expect(install_find("bottle-init", path, &error), "%s", error.text);
    setenv("BOTTLE_LIBEXEC", "/proc", 1);
    cr_expect_not(install_find("bottle-init", path, &error));
    cr_expect_eq(error.code, ERROR_HOST);
    cr_expect_not_null(strstr(error.text, "BOTTLE_LIBEXEC"));
}

Test(launcher_preflight, a_bottle_without_its_init_does_not_start_and_says_which)
{
    struct bottle_options options = { .init_path = "/nonexistent/bottle-init" };
    struct error error = { 0 };
    cr_expect_null(native_backend.start(&options, &error));
    cr_expect_not_null(strstr(error.text, "/nonexistent/bottle-init"), "%s", error.text);
}
