/*
 * The door's round trip: "BGD1 <challenge>" is answered by "BGD1 <HMAC-SHA-256>", one line each. Whether the
 * proof is the right one only the gate can tell; here it must only be well-formed, and be the whole answer.
 */
#include <string.h>

#include "../encode.h"
#include "door.h"
#include "stream.h"

#define PREFIX       "BGD1 "
#define PROOF_DIGITS 64

static bool line_complete(struct attempt *attempt, const uint8_t *data, size_t size)
{
    (void)data, (void)size;
    const size_t prefix = strlen(PREFIX), whole = prefix + PROOF_DIGITS + 1;
    const char *line = (const char *)attempt->answer, *digits = line + prefix;
    uint8_t proof[PROOF_DIGITS / 2];
    attempt->proof[0] = '\0'; /* a witness's token is no proof of a door */
    if (memchr(line, '\n', attempt->answer_size) == NULL && attempt->answer_size < whole)
        return false;
    if (attempt->answer_size == whole && line[whole - 1] == '\n' && memcmp(line, PREFIX, prefix) == 0 &&
        decode_hex(digits, PROOF_DIGITS, proof, sizeof proof)) {
        memcpy(attempt->proof, digits, PROOF_DIGITS);
        attempt->proof[PROOF_DIGITS] = '\0';
    }
    return true;
}

void door_set_question(struct attempt *attempt)
{
    const size_t prefix = strlen(PREFIX), digits = 2 * sizeof attempt->planned->nonce;
    memcpy(attempt->request, PREFIX, prefix);
    encode_hex(attempt->planned->nonce, sizeof attempt->planned->nonce, (char *)attempt->request + prefix);
    attempt->request[prefix + digits] = '\n';
    attempt->request_size = (uint16_t)(prefix + digits + 1);
    attempt->judge_answer = line_complete;
}

static void start(struct attempt *attempt, uint64_t now)
{
    door_set_question(attempt);
    stream_start(attempt, now);
}

const struct mechanism_functions door_functions = { start, stream_ready, stream_timer };
