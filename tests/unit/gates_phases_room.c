/* How many phases are made side by side: all of them where bottles are processes; machines as memory and processors allow. */
#include <criterion/criterion.h>
#include <sched.h>

#include "../../gates/phases.h"

#define MORE_THAN_ANY_HOST 4000000u /* MiB */

static size_t room(unsigned bottle_mebibytes, size_t count)
{
    struct backend backend = { .bottle_mebibytes = bottle_mebibytes };
    struct phase_job jobs[PHASES_AT_ONCE + 1] = { 0 };
    for (size_t i = 0; i < PHASES_AT_ONCE + 1; i++) {
        jobs[i].options.backend = &backend;
        jobs[i].options.kind = i == 0 ? PHASE_BARE : i == 1 ? PHASE_OPEN : PHASE_FENCED;
    }
    return phases_room(jobs, count);
}

static void processors(int wanted)
{
    cpu_set_t all, some;
    CPU_ZERO(&some);
    cr_assert_eq(sched_getaffinity(0, sizeof all, &all), 0);
    for (size_t cpu = 0; cpu < CPU_SETSIZE && CPU_COUNT(&some) < wanted; cpu++)
        if (CPU_ISSET(cpu, &all))
            CPU_SET(cpu, &some);
    if (CPU_COUNT(&some) < wanted)
        cr_skip_test("this host has one processor");
    cr_assert_eq(sched_setaffinity(0, sizeof some, &some), 0);
}

Test(gates_phases_room, bottles_that_are_processes_are_made_side_by_side_up_to_the_limit)
{
    processors(1);
    for (size_t count = 1; count <= PHASES_AT_ONCE; count++)
        cr_assert_eq(room(0, count), count);
    cr_assert_eq(room(0, PHASES_AT_ONCE + 1), PHASES_AT_ONCE);
}

Test(gates_phases_room, machines_are_made_one_phase_at_a_time_on_one_processor)
{
    processors(1);
    cr_assert_eq(room(1, PHASES_AT_ONCE), 1);
}

Test(gates_phases_room, small_machines_are_made_side_by_side_on_two)
{
    processors(2);
    cr_assert_eq(room(1, PHASES_AT_ONCE), PHASES_AT_ONCE);
    cr_assert_eq(room(1, PHASES_AT_ONCE + 1), PHASES_AT_ONCE);
}

Test(gates_phases_room, who_asks_for_fewer_gets_fewer)
{
    struct backend backend = { 0 };
    struct phase_job jobs[PHASES_AT_ONCE] = { 0 };
    for (size_t i = 0; i < PHASES_AT_ONCE; i++)
        jobs[i].options.backend = &backend;
    for (unsigned wanted = 1; wanted <= PHASES_AT_ONCE + 1; wanted++) {
        jobs[0].options.at_once = wanted;
        cr_expect_eq(phases_room(jobs, PHASES_AT_ONCE), wanted < PHASES_AT_ONCE ? wanted : PHASES_AT_ONCE);
    }
    jobs[0].options.at_once = 2;
    cr_expect_eq(phases_room(jobs, 1), 1);
}

Test(gates_phases_room, the_run_without_a_bottle_takes_no_memory_and_whatever_is_lacking_one_is_made)
{
    processors(2);
    cr_assert_eq(room(MORE_THAN_ANY_HOST, PHASES_AT_ONCE), 1, "the bare run alone");
    struct backend backend = { .bottle_mebibytes = MORE_THAN_ANY_HOST };
    struct phase_job machines[2] = { { .options = { .kind = PHASE_OPEN, .backend = &backend } },
                                     { .options = { .kind = PHASE_FENCED, .backend = &backend } } };
    cr_assert_eq(phases_room(machines, 2), 1);
}
