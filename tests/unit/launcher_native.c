/* What is in a native bottle, who acts in it, how commands end, and how files get in. */
#include "launcher_bottle.h"

#include <dirent.h>
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/vfs.h>

#include "../../launcher/namespaces.h"

static struct bottle *start_empty(void)
{
    return start_with((struct bottle_options){ 0 });
}

/* The test binary needs its libraries, so what an empty root has is looked at from outside, by way of init. */
Test(launcher_native, an_empty_root_has_proc_null_and_a_temporary_directory_and_nothing_else)
{
    struct bottle *bottle = start_empty();
    char path[64], seen[1024] = "";
    struct dirent **entries;
    static const char *const directories[] = { "", "dev", "tmp" };
    for (size_t i = 0; i < sizeof directories / sizeof *directories; i++) {
        snprintf(path, sizeof path, "/proc/%d/root/%s", (int)bottle->init, directories[i]);
        int count = scandir(path, &entries, NULL, alphasort);
        cr_assert_geq(count, 2, "%s: %s", path, strerror(errno));
        for (int j = 0; j < count; j++) {
            size_t used = strlen(seen);
            if (entries[j]->d_name[0] != '.')
                snprintf(seen + used, sizeof seen - used, "%.40s ", entries[j]->d_name);
            free(entries[j]);
        }
        free(entries);
    }
    cr_expect_str_eq(seen, "dev proc tmp null ");
    struct stat status;
    snprintf(path, sizeof path, "/proc/%d/root/dev/null", (int)bottle->init);
    cr_assert_eq(stat(path, &status), 0);
    cr_expect(S_ISCHR(status.st_mode) && status.st_rdev == 0x103);
    snprintf(path, sizeof path, "/proc/%d/root/tmp", (int)bottle->init);
    cr_assert_eq(stat(path, &status), 0);
    cr_expect_eq(status.st_mode, S_IFDIR | 01777);
    struct statfs system;
    cr_assert_eq(statfs(path, &system), 0);
    cr_expect(system.f_type == 0x01021994 && system.f_blocks > 0 &&
                  system.f_blocks * (unsigned long)system.f_bsize <= 256u << 20,
              "the root is not a tmpfs with a size");
    destroy(bottle);
}

Test(launcher_native, with_system_directories_the_root_has_the_systems_and_no_more)
{
    char output[16384];
    static const char *const tops[] = { "bin", "dev",  "etc",  "home", "lib",  "lib32", "lib64", "libx32",
                                        "nix", "proc", "root", "run",  "sbin", "tmp",   "usr" };
    struct bottle *bottle = start_without(0);
    run_shell(bottle, PRINCIPAL_ROOT, "ls /", output, sizeof output);
    for (char *saved, *name = strtok_r(output, "\n", &saved); name != NULL; name = strtok_r(NULL, "\n", &saved)) {
        bool known = false;
        for (size_t i = 0; i < sizeof tops / sizeof *tops; i++)
            known |= strcmp(name, tops[i]) == 0;
        cr_expect(known, "/%s is in the bottle", name);
    }
    static const struct {
        const char *script, *printed;
    } rows[] = {
        { "cat /etc/shadow /etc/hostname 2>/dev/null", "bottle" },
        { "touch /usr/x /etc/ssl/certs/x /bin/x /lib/x 2>/dev/null || echo read-only", "read-only" },
        { "touch ~/x && ls ~", "x" },
        { "id -un; cd; pwd", "root\n/root" },
        { "ls /dev | tr '\\n' ' '", "fd full null ptmx pts random stderr stdin stdout tty urandom zero " },
        { "echo through > /dev/null; head -c 3 /dev/zero | wc -c", "3" },
        { "echo 1 2>&1 > /proc/sys/net/ipv4/ip_forward || echo read-only", NULL },
        { "env | grep -v -E '^(PATH|HOME|USER|LANG|PWD|OLDPWD|SHLVL|_)='", "" },
    };
    setenv("SECRET", "of the caller", 1);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        run_shell(bottle, PRINCIPAL_ROOT, rows[i].script, output, sizeof output);
        if (rows[i].printed != NULL)
            cr_expect_str_eq(output, rows[i].printed, "%s printed \"%s\"", rows[i].script, output);
        else
            cr_expect_not_null(strstr(output, "read-only"), "%s printed \"%s\"", rows[i].script, output);
    }
    run_shell(bottle, PRINCIPAL_USER, "touch ~/x && ls ~ && ls /root 2>/dev/null", output, sizeof output);
    destroy(bottle);
    cr_expect_eq(strncmp(output, "x", 1), 0, "%s", output);
}

Test(launcher_native, nothing_of_the_hosts_root_is_mounted_but_what_was_put_there)
{
    char output[16384];
    struct bottle *bottle = start_without(0);
    run_shell(
        bottle, PRINCIPAL_USER,
        "cut -d' ' -f2,4 /proc/mounts | grep -v -E '^/(proc|dev|usr|bin|sbin|lib|lib32|lib64|libx32|etc|nix|run)(/| )'",
        output, sizeof output);
    cr_expect_eq(strncmp(output, "/ rw,nosuid,nodev", 17), 0, "%s", output);
    cr_expect_null(strchr(output, '\n'), "%s", output);
    run_shell(bottle, PRINCIPAL_USER, "grep -E ' (/usr|/bin|/lib|/etc)' /proc/mounts | grep -v -c ' ro,nosuid,nodev'",
              output, sizeof output);
    cr_expect_str_eq(output, "0");
    destroy(bottle);
}

Test(launcher_native, both_principals_have_their_uid_and_no_capability)
{
    static const struct {
        enum principal principal;
        const char *ids;
    } rows[] = { { PRINCIPAL_USER, "65534 65534" }, { PRINCIPAL_ROOT, "0 0" } };
    struct bottle *bottle = start_without(0);
    for (size_t i = 0; i < 2; i++) {
        char output[512];
        run_shell(bottle, rows[i].principal, "echo $(id -u) $(id -g)", output, sizeof output);
        cr_expect_str_eq(output, rows[i].ids);
        run_shell(bottle, rows[i].principal, "grep '^Cap' /proc/self/status | cut -f2 | sort -u", output,
                  sizeof output);
        cr_expect_str_eq(output, "0000000000000000");
    }
    destroy(bottle);
}

Test(launcher_native, exit_statuses_are_the_commands_own)
{
    static const struct {
        char *argv[4];
        int status;
    } rows[] = {
        { { "/bin/sh", "-c", "exit 0", NULL }, 0 },
        { { "/bin/sh", "-c", "exit 7", NULL }, 7 },
        { { "sh", "-c", "exit 8", NULL }, 8 },
        { { "/bin/sh", "-c", "kill -9 $$", NULL }, 137 },
        { { "/bin/sh", "-c", "kill -15 $$", NULL }, 143 },
        { { "/nonexistent", NULL }, 127 },
        { { "nonexistent", NULL }, 127 },
        { { "/etc/passwd", NULL }, 126 },
    };
    struct bottle *bottle = start_without(0);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char output[256];
        cr_expect_eq(run_argv(bottle, PRINCIPAL_USER, rows[i].argv, output, sizeof output), rows[i].status, "row %zu",
                     i);
    }
    destroy(bottle);
}

Test(launcher_native, killing_the_process_that_exec_returns_kills_the_command)
{
    struct bottle *bottle = start_without(0);
    struct error error = { 0 };
    char *const argv[] = { "/bin/sleep", "1000", NULL };
    struct exec_streams streams = { -1, -1, -1, false };
    pid_t pid;
    char comm[64], path[64];
    cr_assert(native_backend.exec(bottle, argv, PRINCIPAL_USER, &streams, &pid, &error), "%s", error.text);
    snprintf(path, sizeof path, "/proc/%d/comm", (int)pid);
    cr_assert(file_read(path, comm, sizeof comm));
    cr_expect_str_eq(comm, "sleep\n");
    process_kill(pid);
    destroy(bottle);
}

Test(launcher_native, of_what_the_caller_has_open_only_the_three_streams_go_in)
{
    char output[256];
    struct bottle *bottle = start_without(0);
    int inherited = open("/dev/null", O_RDONLY | O_CLOEXEC);
    for (int fd = 50; fd < 60; fd++)
        dup2(inherited, fd);
    run_shell(bottle, PRINCIPAL_ROOT, "exec ls /proc/self/fd", output, sizeof output);
    cr_expect_str_eq(output, "0\n1\n2\n3", "%s", output); /* 3 is the directory that ls reads */
    destroy(bottle);
}

Test(launcher_native, what_is_put_is_there_once_owned_by_root_with_its_mode)
{
    struct error error = { 0 };
    char output[256];
    struct bottle *bottle = start_without(0);
    int source = memfd_create("source", MFD_CLOEXEC);
    cr_assert(write_all(source, "contents\n", 9));
    lseek(source, 4, SEEK_SET); /* where it stands doesn't matter */
    cr_assert(native_backend.put(bottle, "file", source, 0444, &error), "%s", error.text);
    run_shell(bottle, PRINCIPAL_USER, "cat /tmp/file; stat -c '%u %a' /tmp/file", output, sizeof output);
    /* For the one id of an ordinary user 65534 is another name of 0. */
    cr_expect(strcmp(output, "contents\n0 444") == 0 ||
                  (bottle->user_namespace >= 0 && strcmp(output, "contents\n65534 444") == 0),
              "%s", output);
    cr_expect_not(native_backend.put(bottle, "file", source, 0444, &error));
    cr_expect_not_null(strstr(error.text, "File exists"), "%s", error.text);
    destroy(bottle);
}

Test(launcher_native, put_follows_no_link_that_the_bottle_made)
{
    struct error error = { 0 };
    char output[256];
    struct bottle *bottle = start_without(0);
    int source = memfd_create("source", MFD_CLOEXEC);
    run_shell(bottle, PRINCIPAL_ROOT, "ln -s /root/target /tmp/link; ln -s /nowhere /tmp/dangling", output,
              sizeof output);
    cr_expect_not(native_backend.put(bottle, "link", source, 0444, &error));
    memset(&error, 0, sizeof error);
    cr_expect_not(native_backend.put(bottle, "dangling", source, 0444, &error));
    memset(&error, 0, sizeof error);
    /* Root of the bottle turns the whole directory: what is put still goes where /tmp was. */
    run_shell(bottle, PRINCIPAL_ROOT, "mv /tmp /old && mkdir /victim && ln -s /victim /tmp", output, sizeof output);
    cr_expect(native_backend.put(bottle, "late", source, 0444, &error), "%s", error.text);
    run_shell(bottle, PRINCIPAL_ROOT, "ls /victim; ls /old/late", output, sizeof output);
    cr_expect_str_eq(output, "/old/late");
    destroy(bottle);
}

Test(launcher_native, names_that_are_paths_are_not_put)
{
    static const char *const names[] = {
        "", ".", "..", "a/b", "/a", "../a", "a-name-that-is-much-too-long-for-anybody-to-have-meant-it-as-a-file-name"
    };
    struct bottle *bottle = start_empty();
    int source = memfd_create("source", MFD_CLOEXEC);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct error error = { 0 };
        cr_expect_not(native_backend.put(bottle, names[i], source, 0444, &error), "\"%s\"", names[i]);
        cr_expect_eq(error.code, ERROR_USAGE);
    }
    destroy(bottle);
}

Test(launcher_native, without_the_mount_fence_put_never_overwrites_and_leaves_nothing)
{
    struct error error = { 0 };
    char name[40], path[64];
    snprintf(name, sizeof name, "bottle-test-%d", (int)getpid());
    snprintf(path, sizeof path, "/tmp/%s", name);
    int source = memfd_create("source", MFD_CLOEXEC);
    struct bottle *bottle = start_without(WITHOUT(FENCE_MOUNT));
    cr_assert(native_backend.put(bottle, name, source, 0444, &error), "%s", error.text);
    cr_expect_eq(access(path, F_OK), 0);
    cr_expect_not(native_backend.put(bottle, name, source, 0444, &error));
    destroy(bottle);
    cr_expect_neq(access(path, F_OK), 0);
}

static int start_in_site(void)
{
    char output[64], expected[] = "0";
    struct bottle *bottle = start_without(0);
    int status = run_shell(bottle, PRINCIPAL_ROOT, "id -u", output, sizeof output);
    bool same = status == 0 && strcmp(output, expected) == 0;
    run_shell(bottle, PRINCIPAL_USER, "id -u", output, sizeof output);
    same = same && strcmp(output, "65534") == 0;
    destroy(bottle);
    bottle = start_without(backend_all_fences(&native_backend));
    run_shell(bottle, PRINCIPAL_USER, "id -u", output, sizeof output);
    same = same && strcmp(output, "65534") == 0;
    run_shell(bottle, PRINCIPAL_ROOT, "id -u", output, sizeof output);
    same = same && strcmp(output, "0") == 0;
    destroy(bottle);
    return same ? 0 : 1;
}

/* As the gate does it: root of a namespace of its own, with a block of ids or with one. */
Test(launcher_native, bottles_fenced_and_open_start_inside_a_site_too)
{
    struct error error = { 0 };
    int go[2], status = -1;
    cr_assert_eq(pipe(go), 0);
    pid_t site = namespaces_fork(CLONE_NEWUSER | CLONE_NEWNET | CLONE_NEWNS, &error);
    if (site == 0) {
        char byte;
        if (read(go[0], &byte, 1) != 1 || setresgid(0, 0, 0) != 0 || setresuid(0, 0, 0) != 0)
            _exit(9);
        _exit(start_in_site());
    }
    cr_assert(site > 0 && namespaces_map_ids(site, 0, &error), "%s", error.text);
    cr_assert_eq(write(go[1], "1", 1), 1);
    cr_assert(process_wait(site, clock_microseconds() + BOUND, &status));
    cr_expect_eq(process_exit_status(status), 0);
}
