/* What a run leaves behind is seen: each kind is left on purpose once, in a process of its own. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../gates/residue.h"

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
    rmdir(inside);
    rmdir(directory);
}
