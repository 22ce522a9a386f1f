/*
 * bottle-step: starts one command in a machine, as `bottle-step USER-OR-ROOT COMMAND [ARGUMENT...]`. Static, for any guest. As
 * `bottle-step wait` it says that it runs and waits to be killed: what stands around it is looked at from outside.
 *
 * The engine's agent leaves sockets of its own open in what it starts, its connection to the host among them (seen with 1.32.2), and
 * starts everything as root. A command of a bottle has neither: all descriptors but the first three are closed, and the ordinary user
 * is one without groups. Exit status: the command's; 127 if there is none, 126 if it can't be run.
 */
#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define NOBODY       65534
#define LONGEST_WAIT 120 /* seconds */

static int fail(const char *what, int status)
{
    fprintf(stderr, "bottle-step: %s: %s\n", what, strerror(errno));
    return status;
}

static int wait_for_the_end(void)
{
    static const char text[] = "bottle-step waits\n";
    alarm(LONGEST_WAIT);
    if (write(1, text, sizeof text - 1) > 0)
        pause();
    return 1;
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "wait") == 0)
        return wait_for_the_end();
    if (argc < 3 || (strcmp(argv[1], "user") != 0 && strcmp(argv[1], "root") != 0)) {
        fputs("bottle-step: user|root COMMAND [ARGUMENT...], or wait\n", stderr);
        return 126;
    }
    /* Linux 5.9 and later, which every engine's guest is; where it isn't there, nothing is started. */
    if (syscall(SYS_close_range, 3u, UINT_MAX, 0u) != 0)
        return fail("can't close what was left open", 126);
    if (strcmp(argv[1], "user") == 0 &&
        (setgroups(0, NULL) != 0 || setresgid(NOBODY, NOBODY, NOBODY) != 0 || setresuid(NOBODY, NOBODY, NOBODY) != 0))
        return fail("can't become an ordinary user", 126);
    execvp(argv[2], argv + 2);
    return fail(argv[2], errno == ENOENT ? 127 : 126);
}
