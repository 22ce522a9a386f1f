/* What was accepted without proof: who may accept what, and that every report says it. */
#include "../../gates/commands/run_settings.h"
#include "../../gates/report/report.h"
#include "gates_report_run.h"

static bool yes(void)
{
    return true;
}
static bool no(void)
{
    return false;
}

/* NULL where the options are taken, else a part of what is told. */
static const char *settle(struct run_options *options, enum self_proof *made)
{
    static char text[sizeof((struct error *)0)->text];
    struct error error = { 0 };
    bool settled = run_settings_settle(options, &error);
    cr_expect_eq(settled, error.code == 0);
    cr_expect(settled || error.code == ERROR_USAGE);
    snprintf(text, sizeof text, "%s", error.text);
    *made = options->self_proof;
    return settled ? NULL : text;
}

Test(accepted, no_open_run_is_made_with_a_backend_that_has_no_open_bottle)
{
    static const struct {
        bool (*has_open)(void);
        enum self_proof asked, made;
        const char *told;
    } rows[] = {
        { NULL, SELF_PROOF_OPEN, SELF_PROOF_OPEN, NULL },
        { yes, SELF_PROOF_OPEN, SELF_PROOF_OPEN, NULL },
        { no, SELF_PROOF_OPEN, SELF_PROOF_BARE, NULL },
        { no, SELF_PROOF_BARE, SELF_PROOF_BARE, NULL },
        { no, SELF_PROOF_OFF, SELF_PROOF_OFF, NULL },
        { yes, SELF_PROOF_EACH, SELF_PROOF_EACH, NULL },
        { yes, SELF_PROOF_BARE, SELF_PROOF_BARE, NULL },
        { no, SELF_PROOF_EACH, SELF_PROOF_EACH, "needs an open bottle" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        enum self_proof made;
        struct backend backend = native_backend;
        struct run_options options = { .backend = &backend, .self_proof = rows[i].asked, .mutant = -1 };
        backend.has_open = rows[i].has_open;
        const char *told = settle(&options, &made);
        cr_expect_eq(made, rows[i].made, "row %zu", i);
        cr_expect(rows[i].told == NULL ? told == NULL : told != NULL && strstr(told, rows[i].told) != NULL,
                  "row %zu: %s", i, told);
    }
}

Test(accepted, a_run_makes_the_phases_that_its_self_proof_needs)
{
    static const char *const made[] = { "..f", "b.f", "bof", "bof" };
    for (int k = SELF_PROOF_OFF; k <= SELF_PROOF_EACH; k++) {
        struct run_options options = { .self_proof = (enum self_proof)k };
        for (int phase = 0; phase < PHASES; phase++)
            cr_expect_eq(run_makes_phase(&options, (enum phase_kind)phase), made[k][phase] != '.', "%d %d", k, phase);
    }
}

/* Where an open run was to be made, its lack is never what was accepted. */
Test(accepted, what_was_to_be_made_is_missed_though_it_was_accepted)
{
    for (int k = SELF_PROOF_OFF; k <= SELF_PROOF_EACH; k++) {
        struct error error = { 0 };
        struct run_options options = {
            .backend = &native_backend, .self_proof = (enum self_proof)k, .accept_open = true, .mutant = -1
        };
        struct run *run = run_new(&options, &error);
        cr_expect_eq(run->findings.open_accepted, k < SELF_PROOF_OPEN, "%d", k);
        run_free(run);
        options.accept_open = false;
        run = run_new(&options, &error);
        cr_expect_not(run->findings.open_accepted, "%d", k);
        run_free(run);
    }
}

Test(accepted, only_what_can_matter_is_accepted_or_required)
{
    static const struct {
        struct run_options options;
        const char *told;
    } rows[] = {
        { { .self_proof = SELF_PROOF_BARE, .accept_open = true }, NULL },
        { { .self_proof = SELF_PROOF_OPEN, .accept_open = true }, NULL },
        { { .self_proof = SELF_PROOF_OFF, .accept_open = true }, "--self-proof=bare makes it" },
        { { .accepted = { 1, { 20 } }, .required = { 2, { 54, 48 } } }, NULL },
        { { .accepted = { 2, { 48, 20 } }, .required = { 2, { 54, 20 } } }, "both name BG-020" },
        { { .vectors = { 20, 54 }, .vector_count = 2, .accepted = { 1, { 54 } } }, NULL },
        { { .vectors = { 20 }, .vector_count = 1, .accepted = { 2, { 20, 54 } } }, "--accept-unproved names BG-054" },
        { { .vectors = { 20 }, .vector_count = 1, .required = { 1, { 106 } } }, "--require names BG-106" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        enum self_proof made;
        struct run_options options = rows[i].options;
        options.backend = &native_backend;
        const char *told = settle(&options, &made);
        cr_expect(rows[i].told == NULL ? told == NULL : told != NULL && strstr(told, rows[i].told) != NULL,
                  "row %zu: %s", i, told);
    }
}

/* One attempt at BG-020, of the user's, was caught nowhere, or there is no open run; or nothing of both. */
static struct run *run_with(bool missed, bool bare)
{
    static const uint16_t asked[] = { 20, 114 };
    struct run *run = crafted_run(asked, 2, bare ? SELF_PROOF_BARE : SELF_PROOF_OPEN);
    if (missed)
        for (int k = PHASE_BARE; k <= PHASE_OPEN; k++)
            run->phases[k].hits[0] = run->phases[k].hits[1];
    run->options.accepted = (struct vector_list){ 2, { 114, 20 } };
    run->options.accept_open = true;
    run->findings.open_accepted = bare;
    run_judge(run);
    cr_assert_eq(run->verdict, RUN_PASS, "%s", run->reason);
    return run;
}

Test(accepted, every_report_of_a_pass_says_what_it_rests_on)
{
    static const struct {
        const char *format, *before, *after, *attempt;
    } rows[] = {
        { "pretty", "\naccepted without proof: ", "\n", "accepted without proof (--accept-unproved)\n" },
        { "tap", "\n# accepted without proof: ", "\n", "/tcp as user # TODO accepted without proof\n" },
        { "junit", "\naccepted without proof: ", "\n", "<skipped type=\"INCONCLUSIVE\" message=\"Nobody caught" },
        { "markdown", "\n**Accepted without proof:** ", "\n",
          "silence proves nothing here\\. Accepted without proof\\. |" },
        { "json", "\"accepted\":\t[", "]", "\"accepted\":\ttrue" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (int kind = 0; kind < 4; kind++) {
            static const char *const words[] = { "", "BG-020", "open", "open, BG-020" }, *const quoted[] = {
                "", "\"BG-020\"", "\"open\"", "\"open\", \"BG-020\""
            };
            bool missed = (kind & 1) != 0, bare = (kind & 2) != 0, json = strcmp(rows[i].format, "json") == 0;
            char line[200];
            struct run *run = run_with(missed, bare);
            char *text = told(run, report_find(rows[i].format)->write);
            snprintf(line, sizeof line, "%s%s%s", rows[i].before, json ? quoted[kind] : words[kind], rows[i].after);
            cr_expect_eq(strstr(text, line) != NULL, json || missed || bare, "kind %d: %s", kind, text);
            cr_expect_eq(strstr(text, rows[i].attempt) != NULL, missed, "kind %d: %s", kind, text);
            cr_expect_eq(strstr(text, "1 inconclusive (1 accepted), 0 broken") != NULL, missed && !json, "%s", text);
            free(text);
            run_free(run);
        }
}

Test(accepted, the_table_says_how_many_stand_on_the_bare_run_alone_and_quiet_hides_nothing_that_was_accepted)
{
    for (int bare = 0; bare < 2; bare++) {
        char *text = NULL, number[32];
        size_t size;
        struct run *run = run_with(false, bare == 1);
        text = told(run, report_pretty);
        snprintf(number, sizeof number, "  %zu of the blocked stand", run->attempt_count);
        cr_expect_eq(strstr(text, number) != NULL, bare == 1, "%s", text);
        free(text);
        FILE *stream = open_memstream(&text, &size);
        report_pretty(run, &(struct report_style){ .quiet = true }, stream);
        fclose(stream);
        cr_expect_eq(strstr(text, "\naccepted without proof: open\n") != NULL, bare == 1, "%s", text);
        free(text);
        run_free(run);
    }
}

/* What the kernel lacks is proved by no open run either. */
Test(accepted, what_the_bare_probe_lacks_too_rests_on_the_bare_run_alone)
{
    static const uint16_t asked[] = { 114 };
    struct run *run = crafted_run(asked, 1, SELF_PROOF_BARE);
    run->options.accept_open = run->findings.open_accepted = true;
    run->phases[PHASE_BARE].hit_count = 0;
    for (int k = PHASE_BARE; k <= PHASE_FENCED; k += PHASE_FENCED)
        for (int i = 0; i < PRINCIPALS * 3; i++)
            strcpy(run->phases[k].parts[i / 3][PART_ATTEMPTS].collection.acts[i % 3].did.error, "EAFNOSUPPORT");
    run_judge(run);
    cr_assert_eq(run->verdict, RUN_PASS, "%s", run->reason);
    cr_expect_eq(run->attempts[0].judgement.how, HOW_UNSUPPORTED);
    char *text = told(run, report_pretty);
    cr_expect_not_null(strstr(text, "\naccepted without proof: open\n"), "%s", text);
    cr_expect_not_null(strstr(text, "  4 of the blocked stand on the bare run alone"), "%s", text);
    free(text);
    run_free(run);
}

/* Text and counts of JUnit's XML must be of one mind. */
Test(accepted, junit_counts_what_was_accepted_as_skipped_and_as_nothing_else)
{
    struct run *run = run_with(true, false);
    char *text = told(run, report_junit);
    cr_expect_not_null(strstr(text, "failures=\"0\" errors=\"0\" skipped=\"1\""), "%s", text);
    cr_expect_not_null(strstr(text, "failures=\"0\" errors=\"0\" time"), "of all suites: %s", text);
    cr_expect_null(strstr(text, "<error"), "%s", text);
    const char *skipped = strstr(text, "<skipped");
    cr_assert_not_null(skipped);
    cr_expect_null(strstr(skipped + 1, "<skipped"));
    free(text);
    run_free(run);
}
