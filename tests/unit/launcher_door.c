/* The door: the one way out, both ways, and no other. */
#include "launcher_bottle.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>

#include "../../launcher/door_relay.h"

static int connect_to(const char *host, uint16_t port)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(port) };
    inet_pton(AF_INET, host, &address.sin_addr);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) == 0)
        return fd;
    close(fd);
    return -1;
}

/* dial HOST PORT BYTES: sends so many bytes, ends its side, and prints what comes back; or dial HOST PORT: prints errno. */
INSIDE(dial)
{
    char answer[64];
    int fd = connect_to(argv[1], (uint16_t)atoi(argv[2]));
    if (fd < 0 || argc < 4) {
        printf("%s", fd < 0 ? strerror(errno) : "connected");
        return;
    }
    for (long left = atol(argv[3]); left > 0; left--)
        if (!write_all(fd, "x", 1))
            printf("send: %s\n", strerror(errno));
    shutdown(fd, SHUT_WR);
    ssize_t got = read_all(fd, answer, sizeof answer - 1);
    answer[got > 0 ? got : 0] = '\0';
    printf("%s\n", got > 0 ? answer : got == 0 ? "nothing" : strerror(errno));
}

static int listen_here(uint16_t *port)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert_eq(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    cr_assert_eq(listen(fd, 128), 0);
    cr_assert_eq(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    *port = ntohs(address.sin_port);
    return fd;
}

/* A sidecar: counts what each connection sends until its end of file, then tells. One child, ended by its lifeline. */
static pid_t serve(int listener)
{
    pid_t pid = fork();
    if (pid != 0)
        return pid;
    process_die_with_parent(-1);
    for (;;) {
        int fd = accept(listener, NULL, NULL);
        char bytes[65536], answer[64];
        long count = 0;
        for (ssize_t got; (got = read(fd, bytes, sizeof bytes)) > 0;)
            count += got;
        snprintf(answer, sizeof answer, "got %ld", count);
        write_all(fd, answer, strlen(answer));
        close(fd);
    }
}

struct world {
    struct bottle *bottle;
    pid_t server;
    int door, other;
    uint16_t door_port, other_port;
};

static struct world open_world(uint32_t without)
{
    struct world world = { 0 };
    world.door = listen_here(&world.door_port);
    world.other = listen_here(&world.other_port);
    world.server = serve(world.door);
    struct bottle_options options = { .without = without,
                                      .system_directories = true,
                                      .door = { .wanted = true, .host = "127.0.0.1", .port = world.door_port } };
    world.bottle = start_with(options);
    put_self(world.bottle, "dial");
    return world;
}

static void close_world(struct world *world)
{
    destroy(world->bottle);
    process_kill(world->server);
    close(world->door);
    close(world->other);
}

static void dial(const struct world *world, enum principal principal, const char *host, unsigned port,
                 const char *bytes, char *output, size_t size)
{
    char number[16];
    snprintf(number, sizeof number, "%u", port);
    char *const argv[] = { "/tmp/dial", (char *)host, number, (char *)bytes, NULL };
    cr_expect_eq(run_argv(world->bottle, principal, argv, output, size), 0);
    output[strcspn(output, "\n")] = '\0';
}

Test(launcher_door, bytes_go_both_ways_and_a_half_closed_connection_is_answered)
{
    struct world world = open_world(0);
    char host[64], output[256];
    uint16_t port;
    struct error error = { 0 };
    cr_assert(native_backend.door_address(world.bottle, host, &port, &error));
    for (enum principal principal = 0; principal < PRINCIPALS; principal++) {
        dial(&world, principal, host, port, "7", output, sizeof output);
        cr_expect_str_eq(output, "got 7");
        dial(&world, principal, host, port, "200000", output, sizeof output);
        cr_expect_str_eq(output, "got 200000");
    }
    close_world(&world);
}

Test(launcher_door, the_relay_lives_on_after_more_connections_than_it_holds_at_once)
{
    struct world world = open_world(0);
    char output[256], script[256];
    snprintf(script, sizeof script, "i=0; while [ $i -lt %d ]; do /tmp/dial 127.0.0.1 %d 1 & i=$((i+1)); done; wait",
             DOOR_RELAY_CONNECTIONS + 8, NATIVE_DOOR_PORT);
    char all[4096];
    cr_expect_eq(run_shell(world.bottle, PRINCIPAL_USER, script, all, sizeof all), 0);
    int answered = 0;
    for (const char *at = all; (at = strstr(at, "got 1")) != NULL; at++)
        answered++;
    cr_expect_eq(answered, DOOR_RELAY_CONNECTIONS + 8, "%d answered: %s", answered, all);
    dial(&world, PRINCIPAL_USER, NATIVE_DOOR_ADDRESS, NATIVE_DOOR_PORT, "3", output, sizeof output);
    cr_expect_str_eq(output, "got 3");
    close_world(&world);
}

Test(launcher_door, no_other_port_of_the_host_is_reached_by_any_principal)
{
    struct world world = open_world(0);
    char output[256];
    struct pollfd knocked = { .fd = world.other, .events = POLLIN };
    for (enum principal principal = 0; principal < PRINCIPALS; principal++) {
        dial(&world, principal, "127.0.0.1", world.other_port, NULL, output, sizeof output);
        cr_expect_str_eq(output, "Connection refused");
        /* The door's own address is reached by the relay only. */
        dial(&world, principal, "127.0.0.1", world.door_port, NULL, output, sizeof output);
        cr_expect_str_eq(output, "Connection refused");
        dial(&world, principal, "192.0.2.1", 80, NULL, output, sizeof output);
        cr_expect_str_eq(output, "Network is unreachable");
    }
    cr_expect_eq(poll(&knocked, 1, 0), 0);
    close_world(&world);
}

Test(launcher_door, without_the_network_fence_the_same_port_is_reached)
{
    struct world world = open_world(WITHOUT(FENCE_NETWORK));
    char output[256];
    dial(&world, PRINCIPAL_USER, "127.0.0.1", world.other_port, NULL, output, sizeof output);
    cr_expect_str_eq(output, "connected");
    dial(&world, PRINCIPAL_USER, NATIVE_DOOR_ADDRESS, NATIVE_DOOR_PORT, "5", output, sizeof output);
    cr_expect_str_eq(output, "got 5");
    close_world(&world);
}

Test(launcher_door, a_bottle_without_a_door_has_no_listener_and_no_relay)
{
    struct world world = open_world(0);
    struct bottle *doorless = start_without(0);
    char host[64], output[256];
    uint16_t port;
    cr_expect_not(native_backend.door_address(doorless, host, &port, NULL));
    cr_expect_eq(doorless->relay, 0);
    put_self(doorless, "dial");
    char *const argv[] = { "/tmp/dial", "127.0.0.1", "7702", NULL };
    run_argv(doorless, PRINCIPAL_USER, argv, output, sizeof output);
    cr_expect_str_eq(output, "Connection refused");
    destroy(doorless);
    close_world(&world);
}

Test(launcher_door, a_door_that_is_no_address_is_refused)
{
    char init[PATH_MAX];
    struct error error = { 0 };
    cr_assert(install_find("bottle-init", init, &error));
    struct bottle_options options = { .init_path = init, .door = { .wanted = true, .host = "example.org", .port = 1 } };
    cr_expect_null(native_backend.start(&options, &error));
    cr_expect_eq(error.code, ERROR_USAGE);
}

Test(launcher_door, the_relay_holds_two_descriptors_and_is_jailed)
{
    struct world world = open_world(0);
    char path[64], status[4096];
    snprintf(path, sizeof path, "/proc/%d/status", (int)world.bottle->relay);
    cr_assert(file_read(path, status, sizeof status));
    cr_expect_not_null(strstr(status, "Seccomp:\t2"));
    cr_expect_not_null(strstr(status, "NoNewPrivs:\t1"));
    if (geteuid() == 0) { /* an ordinary user may not look into a process that can't be dumped */
        snprintf(path, sizeof path, "ls /proc/%d/fd | tr '\\n' ' '", (int)world.bottle->relay);
        FILE *list = popen(path, "r");
        char text[64] = "";
        cr_assert_not_null(fgets(text, sizeof text, list));
        pclose(list);
        cr_expect_str_eq(text, "3 4 ");
    }
    close_world(&world);
}

Test(launcher_door, keys_pressed_for_the_caller_do_not_end_the_relay)
{
    static const int keys[] = { SIGINT, SIGQUIT, SIGTSTP, SIGHUP, SIGTERM };
    struct world world = open_world(0);
    char output[256];
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        cr_assert_eq(kill(world.bottle->relay, keys[i]), 0);
    dial(&world, PRINCIPAL_USER, NATIVE_DOOR_ADDRESS, NATIVE_DOOR_PORT, "2", output, sizeof output);
    cr_expect_str_eq(output, "got 2");
    close_world(&world);
}
