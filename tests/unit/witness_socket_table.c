/*
 * The host's table of sockets: real sockets in a site are listed, told apart and explained; what the kernel could
 * answer instead is answered by the test, at the other end of a socket pair.
 */
#include "witness_site.h"

#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/tcp.h>

#include "../../gates/witness/socket_table.h"
#include "witness_forge.h"

static struct socket_table table = { .netlink = -1 };
static struct socket_list before, after;
static struct socket found[64];
static size_t found_count;

static void note(void *context, const struct socket *socket)
{
    (void)context;
    if (found_count < sizeof found / sizeof *found)
        found[found_count++] = *socket;
}

static void look(struct test_site *site, struct socket_list *list)
{
    struct error error = { 0 };
    if (table.netlink < 0)
        site_check(site, socket_table_open(&table, &error), "%s", error.text);
    site_check(site, socket_table_read(&table, list, &error), "%s", error.text);
}

static void look_again(struct test_site *site)
{
    look(site, &after);
    found_count = 0;
    socket_table_difference(&before, &after, note, NULL);
}

/* How many new sockets there are with these ends, as the messages spell them. */
static size_t count_found(uint8_t transport, bool listening, const char *local, const char *remote)
{
    size_t count = 0;
    for (size_t i = 0; i < found_count; i++) {
        char texts[2][ENDPOINT_TEXT];
        endpoint_format(&found[i].local, texts[0]);
        endpoint_format(&found[i].remote, texts[1]);
        count += found[i].transport == transport && found[i].listening == listening &&
                 (local == NULL || strcmp(local, texts[0]) == 0) && (remote == NULL || strcmp(remote, texts[1]) == 0);
    }
    return count;
}

static int open_bound(struct test_site *site, int type, const char *address, uint16_t port)
{
    struct sockaddr_storage here;
    socklen_t size = site_address(address, port, &here);
    int on = 1, off = 0, fd = socket(here.ss_family, type | SOCK_CLOEXEC, 0);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (here.ss_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
    site_check(site, bind(fd, (const struct sockaddr *)&here, size) == 0, "bind %s port %u: %s", address, port,
               strerror(errno));
    site_check(site, type == SOCK_DGRAM || listen(fd, 8) == 0, "listen: %s", strerror(errno));
    return fd;
}

static const struct row {
    int type;
    const char *address;
    uint16_t port;
    const char *target, *local; /* whom a client dials; how the listener is told, and how the client's other end is */
    const char *remote;
} rows[] = {
    { SOCK_STREAM, "127.0.0.1", 7790, "127.0.0.1", "127.0.0.1:7790", "127.0.0.1:7790" },
    { SOCK_STREAM, "::1", 7791, "::1", "[::1]:7791", "[::1]:7791" },
    { SOCK_STREAM, "::", 7792, "127.0.0.1", "[::]:7792", "127.0.0.1:7792" },
    { SOCK_DGRAM, "127.0.0.1", 7793, "127.0.0.1", "127.0.0.1:7793", "127.0.0.1:7793" },
    { SOCK_DGRAM, "::1", 7794, "::1", "[::1]:7794", "[::1]:7794" },
};
#define ROWS (sizeof rows / sizeof *rows)

static void lists(struct test_site *site)
{
    int listeners[ROWS], clients[ROWS];
    look(site, &before);
    for (size_t i = 0; i < ROWS; i++)
        listeners[i] = open_bound(site, rows[i].type, rows[i].address, rows[i].port);
    look_again(site);
    site_check(site, found_count == ROWS, "%zu new sockets, not %zu", found_count, ROWS);
    for (size_t i = 0; i < ROWS; i++) {
        struct stat status;
        uint8_t transport = rows[i].type == SOCK_STREAM ? TRANSPORT_TCP : TRANSPORT_UDP;
        site_check(site, count_found(transport, true, rows[i].local, NULL) == 1, "%s is not listed", rows[i].local);
        bool has_inode = false;
        fstat(listeners[i], &status);
        for (size_t n = 0; n < found_count; n++)
            has_inode = has_inode || (found[n].inode == status.st_ino && found[n].uid == getuid());
        site_check(site, has_inode, "%s: nobody has its inode", rows[i].local);
    }
    look(site, &before);
    for (size_t i = 0; i < ROWS; i++)
        clients[i] = site_connect(site, rows[i].type, 0, NULL, rows[i].target, rows[i].port);
    look_again(site);
    for (size_t i = 0; i < ROWS; i++) {
        bool tcp = rows[i].type == SOCK_STREAM;
        uint8_t transport = tcp ? TRANSPORT_TCP : TRANSPORT_UDP;
        site_check(site, count_found(transport, false, NULL, rows[i].remote) == 1, "no client of %s", rows[i].remote);
        site_check(site, count_found(transport, false, rows[i].remote, NULL) == tcp, "other ends of %s: wrong number",
                   rows[i].remote);
        close(clients[i]);
    }
    site_check(site, found_count == 8, "%zu new sockets, not 8: three pairs and two", found_count);
    look_again(site);
    for (size_t i = 0; i < found_count; i++)
        site_check(site, found[i].transport == TRANSPORT_TCP, "a closed UDP socket is still listed");
}

Test(witness_socket_table, lists_what_listens_and_what_is_connected)
{
    in_site(lists);
}

static void same(struct test_site *site)
{
    open_bound(site, SOCK_STREAM, "127.0.0.1", 7790);
    int client = site_connect(site, SOCK_STREAM, 0, NULL, "127.0.0.1", 7790);
    int datagrams = open_bound(site, SOCK_DGRAM, "127.0.0.1", 0);
    look(site, &before);
    look_again(site);
    site_check(site, found_count == 0, "%zu of the same sockets are new", found_count);
    close(client); /* it lives on as one that is closing */
    struct sockaddr_storage there;
    socklen_t size = site_address("127.0.0.1", 7795, &there);
    site_check(site, connect(datagrams, (const struct sockaddr *)&there, size) == 0, "connect: %s", strerror(errno));
    look_again(site);
    site_check(site, found_count == 1 && count_found(TRANSPORT_UDP, false, NULL, "127.0.0.1:7795") == 1,
               "%zu new sockets, not the one that is connected now", found_count);
    look(site, &before);
    size = site_address("127.0.0.1", 7796, &there);
    site_check(site, connect(datagrams, (const struct sockaddr *)&there, size) == 0, "connect: %s", strerror(errno));
    look_again(site);
    site_check(site, found_count == 1 && count_found(TRANSPORT_UDP, false, NULL, "127.0.0.1:7796") == 1,
               "%zu new sockets, not the one that is connected elsewhere", found_count);
}

Test(witness_socket_table, what_is_closing_is_not_new_and_what_is_connected_since_is)
{
    in_site(same);
}

static void other_namespace(struct test_site *site)
{
    look(site, &before);
    site_check(site, setns(site->world, CLONE_NEWNET) == 0, "setns: %s", strerror(errno));
    open_bound(site, SOCK_STREAM, "127.0.0.1", 7790);
    look_again(site);
    site_check(site, found_count == 0, "a socket of the world is listed in the host's table");
}

Test(witness_socket_table, stays_with_the_namespace_in_which_it_was_opened)
{
    in_site(other_namespace);
}

/* More than one message of the kernel's is needed for them. */
static void many(struct test_site *site)
{
    enum { MANY = 900 };
    look(site, &before);
    for (int i = 0; i < MANY; i++)
        open_bound(site, SOCK_DGRAM, "127.0.0.1", (uint16_t)(10000 + i));
    look_again(site);
    site_check(site, after.count == before.count + MANY, "%zu sockets of %d", after.count - before.count, MANY);
    bool listed[MANY] = { false };
    for (size_t i = 0; i < after.count; i++)
        if (after.sockets[i].local.port >= 10000 && after.sockets[i].local.port < 10000 + MANY)
            listed[after.sockets[i].local.port - 10000] = true;
    for (int i = 0; i < MANY; i++)
        site_check(site, listed[i], "port %d is missing", 10000 + i);
    socket_list_free(&before);
    socket_list_free(&after);
    socket_table_close(&table);
}

Test(witness_socket_table, lists_more_than_one_answer_holds)
{
    in_site(many);
}

static enum socket_meaning explain(struct test_site *site, const char *local, const char *remote, uint16_t *watch)
{
    for (size_t i = 0; i < found_count; i++) {
        char texts[2][ENDPOINT_TEXT];
        endpoint_format(&found[i].local, texts[0]);
        endpoint_format(&found[i].remote, texts[1]);
        if ((local == NULL || strcmp(texts[0], local) == 0) && (remote == NULL || strcmp(texts[1], remote) == 0))
            return socket_table_explain(&found[i], site->watches, site->setup.watch_count, watch);
    }
    site_complain(site, "no new socket from %s to %s", local != NULL ? local : "any", remote != NULL ? remote : "any");
    return SOCKET_UNKNOWN;
}

/* The real thing: witnesses, a control, attempts out and on loopback, and a helper that listens and dials. */
static void helper(struct test_site *site)
{
    uint16_t watch = 0;
    site_watch(site, 0, true, TRANSPORT_TCP, "1.2.3.4", 5000);
    site_watch(site, 1, false, TRANSPORT_UDP, "8.8.8.8", 53);
    site_watch(site, 2, false, TRANSPORT_TCP, "8.8.8.8", 53);
    site_watch(site, 3, false, TRANSPORT_TCP, "127.0.0.1", 22);
    site_start_witness(site);
    look(site, &before);
    site_connect(site, SOCK_STREAM, 0, NULL, "1.2.3.4", 5000);
    site_connect(site, SOCK_STREAM, 0, NULL, "127.0.0.1", SITE_PORT_DOOR);
    look_again(site);
    for (size_t i = 0; i < found_count; i++)
        site_check(site, socket_table_explain(&found[i], site->watches, 4, &watch) == SOCKET_EXPLAINED,
                   "a control or the door is not explained");
    site_check(site, found_count > 0, "nothing is new");
    int close_early = site_connect(site, SOCK_STREAM, 0, NULL, "8.8.8.8", 53);
    site_connect(site, SOCK_DGRAM, 0, NULL, "8.8.8.8", 53);
    site_connect(site, SOCK_STREAM, 0, NULL, "1.1.1.1", 443);
    int local = site_connect(site, SOCK_STREAM, 0, NULL, "127.0.0.1", 22);
    open_bound(site, SOCK_STREAM, "10.77.0.1", 4444);
    site_check(site, send(local, "hello hello", 11, 0) == 11, "send: %s", strerror(errno));
    site_check_token(site, local); /* accepted, in the host */
    close(close_early);
    look_again(site);
    site_check(site, explain(site, "127.0.0.1:22", NULL, &watch) == SOCKET_EXPLAINED, "the witness's end is unknown");
    site_check(site, explain(site, NULL, "127.0.0.1:22", &watch) == SOCKET_ATTEMPT && watch == 3, "loopback: %u",
               watch);
    site_check(site, count_found(TRANSPORT_UDP, false, NULL, "8.8.8.8:53") == 1, "no datagram socket");
    for (size_t i = 0; i < found_count; i++)
        if (found[i].remote.port == 53)
            site_check(site,
                       socket_table_explain(&found[i], site->watches, 4, &watch) == SOCKET_ATTEMPT &&
                           watch == (found[i].transport == TRANSPORT_UDP ? 1 : 2),
                       "port 53 by %u: watch %u", found[i].transport, watch);
    site_check(site, count_found(TRANSPORT_TCP, false, NULL, "8.8.8.8:53") == 1, "no trace of a closed connection");
    site_check(site, explain(site, NULL, "1.1.1.1:443", &watch) == SOCKET_UNKNOWN, "a helper dials unnoticed");
    site_check(site, explain(site, "10.77.0.1:4444", NULL, &watch) == SOCKET_UNKNOWN, "a helper listens unnoticed");
}

Test(witness_socket_table, a_helper_that_dials_or_listens_is_told_from_the_site_and_its_controls)
{
    in_site(helper);
}

/* clang-format off */
static const struct meaning {
    const char *what;
    uint8_t transport, state;
    const char *local;
    uint16_t local_port;
    const char *remote;
    uint16_t remote_port;
    uint32_t inode;
    enum socket_meaning expected;
    uint16_t watch;
} meanings[] = {
    { "the catch-all listener", TRANSPORT_TCP, TCP_LISTEN, "0.0.0.0", 7712, "0.0.0.0", 0, 1, SOCKET_EXPLAINED, 0 },
    { "the first site port", TRANSPORT_TCP, TCP_LISTEN, "0.0.0.0", 7700, "0.0.0.0", 0, 1, SOCKET_EXPLAINED, 0 },
    { "below the site's ports", TRANSPORT_TCP, TCP_LISTEN, "0.0.0.0", 7699, "0.0.0.0", 0, 1, SOCKET_UNKNOWN, 0 },
    { "the last site port", TRANSPORT_UDP, TCP_CLOSE, "::", 7799, "::", 0, 1, SOCKET_EXPLAINED, 0 },
    { "above the site's ports", TRANSPORT_UDP, TCP_CLOSE, "::", 7800, "::", 0, 1, SOCKET_UNKNOWN, 0 },
    { "who dials the door", TRANSPORT_TCP, TCP_ESTABLISHED, "127.0.0.1", 50000, "127.0.0.1", 7701, 1, SOCKET_EXPLAINED, 0 },
    { "an attempt's client", TRANSPORT_TCP, TCP_SYN_SENT, "10.77.0.1", 50000, "8.8.8.8", 443, 1, SOCKET_ATTEMPT, 1 },
    { "the same, closed", TRANSPORT_TCP, TCP_TIME_WAIT, "10.77.0.1", 50000, "8.8.8.8", 443, 0, SOCKET_ATTEMPT, 1 },
    { "by the other transport", TRANSPORT_UDP, TCP_ESTABLISHED, "10.77.0.1", 50000, "8.8.8.8", 443, 1, SOCKET_UNKNOWN, 0 },
    { "at another port", TRANSPORT_TCP, TCP_ESTABLISHED, "10.77.0.1", 50000, "8.8.8.8", 444, 1, SOCKET_UNKNOWN, 0 },
    { "at another address", TRANSPORT_TCP, TCP_ESTABLISHED, "10.77.0.1", 50000, "8.8.8.9", 443, 1, SOCKET_UNKNOWN, 0 },
    { "a control's client", TRANSPORT_TCP, TCP_ESTABLISHED, "10.77.0.1", 50000, "1.2.3.4", 5000, 1, SOCKET_EXPLAINED, 0 },
    { "a shared target", TRANSPORT_UDP, TCP_ESTABLISHED, "fd77::1", 50000, "2001:db8::1", 53, 1, SOCKET_ATTEMPT, 2 },
    { "any address of a family", TRANSPORT_TCP, TCP_ESTABLISHED, "::1", 50000, "fd00::7", 9999, 1, SOCKET_ATTEMPT, 4 },
    { "of that family only", TRANSPORT_TCP, TCP_ESTABLISHED, "127.0.0.1", 50000, "127.0.0.7", 9999, 1, SOCKET_UNKNOWN, 0 },
    { "an accepted end", TRANSPORT_TCP, TCP_ESTABLISHED, "127.0.0.1", 22, "127.0.0.1", 50000, 1, SOCKET_EXPLAINED, 0 },
    { "of an unlucky client", TRANSPORT_TCP, TCP_ESTABLISHED, "127.0.0.1", 22, "127.0.0.1", 40000, 1, SOCKET_EXPLAINED, 0 },
    { "a listener there", TRANSPORT_TCP, TCP_LISTEN, "127.0.0.1", 22, "0.0.0.0", 0, 1, SOCKET_UNKNOWN, 0 },
    { "datagrams there", TRANSPORT_UDP, TCP_CLOSE, "2001:db8::1", 53, "::", 0, 1, SOCKET_UNKNOWN, 0 },
    { "one peer's datagrams there", TRANSPORT_UDP, TCP_ESTABLISHED, "2001:db8::1", 53, "fd00::9", 9, 1, SOCKET_UNKNOWN, 0 },
    { "a closed stranger", TRANSPORT_TCP, TCP_TIME_WAIT, "10.77.0.1", 50000, "9.9.9.9", 9, 0, SOCKET_EXPLAINED, 0 },
    { "a closing one", TRANSPORT_TCP, TCP_FIN_WAIT2, "10.77.0.1", 50000, "9.9.9.9", 9, 0, SOCKET_EXPLAINED, 0 },
    { "one that has an owner", TRANSPORT_TCP, TCP_FIN_WAIT2, "10.77.0.1", 50000, "9.9.9.9", 9, 7, SOCKET_UNKNOWN, 0 },
    { "one not accepted", TRANSPORT_TCP, TCP_ESTABLISHED, "10.77.0.1", 99, "9.9.9.9", 9, 0, SOCKET_UNKNOWN, 0 },
    { "a sweep's upper source", TRANSPORT_TCP, TCP_SYN_SENT, "10.77.0.1", 61001, "9.9.9.9", 80, 1, SOCKET_ATTEMPT, 6 },
    { "a sweep's lower source", TRANSPORT_TCP, TCP_SYN_SENT, "10.77.0.1", 11001, "9.9.9.9", 40080, 1, SOCKET_ATTEMPT, 6 },
    { "of the other transport", TRANSPORT_UDP, TCP_ESTABLISHED, "10.77.0.1", 61001, "9.9.9.9", 80, 1, SOCKET_UNKNOWN, 0 },
    { "of the other family", TRANSPORT_TCP, TCP_SYN_SENT, "fd77::1", 61001, "fd00::9", 80, 1, SOCKET_UNKNOWN, 0 },
    { "a sweep's tuple", TRANSPORT_TCP, TCP_ESTABLISHED, "10.77.0.1", 50000, "10.77.0.1", 100, 1, SOCKET_UNKNOWN, 0 },
    { "a sweep's accepted end", TRANSPORT_TCP, TCP_ESTABLISHED, "127.0.0.1", 80, "127.0.0.1", 61001, 1, SOCKET_EXPLAINED, 0 },
};
/* clang-format on */

static struct watch watch_of(bool control, uint8_t transport, const char *address, uint16_t port)
{
    struct watch watch = { .control = control, .tuple = { .transport = transport, .port = port } };
    watch.tuple.family = strchr(address, ':') != NULL ? AF_INET6 : AF_INET;
    inet_pton(watch.tuple.family, address, watch.tuple.address);
    return watch;
}

static struct endpoint end_of(const char *address, uint16_t port)
{
    struct watch watch = watch_of(false, 0, address, port);
    struct endpoint end = { .family = watch.tuple.family, .port = port };
    memcpy(end.address, watch.tuple.address, sizeof end.address);
    return end;
}

Test(witness_socket_table, explains_each_socket_by_the_site_the_controls_or_an_attempt)
{
    struct watch watches[] = {
        watch_of(true, TRANSPORT_TCP, "1.2.3.4", 5000),    watch_of(false, TRANSPORT_TCP, "8.8.8.8", 443),
        watch_of(false, TRANSPORT_UDP, "2001:db8::1", 53), watch_of(false, TRANSPORT_UDP, "2001:db8::1", 53),
        watch_of(false, TRANSPORT_TCP, "::", 9999),        watch_of(false, TRANSPORT_TCP, "127.0.0.1", 22),
        watch_of(false, TRANSPORT_TCP, "10.77.0.1", 100),  watch_of(false, TRANSPORT_TCP, "127.0.0.1", 40000),
    };
    watches[6].is_sweep = true;
    watches[6].sweep_source[0] = 61001;
    watches[6].sweep_source[1] = 11001;
    for (size_t i = 0; i < sizeof meanings / sizeof *meanings; i++) {
        const struct meaning *meaning = &meanings[i];
        struct socket one = { .transport = meaning->transport, .state = meaning->state, .inode = meaning->inode };
        uint16_t watch = 0;
        one.local = end_of(meaning->local, meaning->local_port);
        one.remote = end_of(meaning->remote, meaning->remote_port);
        one.listening = meaning->remote_port == 0;
        enum socket_meaning told = socket_table_explain(&one, watches, sizeof watches / sizeof *watches, &watch);
        cr_expect_eq(told, meaning->expected, "%s: %d", meaning->what, (int)told);
        cr_expect_eq(watch, meaning->watch, "%s: watch %u", meaning->what, watch);
    }
}

static const struct lack {
    int number;
    enum error_code code;
    const char *text;
} lacks[] = {
    { EPROTONOSUPPORT, ERROR_HOST, "sudo modprobe -a tcp_diag udp_diag" },
    { EMFILE, ERROR_SYSTEM, "Too many open files" },
};

Test(witness_socket_table, says_what_the_kernel_lacks)
{
    for (size_t i = 0; i < sizeof lacks / sizeof *lacks; i++) {
        int status = 0;
        pid_t pid = fork();
        if (pid == 0) {
            struct error error = { 0 };
            forge(SYS_socket, lacks[i].number);
            bool opened = socket_table_open(&table, &error);
            _exit(!opened && error.code == lacks[i].code && strstr(error.text, lacks[i].text) != NULL ? 0 : 1);
        }
        waitpid(pid, &status, 0);
        cr_expect_eq(status, 0, "case %zu: wait status 0x%x", i, status);
    }
}

/* One answer of the kernel's, as the test makes it up: an error number in a message of this type, or one socket. */
static size_t make_answer(char *answer, uint32_t sequence, uint16_t type, int result, size_t cut)
{
    struct nlmsghdr header = { .nlmsg_len = NLMSG_LENGTH(sizeof(struct nlmsgerr)),
                               .nlmsg_type = type,
                               .nlmsg_flags = NLM_F_MULTI,
                               .nlmsg_seq = sequence };
    struct nlmsgerr refusal = { .error = result };
    struct inet_diag_msg socket = { .idiag_family = AF_INET, .idiag_state = TCP_LISTEN };
    if (type == SOCK_DIAG_BY_FAMILY)
        header.nlmsg_len = (uint32_t)(NLMSG_LENGTH(sizeof socket) - cut);
    memcpy(answer, &header, sizeof header);
    if (type == SOCK_DIAG_BY_FAMILY)
        memcpy(answer + NLMSG_HDRLEN, &socket, sizeof socket - cut);
    else
        memcpy(answer + NLMSG_HDRLEN, &refusal, sizeof refusal);
    return header.nlmsg_len;
}

static const struct answer {
    uint16_t type;
    int result;
    size_t cut;
    const char *complaint;
} answers[] = {
    { NLMSG_DONE, -ENOENT, 0, "No such file" },   { NLMSG_ERROR, -EINVAL, 0, "Invalid argument" },
    { NLMSG_ERROR, 0, 0, "Bad message" },         { NLMSG_OVERRUN, 0, 0, "No buffer space" },
    { SOCK_DIAG_BY_FAMILY, 0, 8, "Bad message" },
};

Test(witness_socket_table, a_table_that_can_not_be_had_as_a_whole_is_an_error)
{
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        int ends[2];
        char answer[256];
        struct error error = { 0 };
        struct socket_list list = { 0 };
        cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
        struct socket_table kernel = { .netlink = ends[0] };
        size_t size = make_answer(answer, 1, answers[i].type, answers[i].result, answers[i].cut);
        if (answers[i].type == SOCK_DIAG_BY_FAMILY) /* it must not be passed over */
            size += make_answer(answer + size, 1, NLMSG_DONE, 0, 0);
        cr_assert_eq(send(ends[1], answer, size, 0), (ssize_t)size);
        size = make_answer(answer, 2, NLMSG_DONE, 0, 0); /* the other table is there */
        cr_assert_eq(send(ends[1], answer, size, 0), (ssize_t)size);
        shutdown(ends[1], SHUT_WR);
        cr_expect_not(socket_table_read(&kernel, &list, &error), "case %zu", i);
        cr_expect_not_null(strstr(error.text, answers[i].complaint), "case %zu: %s", i, error.text);
        cr_expect_eq(list.count, 0);
        socket_list_free(&list);
        socket_table_close(&kernel);
        close(ends[1]);
    }
}

Test(witness_socket_table, more_sockets_than_it_can_hold_are_an_error)
{
    int ends[2];
    struct error error = { 0 };
    struct socket_list list = { 0 };
    cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
    pid_t pid = fork();
    if (pid == 0) {
        static char packet[32000];
        size_t one = make_answer(packet, 1, SOCK_DIAG_BY_FAMILY, 0, 0), size = 0;
        close(ends[0]);
        for (int i = 0; i <= SOCKET_LIST_MAX; i++) {
            size += make_answer(packet + size, 1, SOCK_DIAG_BY_FAMILY, 0, 0);
            if (size + one > sizeof packet || i == SOCKET_LIST_MAX) {
                send(ends[1], packet, size, MSG_NOSIGNAL);
                size = 0;
            }
        }
        for (uint32_t sequence = 1; sequence <= 2; sequence++)
            send(ends[1], packet, make_answer(packet, sequence, NLMSG_DONE, 0, 0), MSG_NOSIGNAL);
        while (recv(ends[1], packet, sizeof packet, 0) > 0) /* questions that are left unread would reset the answers */
            ;
        _exit(0);
    }
    close(ends[1]);
    struct socket_table kernel = { .netlink = ends[0] };
    cr_expect_not(socket_table_read(&kernel, &list, &error));
    cr_expect_eq(error.code, ERROR_BROKEN);
    cr_expect_not_null(strstr(error.text, "524288"), "%s", error.text);
    socket_list_free(&list);
    socket_table_close(&kernel);
    waitpid(pid, NULL, 0);
}
