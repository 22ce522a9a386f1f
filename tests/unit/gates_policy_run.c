/* A whole run whose backend starts nothing: with which policy it was asked to. */
#include <criterion/criterion.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>

#include "gates_whole_run.h"

/* Bottles that were to be started with "tight", and with anything else; shared with the processes of a run. */
static atomic_uint *tight, *loose;

static struct bottle *start_none(const struct bottle_options *options, struct error *error)
{
    ++*(options->policy != NULL && strcmp(options->policy, "tight") == 0 ? tight : loose);
    error_set(error, ERROR_SYSTEM, "none is wanted");
    return NULL;
}

Test(policy, the_bottles_of_a_run_are_started_with_it)
{
    static const char *const policies[] = { "loose", "tight", NULL };
    struct error error = { 0 };
    struct backend backend = native_backend;
    backend.policies = policies;
    backend.start = start_none;
    atomic_uint *shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    cr_assert_neq(shared, MAP_FAILED);
    tight = shared, loose = shared + 1;
    struct run *run = whole_run(&backend, policies[1], &error);
    cr_assert_not_null(run, "%s", error.text);
    cr_expect_eq(run->verdict, RUN_BROKEN);
    cr_expect(*tight == 2 && *loose == 0, "%u %u", *tight, *loose);
    run_free(run);
    munmap(shared, 4096);
}
