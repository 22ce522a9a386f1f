/*
 * Vsock attempts, and the guard that keeps them away from any hypervisor. The real probe runs under a seccomp filter
 * that asks the test before each system call on which the guard rests: the test plays the kernel, sees the addresses,
 * and lets no connect through, whatever the probe does. Only where the loopback transport is loaded is anything really
 * sent; with BOTTLE_VSOCK=yes in the environment it must be, with no it must not (tests/vsock_in_a_guest).
 */
#include "probes_trial.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <linux/vm_sockets.h>

#define PORT 77123u

struct asked {
    unsigned sockets, binds, connects;
    struct sockaddr_vm bound, connected;
};

/* What the test answers; `real` leaves socket and bind to the kernel. */
static struct {
    bool real;
    int socket_error, bind_error;
} script;
static struct asked asked;
static int notifier_channel[2];

static void send_descriptor(int channel, int fd)
{
    _Alignas(struct cmsghdr) char room[CMSG_SPACE(sizeof fd)] = "";
    struct iovec piece = { "", 1 };
    struct msghdr message = { .msg_iov = &piece, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof room };
    *CMSG_FIRSTHDR(&message) =
        (struct cmsghdr){ .cmsg_len = CMSG_LEN(sizeof fd), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS };
    memcpy(CMSG_DATA(CMSG_FIRSTHDR(&message)), &fd, sizeof fd);
    if (sendmsg(channel, &message, 0) != 1)
        _exit(126);
}

static int receive_descriptor(int channel)
{
    _Alignas(struct cmsghdr) char room[CMSG_SPACE(sizeof(int))];
    char byte;
    int fd = -1;
    struct iovec piece = { &byte, 1 };
    struct msghdr message = { .msg_iov = &piece, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof room };
    if (recvmsg(channel, &message, MSG_CMSG_CLOEXEC) == 1 && CMSG_FIRSTHDR(&message) != NULL)
        memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof fd);
    return fd;
}

/* In the child, before it becomes the probe: socket, bind and connect are asked for. */
static void watch_calls(void)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_socket, 2, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_bind, 1, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_connect, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = { sizeof code / sizeof *code, code };
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        _exit(126);
    long notifier = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program);
    if (notifier < 0)
        _exit(126);
    send_descriptor(notifier_channel[1], (int)notifier);
}

static void read_address(const struct seccomp_notif *call, struct sockaddr_vm *address)
{
    struct iovec here = { address, sizeof *address },
                 there = { (void *)(uintptr_t)call->data.args[1], sizeof *address };
    memset(address, 0, sizeof *address);
    (void)!process_vm_readv((pid_t)call->pid, &here, 1, &there, 1, 0);
}

/* Gives the caller a socket that leads nowhere in place of the one that it asked for. */
static void give_socket(int notifier, uint64_t id)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    struct seccomp_notif_addfd gift = {
        .id = id, .flags = SECCOMP_ADDFD_FLAG_SEND, .srcfd = (uint32_t)fd, .newfd_flags = O_CLOEXEC
    };
    ioctl(notifier, SECCOMP_IOCTL_NOTIF_ADDFD, &gift);
    close(fd);
}

static void answer_call(int notifier)
{
    struct seccomp_notif call = { 0 };
    if (ioctl(notifier, SECCOMP_IOCTL_NOTIF_RECV, &call) != 0)
        return;
    struct seccomp_notif_resp answer = { .id = call.id };
    if (call.data.nr == SYS_connect) {
        asked.connects++;
        read_address(&call, &asked.connected);
        answer.error = -ECONNREFUSED;
    } else if (call.data.nr == SYS_bind) {
        asked.binds++;
        read_address(&call, &asked.bound);
        answer.error = -script.bind_error;
    } else {
        asked.sockets += call.data.args[0] == AF_VSOCK;
        answer.error = -script.socket_error;
        if (!script.real && script.socket_error == 0) {
            give_socket(notifier, call.id);
            return;
        }
    }
    if (script.real && call.data.nr != SYS_connect)
        answer.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
    ioctl(notifier, SECCOMP_IOCTL_NOTIF_SEND, &answer);
}

static void *play_kernel(void *unused)
{
    int notifier = receive_descriptor(notifier_channel[0]);
    struct pollfd wait = { .fd = notifier, .events = POLLIN };
    while (notifier >= 0 && poll(&wait, 1, 20000) > 0 && (wait.revents & POLLHUP) == 0)
        answer_call(notifier);
    close(notifier);
    return unused;
}

/* One vsock attempt of the real probe, with its system calls watched. */
static uint16_t run_watched(void)
{
    pthread_t kernel;
    char address[64];
    memset(&asked, 0, sizeof asked);
    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, notifier_channel), 0);
    cr_assert_eq(pthread_create(&kernel, NULL, play_kernel, NULL), 0);
    snprintf(address, sizeof address, "@vsock:1:%u", PORT);
    plan_begin(3000, NULL);
    uint16_t seq = plan_add(MECHANISM_VSOCK, address, 0);
    run(watch_calls);
    close(notifier_channel[1]);
    pthread_join(kernel, NULL);
    close(notifier_channel[0]);
    return seq;
}

static const struct refusal {
    int socket_error, bind_error;
    const char *error;
} refusals[] = {
    { EAFNOSUPPORT, 0, "EAFNOSUPPORT" },
    { 0, EADDRNOTAVAIL, "EADDRNOTAVAIL" },
    { 0, EPERM, "EPERM" },
    { 0, EACCES, "EACCES" },
};

Test(probe_vsock, never_connects_unless_context_1_could_be_bound_to)
{
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        script.socket_error = refusals[i].socket_error;
        script.bind_error = refusals[i].bind_error;
        uint16_t seq = run_watched();
        expect(seq, STAGE_SOCKET, refusals[i].error, "");
        cr_expect_eq(asked.sockets, 1, "%s", refusals[i].error);
        cr_expect_eq(asked.binds, refusals[i].socket_error == 0, "%s", refusals[i].error);
        cr_expect_eq(asked.connects, 0, "%s", refusals[i].error);
    }
}

Test(probe_vsock, connects_to_context_1_only)
{
    uint16_t seq = run_watched();
    expect(seq, STAGE_CONNECT, "ECONNREFUSED", "");
    cr_expect_eq(asked.binds, 3); /* a refusal is asked again */
    cr_expect_eq(asked.bound.svm_family, AF_VSOCK);
    cr_expect_eq(asked.bound.svm_cid, VMADDR_CID_LOCAL);
    cr_expect_eq(asked.bound.svm_port, VMADDR_PORT_ANY);
    cr_expect_eq(asked.connects, 3);
    cr_expect_eq(asked.connected.svm_family, AF_VSOCK);
    cr_expect_eq(asked.connected.svm_cid, VMADDR_CID_LOCAL);
    cr_expect_eq(asked.connected.svm_port, PORT);
}

/* A listener on context 1, or -1 and errno where this kernel has none. */
static int listen_on_loopback(uint32_t *port)
{
    struct sockaddr_vm address = { .svm_family = AF_VSOCK, .svm_cid = VMADDR_CID_LOCAL, .svm_port = VMADDR_PORT_ANY };
    socklen_t size = sizeof address;
    int fd = socket(AF_VSOCK, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) != 0)
        return -1;
    cr_assert_eq(listen(fd, 8), 0);
    cr_assert_eq(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    *port = address.svm_port;
    return fd;
}

Test(probe_vsock, delivers_its_nonce_where_this_kernel_has_the_loopback_transport_and_is_refused_elsewhere)
{
    uint32_t port;
    int listener = listen_on_loopback(&port);
    const char *must = getenv("BOTTLE_VSOCK");
    cr_assert(must == NULL || (strcmp(must, "yes") == 0) == (listener >= 0), "vsock: %s", strerror(errno));
    if (listener < 0) {
        const char *expected = errno == EAFNOSUPPORT ? "EAFNOSUPPORT" : errno == EADDRNOTAVAIL ? "EADDRNOTAVAIL" : NULL;
        script.real = true;
        uint16_t seq = run_watched();
        cr_expect_eq(done[seq].stage, STAGE_SOCKET);
        if (expected != NULL)
            cr_expect_str_eq(done[seq].error, expected);
        cr_expect_eq(asked.sockets, 1);
        cr_expect_eq(asked.connects, 0);
        return;
    }
    struct endpoint *endpoint = &world[world_size++];
    *endpoint = (struct endpoint){ .behaviour = ANSWERS_TOKEN, .stream = true, .fd = listener };
    char address[64];
    snprintf(address, sizeof address, "@vsock:1:%u", port);
    plan_begin(3000, NULL);
    uint16_t seq = plan_add(MECHANISM_VSOCK, address, 0);
    run(NULL);
    expect(seq, STAGE_ANSWERED, "", TOKEN);
    cr_expect(heard_nonce(endpoint, seq));
    cr_expect_eq(endpoint->visits, 1);
}
