/*
 * The system calls that a bottle's commands don't get, each really tried inside; and those that they must have.
 *
 * Where a call without the filter would be denied by a missing capability too, the arguments are bad ones, so that the kernel
 * itself answers something else than EPERM: only then does EPERM show the filter.
 */
#include "launcher_bottle.h"

#include <errno.h>
#include <linux/keyctl.h>
#include <pthread.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define X32 0x40000000L

enum expectation {
    DENIED,       /* EPERM with the filter, something else without: the filter's doing */
    DENIED_TWICE, /* EPERM either way: the kernel asks for a capability before it looks at the arguments */
    ALLOWED,      /* works */
    ABSENT,       /* ENOSYS */
};

struct call {
    const char *name;
    enum expectation expected;
    long number, arguments[4];
};

#define BAD (-1L)
static const struct call calls[] = {
    { "packet socket", DENIED_TWICE, SYS_socket, { AF_PACKET, SOCK_RAW, 0 } },
    { "packet socket, high bits set", DENIED_TWICE, SYS_socket, { AF_PACKET | 1L << 32, SOCK_RAW, 0 } },
    { "vsock socket", DENIED, SYS_socket, { AF_VSOCK, SOCK_STREAM, 0 } },
    { "vsock socket, high bits set", DENIED, SYS_socket, { AF_VSOCK | 1L << 32, SOCK_STREAM, 0 } },
    { "family 0", DENIED, SYS_socket, { AF_UNSPEC, SOCK_STREAM, 0 } },
    { "AF_ALG socket", DENIED, SYS_socket, { AF_ALG, SOCK_SEQPACKET, 0 } },
    { "AF_X25 socket", DENIED, SYS_socket, { AF_X25, SOCK_SEQPACKET, 0 } },
    { "AF_KEY socket", DENIED, SYS_socket, { AF_KEY, SOCK_STREAM, 0 } },
    { "negative family", DENIED, SYS_socket, { -1, SOCK_STREAM, 0 } },
    { "raw IPv4 socket", DENIED, SYS_socket, { AF_INET, SOCK_RAW, 0 } },
    { "raw IPv4 socket, non-blocking", DENIED, SYS_socket, { AF_INET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0 } },
    { "raw IPv4 socket, high bits set", DENIED, SYS_socket, { AF_INET, SOCK_RAW | 1L << 40, 0 } },
    { "raw IPv6 socket", DENIED, SYS_socket, { AF_INET6, SOCK_RAW, 0 } },
    { "packet type", DENIED, SYS_socket, { AF_INET6, SOCK_PACKET, 0 } },
    { "vsock socket pair", DENIED, SYS_socketpair, { AF_VSOCK, SOCK_STREAM, 0, 0 } },
    { "io_uring_setup", DENIED, SYS_io_uring_setup, { 1, 0 } },
    { "io_uring_enter", DENIED, SYS_io_uring_enter, { BAD, 0, 0, 0 } },
    { "io_uring_register", DENIED, SYS_io_uring_register, { BAD, 0, 0, 0 } },
    { "keyctl", DENIED, SYS_keyctl, { KEYCTL_GET_KEYRING_ID, KEY_SPEC_SESSION_KEYRING, 0 } },
    { "add_key", DENIED, SYS_add_key, { 0, 0, 0, 0 } },
    { "request_key", DENIED, SYS_request_key, { 0, 0, 0, 0 } },
    { "ptrace", DENIED, SYS_ptrace, { PTRACE_CONT, 0x7ffffff, 0, 0 } },
    { "process_vm_readv", DENIED, SYS_process_vm_readv, { 0x7ffffff, 0, 0, 0 } },
    { "process_vm_writev", DENIED, SYS_process_vm_writev, { 0x7ffffff, 0, 0, 0 } },
    { "process_madvise", DENIED, SYS_process_madvise, { BAD, 0, 0, 0 } },
    { "pidfd_getfd", DENIED, SYS_pidfd_getfd, { BAD, 0, 0 } },
    { "kcmp", DENIED, SYS_kcmp, { 0x7ffffff, 0x7ffffff, 0, 0 } },
    { "new user namespace by unshare", DENIED, SYS_unshare, { CLONE_NEWUSER } },
    { "new network namespace by unshare", DENIED_TWICE, SYS_unshare, { CLONE_NEWNET } },
    { "new user namespace by clone", DENIED, SYS_clone, { CLONE_NEWUSER | CLONE_NEWPID | CLONE_THREAD } },
    { "setns", DENIED, SYS_setns, { BAD, 0 } },
    { "mount", DENIED, SYS_mount, { 1, 1, 1, 0 } },
    { "umount2", DENIED, SYS_umount2, { 0, BAD } },
    { "pivot_root", DENIED_TWICE, SYS_pivot_root, { 0, 0 } },
    { "chroot", DENIED, SYS_chroot, { 0 } },
    { "open_tree", DENIED, SYS_open_tree, { BAD, 0, BAD } },
    { "move_mount", DENIED_TWICE, SYS_move_mount, { BAD, 0, BAD, 0 } },
    { "fsopen", DENIED_TWICE, SYS_fsopen, { 0, 0 } },
    { "fsconfig", DENIED, SYS_fsconfig, { BAD, 0, 0, 0 } },
    { "fsmount", DENIED_TWICE, SYS_fsmount, { BAD, 0, 0 } },
    { "fspick", DENIED_TWICE, SYS_fspick, { BAD, 0, 0 } },
    { "mount_setattr", DENIED, SYS_mount_setattr, { BAD, 0, BAD, 0 } },
    { "open_tree_attr", DENIED, 467, { BAD, 0, BAD, 0 } },
    { "name_to_handle_at", DENIED, SYS_name_to_handle_at, { BAD, 0, 0, 0 } },
    { "open_by_handle_at", DENIED_TWICE, SYS_open_by_handle_at, { BAD, 0, 0 } },
    { "quotactl", DENIED, SYS_quotactl, { BAD, 0, 0, 0 } },
    { "swapon", DENIED_TWICE, SYS_swapon, { 0, 0 } },
    { "bpf", DENIED, SYS_bpf, { BAD, 0, 0 } },
    { "perf_event_open", DENIED, SYS_perf_event_open, { 0, 0, 0, BAD } },
    { "userfaultfd", DENIED, SYS_userfaultfd, { BAD } },
    { "kexec_load", DENIED_TWICE, SYS_kexec_load, { 0, 0, 0, BAD } },
    { "init_module", DENIED_TWICE, SYS_init_module, { 0, 0, 0 } },
    { "finit_module", DENIED_TWICE, SYS_finit_module, { BAD, 0, 0 } },
    { "delete_module", DENIED_TWICE, SYS_delete_module, { 0, 0 } },
    { "reboot", DENIED_TWICE, SYS_reboot, { 0, 0, 0, 0 } },
    { "acct", DENIED_TWICE, SYS_acct, { BAD } },
    { "syslog", DENIED_TWICE, SYS_syslog, { BAD, 0, 0 } },
    { "settimeofday", DENIED, SYS_settimeofday, { BAD, 0 } },
    { "clock_settime", DENIED, SYS_clock_settime, { 99, 0 } },
    { "adjtimex", DENIED, SYS_adjtimex, { 0 } },
    { "TIOCSTI", DENIED, SYS_ioctl, { 0, TIOCSTI, 0 } },
    { "TIOCSTI, high bits set", DENIED, SYS_ioctl, { 0, TIOCSTI | 1L << 32, 0 } },
    { "TIOCLINUX", DENIED, SYS_ioctl, { 0, TIOCLINUX, 0 } },
    { "clone3", ABSENT, SYS_clone3, { 0, 0 } },
#if defined(__x86_64__)
    { "getpid by x32", DENIED, X32 + SYS_getpid, { 0 } },
#endif
    { "IPv4 stream socket", ALLOWED, SYS_socket, { AF_INET, SOCK_STREAM, 0 } },
    { "IPv6 datagram socket", ALLOWED, SYS_socket, { AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0 } },
    { "ICMP ping socket", ALLOWED, SYS_socket, { AF_INET, SOCK_DGRAM, 1 } },
    { "Unix socket", ALLOWED, SYS_socket, { AF_UNIX, SOCK_STREAM, 0 } },
    { "netlink socket", ALLOWED, SYS_socket, { AF_NETLINK, SOCK_RAW, 0 } },
    { "epoll", ALLOWED, SYS_epoll_create1, { 0 } },
    { "dup", ALLOWED, SYS_dup, { 1 } },
    { "unshare of the file table", ALLOWED, SYS_unshare, { CLONE_FILES } },
};
enum { CALLS = sizeof calls / sizeof *calls };

static void *thread(void *argument)
{
    return argument;
}

#if defined(__x86_64__)
/* getpid by the 32-bit entry: the result, or a negative errno. */
static int old_entry(void)
{
    int result;
    __asm__ volatile("int $0x80" : "=a"(result) : "0"(20) : "memory", "r8", "r9", "r10", "r11");
    return result;
}
#endif

/* Tries all of the table and prints one errno a line; then what every program needs. */
INSIDE(try_calls)
{
    (void)argc;
    (void)argv;
    for (size_t i = 0; i < CALLS; i++) {
        const long *a = calls[i].arguments;
        long result = syscall(calls[i].number, a[0], a[1], a[2], a[3], 0L, 0L);
        int answer = result < 0 ? errno : 0;
        if (result == 0 && calls[i].number == SYS_clone)
            _exit(0);
        printf("%d\n", answer);
    }
    pthread_t other;
    int status = -1;
    void *back = NULL;
    bool made = pthread_create(&other, NULL, thread, &status) == 0 && pthread_join(other, &back) == 0;
    printf("thread %d\n", made && back == &status);
    fflush(stdout);
    pid_t child = fork();
    if (child == 0)
        execl("/bin/true", "true", (char *)NULL);
    printf("fork %d\n", child > 0 && waitpid(child, &status, 0) == child && status == 0);
#if defined(__x86_64__)
    printf("old entry %d\n", old_entry());
#endif
}

static int answers[CALLS];

/* The errno of each row, and the rest of the output. */
static void try_in_bottle(uint32_t without, enum principal principal, char *rest, size_t size)
{
    char output[8192], *next = output;
    struct bottle *bottle = start_without(without);
    put_self(bottle, "try_calls");
    char *const argv[] = { "/tmp/try_calls", NULL };
    cr_expect_eq(run_argv(bottle, principal, argv, output, sizeof output), 0, "%s", output);
    destroy(bottle);
    for (size_t i = 0; i < CALLS; i++)
        answers[i] = (int)strtol(next, &next, 10);
    snprintf(rest, size, "%s", next);
}

static void expect_filtered(uint32_t without, enum principal principal)
{
    char rest[256];
    try_in_bottle(without, principal, rest, sizeof rest);
    for (size_t i = 0; i < CALLS; i++) {
        int expected = calls[i].expected == ALLOWED ? 0 : calls[i].expected == ABSENT ? ENOSYS : EPERM;
        cr_expect_eq(answers[i], expected, "%s: %s", calls[i].name, strerror(answers[i]));
    }
    cr_expect_not_null(strstr(rest, "thread 1\nfork 1"), "%s", rest);
#if defined(__x86_64__)
    cr_expect_not_null(strstr(rest, "old entry -1"), "%s", rest);
#endif
}

Test(launcher_seccomp, the_user_gets_no_call_that_makes_a_way_out_and_every_ordinary_one)
{
    expect_filtered(0, PRINCIPAL_USER);
}

Test(launcher_seccomp, nor_does_root_of_the_bottle)
{
    expect_filtered(0, PRINCIPAL_ROOT);
}

Test(launcher_seccomp, the_filter_does_not_hang_on_no_new_privileges)
{
    expect_filtered(WITHOUT(FENCE_NO_NEW_PRIVILEGES), PRINCIPAL_USER);
    expect_filtered(WITHOUT(FENCE_NO_NEW_PRIVILEGES), PRINCIPAL_ROOT);
}

Test(launcher_seccomp, without_the_fence_the_kernel_itself_answers)
{
    char rest[256];
    try_in_bottle(WITHOUT(FENCE_SECCOMP), PRINCIPAL_USER, rest, sizeof rest);
    for (size_t i = 0; i < CALLS; i++) {
        bool filtered = answers[i] == EPERM;
        if (calls[i].expected == DENIED)
            cr_expect_not(filtered, "%s: EPERM without the filter too: this row proves nothing", calls[i].name);
        if (calls[i].expected == ABSENT)
            cr_expect_neq(answers[i], ENOSYS, "%s", calls[i].name);
    }
}
