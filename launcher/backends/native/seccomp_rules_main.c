/*
 * The system calls that a bottle's commands don't get: a deny-list over the kernel's default, because a bottle must run any
 * program. What stands here either makes a way out that the namespaces don't cover (vsock, packet sockets), reaches the
 * kernel's most-broken parts (io_uring, BPF, keys, user namespaces) or reaches into other processes.
 *
 * A denial answers EPERM, never an errno that says "this kernel has no such thing": the gate would take that for a missing
 * facility. clone3 alone answers ENOSYS, because its flags lie in memory, where a filter can't look, and every libc then falls
 * back to clone. Other entries to the kernel (32-bit, x32) have other numbers and are denied as a whole.
 *
 * This is a program of the build: it prints the rules compiled (by libseccomp), and seccomp_filter.c takes them in. They are the
 * same for every bottle, and compiling them would take a tenth of its start.
 *
 * Comparisons: the kernel takes int where the register has 64 bits. A family is compared as 64 bits in a way that denies
 * anything with high bits set; types, flags and commands are masked.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <sched.h>
#include <seccomp.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define OPEN_TREE_ATTR 467 /* newer than libseccomp 2.5; the same number everywhere but on alpha */
#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x00000080
#endif

#if defined(__s390__)
#define CLONE_FLAGS 1
#else
#define CLONE_FLAGS 0
#endif

/* clang-format off: a table, not code */
#define NEVER(call)                                                                                                    \
    {                                                                                                                  \
        .number = SCMP_SYS(call)                                                                                       \
    }
#define ON(call, ...)                                                                                                  \
    {                                                                                                                  \
        .number = SCMP_SYS(call), .count = 1, .when = { __VA_ARGS__ }                                                  \
    }
#define ON_BOTH(call, first, second)                                                                                   \
    {                                                                                                                  \
        .number = SCMP_SYS(call), .count = 2, .when = { first, second }                                                \
    }
#define EQUAL(argument, value)                                                                                         \
    {                                                                                                                  \
        argument, SCMP_CMP_EQ, value, 0                                                                                \
    }
#define ABOVE(argument, value)                                                                                         \
    {                                                                                                                  \
        argument, SCMP_CMP_GT, value, 0                                                                                \
    }
#define BITS(argument, mask, value)                                                                                    \
    {                                                                                                                  \
        argument, SCMP_CMP_MASKED_EQ, mask, value                                                                      \
    }
#define FLAG(call, argument, flag) ON(call, BITS(argument, flag, flag))
#define LOW                        0xffffffffu

/* Only AF_UNIX 1, AF_INET 2, AF_INET6 10 and AF_NETLINK 16 stay. */
#define FAMILIES(call)                                                                                                 \
    ON(call, EQUAL(0, 0)), ON(call, EQUAL(0, 3)), ON(call, EQUAL(0, 4)), ON(call, EQUAL(0, 5)), ON(call, EQUAL(0, 6)), \
        ON(call, EQUAL(0, 7)), ON(call, EQUAL(0, 8)), ON(call, EQUAL(0, 9)), ON(call, EQUAL(0, 11)),                   \
        ON(call, EQUAL(0, 12)), ON(call, EQUAL(0, 13)), ON(call, EQUAL(0, 14)), ON(call, EQUAL(0, 15)),                \
        ON(call, ABOVE(0, 16))
/* A raw netlink socket is an ordinary one, so raw is denied by family; SOCK_PACKET (10) is an old name of AF_PACKET. */
#define TYPES(call)                                                                                                    \
    ON_BOTH(call, EQUAL(0, AF_INET), BITS(1, 0xf, SOCK_RAW)),                                                          \
        ON_BOTH(call, EQUAL(0, AF_INET6), BITS(1, 0xf, SOCK_RAW)), ON(call, BITS(1, 0xf, SOCK_PACKET))
#define NAMESPACES(call, argument)                                                                                     \
    FLAG(call, argument, CLONE_NEWUSER), FLAG(call, argument, CLONE_NEWNET), FLAG(call, argument, CLONE_NEWNS),        \
        FLAG(call, argument, CLONE_NEWPID), FLAG(call, argument, CLONE_NEWIPC), FLAG(call, argument, CLONE_NEWUTS),    \
        FLAG(call, argument, CLONE_NEWCGROUP)

struct rule {
    int number;
    int error; /* 0: EPERM */
    unsigned count;
    struct scmp_arg_cmp when[2];
};

static const struct rule rules[] = {
    FAMILIES(socket),
    FAMILIES(socketpair),
    TYPES(socket),
    TYPES(socketpair),
    /* asynchronous calls, which would pass by this filter */
    NEVER(io_uring_setup),
    NEVER(io_uring_enter),
    NEVER(io_uring_register),
    /* keys belong to users, not to namespaces */
    NEVER(keyctl),
    NEVER(add_key),
    NEVER(request_key),
    /* other processes */
    NEVER(ptrace),
    NEVER(process_vm_readv),
    NEVER(process_vm_writev),
    NEVER(process_madvise),
    NEVER(pidfd_getfd),
    NEVER(kcmp),
    /* namespaces */
    NAMESPACES(clone, CLONE_FLAGS),
    NAMESPACES(unshare, 0),
    FLAG(unshare, 0, CLONE_NEWTIME),
    NEVER(setns),
    { .number = SCMP_SYS(clone3), .error = ENOSYS },
    /* mounts and roots */
    NEVER(mount),
    NEVER(umount),
    NEVER(umount2),
    NEVER(pivot_root),
    NEVER(chroot),
    NEVER(open_tree),
    NEVER(move_mount),
    NEVER(fsopen),
    NEVER(fsconfig),
    NEVER(fsmount),
    NEVER(fspick),
    NEVER(mount_setattr),
    { .number = OPEN_TREE_ATTR },
    NEVER(name_to_handle_at),
    NEVER(open_by_handle_at),
    NEVER(quotactl),
    NEVER(quotactl_fd),
    NEVER(swapon),
    NEVER(swapoff),
    /* the kernel itself */
    NEVER(bpf),
    NEVER(perf_event_open),
    NEVER(userfaultfd),
    NEVER(kexec_load),
    NEVER(kexec_file_load),
    NEVER(init_module),
    NEVER(finit_module),
    NEVER(delete_module),
    NEVER(reboot),
    NEVER(acct),
    NEVER(syslog),
    NEVER(iopl),
    NEVER(ioperm),
    NEVER(settimeofday),
    NEVER(stime),
    NEVER(clock_settime),
    NEVER(clock_settime64),
    NEVER(adjtimex),
    NEVER(clock_adjtime),
    NEVER(clock_adjtime64),
    NEVER(lookup_dcookie),
    NEVER(vhangup),
    NEVER(nfsservctl),
    NEVER(uselib),
    /* keystrokes into a terminal, and the console */
    ON(ioctl, BITS(1, LOW, TIOCSTI)),
    ON(ioctl, BITS(1, LOW, TIOCLINUX)),
};
/* clang-format on */

static int add_rules(scmp_filter_ctx filter)
{
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        int denial = rules[i].error != 0 ? rules[i].error : EPERM;
        int failed = seccomp_rule_add_array(filter, SCMP_ACT_ERRNO((unsigned)denial), rules[i].number, rules[i].count,
                                            rules[i].when);
        /* -EDOM: a call that this architecture never had. */
        if (failed != 0 && failed != -EDOM)
            return failed;
    }
    return 0;
}

/* Prints the instructions as what stands between the braces of an array. */
static int print_filter(int memory)
{
    struct sock_filter instruction;
    lseek(memory, 0, SEEK_SET);
    while (read(memory, &instruction, sizeof instruction) == (ssize_t)sizeof instruction)
        printf("{ %u, %u, %u, %uu },\n", instruction.code, instruction.jt, instruction.jf, instruction.k);
    return fflush(stdout) == 0 && !ferror(stdout) ? 0 : 1;
}

int main(void)
{
    scmp_filter_ctx context = seccomp_init(SCMP_ACT_ALLOW);
    int memory = memfd_create("filter", MFD_CLOEXEC), failed = context == NULL || memory < 0 ? -errno : 0;
    if (failed == 0)
        failed = seccomp_attr_set(context, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_ERRNO(EPERM));
    if (failed == 0)
        failed = add_rules(context);
    if (failed == 0)
        failed = seccomp_export_bpf(context, memory);
    seccomp_release(context);
    if (failed == 0)
        return print_filter(memory);
    fprintf(stderr, "can't compile the seccomp rules: %s\n", strerror(-failed));
    return 1;
}
