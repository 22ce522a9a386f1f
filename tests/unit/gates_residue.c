/* What a run leaves behind is seen: each kind is left on purpose once, in a process of its own. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../gates/residue.h"
#include "../../launcher/namespaces.h"
#include "../../launcher/support/process.h"

static char text[128];

Test(residue, of_nothing_is_none)
{
    struct residue before;
    residue_look(&before);
    cr_assert(residue_none(&before, text, sizeof text), "%s", text);
    cr_assert_str_empty(text);
}

Test(residue, sees_a_descriptor)
{
    struct residue before;
    residue_look(&before);
    int fd = open("/dev/null", O_RDONLY);
    cr_assert_not(residue_none(&before, text, sizeof text));
    cr_assert(strstr(text, "descriptor") != NULL, "%s", text);
    close(fd);
    cr_assert(residue_none(&before, text, sizeof text), "%s", text);
}

/* An orphan that lives, and one that has ended and that nobody waited for. */
Test(residue, sees_a_process_that_lives_and_one_that_has_ended)
{
    for (int lives = 0; lives < 2; lives++) {
        struct residue before;
        int ends[2];
        residue_look(&before);
        cr_assert_eq(pipe(ends), 0);
        pid_t parent = fork();
        if (parent == 0) {
            pid_t orphan = fork();
            if (orphan == 0 && lives)
                pause();
            if (orphan == 0)
                _exit(0);
            (void)!write(ends[1], &orphan, sizeof orphan);
            _exit(0);
        }
        pid_t orphan = 0;
        cr_assert_eq(read(ends[0], &orphan, sizeof orphan), (ssize_t)sizeof orphan);
        close(ends[0]);
        close(ends[1]);
        cr_assert_eq(waitpid(parent, NULL, 0), parent);
        cr_expect_not(residue_none(&before, text, sizeof text), "an orphan that %s is not seen",
                      lives ? "lives" : "ended");
        cr_expect(strstr(text, "process") != NULL, "%s", text);
        if (lives)
            kill(orphan, SIGKILL);
        cr_assert_eq(waitpid(orphan, NULL, 0), orphan);
        cr_assert(residue_none(&before, text, sizeof text), "%s", text);
    }
}

Test(residue, sees_a_file_in_the_run_time_directory)
{
    char directory[] = "/tmp/residue-XXXXXX", inside[64];
    struct residue before;
    cr_assert_not_null(mkdtemp(directory));
    setenv("XDG_RUNTIME_DIR", directory, 1);
    residue_look(&before);
    snprintf(inside, sizeof inside, "%s/bottle-gate", directory);
    cr_assert_eq(mkdir(inside, 0700), 0);
    cr_expect_not(residue_none(&before, text, sizeof text));
    cr_expect(strstr(text, "file") != NULL, "%s", text);
    residue_look(&before);
    snprintf(inside, sizeof inside, "%s/bottle-gate/run", directory);
    cr_assert_eq(mkdir(inside, 0700), 0);
    cr_expect_not(residue_none(&before, text, sizeof text), "a run that was kept is not seen");
    residue_look(&before);
    snprintf(inside, sizeof inside, "%s/bottle-gate/bottles", directory);
    cr_assert_eq(mkdir(inside, 0700), 0);
    cr_expect(residue_none(&before, text, sizeof text), "bottles that live on are somebody's: %s", text);
    rmdir(inside);
    snprintf(inside, sizeof inside, "%s/bottle-gate/run", directory);
    rmdir(inside);
    snprintf(inside, sizeof inside, "%s/bottle-gate", directory);
    rmdir(inside);
    rmdir(directory);
}

/* What is left by hand in the site, and how it is told. */
enum leftover { NOTHING, PROCESS, ZOMBIE, MOUNT, MOUNT_APART, MOUNT_BESIDE, MOUNT_OF_MANY };

/* What a process that keeps apart sees of a mount: of its own, or of another process beside it. */
static void ask_apart(bool beside, char *said, size_t size)
{
    int told[2];
    struct residue before;
    if (pipe(told) != 0)
        _exit(1);
    kill(-1, SIGKILL); /* the known process would be residue here */
    while (waitpid(-1, NULL, 0) > 0)
        continue;
    if (beside) {
        pid_t other = fork();
        if (other == 0) {
            char byte;
            _exit(read(told[0], &byte, 1) == 1 && mount("left", "/mnt", "tmpfs", 0, NULL) == 0 ? 0 : 1);
        }
        residue_keep_apart();
        residue_look(&before);
        int status;
        if (write(told[1], "", 1) != 1 || waitpid(other, &status, 0) != other || status != 0)
            _exit(1);
    } else {
        residue_keep_apart();
        residue_look(&before);
        mount("left", "/mnt", "tmpfs", 0, NULL);
    }
    residue_none(&before, said, size);
}

/* In namespaces of its own, as PID 1, with one process that is known: what is said of `leftover`. */
static void ask_in_a_site(enum leftover leftover, int answer)
{
    char said[128];
    struct residue before;
    pid_t known = fork();
    if (known == 0)
        pause();
    for (int i = 0; leftover == MOUNT_OF_MANY && i < RESIDUE_MOUNTS + 10; i++)
        mount("many", "/mnt", "tmpfs", 0, NULL);
    residue_look(&before);
    pid_t pid = leftover == PROCESS || leftover == ZOMBIE ? fork() : 0;
    if (pid == 0 && leftover == PROCESS)
        pause();
    if (pid == 0 && leftover == ZOMBIE)
        _exit(0);
    siginfo_t ended;
    if (leftover == ZOMBIE)
        waitid(P_PID, (id_t)pid, &ended, WEXITED | WNOWAIT);
    if (leftover == MOUNT || leftover == MOUNT_OF_MANY)
        mount("left", "/tmp", "tmpfs", 0, NULL);
    residue_no_bottle(&before, known, said, sizeof said);
    if (leftover == MOUNT_APART || leftover == MOUNT_BESIDE)
        ask_apart(leftover == MOUNT_BESIDE, said, sizeof said);
    (void)!write(answer, said, strlen(said) + 1);
    _exit(0);
}

static void check_in_a_site(enum leftover leftover, const char *wanted)
{
    int go[2], answer[2];
    struct error error = { 0 };
    cr_assert_eq(pipe(go) | pipe(answer), 0);
    pid_t pid = namespaces_fork(CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNS, &error);
    if (pid == 0) {
        char byte;
        close(answer[0]);
        if (read(go[0], &byte, 1) != 1 || setresgid(0, 0, 0) != 0 || setresuid(0, 0, 0) != 0 ||
            mount("", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 || mount("proc", "/proc", "proc", 0, NULL) != 0)
            _exit(1);
        ask_in_a_site(leftover, answer[1]);
    }
    cr_assert(pid > 0 && namespaces_map_ids(pid, 0, &error), "%s", error.text);
    cr_assert(write_all(go[1], "", 1));
    close(answer[1]);
    char said[128] = "nothing was said";
    read_all(answer[0], said, sizeof said - 1);
    waitpid(pid, NULL, 0);
    close(answer[0]);
    close(go[0]);
    close(go[1]);
    cr_expect_str_eq(said, wanted);
}

Test(residue, of_a_bottle_is_what_still_lives_or_is_mounted_in_its_site)
{
    check_in_a_site(NOTHING, "");
    check_in_a_site(PROCESS, "a process");
    check_in_a_site(ZOMBIE, "");
    check_in_a_site(MOUNT, "a mount");
    check_in_a_site(MOUNT_OF_MANY, "a mount");
}

Test(residue, of_a_process_that_keeps_apart_is_its_own)
{
    check_in_a_site(MOUNT_APART, "a mount");
    check_in_a_site(MOUNT_BESIDE, "");
}
