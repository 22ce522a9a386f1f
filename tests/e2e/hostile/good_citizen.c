/*
 * A probe that says everything right and tries nothing: its greeting, its order, its digests and its round trips through
 * the door are the real ones, and each attempt is said to have been made and to have been silent. It lies wherever a plan
 * has a door: in the bare, the open and the fenced run, and not in the controls. Linked with --wrap for both functions.
 */
#include <stdbool.h>

#include "../../../probes/attempts.h"
#include "../../../probes/mechanisms/mechanism.h"

static bool has_door;

static void pretend(struct attempt *attempt, uint64_t now)
{
    (void)now;
    attempt->sent = 50;
    attempt_end(attempt, STAGE_DEADLINE, 0);
}

static const struct mechanism_functions nothing = { .start = pretend };

void __real_attempts_run(struct attempt *attempts, size_t count, uint32_t milliseconds, struct recorder *recorder);
void __wrap_attempts_run(struct attempt *attempts, size_t count, uint32_t milliseconds, struct recorder *recorder);
void __wrap_attempts_run(struct attempt *attempts, size_t count, uint32_t milliseconds, struct recorder *recorder)
{
    has_door = has_door || attempts[0].planned->vector == RECORD_DOOR;
    for (size_t i = 0; has_door && i < count; i++)
        if (attempts[i].planned->vector != RECORD_DOOR)
            attempts[i].functions = &nothing;
    __real_attempts_run(attempts, count, milliseconds, recorder);
}
