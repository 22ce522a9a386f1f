/* A witness that is broken must never look like silence; and it leaves nothing behind. */
#include "../../gates/witness/door.h"
#include "witness_site.h"

static void await_hit(struct test_site *site, size_t watch)
{
    do
        site_check(site, site_take_message(site), "no hit came");
    while (site->messages[site->message_count - 1].event != WITNESS_HIT ||
           site->messages[site->message_count - 1].watch != watch);
}

static ssize_t try_tcp(struct test_site *site, size_t watch, const char *address, uint16_t port)
{
    struct sockaddr_storage to;
    socklen_t size = site_address(address, port, &to);
    int fd = socket(to.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ssize_t sent = -1;
    if (connect(fd, (const struct sockaddr *)&to, size) == 0)
        sent = send(fd, site->watches[watch].nonce, NONCE_BYTES, MSG_NOSIGNAL);
    close(fd);
    return sent;
}

static void dead_tcp(struct test_site *site)
{
    site_watch(site, 0, true, TRANSPORT_TCP, "1.1.1.1", 80);
    site_watch(site, 1, true, TRANSPORT_TCP, "1.1.1.2", 80);
    site->setup.fault = WITNESS_FAULT_DEAD;
    site->setup.fault_kinds = WITNESS_TCP;
    site_start_witness(site);
    site_check(site, try_tcp(site, 0, "1.1.1.1", 80) == NONCE_BYTES, "dead too early");
    await_hit(site, 0);
    witness_ask_to_break(&site->witness); /* which it does in its next turn: until then tries go on */
    uint64_t deadline = clock_microseconds() + SITE_PATIENCE;
    while (try_tcp(site, 1, "1.1.1.2", 80) == NONCE_BYTES)
        site_check(site, clock_microseconds() < deadline, "the listener lives");
    site_stop_witness(site);
}

Test(witness_faults, a_dead_TCP_witness_hears_no_second_control)
{
    in_site(dead_tcp);
}

/* Asks until it has broken: the word and what is sent to a listener come by two ways. */
static void dead_descriptor_only(struct test_site *site)
{
    int ends[2];
    site_check(site, socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == 0, "no socket");
    site_watch(site, 0, true, TRANSPORT_TCP, "1.1.1.1", 80);
    site_watch(site, 1, true, TRANSPORT_UNIX, "", 0);
    site->setup.held[0] = (struct held_stream){ ends[0], WITNESS_DESCRIPTOR, "held" };
    site->setup.fault = WITNESS_FAULT_DEAD;
    site->setup.fault_kinds = WITNESS_DESCRIPTOR;
    site_start_witness(site);
    close(ends[0]);
    witness_ask_to_break(&site->witness);
    uint64_t deadline = clock_microseconds() + SITE_PATIENCE;
    while (send(ends[1], "", 1, MSG_NOSIGNAL) == 1) /* refused once the other end is closed */
        site_check(site, clock_microseconds() < deadline, "the listener lives");
    site_check(site, try_tcp(site, 0, "1.1.1.1", 80) == NONCE_BYTES, "another listener died too");
    await_hit(site, 0);
    site_stop_witness(site);
}

Test(witness_faults, one_kind_of_witness_can_die_alone)
{
    in_site(dead_descriptor_only);
}

static void late(struct test_site *site)
{
    site_watch(site, 0, true, TRANSPORT_TCP, "1.1.1.1", 80);
    struct witness_message message = { .event = WITNESS_READY };
    site->setup.fault = WITNESS_FAULT_LATE;
    site->setup.fault_kinds = WITNESS_TCP;
    site_start_witness(site);
    witness_ask_to_break(&site->witness);
    while (message.event != WITNESS_BROKE)
        site_check(site, witness_next(&site->witness, &message, clock_microseconds() + SITE_PATIENCE), "never broke");
    site_check(site, try_tcp(site, 0, "1.1.1.1", 80) == NONCE_BYTES, "not connected");
    await_hit(site, 0); /* the capture's */
    site_check(site, !site_was_heard(site, 0, WITNESS_TCP, "wan0", "1.1.1.1:80", false), "not late");
    site_stop_witness(site);
    site_check(site, site_was_heard(site, 0, WITNESS_TCP, "wan0", "1.1.1.1:80", false), "lost, and not late");
}

Test(witness_faults, a_late_witness_says_what_it_heard_when_it_is_stopped)
{
    in_site(late);
}

/* What comes back from the door for a challenge; "" if nothing does, "!" if nobody listens. */
static void ask_door(const char *challenge, char *answer, size_t size)
{
    struct sockaddr_storage to;
    socklen_t to_size = site_address("127.0.0.1", SITE_PORT_DOOR, &to);
    struct timeval patience = { .tv_usec = 300000 };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    ssize_t got = -1;
    snprintf(answer, size, "!");
    if (connect(fd, (const struct sockaddr *)&to, to_size) == 0) {
        send(fd, challenge, strlen(challenge), MSG_NOSIGNAL);
        got = recv(fd, answer, size - 1, 0);
        answer[got > 0 ? got : 0] = '\0';
    }
    close(fd);
}

static enum witness_fault door_fault;
static const char first_challenge[] = "BGD1 00112233445566778899aabbccddeeff\n";
static const char second_challenge[] = "BGD1 ffeeddccbbaa99887766554433221100\n";

static void ask_twice(struct test_site *site)
{
    char first[128], second[128], good[2][DOOR_ANSWER + 1] = { "", "" };
    site->setup.fault = door_fault;
    site_start_witness(site);
    door_answer(site->setup.door_key, first_challenge, good[0]);
    door_answer(site->setup.door_key, second_challenge, good[1]);
    ask_door(first_challenge, first, sizeof first);
    ask_door(second_challenge, second, sizeof second);
    const struct {
        enum witness_fault fault;
        const char *first, *second; /* NULL: anything but the right one */
    } wanted[] = {
        { WITNESS_FAULT_NONE, good[0], good[1] },
        { WITNESS_FAULT_NO_DOOR, "!", "!" },
        { WITNESS_FAULT_DOOR_SILENT, "", "" },
        { WITNESS_FAULT_DOOR_SHUTS, "", "" },
        { WITNESS_FAULT_DOOR_ECHOES, first_challenge, second_challenge },
        { WITNESS_FAULT_DOOR_BABBLES, "hello\n", "hello\n" },
        { WITNESS_FAULT_DOOR_GUESSES, NULL, NULL },
        { WITNESS_FAULT_DOOR_HALF, NULL, NULL },
        { WITNESS_FAULT_DOOR_REPEATS, good[0], good[0] },
        { WITNESS_FAULT_DOOR_ONCE, good[0], "!" },
    };
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
        if (wanted[i].fault != door_fault)
            continue;
        site_check(site, wanted[i].first == NULL ? strcmp(first, good[0]) != 0 : strcmp(first, wanted[i].first) == 0,
                   "fault %d: the first answer is \"%s\"", (int)door_fault, first);
        site_check(site,
                   wanted[i].second == NULL ? strcmp(second, good[1]) != 0 : strcmp(second, wanted[i].second) == 0,
                   "fault %d: the second answer is \"%s\"", (int)door_fault, second);
    }
    witness_end(&site->witness);
}

Test(witness_faults, a_door_lies_or_dies_as_it_is_told_to)
{
    static const enum witness_fault faults[] = { WITNESS_FAULT_NONE,         WITNESS_FAULT_NO_DOOR,
                                                 WITNESS_FAULT_DOOR_SILENT,  WITNESS_FAULT_DOOR_SHUTS,
                                                 WITNESS_FAULT_DOOR_ECHOES,  WITNESS_FAULT_DOOR_BABBLES,
                                                 WITNESS_FAULT_DOOR_GUESSES, WITNESS_FAULT_DOOR_HALF,
                                                 WITNESS_FAULT_DOOR_REPEATS, WITNESS_FAULT_DOOR_ONCE };
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        door_fault = faults[i];
        in_site(ask_twice);
    }
}

static void deaf_capture(struct test_site *site)
{
    site_watch(site, 0, true, TRANSPORT_TCP, "1.1.1.1", 80);
    site->setup.fault = WITNESS_FAULT_DEAF_CAPTURE;
    site_start_witness(site);
    site_check(site, try_tcp(site, 0, "1.1.1.1", 80) == NONCE_BYTES, "not connected");
    site_stop_witness(site);
    site_check(site, site_was_heard(site, 0, WITNESS_TCP, "wan0", "1.1.1.1:80", false), "the listener was deaf too");
    site_check(site, !site_was_heard(site, 0, WITNESS_CAPTURE, "wan0", "1.1.1.1:80", false), "the capture hears");
    site_check(site, site_find_event(site, WITNESS_LOST) != NULL, "a deaf capture was not noticed");
}

Test(witness_faults, a_deaf_capture_hears_nothing_and_is_reported_as_a_loss)
{
    in_site(deaf_capture);
}

static void check_gone(struct test_site *site)
{
    struct witness_message *last;
    do {
        site_check(site, site_take_message(site), "no message came");
        last = &site->messages[site->message_count - 1];
        site_check(site, last->event != WITNESS_DONE, "a dead witness said DONE");
    } while (last->event != WITNESS_GONE);
    site_check(site, !witness_next(&site->witness, last, clock_microseconds() + SITE_PATIENCE), "a message after GONE");
    witness_end(&site->witness);
}

static void dies_at_attempt(struct test_site *site)
{
    site_watch(site, 0, false, TRANSPORT_TCP, "1.1.1.1", 80);
    site->setup.fault = WITNESS_FAULT_DIES;
    site_start_witness(site);
    try_tcp(site, 0, "1.1.1.1", 80);
    check_gone(site);
}

Test(witness_faults, a_witness_that_dies_at_the_first_attempt_is_GONE)
{
    in_site(dies_at_attempt);
}

static void dies_at_stop(struct test_site *site)
{
    site_watch(site, 0, false, TRANSPORT_TCP, "1.1.1.1", 80);
    site->setup.fault = WITNESS_FAULT_DIES;
    site_start_witness(site);
    witness_ask_to_stop(&site->witness);
    check_gone(site);
}

Test(witness_faults, a_witness_that_dies_when_asked_to_stop_is_GONE)
{
    in_site(dies_at_stop);
}

static void killed(struct test_site *site)
{
    site_start_witness(site);
    kill(site->witness.pid, SIGKILL);
    check_gone(site);
}

Test(witness_faults, a_killed_witness_is_GONE)
{
    in_site(killed);
}

/* The test becomes the reaper of what its child leaves behind; a witness that lived on would never be reaped.
 */
static void orphaned(struct test_site *site)
{
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    pid_t parent = fork();
    if (parent == 0) {
        site_start_witness(site);
        _exit(0);
    }
    waitpid(parent, NULL, 0);
    int status = 0;
    pid_t left = waitpid(-1, &status, 0);
    site_check(site, left > 0, "the witness is not there to be reaped: %s", strerror(errno));
}

Test(witness_faults, dies_with_its_parent, .timeout = 20)
{
    in_site(orphaned);
}

static void bad_namespace(struct test_site *site)
{
    struct error error = { 0 };
    site->setup.host_namespace = site->host;
    site->setup.world_namespace = open("/dev/null", O_RDONLY | O_CLOEXEC);
    site->setup.watches = site->watches;
    site_check(site, !witness_start(&site->witness, &site->setup, &error), "it started without a world");
    site_check(site, strstr(error.text, "namespace") != NULL, "the error is: %s", error.text);
}

Test(witness_faults, a_setup_that_fails_says_why)
{
    in_site(bad_namespace);
}

static void unheard_sweep(struct test_site *site)
{
    static struct swept_ports swept[SWEEPS_MAX];
    site_watch(site, 0, false, TRANSPORT_TCP, "127.0.0.1", 65535);
    site->watches[0].is_sweep = true;
    site->setup.host_namespace = site->host;
    site->setup.world_namespace = site->world;
    site->setup.watches = site->watches;
    struct error error = { 0 };
    site_check(site, !witness_start(&site->witness, &site->setup, &error) && strstr(error.text, "sweep") != NULL,
               "a sweep without its ports: %s", error.text);
    site->setup.sweeps = swept;
    site->watches[0].sweep = SWEEPS_MAX;
    error = (struct error){ 0 };
    site_check(site, !witness_start(&site->witness, &site->setup, &error) && strstr(error.text, "sweep") != NULL,
               "a sweep too many: %s", error.text);
}

Test(witness_faults, a_sweep_whose_ports_could_not_be_noted_is_refused)
{
    in_site(unheard_sweep);
}

static void foreign_descriptor(struct test_site *site)
{
    int ends[2];
    site_check(site, pipe(ends) == 0, "pipe: %s", strerror(errno));
    site_start_witness(site);
    close(ends[1]);
    char byte;
    /* end of file comes only if no other process holds the writing end */
    site_check(site, read(ends[0], &byte, 1) == 0, "the witness kept a descriptor");
    site_stop_witness(site);
}

Test(witness_faults, keeps_no_descriptor_of_its_parent, .timeout = 20)
{
    in_site(foreign_descriptor);
}

static void full_table(struct test_site *site)
{
    site_watch(site, 0, false, TRANSPORT_TCP, "1.1.1.1", 80);
    site_start_witness(site);
    int last = -1;
    for (int i = 0; i < 1100; i++)
        last = site_connect(site, SOCK_STREAM, 0, NULL, "1.1.1.1", 80);
    site_check(site, send(last, site->watches[0].nonce, NONCE_BYTES, 0) == NONCE_BYTES, "send: %s", strerror(errno));
    site_check_token(site, last);
    site_stop_witness(site);
    site_check(site, site_was_heard(site, 0, WITNESS_TCP, "wan0", "1.1.1.1:80", false), "the last one went unheard");
    site_check(site, site_find_event(site, WITNESS_LOST) != NULL, "a full table was not reported");
}

Test(witness_faults, a_full_table_of_connections_still_hears_and_is_reported)
{
    in_site(full_table);
}

/* The number after `field` in the witness's /proc status. */
static long status_of(struct test_site *site, const char *field)
{
    char path[64], text[4096];
    snprintf(path, sizeof path, "/proc/%d/status", site->witness.pid);
    site_check(site, file_read(path, text, sizeof text), "can't read %s", path);
    const char *found = strstr(text, field);
    site_check(site, found != NULL, "no %s in %s", field, path);
    return strtol(found + strlen(field), NULL, 10);
}

static void jailed_and_small(struct test_site *site)
{
    site_watch(site, 0, false, TRANSPORT_TCP, "1.1.1.1", 80);
    site_start_witness(site);
    site_check(site, status_of(site, "Seccomp:") == 2, "no seccomp filter");
    site_check(site, status_of(site, "NoNewPrivs:") == 1, "privileges can be gained");
#ifndef BOTTLE_SANITIZED
    site_check(site, status_of(site, "VmRSS:") < 32 * 1024, "%ld KB resident", status_of(site, "VmRSS:"));
#endif
    site_stop_witness(site);
}

Test(witness_faults, is_jailed_and_stays_under_32_megabytes)
{
    in_site(jailed_and_small);
}

static void sweep(struct test_site *site)
{
#ifdef BOTTLE_SANITIZED /* the witness is five times slower then, and the kernel around it is not */
    enum { FIRST = 10000, PORTS = 1000 };
#else
    enum { FIRST = 10000, PORTS = 5000 };
#endif
    site_watch(site, 0, false, TRANSPORT_TCP, "1.1.1.1", FIRST + PORTS - 1);
    site_start_witness(site);
    for (uint16_t port = FIRST; port < FIRST + PORTS; port++)
        close(site_connect(site, SOCK_STREAM, 0, NULL, "1.1.1.1", port));
    site_stop_witness(site);
    char at[32];
    snprintf(at, sizeof at, "1.1.1.1:%d", FIRST + PORTS - 1);
    site_check_nothing_lost(site);
    site_check(site, site_was_heard(site, 0, WITNESS_CAPTURE, "wan0", at, true), "the last went unseen");
}

Test(witness_faults, a_sweep_of_thousands_of_ports_loses_nothing, .timeout = 120)
{
    in_calm_site(sweep);
}
