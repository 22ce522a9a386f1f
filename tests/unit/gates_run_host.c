/* A whole run of which one phase finds that this host lacks something: that is said, but never in place of an escape. */
#include <criterion/criterion.h>
#include <string.h>

#include "gates_whole_run.h"

static bool leaky; /* the fenced bottle has no fences */

static struct bottle *start_but_no_open_one(const struct bottle_options *options, struct error *error)
{
    struct bottle_options mine = *options;
    if (options->open) {
        error_set(error, ERROR_HOST, "this host lacks it");
        return NULL;
    }
    if (leaky)
        mine.without = backend_all_fences(&native_backend);
    return native_backend.start(&mine, error);
}

static struct run *execute(bool leaks, struct error *error)
{
    static struct backend backend;
    backend = native_backend;
    backend.start = start_but_no_open_one;
    leaky = leaks;
    return whole_run(&backend, NULL, error);
}

Test(lacking_host, ends_the_run_without_a_verdict)
{
    struct error error = { 0 };
    cr_assert_null(execute(false, &error));
    cr_expect_eq(error.code, ERROR_HOST);
    cr_expect_str_eq(error.text, "this host lacks it");
}

Test(lacking_host, keeps_no_escape_from_being_told)
{
    struct error error = { 0 };
    struct run *run = execute(true, &error);
    cr_assert_not_null(run, "%s", error.text);
    cr_expect_eq(run->verdict, RUN_FAIL);
    cr_expect_gt(run->counts[VERDICT_ESCAPED], 0);
    run_free(run);
}
