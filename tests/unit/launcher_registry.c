/* Names of bottles and where they are kept: whose directory it must be, who gets a name, what a dead keeper leaves. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../launcher/keeper/registry.h"
#include "../../launcher/namespaces.h"
#include "../../launcher/support/process.h"

Test(launcher_registry, names_are_short_and_plain)
{
    static const struct {
        const char *name;
        bool valid;
    } rows[] = {
        { "a", true },    { "0", true },    { "dev-1", true },     { "abcdefghijklmnopqrstuvwxyz012345", true },
        { "", false },    { "-a", false },  { "A", false },        { "abcdefghijklmnopqrstuvwxyz0123456", false },
        { "a/b", false }, { "..", false },  { ".", false },        { "a_b", false },
        { "a b", false }, { "a\n", false }, { "\xc3\xa4", false },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        cr_expect_eq(registry_name_valid(rows[i].name), rows[i].valid, "\"%s\"", rows[i].name);
}

/* Runs `work` as root of a world with a /tmp and a /run of its own. It returns the line of what failed, or 0. */
static void in_own_world(int (*work)(void))
{
    struct error error = { 0 };
    int go[2], status = -1;
    cr_assert_eq(pipe(go), 0);
    pid_t world = namespaces_fork(CLONE_NEWUSER | CLONE_NEWNS, &error);
    if (world == 0) {
        char byte;
        if (read(go[0], &byte, 1) != 1 || setresgid(0, 0, 0) != 0 || setresuid(0, 0, 0) != 0 ||
            mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
            mount("t", "/tmp", "tmpfs", 0, "mode=1777") != 0 || mount("r", "/run", "tmpfs", 0, "mode=0755") != 0)
            _exit(1);
        unsetenv("XDG_RUNTIME_DIR");
        _exit(work());
    }
    cr_assert(world > 0 && namespaces_map_ids(world, 0, &error), "%s", error.text);
    cr_assert_eq(write(go[1], "1", 1), 1);
    cr_assert(process_wait(world, clock_microseconds() + 20000000, &status));
    cr_expect_eq(process_exit_status(status), 0, "line %d", process_exit_status(status));
    close(go[0]);
    close(go[1]);
}

#define MUST(condition)                                                                                                \
    if (!(condition))                                                                                                  \
    return __LINE__

static bool is_private(const char *path)
{
    struct stat status;
    return lstat(path, &status) == 0 && S_ISDIR(status.st_mode) && (status.st_mode & 07777) == 0700;
}

/* True if the directory is refused, with a remedy in the error. */
static bool refused(const char *told)
{
    struct error error = { 0 };
    return registry_open(true, &error) < 0 && error.code == ERROR_HOST && strstr(error.text, told) != NULL;
}

static int check_directories(void)
{
    struct error error = { 0 };
    umask(0);
    /* Nothing is there, and looking makes nothing. */
    MUST(registry_open(false, &error) < 0 && error.code == ERROR_NONE && access("/tmp/bottle-gate-0", F_OK) != 0);
    MUST(registry_open(true, &error) >= 0 && is_private("/tmp/bottle-gate-0") &&
         is_private("/tmp/bottle-gate-0/bottles"));
    MUST(registry_open(false, &error) >= 0);
    /* The user's own run-time directory goes before /tmp, and a named one before both. */
    MUST(mkdir("/run/user", 0755) == 0 && mkdir("/run/user/0", 0700) == 0 && mkdir("/run/named", 0700) == 0);
    MUST(registry_open(true, &error) >= 0 && is_private("/run/user/0/bottle-gate/bottles"));
    setenv("XDG_RUNTIME_DIR", "/run/named", 1);
    MUST(registry_open(true, &error) >= 0 && is_private("/run/named/bottle-gate/bottles"));
    /* Named and not there is an error and no reason to look elsewhere; a relative one is as if there were none. */
    setenv("XDG_RUNTIME_DIR", "/run/nowhere", 1);
    MUST(refused("XDG_RUNTIME_DIR"));
    setenv("XDG_RUNTIME_DIR", "named", 1);
    MUST(registry_open(true, &error) >= 0);
    return 0;
}

Test(launcher_registry, the_directory_is_the_users_and_made_for_nobody_else)
{
    in_own_world(check_directories);
}

static int check_refusals(void)
{
    struct error error = { 0 };
    MUST(mkdir("/tmp/elsewhere", 0700) == 0 && symlink("/tmp/elsewhere", "/tmp/bottle-gate-0") == 0);
    MUST(registry_open(true, &error) < 0 && error.code != ERROR_NONE && access("/tmp/elsewhere/bottles", F_OK) != 0);
    MUST(unlink("/tmp/bottle-gate-0") == 0 && mkdir("/tmp/bottle-gate-0", 0750) == 0 &&
         chmod("/tmp/bottle-gate-0", 0750) == 0);
    MUST(refused("not yours alone"));
    MUST(chmod("/tmp/bottle-gate-0", 0700) == 0 && mkdir("/tmp/bottle-gate-0/bottles", 0700) == 0 &&
         chmod("/tmp/bottle-gate-0/bottles", 0701) == 0);
    MUST(refused("not yours alone"));
    MUST(chmod("/tmp/bottle-gate-0/bottles", 0700) == 0 && registry_open(true, NULL) >= 0);
    if (namespaces_have_block()) {
        MUST(chown("/tmp/bottle-gate-0", 1000, 1000) == 0 && refused("not yours alone"));
        MUST(mkdir("/run/theirs", 0777) == 0 && chown("/run/theirs", 1000, 1000) == 0);
        setenv("XDG_RUNTIME_DIR", "/run/theirs", 1);
        MUST(refused("XDG_RUNTIME_DIR"));
    }
    return 0;
}

Test(launcher_registry, a_directory_that_others_own_enter_or_point_elsewhere_is_refused)
{
    in_own_world(check_refusals);
}

static int check_names(void)
{
    bool taken;
    struct error error = { 0 };
    struct registry_seat first, second;
    struct stat status;
    int directory = registry_open(true, &error);
    MUST(registry_connect(directory, "dev", &error) < 0 && strstr(error.text, "no bottle is named dev") != NULL);
    error = (struct error){ 0 };
    MUST(registry_listen(directory, "dev", &first, &taken, &error));
    MUST(!registry_listen(directory, "dev", &second, &taken, &error) && taken && strstr(error.text, "lives already"));
    error = (struct error){ 0 };
    int connection = registry_connect(directory, "dev", &error);
    MUST(connection >= 0);
    close(connection);
    /* Who listened is killed: its name is free, and its file goes when somebody meets it. */
    close(first.listener);
    MUST(fstatat(directory, "dev", &status, 0) == 0 && registry_connect(directory, "dev", &error) < 0);
    MUST(fstatat(directory, "dev", &status, 0) != 0 && errno == ENOENT);
    error = (struct error){ 0 };
    MUST(registry_listen(directory, "dev", &first, &taken, &error));
    close(first.listener);
    MUST(registry_listen(directory, "dev", &second, &taken, &error) && !taken);
    /* The one before gives back what is no longer its own. */
    registry_remove(directory, "dev", &first);
    MUST(first.file == second.file || fstatat(directory, "dev", &status, 0) == 0);
    registry_remove(directory, "dev", &second);
    MUST(fstatat(directory, "dev", &status, 0) != 0);
    /* What is no socket is nobody's name, and is left alone. */
    MUST(mkdirat(directory, "file", 0700) == 0);
    MUST(!registry_listen(directory, "file", &first, &taken, &error) && fstatat(directory, "file", &status, 0) == 0);
    return 0;
}

Test(launcher_registry, a_name_is_who_listens_on_it)
{
    in_own_world(check_names);
}

static int check_busy(void)
{
    bool taken;
    struct error error = { 0 };
    struct registry_seat seat, other;
    int directory = registry_open(true, &error), fd = 0;
    MUST(registry_listen(directory, "dev", &seat, &taken, &error));
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/dev", directory);
    for (int i = 0; i < 1000 && fd >= 0; i++) {
        fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0);
        if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0)
            fd = -1;
    }
    MUST(fd < 0 && errno == EAGAIN);
    MUST(!registry_listen(directory, "dev", &other, &taken, NULL) && taken);
    return 0;
}

Test(launcher_registry, a_keeper_whose_queue_is_full_is_not_taken_for_dead)
{
    in_own_world(check_busy);
}

static int check_race(void)
{
    enum { STARTERS = 16, ROUNDS = 20 };
    struct error error = { 0 };
    int directory = registry_open(true, &error);
    for (int round = 0; round < ROUNDS; round++) {
        struct registry_seat seat;
        bool taken;
        int go[2], told[2], winners = 0;
        char answers[STARTERS];
        MUST(
            registry_listen(directory, "dev", &seat, &taken, &error)); /* a dead one is there for all of them to meet */
        close(seat.listener);
        MUST(pipe(go) == 0 && pipe(told) == 0);
        for (int i = 0; i < STARTERS; i++)
            if (fork() == 0) {
                char byte;
                process_die_with_parent(-1);
                close(go[1]);
                /* A directory of its own: locks belong to open files, and fork shares them. */
                int own = registry_open(true, NULL);
                if (read(go[0], &byte, 1) != 0)
                    _exit(1);
                byte = registry_listen(own, "dev", &seat, &taken, NULL) ? '1' : '0';
                if (write(told[1], &byte, 1) != 1 || read(go[0], &byte, 1) != 0)
                    _exit(1);
                pause();
            }
        close(go[0]);
        close(go[1]);
        MUST(read_all(told[0], answers, STARTERS) == STARTERS);
        for (int i = 0; i < STARTERS; i++)
            winners += answers[i] == '1';
        MUST(winners == 1);
        signal(SIGTERM, SIG_IGN);
        kill(0, SIGTERM);
        signal(SIGTERM, SIG_DFL);
        close(told[0]);
        close(told[1]);
        for (int i = 0; i < STARTERS; i++)
            MUST(wait(NULL) > 0);
    }
    return 0;
}

static int check_race_in_group(void)
{
    setpgid(0, 0);
    return check_race();
}

Test(launcher_registry, of_many_starts_at_once_exactly_one_gets_the_name)
{
    in_own_world(check_race_in_group);
}
