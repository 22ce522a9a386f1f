/* A jail: the calls that it was given work, every other kills the process, by whatever entry to the kernel it comes. */
#include <criterion/criterion.h>
#include <seccomp.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../launcher/support/jail.h"
#include "../../launcher/support/process.h"

static long do_nothing(void)
{
    return 0;
}

static long call_allowed(void)
{
    return syscall(SYS_getppid) > 0 ? 0 : 1;
}

static long call_denied(void)
{
    return syscall(SYS_getpgid, 0);
}

static long call_unknown(void)
{
    return syscall(99999);
}

static long call_negative(void)
{
    return syscall(-1);
}

#if defined(__x86_64__)
static long call_x32(void)
{
    return syscall(0x40000000 | SYS_getppid);
}

static long call_32_bit(void)
{
    long result;
    __asm__ volatile("int $0x80" : "=a"(result) : "a"((long)SYS_getppid) : "memory", "cc"); /* another call there */
    return result;
}
#endif

static const struct {
    const char *name;
    long (*act)(void);
    bool lives;
} rows[] = {
    { "nothing", do_nothing, true },
    { "a call of the list", call_allowed, true },
    { "another call", call_denied, false },
    { "a call that there isn't", call_unknown, false },
    { "a negative call", call_negative, false },
#if defined(__x86_64__)
    { "a call of the list by its x32 number", call_x32, false },
    { "a number of the list by the 32-bit entry", call_32_bit, false },
#endif
};

Test(launcher_jail, what_is_not_in_the_list_kills)
{
    /* One that this processor lacks comes from libseccomp as a negative number, and must not let anything pass. */
    static const int calls[] = { -10001, SCMP_SYS(getppid), -1 };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int status = -1;
        pid_t child = fork();
        if (child == 0)
            _exit(jail_shut(calls, sizeof calls / sizeof *calls, NULL) && rows[i].act() == 0 ? 0 : 1);
        cr_assert(process_wait(child, clock_microseconds() + 20000000, &status));
        if (rows[i].lives)
            cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 0, "%s: %#x", rows[i].name, (unsigned)status);
        else
            /* SIGSEGV: a kernel without a 32-bit entry. */
            cr_expect(WIFSIGNALED(status) && (WTERMSIG(status) == SIGSYS || WTERMSIG(status) == SIGSEGV), "%s: %#x",
                      rows[i].name, (unsigned)status);
    }
}

Test(launcher_jail, a_list_that_is_too_long_shuts_nothing_and_is_told)
{
    static const int calls[1000];
    struct error error = { 0 };
    cr_expect_not(jail_shut(calls, 1000, &error));
    cr_expect_neq(error.code, ERROR_NONE);
    cr_expect_gt(getppid(), 0);
}
