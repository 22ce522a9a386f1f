/* Streams that the witness holds: pipes and sockets that somebody else opened. */
#include "witness_site.h"

enum way { WAY_PIPE, WAY_STREAM, WAY_MESSAGES, WAYS };

static const enum witness_kind kinds[WAYS] = { WITNESS_PEER, WITNESS_DESCRIPTOR, WITNESS_DESCRIPTOR };
static const char *const names[WAYS] = { "a pipe", "a stream", "messages" };
static const int socket_types[WAYS] = { 0, SOCK_STREAM, SOCK_SEQPACKET };

/* Opens one of each, gives the reading ends to the witness and starts it. */
static void hold_all(struct test_site *site, int writers[WAYS])
{
    int ends[2];
    for (size_t i = 0; i < WAYS; i++) {
        int made = socket_types[i] == 0 ? pipe2(ends, O_CLOEXEC)
                                        : socketpair(AF_UNIX, socket_types[i] | SOCK_CLOEXEC, 0, ends);
        site_check(site, made == 0, "%s: %s", names[i], strerror(errno));
        site_watch(site, i, false, 0, NULL, 0);
        site->setup.held[i] = (struct held_stream){ .fd = ends[0], .kind = kinds[i], .at = names[i] };
        writers[i] = ends[1];
    }
    site_start_witness(site);
    for (size_t i = 0; i < WAYS; i++)
        close(site->setup.held[i].fd);
}

static void put(struct test_site *site, int fd, const void *bytes, size_t size)
{
    ssize_t sent = send(fd, bytes, size, MSG_NOSIGNAL);
    if (sent < 0 && errno == ENOTSOCK)
        sent = write(fd, bytes, size);
    site_check(site, sent == (ssize_t)size, "write: %s", strerror(errno));
}

static void check_heard(struct test_site *site, size_t watch)
{
    site_check(site, site_was_heard(site, watch, kinds[watch], "held", names[watch], false), "%s: nothing heard",
               names[watch]);
}

static void in_pieces(struct test_site *site)
{
    int writers[WAYS];
    hold_all(site, writers);
    for (size_t i = 0; i < WAYS; i++) {
        char digits[2 * NONCE_BYTES + 1];
        encode_hex(site->watches[i].nonce, NONCE_BYTES, digits);
        put(site, writers[i], "hello ", 6);
        for (size_t at = 0; at < 2 * NONCE_BYTES; at += 5) /* each piece a message of its own */
            put(site, writers[i], digits + at, at + 5 < 2 * NONCE_BYTES ? 5 : 2 * NONCE_BYTES - at);
    }
    site_stop_witness(site);
    for (size_t i = 0; i < WAYS; i++)
        check_heard(site, i);
    site_check(site, site_count_events(site, WITNESS_HIT) <= WAYS * 4, "a nonce was heard by somebody else too");
    site_check_no(site, WITNESS_STRAY);
    site_check_no(site, WITNESS_LOST);
}

Test(witness_held, a_nonce_in_pieces_is_heard_from_pipes_streams_and_messages)
{
    in_site(in_pieces);
}

static void silent(struct test_site *site)
{
    int writers[WAYS];
    hold_all(site, writers);
    put(site, writers[WAY_PIPE], "BGR1 hello\n", 11);
    put(site, writers[WAY_STREAM], "SSH-2.0-nobody\r\n", 16);
    for (size_t i = 0; i < WAYS; i++)
        close(writers[i]);
    site_stop_witness(site);
    site_check(site, site->message_count == 1, "%zu messages, not DONE alone", site->message_count);
}

Test(witness_held, bytes_without_a_nonce_and_an_end_are_no_event)
{
    in_site(silent);
}

static void quiet(struct test_site *site)
{
    int writers[WAYS];
    hold_all(site, writers);
    site_stop_witness(site);
    site_check(site, site->message_count == 1, "%zu messages, not DONE alone", site->message_count);
}

Test(witness_held, silence_is_silent)
{
    in_site(quiet);
}

/* Waits for a hit on this watch: only then is it known that the witness has read so far. */
static void await_hit(struct test_site *site, size_t watch)
{
    do
        site_check(site, site_take_message(site), "no hit on watch %zu", watch);
    while (site->messages[site->message_count - 1].event != WITNESS_HIT ||
           site->messages[site->message_count - 1].watch != watch);
}

static void empty_message(struct test_site *site)
{
    int writers[WAYS];
    site_watch(site, WAYS, false, 0, NULL, 0);
    hold_all(site, writers);
    put(site, writers[WAY_MESSAGES], site->watches[WAYS].nonce, NONCE_BYTES);
    await_hit(site, WAYS);
    /* the empty message is read alone, and again with more behind it and nobody left who could write */
    put(site, writers[WAY_MESSAGES], "", 0);
    put(site, writers[WAY_PIPE], site->watches[WAY_PIPE].nonce, NONCE_BYTES);
    await_hit(site, WAY_PIPE);
    put(site, writers[WAY_MESSAGES], "", 0);
    put(site, writers[WAY_MESSAGES], site->watches[WAY_MESSAGES].nonce, NONCE_BYTES);
    close(writers[WAY_MESSAGES]);
    site_stop_witness(site);
    check_heard(site, WAY_MESSAGES);
    site_check_no(site, WITNESS_LOST);
}

Test(witness_held, an_empty_message_is_not_taken_for_the_end)
{
    in_site(empty_message);
}

static void half_closed(struct test_site *site)
{
    int writers[WAYS];
    hold_all(site, writers);
    for (size_t i = WAY_STREAM; i < WAYS; i++) {
        put(site, writers[i], site->watches[i].nonce, NONCE_BYTES);
        site_check(site, shutdown(writers[i], SHUT_WR) == 0, "shutdown: %s", strerror(errno));
    }
    site_stop_witness(site);
    check_heard(site, WAY_STREAM);
    check_heard(site, WAY_MESSAGES);
    site_check_no(site, WITNESS_LOST); /* a socket that is for ever readable would look like traffic */
}

Test(witness_held, the_end_of_one_direction_is_an_end)
{
    in_site(half_closed);
}

/* What a bottle passes along must not come to stay in the witness. */
static void passed(struct test_site *site)
{
    int writers[WAYS], ends[2];
    site_check(site, pipe2(ends, O_CLOEXEC) == 0, "pipe: %s", strerror(errno));
    hold_all(site, writers);
    for (size_t i = WAY_STREAM; i < WAYS; i++) {
        _Alignas(struct cmsghdr) char room[CMSG_SPACE(sizeof(int))] = "";
        struct iovec piece = { site->watches[i].nonce, NONCE_BYTES };
        struct msghdr message = {
            .msg_iov = &piece, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof room
        };
        *CMSG_FIRSTHDR(&message) =
            (struct cmsghdr){ .cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS };
        memcpy(CMSG_DATA(CMSG_FIRSTHDR(&message)), &ends[1], sizeof(int));
        site_check(site, sendmsg(writers[i], &message, 0) == NONCE_BYTES, "sendmsg: %s", strerror(errno));
        await_hit(site, i);
    }
    close(ends[1]);
    char byte;
    site_check(site, read(ends[0], &byte, 1) == 0, "the witness kept a descriptor that it was passed");
    site_stop_witness(site);
}

Test(witness_held, descriptors_that_are_passed_are_dropped, .timeout = 20)
{
    in_site(passed);
}

static void too_long(struct test_site *site)
{
    static char bytes[100000];
    int writers[WAYS];
    hold_all(site, writers);
    put(site, writers[WAY_MESSAGES], bytes, sizeof bytes);
    site_stop_witness(site);
    const struct witness_message *lost = site_find_event(site, WITNESS_LOST);
    site_check(site, lost != NULL && strstr(lost->text, "longer") != NULL, "an overlong message was not reported");
}

Test(witness_held, a_message_that_is_too_long_to_be_read_is_a_loss)
{
    in_site(too_long);
}

/* A writer that never stops keeps nobody from being heard. */
static void bulk(struct test_site *site)
{
    static const char bytes[16384];
    int writers[WAYS];
    hold_all(site, writers);
    pid_t pid = fork();
    for (unsigned i = 0; pid == 0; i++)
        if (write(writers[WAY_STREAM], bytes, sizeof bytes) < 0 ||
            (i == 256 && write(writers[WAY_STREAM], site->watches[WAY_STREAM].nonce, NONCE_BYTES) < 0))
            _exit(1);
    await_hit(site, WAY_STREAM); /* the writer is well under way */
    put(site, writers[WAY_PIPE], site->watches[WAY_PIPE].nonce, NONCE_BYTES);
    await_hit(site, WAY_PIPE);
    process_kill(pid);
    site_stop_witness(site);
}

Test(witness_held, a_bulk_writer_keeps_nobody_from_being_heard)
{
    in_site(bulk);
}

static void refused(struct test_site *site)
{
    static const char *const complaints[] = { "standard stream", "descriptor" };
    const int descriptors[] = { STDERR_FILENO, open("/proc/self/status", O_RDONLY | O_CLOEXEC) };
    for (size_t i = 0; i < 2; i++) {
        struct error error = { 0 };
        site->setup.host_namespace = site->host;
        site->setup.world_namespace = site->world;
        site->setup.watches = site->watches;
        site->setup.held[0] = (struct held_stream){ .fd = descriptors[i], .kind = WITNESS_PEER, .at = "?" };
        site_check(site, !witness_start(&site->witness, &site->setup, &error), "case %zu: it started", i);
        site_check(site, strstr(error.text, complaints[i]) != NULL, "case %zu: %s", i, error.text);
    }
}

Test(witness_held, what_can_not_be_waited_for_is_refused)
{
    in_site(refused);
}
