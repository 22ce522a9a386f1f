/* The descriptors that the real bottle-probe is started with: what it writes to them, and what it leaves alone. */
#include <linux/close_range.h>
#include <sys/resource.h>

#include "probes_forbid.h"
#include "probes_trial.h"

static int planted[8];
static int places[8]; /* where the probe has them */
static size_t planted_count;
static bool limited;

static void plant(int fd, int place)
{
    planted[planted_count] = fd;
    places[planted_count++] = place;
}

/* Nothing but what was planted is inherited, whatever the test program was started with. */
static void hand_over(void)
{
    const struct rlimit few = { 16, 16 };
    if (close_range(3, ~0u, CLOSE_RANGE_CLOEXEC) != 0)
        _exit(126);
    for (size_t i = 0; i < planted_count; i++)
        if (dup2(planted[i], places[i]) < 0)
            _exit(126);
    if (limited && setrlimit(RLIMIT_NOFILE, &few) != 0)
        _exit(126);
    signal(SIGPIPE, SIG_DFL);
}

static uint16_t try_inherited(void)
{
    plan_begin(2000, NULL);
    uint16_t seq = plan_add(MECHANISM_INHERITED, "@inherited", 0);
    run(hand_over);
    return seq;
}

static void expect_payload(int fd)
{
    char data[256], digits[33];
    const uint8_t *nonce = plan.attempts[0].nonce;
    encode_hex(nonce, NONCE_BYTES, digits);
    struct pollfd wait = { .fd = fd, .events = POLLIN };
    cr_assert_gt(poll(&wait, 1, 0), 0, "nothing was written");
    ssize_t size = read(fd, data, sizeof data);
    cr_assert_eq(size, 50);
    cr_expect_eq(memcmp(data, nonce, NONCE_BYTES), 0);
    cr_expect_eq(memcmp(data + NONCE_BYTES + 1, digits, 32), 0);
}

Test(inherited, none_is_said_and_the_probes_own_do_not_count)
{
    uint16_t seq = try_inherited();
    expect(seq, STAGE_TARGET, "EBADF", "");
    cr_expect_eq(done[seq].sent, 0);
}

Test(inherited, pipe_and_sockets_get_the_nonce_whatever_their_number)
{
    int pipes[2], pairs[2], high[2];
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t size = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), tcp = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert(pipe2(pipes, O_CLOEXEC) == 0 && socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pairs) == 0 &&
              pipe2(high, O_CLOEXEC) == 0);
    cr_assert(bind(listener, (struct sockaddr *)&address, size) == 0 && listen(listener, 1) == 0 &&
              getsockname(listener, (struct sockaddr *)&address, &size) == 0 &&
              connect(tcp, (struct sockaddr *)&address, size) == 0);
    plant(pipes[1], 3);
    plant(pairs[1], 11);
    plant(tcp, 100);
    plant(high[1], 900);
    limited = true; /* two of them lie above */
    uint16_t seq = try_inherited();
    expect(seq, STAGE_SENT, "", "");
    cr_expect_eq(done[seq].sent, 200);
    expect_payload(pipes[0]);
    expect_payload(pairs[0]);
    expect_payload(accept(listener, NULL, NULL)); /* it was connected before the probe began */
    expect_payload(high[0]);
}

static void hand_over_and_forbid_send(void)
{
    hand_over();
    forbid(SYS_sendto);
}

Test(inherited, socket_is_written_to_where_the_bottle_forbids_to_send)
{
    int pairs[2];
    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pairs), 0);
    plant(pairs[1], 5);
    plan_begin(2000, NULL);
    uint16_t seq = plan_add(MECHANISM_INHERITED, "@inherited", 0);
    run(hand_over_and_forbid_send);
    expect(seq, STAGE_SENT, "", "");
    expect_payload(pairs[0]);
}

Test(inherited, descriptor_that_takes_nothing_is_told_and_keeps_no_other_from_it)
{
    int pipes[2], broken[2], hung[2];
    cr_assert(pipe2(pipes, O_CLOEXEC) == 0 && pipe2(broken, O_CLOEXEC) == 0 &&
              socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, hung) == 0);
    close(broken[0]), close(hung[0]);
    int directory = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC), file = open("/dev/null", O_RDONLY | O_CLOEXEC);
    const struct {
        int fd;
        const char *error;
    } cases[] = { { directory, "EBADF" }, { file, "EBADF" }, { broken[1], "EPIPE" }, { hung[1], "EPIPE" } };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        planted_count = 0;
        plant(cases[i].fd, 5);
        uint16_t seq = try_inherited();
        expect(seq, STAGE_SEND, cases[i].error, "");
        plant(pipes[1], 6);
        seq = try_inherited();
        expect(seq, STAGE_SENT, cases[i].error, "");
        expect_payload(pipes[0]);
    }
}

Test(inherited, descriptor_that_is_full_holds_nobody_up_and_stays_as_it_was)
{
    int pipes[2];
    static const char filling[4096];
    cr_assert_eq(pipe2(pipes, O_CLOEXEC | O_NONBLOCK), 0);
    while (write(pipes[1], filling, sizeof filling) > 0)
        continue;
    fcntl(pipes[1], F_SETFL, 0);
    plant(pipes[1], 7);
    uint16_t seq = try_inherited();
    expect(seq, STAGE_SEND, "EAGAIN", "");
    cr_expect_eq(fcntl(pipes[1], F_GETFL) & O_NONBLOCK, 0);
    cr_expect_lt(outcome.milliseconds, 1500, "%ld ms", outcome.milliseconds);
}

Test(inherited, descriptors_are_tried_by_every_attempt_at_them)
{
    int pipes[2];
    cr_assert_eq(pipe2(pipes, O_CLOEXEC), 0);
    plant(pipes[1], 4);
    plan_begin(2000, NULL);
    plan_add(MECHANISM_INHERITED, "@inherited", 0);
    plan_add(MECHANISM_INHERITED, "@inherited", 0);
    run(hand_over);
    expect(1, STAGE_SENT, "", "");
    expect(2, STAGE_SENT, "", "");
}
