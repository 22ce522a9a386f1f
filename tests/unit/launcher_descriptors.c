/*
 * What the caller has open, and what it has by path: each reaches a command exactly where its fence is left out. The gate
 * proves these fences with a planted socket; so a socket is planted here.
 */
#include "launcher_bottle.h"

#include <dirent.h>
#include <errno.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "../../launcher/namespaces.h"

enum { PLANTED = 77 };

/* A socket pair whose one end is inheritable, at PLANTED; returns the other. */
static int plant_socket(void)
{
    int ends[2];
    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    cr_assert_eq(dup2(ends[1], PLANTED), PLANTED); /* not closed on exec */
    close(ends[1]);
    return ends[0];
}

/* True if a command of `bottle` wrote to the planted socket. The caller's own end of it is closed. */
static bool reaches(struct bottle *bottle, enum principal principal, int ours)
{
    char output[256], byte;
    run_shell(bottle, principal, "exec /bin/bash -c 'echo -n x >&77' 2>/dev/null", output, sizeof output);
    return recv(ours, &byte, 1, MSG_DONTWAIT) == 1 && byte == 'x';
}

Test(launcher_descriptors, an_inheritable_one_of_the_caller_gets_in_exactly_without_the_fence)
{
    const uint32_t all = backend_all_fences(&native_backend);
    const struct {
        uint32_t without;
        bool reached;
    } rows[] = {
        { 0, false }, { WITHOUT(FENCE_DESCRIPTORS), true }, { all & ~WITHOUT(FENCE_DESCRIPTORS), false }, { all, true }
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (enum principal principal = 0; principal < PRINCIPALS; principal++) {
            if (geteuid() != 0 && principal == PRINCIPAL_ROOT && (rows[i].without & WITHOUT(FENCE_USER)) != 0)
                continue;
            int ours = plant_socket();
            struct bottle *bottle = start_without(rows[i].without);
            cr_expect_eq(reaches(bottle, principal, ours), rows[i].reached, "without %#x, %s", rows[i].without,
                         principal_name(principal));
            destroy(bottle);
            close(ours);
            close(PLANTED);
        }
}

Test(launcher_descriptors, one_that_is_closed_on_exec_gets_in_never)
{
    int ours = plant_socket();
    cr_assert_eq(fcntl(PLANTED, F_SETFD, FD_CLOEXEC), 0);
    struct bottle *bottle = start_without(WITHOUT(FENCE_DESCRIPTORS));
    cr_expect_not(reaches(bottle, PRINCIPAL_USER, ours));
    destroy(bottle);
    close(ours);
}

/* Without the fence commands are to have it, but PID 1 is no command: what it held would be kept open. */
Test(launcher_descriptors, init_holds_none_of_them_whatever_fence_is_left_out)
{
    const uint32_t rows[] = { 0, WITHOUT(FENCE_DESCRIPTORS) };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char byte;
        int ours = plant_socket();
        struct bottle *bottle = start_without(rows[i]);
        close(PLANTED);
        /* End of file: nobody but this process had the other end. */
        cr_expect_eq(recv(ours, &byte, 1, MSG_DONTWAIT), 0, "without %#x", rows[i]);
        destroy(bottle);
        close(ours);
    }
}

/* dial PATH: prints what connect says. Its name is its own, because without the mount fence /tmp is everybody's. */
__attribute__((constructor)) static void dial_inside(int argc, char **argv)
{
    if (argc != 2 || strncmp(argv[0], "/tmp/unix-dial-", 15) != 0)
        return;
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    snprintf(address.sun_path, sizeof address.sun_path, "%s", argv[1]);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    printf("%s", connect(fd, (struct sockaddr *)&address, sizeof address) == 0 ? "connected" : strerror(errno));
    fflush(stdout);
    _exit(0);
}

/* In a world with a /run of its own, as the gate's site has one: 0 if both principals reach the socket exactly where the
 * mount fence is left out. */
static int dial_from_bottles(void)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = "/run/control.sock" };
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), wrong = 0;
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 || mount("run", "/run", "tmpfs", 0, "mode=0755") != 0 ||
        bind(listener, (struct sockaddr *)&address, sizeof address) != 0 || chmod(address.sun_path, 0666) != 0 ||
        listen(listener, 16) != 0)
        return 8;
    const uint32_t rows[] = { 0, WITHOUT(FENCE_MOUNT), backend_all_fences(&native_backend) };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char name[40], path[64], output[256];
        struct bottle *bottle = start_without(rows[i]);
        snprintf(name, sizeof name, "unix-dial-%lu", (unsigned long)clock_microseconds());
        snprintf(path, sizeof path, "/tmp/%s", name);
        put_self(bottle, name);
        for (enum principal principal = 0; principal < PRINCIPALS; principal++) {
            char *const argv[] = { path, address.sun_path, NULL };
            run_argv(bottle, principal, argv, output, sizeof output);
            bool reached = strstr(output, "connected") != NULL;
            if (reached != (rows[i] != 0)) {
                fprintf(stderr, "without %#x, %s: %s\n", rows[i], principal_name(principal), output);
                wrong = 1;
            }
        }
        destroy(bottle);
    }
    return wrong;
}

Test(launcher_descriptors, without_the_mount_fence_alone_the_sockets_in_the_callers_run_are_reached_and_with_it_not)
{
    struct error error = { 0 };
    int go[2], status = -1;
    cr_assert_eq(pipe(go), 0);
    pid_t site = namespaces_fork(CLONE_NEWUSER | CLONE_NEWNET | CLONE_NEWNS, &error);
    if (site == 0) {
        char byte;
        if (read(go[0], &byte, 1) != 1 || setresgid(0, 0, 0) != 0 || setresuid(0, 0, 0) != 0)
            _exit(9);
        _exit(dial_from_bottles());
    }
    cr_assert(site > 0 && namespaces_map_ids(site, 0, &error), "%s", error.text);
    cr_assert_eq(write(go[1], "1", 1), 1);
    cr_assert(process_wait(site, clock_microseconds() + BOUND, &status));
    cr_expect_eq(process_exit_status(status), 0);
}
