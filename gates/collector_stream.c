/*
 * See collector.h: the state machine that reads a probe's records, byte by byte, whatever the pieces they
 * come in. It calls nothing but the record grammar, SHA-256 and snprintf, allocates nothing, and keeps at
 * most one line. Its rules:
 *
 *   - printable ASCII and newlines only, lines of at most RECORD_LINE_MAX bytes, each of them a record;
 *   - one hello, first, which names this run, this plan's number of acts and the principal's uid;
 *   - `try` in the plan's order without a gap; `did` once, after its `try`;
 *   - a door act stands alone: all before it are done when it is tried, and it is done when the next is
 * tried. So the first round trip is before everything else, and the last after it;
 *   - one bye, last, with the right counts and the digest of everything above it, and nothing after it.
 *
 * The first breach makes the stream FORGED for good, and what comes after it isn't read; what was recorded
 * before stays recorded. What a hostile bottle writes is never repeated in `problem`, which goes into
 * reports.
 */
#include "collector.h"

#include <stdio.h>
#include <string.h>

#define USER_ID 65534

static void forged(struct collector_state *state, const char *what)
{
    state->result->state = STREAM_FORGED;
    snprintf(state->result->problem, sizeof state->result->problem, "line %u: %s", state->lines + 1, what);
}

static uint16_t tried_so_far(const struct collector_state *state)
{
    return (uint16_t)(state->next_try - state->plan->first);
}

static bool in_plan(const struct collector_plan *plan, uint16_t seq)
{
    return seq >= plan->first && seq < plan->first + plan->count;
}

/* The readers of the four records return what is wrong, or NULL. */
static const char *read_hello(struct collector_state *state, const struct record *record)
{
    const struct collector_plan *plan = state->plan;
    struct collection *result = state->result;
    if (state->greeted)
        return "a second hello";
    if (strcmp(record->hello.run, plan->run) != 0)
        return "a hello of another run";
    if (record->hello.count != plan->count)
        return "a hello with another number of acts";
    if (!plan->any_uid && record->hello.uid != (plan->root ? 0 : USER_ID))
        return "a hello of another principal";
    state->greeted = true;
    result->state = STREAM_CUT;
    result->uid = record->hello.uid;
    memcpy(result->kernel, record->hello.kernel, sizeof result->kernel);
    memcpy(result->boot_id, record->hello.boot_id, sizeof result->boot_id);
    memcpy(result->digest, record->hello.digest, sizeof result->digest);
    return NULL;
}

static const char *read_try(struct collector_state *state, const struct record *record)
{
    const struct collector_plan *plan = state->plan;
    uint16_t seq = record->attempt.seq;
    if (!in_plan(plan, seq))
        return "a try that is not in the plan";
    if (seq != state->next_try)
        return "a try out of order";
    if (record->attempt.vector != plan->vectors[seq])
        return "a try of another vector than planned";
    if (record->attempt.root != plan->root)
        return "a try of another principal";
    bool door = plan->vectors[seq] == RECORD_DOOR;
    bool after_door = seq > plan->first && plan->vectors[seq - 1] == RECORD_DOOR;
    if ((door || after_door) && state->done != tried_so_far(state))
        return door ? "the door is tried before all else is done" : "a try before the door is done";
    state->result->acts[seq].tried = true;
    state->next_try++;
    return NULL;
}

static const char *read_did(struct collector_state *state, const struct record *record)
{
    if (!in_plan(state->plan, record->did.seq))
        return "a did that is not in the plan";
    struct collected_act *act = &state->result->acts[record->did.seq];
    if (!act->tried)
        return "a did without its try";
    if (act->done)
        return "a second did";
    act->did = record->did;
    act->done = true;
    state->done++;
    return NULL;
}

static const char *read_bye(struct collector_state *state, const struct record *record)
{
    char digest[65];
    sha256_end_hex(&state->hash, digest);
    if (record->bye.tried != tried_so_far(state) || record->bye.done != state->done)
        return "a bye that counts wrong";
    if (strcmp(record->bye.digest, digest) != 0)
        return "a bye whose digest is not that of the lines above it";
    state->closed = true;
    return NULL;
}

static const char *read_record(struct collector_state *state)
{
    struct record record;
    if (!record_parse(state->line, state->line_used, &record))
        return "not a record";
    if (!state->greeted && record.kind != RECORD_HELLO)
        return "a record before the hello";
    if (record.kind == RECORD_BYE)
        return read_bye(state, &record);
    state->line[state->line_used] = '\n';
    sha256_add(&state->hash, state->line, state->line_used + 1);
    switch (record.kind) {
    case RECORD_HELLO:
        return read_hello(state, &record);
    case RECORD_TRY:
        return read_try(state, &record);
    case RECORD_DID:
        return read_did(state, &record);
    default:
        return "not a record";
    }
}

static void feed_byte(struct collector_state *state, char byte)
{
    if (state->closed)
        forged(state, "something after the bye");
    else if (byte == '\n') {
        const char *problem = read_record(state);
        if (problem != NULL)
            forged(state, problem);
        state->lines++;
        state->line_used = 0;
    } else if (byte < 0x20 || byte > 0x7e)
        forged(state, "a byte that no record has");
    else if (state->line_used == RECORD_LINE_MAX - 1)
        forged(state, "too long");
    else
        state->line[state->line_used++] = byte;
}

void collector_begin(struct collector_state *state, const struct collector_plan *plan, struct collection *result)
{
    memset(state, 0, sizeof *state);
    memset(result, 0, sizeof *result);
    state->plan = plan;
    state->result = result;
    state->next_try = plan->first;
    result->state = STREAM_SILENT;
    result->count = plan->count;
    sha256_start(&state->hash);
    if (plan->first + plan->count > ACTS_MAX)
        forged(state, "more acts planned than can be collected");
}

void collector_feed(struct collector_state *state, const char *bytes, size_t size)
{
    for (size_t i = 0; i < size && state->result->state != STREAM_FORGED; i++)
        feed_byte(state, bytes[i]);
}

void collector_end(struct collector_state *state)
{
    struct collection *result = state->result;
    if (result->state == STREAM_FORGED)
        return;
    uint16_t tried = tried_so_far(state);
    if (state->closed && tried == result->count && state->done == result->count) {
        result->state = STREAM_COMPLETE;
        return;
    }
    result->state = state->greeted ? STREAM_CUT : STREAM_SILENT;
    if (!state->greeted)
        snprintf(result->problem, sizeof result->problem, "not one record");
    else
        snprintf(result->problem, sizeof result->problem, "%s line %u, with %u of %u acts tried and %u done",
                 state->closed ? "the bye in" : "cut after", state->lines, tried, result->count, state->done);
}
