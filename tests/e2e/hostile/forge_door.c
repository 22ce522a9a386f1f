/* A probe that never goes to the door and makes up what the door would have answered; all attempts are real. Linked with
 * --wrap; it lies in the fenced bottle alone. */
#include <string.h>
#include <unistd.h>

#include "../../../probes/attempts.h"
#include "../../../probes/mechanisms/mechanism.h"

static void pretend(struct attempt *attempt, uint64_t now)
{
    (void)now;
    attempt->sent = 38;
    attempt->received = 70;
    memset(attempt->proof, 'a', 64);
    attempt->proof[64] = '\0';
    attempt_end(attempt, STAGE_ANSWERED, 0);
}

static const struct mechanism_functions made_up = { .start = pretend };

void __real_attempts_run(struct attempt *attempts, size_t count, uint32_t milliseconds, struct recorder *recorder);
void __wrap_attempts_run(struct attempt *attempts, size_t count, uint32_t milliseconds, struct recorder *recorder);
void __wrap_attempts_run(struct attempt *attempts, size_t count, uint32_t milliseconds, struct recorder *recorder)
{
    if (attempts[0].planned->vector == RECORD_DOOR && access("/run/bottle-gate", F_OK) != 0)
        attempts[0].functions = &made_up;
    __real_attempts_run(attempts, count, milliseconds, recorder);
}
