/*
 * Children that together take more memory than a limit on all of them allows, while none takes more than one may. The attempts are made only once one of them was
 * killed for it, among those that still hold what they took.
 */
#include "hostile.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>

#define CHILDREN 16
#define TAKEN    ((size_t)100 << 20) /* bytes */

static _Noreturn void take(int taken)
{
    for (int fd = 0; fd < 3; fd++)
        close(fd);
    char *memory = mmap(NULL, TAKEN, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        _exit(1);
    memset(memory, 1, TAKEN);
    if (write(taken, "", 1) != 1)
        _exit(1);
    for (;;)
        pause();
}

static void act(void)
{
    int killed = 0, status;
    for (int i = 0; i < CHILDREN; i++) {
        int ends[2];
        char byte;
        pid_t child = pipe(ends) == 0 ? fork() : -1;
        if (child == 0)
            take(ends[1]);
        close(ends[1]);
        if (child < 0 || read(ends[0], &byte, 1) < 0)
            abort();
        close(ends[0]);
    }
    while (waitpid(-1, &status, WNOHANG) > 0)
        killed += WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
    while (killed == 0)
        pause();
}
