/*
 * A small world for the real bottle-probe: endpoints on 127.0.0.1 and abstract Unix names with a behaviour
 * each, and one poll loop that serves them while the probe runs and its records are read. Nothing here
 * listens or sends anywhere but on loopback, and nothing waits by sleeping: the loop ends when the probe's
 * output does.
 */
#ifndef TESTS_UNIT_PROBES_WORLD_H
#define TESTS_UNIT_PROBES_WORLD_H

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../../probes/record_grammar.h"
#include "../../probes/sha256.h"

#define TOKEN       "00112233445566778899aabbccddeeff"
#define WORLD_MOST  8
#define GUESTS_MOST 128

enum behaviour {
    ANSWERS_TOKEN,
    ANSWERS_TOKEN_IN_TWO_PIECES,
    ANSWERS_BANNER, /* at once, before it has read anything */
    ANSWERS_DNS,
    HANGS_UP,
    STAYS_SILENT,
    IS_DOOR,
    IS_DOOR_THAT_ECHOES,
    IS_DOOR_THAT_SAYS_MORE,
    FOLLOWS_A_SCRIPT, /* its sayings in turn, one for each thing that it hears; then it is a door */
};

struct saying {
    const char *bytes;
    size_t size;
};

struct endpoint {
    enum behaviour behaviour;
    int fd;
    bool stream;
    uint16_t port;
    const struct saying *script; /* ends with one of no bytes */
    unsigned visits;             /* connections, or datagrams */
    char heard[8192];
    size_t heard_size;
};

struct guest {
    int fd, endpoint;
    bool answered, ended; /* ended: says no more, but is still to be told the rest */
    const char *rest;     /* still to be said */
    size_t turn;          /* of a script */
};

struct outcome {
    int status; /* exit status, or -1 for a signal */
    long milliseconds;
    char output[65536], complaint[1024];
    size_t output_size;
};

static struct endpoint world[WORLD_MOST];
static struct guest guests[GUESTS_MOST];
static size_t world_size, guest_count;
static struct probe_plan plan;
static struct outcome outcome;
static struct record_did done[PLAN_ATTEMPTS_MAX + 2];
static char *environment[2];          /* the probe's */
static struct endpoint *listens_late; /* bound, and listens when the probe has said the first try; or NULL */

static inline long milliseconds_now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

/* Opens an endpoint at 127.0.0.1 and a port of the kernel's choice, or, with a name, at an abstract Unix
 * name. */
static inline struct endpoint *world_add(enum behaviour behaviour, int type, const char *name)
{
    struct endpoint *endpoint = &world[world_size++];
    struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    struct sockaddr_un un = { .sun_family = AF_UNIX };
    socklen_t size = sizeof in;
    *endpoint = (struct endpoint){ .behaviour = behaviour, .stream = type == SOCK_STREAM };
    endpoint->fd = socket(name != NULL ? AF_UNIX : AF_INET, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (name != NULL) {
        memcpy(un.sun_path + 1, name, strlen(name));
        size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(name));
        cr_assert_eq(bind(endpoint->fd, (struct sockaddr *)&un, size), 0, "%s", strerror(errno));
    } else {
        cr_assert_eq(bind(endpoint->fd, (struct sockaddr *)&in, size), 0, "%s", strerror(errno));
        getsockname(endpoint->fd, (struct sockaddr *)&in, &size);
        endpoint->port = ntohs(in.sin_port);
    }
    if (endpoint->stream)
        cr_assert_eq(listen(endpoint->fd, GUESTS_MOST), 0);
    return endpoint;
}

static inline void hear(struct endpoint *endpoint, const char *data, size_t size)
{
    cr_assert_lt(endpoint->heard_size + size, sizeof endpoint->heard);
    memcpy(endpoint->heard + endpoint->heard_size, data, size);
    endpoint->heard_size += size;
}

/* Writes the answer to a request; returns its size, 0 for none. */
static inline size_t answer_to(enum behaviour behaviour, const char *data, size_t size, char answer[1024])
{
    struct sha256 hash;
    char digest[65];
    switch (behaviour) {
    case ANSWERS_TOKEN:
    case ANSWERS_TOKEN_IN_TWO_PIECES:
        return (size_t)sprintf(answer, "BGW1 %s\n", TOKEN);
    case ANSWERS_DNS: {
        /* Not a whole answer of RFC 1035: the probe reads its id, the bit that says answer, and the token. */
        memcpy(answer, data, size);
        size_t prefix = (uint8_t)data[0] == 0 && (size_t)(uint8_t)data[1] + 2 == size ? 2 : 0;
        answer[prefix + 2] = (char)(answer[prefix + 2] | 0x80);
        size += (size_t)sprintf(answer + size, "BGW1 %s", TOKEN);
        if (prefix != 0)
            answer[1] = (char)(size - 2);
        return size;
    }
    case IS_DOOR:
    case IS_DOOR_THAT_SAYS_MORE:
    case FOLLOWS_A_SCRIPT:
        sha256_start(&hash);
        sha256_add(&hash, data, size);
        sha256_end_hex(&hash, digest);
        return (size_t)sprintf(answer, "BGD1 %s\n%s", digest, behaviour == IS_DOOR_THAT_SAYS_MORE ? "more\n" : "");
    case IS_DOOR_THAT_ECHOES:
        memcpy(answer, data, size);
        return size;
    default:
        return 0;
    }
}

static inline void serve_datagram(struct endpoint *endpoint)
{
    char data[2048], answer[1024];
    struct sockaddr_storage from;
    socklen_t from_size = sizeof from;
    ssize_t size = recvfrom(endpoint->fd, data, sizeof data, 0, (struct sockaddr *)&from, &from_size);
    if (size <= 0)
        return;
    endpoint->visits++;
    hear(endpoint, data, (size_t)size);
    size_t length = answer_to(endpoint->behaviour, data, (size_t)size, answer);
    if (length > 0)
        sendto(endpoint->fd, answer, length, 0, (struct sockaddr *)&from, from_size);
}

static inline void serve_listener(size_t which)
{
    int fd = accept4(world[which].fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0)
        return;
    cr_assert_lt(guest_count, GUESTS_MOST);
    world[which].visits++;
    if (world[which].behaviour == ANSWERS_BANNER)
        send(fd, "SSH-2.0-nobody\r\n", 16, MSG_NOSIGNAL);
    guests[guest_count++] = (struct guest){ .fd = fd, .endpoint = (int)which };
}

static inline void serve_guest(struct guest *guest)
{
    char data[2048], answer[1024];
    struct endpoint *endpoint = &world[guest->endpoint];
    ssize_t size = recv(guest->fd, data, sizeof data, 0);
    guest->ended = size == 0 && guest->rest != NULL;
    if (guest->ended)
        return;
    if (size <= 0 || endpoint->behaviour == HANGS_UP) {
        if (size > 0)
            hear(endpoint, data, (size_t)size);
        close(guest->fd);
        guest->fd = -1;
        return;
    }
    hear(endpoint, data, (size_t)size);
    const struct saying *saying = endpoint->behaviour == FOLLOWS_A_SCRIPT ? &endpoint->script[guest->turn] : NULL;
    if (saying != NULL && saying->size > 0) {
        send(guest->fd, saying->bytes, saying->size, MSG_NOSIGNAL);
        guest->turn++;
        return;
    }
    size_t length = guest->answered ? 0 : answer_to(endpoint->behaviour, data, (size_t)size, answer);
    guest->answered = true;
    if (endpoint->behaviour == ANSWERS_TOKEN_IN_TWO_PIECES) {
        /* The other piece is sent when the loop has nothing else to do. */
        length = strlen("BGW1 ") + 14;
        guest->rest = &(TOKEN "\n")[14];
    }
    if (length > 0)
        send(guest->fd, answer, length, MSG_NOSIGNAL);
}

/* The probe under test: $BOTTLE_PROBE, or bottle-probe in $BOTTLE_BUILD, or else beside this program. */
static inline const char *probe_path(void)
{
    static char path[PATH_MAX];
    const char *given = getenv("BOTTLE_PROBE"), *build = getenv("BOTTLE_BUILD");
    char self[PATH_MAX - sizeof "/bottle-probe"] = { 0 };
    if (readlink("/proc/self/exe", self, sizeof self - 1) > 0)
        *strrchr(self, '/') = '\0';
    if (given != NULL)
        snprintf(path, sizeof path, "%s", given);
    else
        snprintf(path, sizeof path, "%s/bottle-probe", build != NULL ? build : self);
    return path;
}

/* Without a probe some tests would wait for a word of it: said before Criterion begins. */
__attribute__((constructor)) static void require_probe(void)
{
    if (access(probe_path(), X_OK) == 0)
        return;
    fprintf(stderr, "no %s: build bottle-probe, or set BOTTLE_PROBE or BOTTLE_BUILD\n", probe_path());
    _exit(1);
}

/* Serves the world until the probe's output ends. */
static inline void serve_until_quiet(int output, int complaint)
{
    static struct pollfd waits[2 + WORLD_MOST + GUESTS_MOST];
    size_t complained = 0;
    for (;;) {
        size_t open_guests = guest_count;
        waits[0] = (struct pollfd){ .fd = output, .events = POLLIN };
        waits[1] = (struct pollfd){ .fd = complaint, .events = POLLIN };
        for (size_t i = 0; i < world_size; i++)
            waits[2 + i] = (struct pollfd){ .fd = world[i].fd, .events = POLLIN };
        for (size_t i = 0; i < open_guests; i++)
            waits[2 + world_size + i] = (struct pollfd){ .fd = guests[i].fd, .events = guests[i].ended ? 0 : POLLIN };
        bool unsaid = false;
        for (size_t i = 0; i < open_guests; i++)
            unsaid = unsaid || guests[i].rest != NULL;
        int ready = poll(waits, (nfds_t)(2 + world_size + open_guests), unsaid ? 20 : 20000);
        cr_assert(ready > 0 || unsaid, "the probe hangs");
        for (size_t i = 0; i < open_guests && ready == 0; i++) {
            if (guests[i].rest != NULL)
                send(guests[i].fd, guests[i].rest, strlen(guests[i].rest), MSG_NOSIGNAL);
            guests[i].rest = NULL;
        }
        for (size_t i = 0; i < world_size; i++)
            if (waits[2 + i].revents != 0)
                world[i].stream ? serve_listener(i) : serve_datagram(&world[i]);
        for (size_t i = 0; i < open_guests; i++)
            if (waits[2 + world_size + i].revents != 0)
                serve_guest(&guests[i]);
        if (waits[1].revents != 0) {
            ssize_t size = read(complaint, outcome.complaint + complained, sizeof outcome.complaint - 1 - complained);
            complained += size > 0 ? (size_t)size : 0;
        }
        if (waits[0].revents != 0) {
            ssize_t size =
                read(output, outcome.output + outcome.output_size, sizeof outcome.output - 1 - outcome.output_size);
            if (size <= 0)
                return;
            outcome.output_size += (size_t)size;
            if (listens_late != NULL && strstr(outcome.output, " try ") != NULL) {
                cr_assert_eq(listen(listens_late->fd, GUESTS_MOST), 0);
                listens_late = NULL;
            }
        }
    }
}

/* What else the child does before it becomes the probe; see probe_run. */
typedef void child_setup(void);

/* Starts the probe with the text on its standard input, serves the world while it runs, and fills `outcome`.
 */
static inline void probe_run_text(const char *text, size_t size, child_setup *setup)
{
    char name[] = "/tmp/bottle-plan-XXXXXX";
    int input = mkstemp(name), output[2], complaint[2], program = open(probe_path(), O_RDONLY | O_CLOEXEC);
    cr_assert(input >= 0 && program >= 0 && pipe2(output, O_CLOEXEC) == 0 && pipe2(complaint, O_CLOEXEC) == 0);
    unlink(name);
    cr_assert_eq(write(input, text, size), (ssize_t)size);
    lseek(input, 0, SEEK_SET);
    memset(&outcome, 0, sizeof outcome);
    long begun = milliseconds_now();
    pid_t child = fork();
    if (child == 0) {
        char *arguments[] = { "bottle-probe", "-", NULL };
        dup2(input, 0), dup2(output[1], 1), dup2(complaint[1], 2);
        if (setup != NULL)
            setup();
        fexecve(program, arguments, environment);
        _exit(127);
    }
    close(input), close(program), close(output[1]), close(complaint[1]);
    serve_until_quiet(output[0], complaint[0]);
    int status;
    cr_assert_eq(waitpid(child, &status, 0), child);
    outcome.milliseconds = milliseconds_now() - begun;
    outcome.status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    ssize_t late = read(complaint[0], outcome.complaint + strlen(outcome.complaint),
                        sizeof outcome.complaint - 1 - strlen(outcome.complaint));
    (void)late;
    close(output[0]), close(complaint[0]);
}

#endif
