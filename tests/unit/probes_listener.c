/* The real bottle-probe as a listener: whatever reaches it must be found in what it says. */
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "probes_network.h"

#define PORT_TEXT 16

static struct {
    pid_t process;
    int output, complaint;
    char heard[8 << 20];
    size_t size;
} listener;

static void start_listener(char *const *arguments)
{
    int output[2], complaint[2];
    cr_assert(pipe2(output, O_CLOEXEC) == 0 && pipe2(complaint, O_CLOEXEC) == 0);
    const char *path = probe_path();
    listener.process = fork();
    if (listener.process == 0) {
        char *none[] = { NULL };
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* a test that fails leaves nothing behind */
        dup2(output[1], 1), dup2(complaint[1], 2);
        execve(path, arguments, none);
        _exit(127);
    }
    close(output[1]), close(complaint[1]);
    listener.output = output[0];
    listener.complaint = complaint[0];
    listener.size = 0;
}

/* One line of standard error; "" at its end. */
static const char *complaint(void)
{
    static char line[256];
    size_t size = 0;
    while (size < sizeof line - 1 && read(listener.complaint, line + size, 1) == 1)
        if (line[size++] == '\n')
            break;
    line[size] = '\0';
    return line;
}

static int exit_status(void)
{
    int status, process = (int)syscall(SYS_pidfd_open, listener.process, 0);
    struct pollfd wait = { .fd = process, .events = POLLIN };
    cr_assert_gt(poll(&wait, 1, 10000), 0, "the listener doesn't end");
    close(process);
    cr_assert_eq(waitpid(listener.process, &status, 0), listener.process);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static bool found(const void *bytes, size_t size)
{
    return memmem(listener.heard, listener.size, bytes, size) != NULL;
}

/* Reads the listener's output until it holds these bytes. */
static void expect_heard(const void *bytes, size_t size, const char *what)
{
    struct pollfd wait = { .fd = listener.output, .events = POLLIN };
    while (!found(bytes, size)) {
        cr_assert_gt(poll(&wait, 1, 10000), 0, "%s was not heard", what);
        ssize_t more = read(listener.output, listener.heard + listener.size, sizeof listener.heard - listener.size);
        cr_assert_gt(more, 0, "%s was not heard before the end", what);
        listener.size += (size_t)more;
    }
}

/* A port that nobody has in this network. */
static uint16_t free_port(int type)
{
    struct sockaddr_in address = { .sin_family = AF_INET };
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
    cr_assert(bind(fd, (struct sockaddr *)&address, size) == 0 &&
              getsockname(fd, (struct sockaddr *)&address, &size) == 0);
    close(fd);
    return ntohs(address.sin_port);
}

static int call(int family, int type, uint16_t port, const char *name)
{
    struct sockaddr_in in = { .sin_family = AF_INET,
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                              .sin_port = htons(port) };
    struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT, .sin6_port = htons(port) };
    struct sockaddr_un un = { .sun_family = AF_UNIX };
    int fd = socket(family, type | SOCK_CLOEXEC, 0), result;
    if (family == AF_UNIX) {
        memcpy(un.sun_path + 1, name, strlen(name));
        result =
            connect(fd, (struct sockaddr *)&un, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(name)));
    } else if (family == AF_INET) {
        result = connect(fd, (struct sockaddr *)&in, sizeof in);
    } else {
        result = connect(fd, (struct sockaddr *)&in6, sizeof in6);
    }
    cr_assert_eq(result, 0, "%s", strerror(errno));
    return fd;
}

static void nonce_of(unsigned sender, uint8_t nonce[NONCE_BYTES])
{
    struct sha256 hash;
    uint8_t digest[32];
    sha256_start(&hash);
    sha256_add(&hash, &sender, sizeof sender);
    sha256_end(&hash, digest);
    memcpy(nonce, digest, NONCE_BYTES);
}

static char tcp_spec[PORT_TEXT], udp_spec[PORT_TEXT], name_spec[64];
static const char *name;
static uint16_t tcp_port, udp_port;

static void listen_everywhere(void)
{
    enter_network_with_loopback();
    tcp_port = free_port(SOCK_STREAM);
    udp_port = free_port(SOCK_DGRAM);
    snprintf(tcp_spec, sizeof tcp_spec, "tcp:%u", tcp_port);
    snprintf(udp_spec, sizeof udp_spec, "udp:%u", udp_port);
    snprintf(name_spec, sizeof name_spec, "abstract:bottle-test-%d", (int)getpid());
    name = name_spec + strlen("abstract:");
    start_listener((char *[]){ "bottle-probe", "--listen", tcp_spec, udp_spec, name_spec, NULL });
    cr_assert_str_eq(complaint(), "ready\n");
}

static void stop_listener(void)
{
    close(listener.output);
    cr_expect_eq(exit_status(), 0, "it ends when nobody reads it any more");
    cr_expect_str_empty(complaint());
}

Test(listener, repeats_what_comes_by_every_way_and_both_families, .init = listen_everywhere, .fini = stop_listener)
{
    const struct {
        int family, type;
        uint16_t port;
    } ways[] = { { AF_INET, SOCK_STREAM, tcp_port },
                 { AF_INET6, SOCK_STREAM, tcp_port },
                 { AF_INET, SOCK_DGRAM, udp_port },
                 { AF_INET6, SOCK_DGRAM, udp_port },
                 { AF_UNIX, SOCK_STREAM, 0 } };
    for (unsigned i = 0; i < sizeof ways / sizeof *ways; i++) {
        uint8_t nonce[NONCE_BYTES];
        char text[32];
        nonce_of(i, nonce);
        int fd = call(ways[i].family, ways[i].type, ways[i].port, name);
        cr_assert_eq(send(fd, nonce, sizeof nonce, MSG_NOSIGNAL), sizeof nonce);
        snprintf(text, sizeof text, "way %u", i);
        expect_heard(nonce, sizeof nonce, text);
        cr_expect_eq(recv(fd, text, sizeof text, MSG_DONTWAIT), -1, "it answers nothing");
        close(fd);
    }
}

Test(listener, keeps_together_what_many_send_byte_by_byte_in_turns, .init = listen_everywhere, .fini = stop_listener)
{
    enum { SENDERS = 60 };
    int senders[SENDERS];
    uint8_t nonces[SENDERS][NONCE_BYTES];
    char digits[2 * NONCE_BYTES + 1], mark[16];
    for (unsigned i = 0; i < SENDERS; i++) {
        const int on = 1;
        senders[i] = call(AF_INET, SOCK_STREAM, tcp_port, NULL);
        setsockopt(senders[i], IPPROTO_TCP, 1 /* TCP_NODELAY */, &on, sizeof on);
        nonce_of(i, nonces[i]);
    }
    /* The raw nonce and its digits; after each round a datagram shows that all of it was read. */
    for (unsigned byte = 0; byte < 3 * NONCE_BYTES; byte++) {
        for (unsigned i = 0; i < SENDERS; i++) {
            encode_hex(nonces[i], NONCE_BYTES, digits);
            const void *piece =
                byte < NONCE_BYTES ? (const void *)&nonces[i][byte] : (const void *)&digits[byte - NONCE_BYTES];
            cr_assert_eq(send(senders[i], piece, 1, MSG_NOSIGNAL), 1);
        }
        int size = snprintf(mark, sizeof mark, "<round %u>", byte);
        int fd = call(AF_INET, SOCK_DGRAM, udp_port, NULL);
        cr_assert_eq(send(fd, mark, (size_t)size, 0), size);
        close(fd);
        expect_heard(mark, (size_t)size, mark);
    }
    for (unsigned i = 0; i < SENDERS; i++) {
        encode_hex(nonces[i], NONCE_BYTES, digits);
        cr_expect(found(nonces[i], NONCE_BYTES), "the raw nonce of sender %u was torn apart", i);
        expect_heard(digits, 2 * NONCE_BYTES, digits);
        close(senders[i]);
    }
}

Test(listener, makes_room_for_a_new_connection_by_closing_the_one_that_was_silent_longest, .init = listen_everywhere,
     .fini = stop_listener)
{
    enum { CALLERS = 200 };
    int callers[CALLERS];
    uint8_t nonce[NONCE_BYTES];
    char byte;
    for (unsigned i = 0; i < CALLERS; i++) {
        callers[i] = call(AF_INET, SOCK_STREAM, tcp_port, NULL);
        nonce_of(i, nonce);
        cr_assert_eq(send(callers[i], nonce, sizeof nonce, MSG_NOSIGNAL), sizeof nonce);
        expect_heard(nonce, sizeof nonce, "a caller beyond the bound");
    }
    struct pollfd wait = { .fd = callers[0], .events = POLLIN };
    cr_assert_gt(poll(&wait, 1, 10000), 0, "the first was left open");
    cr_expect_leq(recv(callers[0], &byte, 1, 0), 0, "the first was closed");
    nonce_of(CALLERS, nonce);
    cr_assert_eq(send(callers[CALLERS - 1], nonce, sizeof nonce, MSG_NOSIGNAL), sizeof nonce);
    expect_heard(nonce, sizeof nonce, "the last, which was not");
    for (unsigned i = 0; i < CALLERS; i++)
        close(callers[i]);
}

Test(listener, hears_a_crowd_that_sends_and_hangs_up, .init = listen_everywhere, .fini = stop_listener)
{
    enum { CALLERS = 300 };
    uint8_t nonce[NONCE_BYTES];
    for (unsigned i = 0; i < CALLERS; i++) {
        int fd = call(i % 2 ? AF_INET : AF_UNIX, SOCK_STREAM, tcp_port, name);
        nonce_of(i, nonce);
        cr_assert_eq(send(fd, nonce, sizeof nonce, MSG_NOSIGNAL), sizeof nonce);
        close(fd);
    }
    for (unsigned i = 0; i < CALLERS; i++) {
        nonce_of(i, nonce);
        expect_heard(nonce, sizeof nonce, "one of the crowd");
    }
}

Test(listener, refuses_what_it_does_not_understand_with_one_line)
{
    static char long_name[128];
    memset(long_name, 'x', sizeof long_name - 1);
    memcpy(long_name, "abstract:", 9);
    static char *const bad[] = { "tcp",   "tcp:",   "tcp:0",     "tcp:65536", "tcp:80 ",        "udp:-1",
                                 "udp:x", "sctp:1", "abstract:", "",          "127.0.0.1:8080", long_name };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        start_listener((char *[]){ "bottle-probe", "--listen", bad[i], NULL });
        const char *line = complaint();
        cr_expect_eq(strncmp(line, "bottle-probe: ", 14), 0, "%s: %s", bad[i], line);
        cr_expect_str_empty(complaint());
        cr_expect_eq(exit_status(), 4, "%s", bad[i]);
    }
    char *many[20] = { "bottle-probe", "--listen" };
    start_listener(many);
    cr_expect_eq(exit_status(), 4, "without a word");
    for (size_t i = 2; i < 19; i++)
        many[i] = "tcp:1";
    start_listener(many);
    cr_expect_eq(exit_status(), 4, "17 of them");
}

Test(listener, says_what_can_not_be_bound, .init = enter_network_with_loopback)
{
    struct endpoint *taken = world_add(STAYS_SILENT, SOCK_STREAM, NULL);
    char spec[PORT_TEXT];
    snprintf(spec, sizeof spec, "tcp:%u", taken->port);
    start_listener((char *[]){ "bottle-probe", "--listen", spec, NULL });
    const char *line = complaint();
    cr_expect_not_null(strstr(line, spec), "%s", line);
    cr_expect_not_null(strstr(line, "in use"), "%s", line);
    cr_expect_str_empty(complaint());
    cr_expect_eq(exit_status(), 3);
}
