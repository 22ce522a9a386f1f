/*
 * One run of the real bottle-probe in the world of probes_world.h: a plan made attempt by attempt, the run,
 * and a strict reading of every record it wrote.
 */
#ifndef TESTS_UNIT_PROBES_TRIAL_H
#define TESTS_UNIT_PROBES_TRIAL_H

#include "../../probes/encode.h"
#include "probes_world.h"

static char plan_text[PLAN_TEXT_MAX];

static inline void plan_begin(uint32_t deadline, const struct endpoint *door)
{
    plan = (struct probe_plan){ .run = "0123456789abcdef0123456789abcdef",
                                .deadline_milliseconds = deadline,
                                .repeats = 3 };
    if (door != NULL) {
        plan.has_door = true;
        plan.door_port = door->port;
        strcpy(plan.door_host, "127.0.0.1");
        memset(plan.first_challenge, 0x11, sizeof plan.first_challenge);
        memset(plan.last_challenge, 0x22, sizeof plan.last_challenge);
    }
}

static inline uint16_t plan_add(enum mechanism mechanism, const char *address, uint16_t port)
{
    struct planned_attempt *attempt = &plan.attempts[plan.count++];
    *attempt = (struct planned_attempt){ .seq = plan.count, .vector = 61, .mechanism = mechanism, .port = port };
    strcpy(attempt->address, address);
    for (size_t i = 0; i < NONCE_BYTES; i++)
        attempt->nonce[i] = (uint8_t)(0xf0 ^ plan.count * 17 ^ i * 29);
    return attempt->seq;
}

/* Checks the whole stream: order, counts, digest. Fills `done`. */
static inline void read_records(void)
{
    struct sha256 hash;
    struct record record = { .kind = RECORD_BYE };
    char digest[65];
    uint16_t next = plan.has_door ? 0 : 1, acts = (uint16_t)(plan.count + (plan.has_door ? 2 : 0)), ended = 0;
    bool tried[PLAN_ATTEMPTS_MAX + 2] = { false }, greeted = false, closed = false;
    sha256_start(&hash);
    memset(done, 0, sizeof done);
    for (char *line = outcome.output, *newline; (newline = strchr(line, '\n')) != NULL; line = newline + 1) {
        cr_assert(record_parse(line, (size_t)(newline - line), &record), "%.*s", (int)(newline - line), line);
        cr_assert_not(closed);
        cr_assert_eq(greeted, record.kind != RECORD_HELLO);
        if (record.kind == RECORD_HELLO) {
            greeted = true;
            cr_expect_str_eq(record.hello.run, plan.run);
            cr_expect_eq(record.hello.count, acts);
        } else if (record.kind == RECORD_TRY) {
            bool door = plan.has_door && (next == 0 || next == plan.count + 1);
            cr_assert_eq(record.attempt.seq, next);
            cr_expect_eq(record.attempt.vector, door ? RECORD_DOOR : 61);
            tried[next++] = true;
        } else if (record.kind == RECORD_DID) {
            cr_assert(tried[record.did.seq] && done[record.did.seq].microseconds == 0);
            done[record.did.seq] = record.did;
            done[record.did.seq].microseconds++;
            ended++;
        } else {
            closed = true;
            sha256_end_hex(&hash, digest);
            cr_expect_str_eq(record.bye.digest, digest);
            cr_expect_eq(record.bye.tried, acts);
            cr_expect_eq(record.bye.done, acts);
        }
        sha256_add(&hash, line, (size_t)(newline - line) + 1);
    }
    cr_assert(closed, "no bye:\n%s%s", outcome.output, outcome.complaint);
    cr_expect_eq(ended, acts);
    cr_expect_eq(outcome.status, 0);
    cr_expect_str_empty(outcome.complaint);
}

/* Into plan_text; its size. */
static inline size_t plan_write(void)
{
    static uint8_t masks[PLAN_ATTEMPTS_MAX][NONCE_BYTES];
    memset(masks, 0x3c, sizeof masks);
    size_t size = plan_format(&plan, masks, plan_text, sizeof plan_text);
    cr_assert_gt(size, 0);
    return size;
}

static inline void run(child_setup *setup)
{
    probe_run_text(plan_text, plan_write(), setup);
    read_records();
}

static inline void expect(uint16_t seq, enum stage stage, const char *error, const char *proof)
{
    cr_expect_str_eq(stage_name(done[seq].stage), stage_name(stage), "act %u: %s", seq, outcome.output);
    cr_expect_str_eq(done[seq].error, error, "act %u", seq);
    cr_expect_str_eq(done[seq].proof, proof, "act %u", seq);
}

/* What IS_DOOR answers to the plan's two challenges; the second round trip is act `last`. */
static const char *const door_questions[] = { "BGD1 11111111111111111111111111111111\n",
                                              "BGD1 22222222222222222222222222222222\n" };
static inline void expect_door_proofs(uint16_t last)
{
    for (uint16_t i = 0; i < 2; i++) {
        struct sha256 hash;
        char digest[65];
        sha256_start(&hash);
        sha256_add(&hash, door_questions[i], strlen(door_questions[i]));
        sha256_end_hex(&hash, digest);
        expect(i == 0 ? 0 : last, STAGE_ANSWERED, "", digest);
    }
}

static inline bool heard(const struct endpoint *endpoint, const void *bytes, size_t size)
{
    return memmem(endpoint->heard, endpoint->heard_size, bytes, size) != NULL;
}

static inline bool heard_nonce(const struct endpoint *endpoint, uint16_t seq)
{
    const uint8_t *nonce = plan.attempts[seq - 1].nonce;
    char digits[33];
    encode_hex(nonce, NONCE_BYTES, digits);
    return heard(endpoint, nonce, NONCE_BYTES) && heard(endpoint, digits, 32);
}

/* A port of loopback where nobody listens. */
static inline uint16_t dead_port(int type)
{
    struct endpoint *endpoint = world_add(STAYS_SILENT, type, NULL);
    uint16_t port = endpoint->port;
    close(endpoint->fd);
    world_size--;
    return port;
}

/* Fills a listener's queue, so that the next connection is neither made nor refused. */
static inline void fill_queue(const struct endpoint *endpoint)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                                   .sin_port = htons(endpoint->port) };
    cr_assert_eq(listen(endpoint->fd, 0), 0);
    for (unsigned i = 0; i < 3; i++) {
        int caller = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        cr_assert(connect(caller, (struct sockaddr *)&address, sizeof address) == 0 || errno == EINPROGRESS);
    }
}

#endif
