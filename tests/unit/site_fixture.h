/*
 * What the tests of the site share: a body of test code runs in a forked child with namespaces of its own, by
 * root and by ordinary users alike, and complains through a pipe. The witnesses are stood in for by plain
 * sockets. Every address in these tests exists only inside the private namespaces.
 */
#ifndef TESTS_UNIT_SITE_FIXTURE_H
#define TESTS_UNIT_SITE_FIXTURE_H

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../gates/site/site.h"
#include "../../gates/witness/witness.h"
#include "../../launcher/support/process.h"

/* In the child: where complaints go, and the site. */
static int complaints;
__attribute__((unused)) static struct site site;

__attribute__((format(printf, 1, 2))) static inline _Noreturn void complain(const char *format, ...)
{
    char text[800];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    (void)write_all(complaints, text, strlen(text));
    _exit(1);
}

#define REQUIRE(condition, ...)                                                                                        \
    do {                                                                                                               \
        if (!(condition))                                                                                              \
            complain(__VA_ARGS__);                                                                                     \
    } while (0)

static inline bool enter_namespaces(void)
{
    char uids[32], gids[32];
    snprintf(uids, sizeof uids, "0 %u 1", geteuid());
    snprintf(gids, sizeof gids, "0 %u 1", getegid());
    return unshare(CLONE_NEWUSER | CLONE_NEWNET | CLONE_NEWNS) == 0 &&
           file_write("/proc/self/setgroups", "deny", NULL) && file_write("/proc/self/uid_map", uids, NULL) &&
           file_write("/proc/self/gid_map", gids, NULL);
}

/* Runs `body` in a child with fresh namespaces. Without namespaces on this host the test is skipped, or fails
 * where it must work. */
static inline void run_in_namespaces(void (*body)(void))
{
    int pipe_ends[2];
    cr_assert(pipe(pipe_ends) == 0);
    pid_t pid = fork();
    cr_assert(pid >= 0);
    if (pid == 0) {
        close(pipe_ends[0]);
        complaints = pipe_ends[1];
        if (!enter_namespaces())
            _exit(77);
        body();
        _exit(0);
    }
    close(pipe_ends[1]);
    char text[1024] = "";
    (void)read_all(pipe_ends[0], text, sizeof text - 1);
    close(pipe_ends[0]);
    int status = 0;
    cr_assert(waitpid(pid, &status, 0) == pid);
    if (process_exit_status(status) == 77 && getenv("MUST_WORK") == NULL)
        cr_skip_test("this host gives no user namespaces");
    cr_assert_eq(process_exit_status(status), 0, "status %d: %s", process_exit_status(status), text);
}

static void (*site_body)(void);

static inline void open_site_and_run(void)
{
    struct error error = { 0 };
    REQUIRE(site_open(&site, &error), "site_open: %s", error.text);
    site_body();
    site_close(&site);
}

static inline void run_in_site(void (*body)(void))
{
    site_body = body;
    run_in_namespaces(open_site_and_run);
}

/* An address with a port, of either family. */
struct endpoint {
    struct sockaddr_storage address;
    socklen_t size;
};

static inline struct endpoint endpoint(const char *text, uint16_t port)
{
    struct endpoint made = { 0 };
    struct sockaddr_in *four = (struct sockaddr_in *)&made.address;
    struct sockaddr_in6 *six = (struct sockaddr_in6 *)&made.address;
    if (strchr(text, ':') == NULL) {
        made.size = sizeof *four;
        *four = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons(port) };
        REQUIRE(inet_pton(AF_INET, text, &four->sin_addr) == 1, "bad literal %s", text);
    } else {
        made.size = sizeof *six;
        *six = (struct sockaddr_in6){ .sin6_family = AF_INET6, .sin6_port = htons(port) };
        REQUIRE(inet_pton(AF_INET6, text, &six->sin6_addr) == 1, "bad literal %s", text);
    }
    return made;
}

static inline bool same_endpoint(const struct endpoint *one, const struct sockaddr_storage *other)
{
    const struct sockaddr_in *four = (const struct sockaddr_in *)&one->address, *four2 = (const void *)other;
    const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)&one->address, *six2 = (const void *)other;
    if (one->address.ss_family != other->ss_family)
        return false;
    if (other->ss_family == AF_INET)
        return four->sin_port == four2->sin_port && four->sin_addr.s_addr == four2->sin_addr.s_addr;
    return six->sin6_port == six2->sin6_port && memcmp(&six->sin6_addr, &six2->sin6_addr, 16) == 0;
}

/* A socket whose calls end after two seconds at the latest. */
static inline int bounded_socket(int family, int type, int protocol)
{
    int made = socket(family, type | SOCK_CLOEXEC, protocol);
    struct timeval bound = { .tv_sec = 2 };
    REQUIRE(made >= 0, "socket(%d, %d, %d): %s", family, type, protocol, strerror(errno));
    setsockopt(made, SOL_SOCKET, SO_RCVTIMEO, &bound, sizeof bound);
    setsockopt(made, SOL_SOCKET, SO_SNDTIMEO, &bound, sizeof bound);
    return made;
}

static inline void go_to(int namespace)
{
    REQUIRE(setns(namespace, CLONE_NEWNET) == 0, "setns: %s", strerror(errno));
}

static inline int bound_socket(int type, const char *address, uint16_t port, bool transparent)
{
    struct endpoint here = endpoint(address, port);
    int family = here.address.ss_family, one = 1;
    int made = bounded_socket(family, type, 0);
    if (family == AF_INET6)
        setsockopt(made, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one);
    if (transparent)
        REQUIRE(setsockopt(made, family == AF_INET ? SOL_IP : SOL_IPV6, family == AF_INET ? IP_TRANSPARENT : 75, &one,
                           sizeof one) == 0,
                "transparent: %s", strerror(errno));
    REQUIRE(bind(made, (struct sockaddr *)&here.address, here.size) == 0, "bind %s:%u: %s", address, port,
            strerror(errno));
    if (type == SOCK_STREAM)
        REQUIRE(listen(made, 16) == 0, "listen: %s", strerror(errno));
    return made;
}

/* A socket of the world, from whatever namespace; back in the host namespace. */
static inline int world_socket(int type, const char *address, uint16_t port)
{
    go_to(site.world_namespace);
    int made = bound_socket(type, address, port, false);
    go_to(site.host_namespace);
    return made;
}

static inline int connect_from(const char *source, const char *destination, uint16_t port)
{
    struct endpoint there = endpoint(destination, port);
    int made = bounded_socket(there.address.ss_family, SOCK_STREAM, 0);
    if (source != NULL) {
        struct endpoint here = endpoint(source, 0);
        REQUIRE(bind(made, (struct sockaddr *)&here.address, here.size) == 0, "bind %s: %s", source, strerror(errno));
    }
    REQUIRE(connect(made, (struct sockaddr *)&there.address, there.size) == 0, "connect %s:%u: %s", destination, port,
            strerror(errno));
    return made;
}

static inline int connect_errno(const char *destination, uint16_t port)
{
    struct endpoint there = endpoint(destination, port);
    int made = bounded_socket(there.address.ss_family, SOCK_STREAM, 0);
    int failed = connect(made, (struct sockaddr *)&there.address, there.size) == 0 ? 0 : errno;
    close(made);
    return failed;
}

/* Accepts and checks that bytes go both ways. Returns the accepted socket. */
static inline int accept_and_talk(int listener, int client, struct sockaddr_storage *peer, const char *what)
{
    char byte = 0;
    socklen_t size = sizeof *peer;
    int accepted = accept4(listener, (struct sockaddr *)peer, &size, SOCK_CLOEXEC);
    REQUIRE(accepted >= 0, "%s was not accepted: %s", what, strerror(errno));
    REQUIRE(send(client, "?", 1, 0) == 1 && recv(accepted, &byte, 1, 0) == 1 && byte == '?', "%s: no way in", what);
    REQUIRE(send(accepted, "!", 1, 0) == 1 && recv(client, &byte, 1, 0) == 1 && byte == '!', "%s: no answer", what);
    return accepted;
}

static inline void clean(void)
{
    char text[160];
    REQUIRE(site_lossless(&site, text), "lossless: %s", text);
}

/* What a link below /proc/self/ns leads to. */
static inline ino_t namespace_of(const char *path)
{
    struct stat found;
    return stat(path, &found) == 0 ? found.st_ino : 0;
}

#endif
