/*
 * See jail.h: an allow-list, written as the kernel takes it: every call that is not named kills the process, so that a break-in
 * is loud. A list of calls without arguments needs no compiler, and libseccomp would take longer than what the jail is for.
 * Other entries to the kernel have another architecture (32-bit) or other numbers (x32), so they are in no list.
 */
#include "jail.h"

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { MOST_CALLS = 128 };

/* A processor that is missing here does not compile: name its AUDIT_ARCH_*. */
#if defined(__x86_64__)
#define ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#elif defined(__riscv) && __riscv_xlen == 64
#define ARCHITECTURE AUDIT_ARCH_RISCV64
#elif defined(__s390x__)
#define ARCHITECTURE AUDIT_ARCH_S390X
#elif defined(__powerpc64__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define ARCHITECTURE AUDIT_ARCH_PPC64LE
#elif defined(__i386__)
#define ARCHITECTURE AUDIT_ARCH_I386
#elif defined(__arm__)
#define ARCHITECTURE AUDIT_ARCH_ARM
#endif

/* What the sanitizers' run time calls by itself, in builds that have it: no product does. */
static const int runtime_calls[] = {
#ifdef BOTTLE_SANITIZED
    SCMP_SYS(sigaltstack), SCMP_SYS(mmap),         SCMP_SYS(munmap),
    SCMP_SYS(madvise),     SCMP_SYS(gettid),       SCMP_SYS(getpid),
#endif
    SCMP_SYS(exit_group),  SCMP_SYS(rt_sigreturn),
};

/* Two instructions a call: is it this one, then it is allowed. A negative number is libseccomp's name for a call that this
 * processor doesn't have. */
static unsigned short allow(struct sock_filter *program, unsigned short length, const int *calls, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (calls[i] < 0)
            continue;
        program[length++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)calls[i], 0, 1);
        program[length++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    }
    return length;
}

bool jail_shut(const int *calls, size_t count, struct error *error)
{
    enum { RUNTIME_CALLS = sizeof runtime_calls / sizeof *runtime_calls };
    struct sock_filter program[5 + 2 * (MOST_CALLS + RUNTIME_CALLS)] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCHITECTURE, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
    };
    if (count > MOST_CALLS)
        return error_set(error, ERROR_SYSTEM, "can't load a seccomp filter of %zu calls: at most %d", count,
                         MOST_CALLS);
    unsigned short length = allow(program, 4, runtime_calls, RUNTIME_CALLS);
    length = allow(program, length, calls, count);
    program[length++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
    struct sock_fprog loaded = { .len = length, .filter = program };
    return (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
            syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &loaded) == 0) ||
           error_system(error, "can't load a seccomp filter");
}
