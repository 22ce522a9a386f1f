/* How tight a bottle was asked to be: who may ask for what, and that every report, the evidence and the remedies say it. */
#include "../../gates/commands/run_settings.h"
#include "../../gates/report/evidence_file.h"
#include "../../gates/report/replay.h"
#include "../../gates/report/report.h"
#include "gates_report_run.h"

static const uint16_t asked[] = { 22, 48, 49 };

Test(policy, each_backend_takes_its_own_and_no_other)
{
    static const struct {
        const char *backend, *policy, *resolved, *told;
    } rows[] = {
        { "native", NULL, NULL, NULL },
        { "native", "hardened", NULL, "native has no policies" },
        { "native", "", NULL, "native has no policies" },
        { "smolmachines", NULL, "hardened", NULL },
        { "smolmachines", "hardened", "hardened", NULL },
        { "smolmachines", "cidr", "cidr", NULL },
        { "smolmachines", "open", NULL, "no policy \"open\"; it has: hardened, cidr" },
        { "smolmachines", "", NULL, "it has: hardened, cidr" },
        { "smolmachines", "cidr,hardened", NULL, "it has: hardened, cidr" },
        { "bochs", "cidr", NULL, "there are: native, smolmachines, docker, wrap" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct error error = { 0 };
        const char *policy = "none";
        const struct backend_choice choice = { .name = rows[i].backend, .policy = rows[i].policy };
        const struct backend *backend = backend_option_resolve(&choice, &policy, &error);
        cr_expect_eq(backend != NULL, rows[i].told == NULL, "row %zu: %s", i, error.text);
        if (rows[i].told != NULL)
            cr_expect(error.code == ERROR_USAGE && strstr(error.text, rows[i].told) != NULL, "row %zu: %s", i,
                      error.text);
        else if (rows[i].resolved == NULL)
            cr_expect_null(policy);
        else
            cr_expect_str_eq(policy, rows[i].resolved);
    }
}

Test(policy, an_engine_is_for_a_backend_that_has_one)
{
    struct error error = { 0 }, other = { 0 };
    const char *policy;
    const struct backend_choice native = { .name = "native", .engine = "/bin/sh" },
                                nowhere = { .name = "smolmachines", .engine = "/nonexistent" },
                                machine = { .name = "smolmachines", .engine = "/bin/sh" };
    cr_expect_null(backend_option_resolve(&native, &policy, &error));
    cr_expect(error.code == ERROR_USAGE && strstr(error.text, "--smolvm") != NULL, "%s", error.text);
    cr_expect_null(backend_option_resolve(&nowhere, &policy, &other));
    cr_expect(other.code == ERROR_USAGE && strstr(other.text, "/nonexistent") != NULL, "%s", other.text);
    cr_expect_eq(backend_option_resolve(&machine, &policy, &error), &smolmachines_backend);
}

Test(policy, a_fence_that_it_has_not_cannot_be_left_out)
{
    static const struct {
        const char *backend, *policy, *mutant, *told;
    } rows[] = {
        { "smolmachines", NULL, "dns-filter", NULL },
        { "smolmachines", "hardened", "floor", NULL },
        { "smolmachines", "cidr", "cidrs", NULL },
        { "smolmachines", "cidr", "dns-filter",
          "the policy cidr of backend smolmachines has no fence dns-filter to leave out; it has: cidrs, floor" },
        { "smolmachines", "hardened", "network", "no fence \"network\"; it has: cidrs, dns-filter, floor" },
        { "smolmachines", "cidr", "network", "no fence \"network\"; it has: cidrs, floor" },
        { "native", NULL, "network", NULL },
        { "native", NULL, "cidrs", "backend native has no fence \"cidrs\"; it has: network, mount" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct error error = { 0 };
        struct run_settings settings;
        run_settings_defaults(&settings);
        settings.choice = (struct backend_choice){ .name = rows[i].backend, .policy = rows[i].policy };
        settings.mutant_name = rows[i].mutant;
        cr_expect_eq(run_settings_resolve(&settings, &error), rows[i].told == NULL, "row %zu: %s", i, error.text);
        if (rows[i].told != NULL)
            cr_expect(error.code == ERROR_USAGE && strstr(error.text, rows[i].told) != NULL, "row %zu: %s", i,
                      error.text);
    }
}

/* A run of which one attempt at 48 and one at 22 got out. */
static struct run *run_of(const struct backend *backend, const char *policy)
{
    struct run *run = crafted_run(asked, 3, SELF_PROOF_OPEN);
    struct phase_result *fenced = &run->phases[PHASE_FENCED];
    run->options.backend = run->findings.backend = backend;
    run->options.policy = policy;
    run->findings.shares_kernel = !backend->own_kernel;
    for (int k = PHASE_OPEN; k < PHASES && backend->own_kernel; k++) {
        strcpy(run->phases[k].fingerprint.kernel, "6.9");
        for (int part = 0; part < PRINCIPALS * PARTS; part++)
            strcpy(run->phases[k].parts[part / PARTS][part % PARTS].collection.kernel, "6.9");
    }
    for (uint16_t seq = 1; seq <= run->plan.count; seq++)
        if (run->plan.attempts[seq - 1].vector->id == 48 || run->plan.attempts[seq - 1].vector->id == 22)
            fenced->hits[fenced->hit_count++] = run->phases[PHASE_OPEN].hits[seq - 1];
    run_judge(run);
    return run;
}

/* A report without the marks that its format puts before what it would read as its own. */
static char *plain_text(const struct run *run, const struct report_format *format)
{
    char *text = told(run, format->write), *to = text;
    for (const char *from = text; *from != '\0'; from++)
        if (*from != '\\')
            *to++ = *from;
    *to = '\0';
    return text;
}

Test(policy, every_report_names_the_flags_that_shut_dns)
{
    for (size_t i = 0; i < report_format_count; i++) {
        struct run *run = run_of(&smolmachines_backend, "cidr");
        cr_expect_eq(run->verdict, RUN_FAIL, "%s", run->reason);
        char *text = plain_text(run, &report_formats[i]);
        cr_expect_not_null(strstr(text, "--allow-host DOOR --dns DOOR instead of --allow-cidr"), "%s", text);
        cr_expect_not_null(strstr(text, "--policy=hardened"), "%s", text);
        cr_expect_not_null(strstr(text, "drop what comes from the bottle in the host"), "%s",
                           text); /* of 22: it is no DNS */
        free(text);
        run_free(run);
        run = run_of(&native_backend, NULL);
        text = plain_text(run, &report_formats[i]);
        cr_expect_null(strstr(text, "--policy"), "%s", text);
        free(text);
        run_free(run);
    }
}

Test(policy, the_head_of_a_report_says_which_it_was)
{
    static const struct {
        const char *format, *with, *without;
    } rows[] = {
        { "pretty", "backend smolmachines  policy cidr  site", "backend native  site" },
        { "tap", "backend smolmachines, policy cidr, site", "backend native, site" },
        { "markdown", "backend smolmachines, policy cidr, ", "backend native, " },
        { "json", "\"policy\":\t\"cidr\"", "\"policy\":\tnull" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct run *with = run_of(&smolmachines_backend, "cidr"), *without = run_of(&native_backend, NULL);
        char *texts[] = { plain_text(with, report_find(rows[i].format)),
                          plain_text(without, report_find(rows[i].format)) };
        cr_expect_not_null(strstr(texts[0], rows[i].with), "%s", texts[0]);
        cr_expect_not_null(strstr(texts[1], rows[i].without), "%s", texts[1]);
        free(texts[0]);
        free(texts[1]);
        run_free(with);
        run_free(without);
    }
}

static cJSON *tree_of(const struct run *run, bool (*write)(const struct run *, const struct report_style *, FILE *))
{
    struct error error = { 0 };
    char *text = told(run, write);
    cJSON *tree = json_parse_bounded(text, strlen(text), "text", &error);
    cr_assert_not_null(tree, "%s", error.text);
    free(text);
    return tree;
}

/* What replay says, with the policy replaced in the evidence or in the report: by NULL not at all, by "" taken out. */
static const char *replayed(const struct run *run, const char *in_evidence, const char *in_report)
{
    static char answer[512];
    struct error error = { 0 };
    struct replay replay;
    cJSON *evidence = tree_of(run, evidence_write), *report = tree_of(run, report_json);
    cJSON *objects[] = { cJSON_GetObjectItem(evidence, "options"), cJSON_GetObjectItem(report, "backend") };
    const char *const values[] = { in_evidence, in_report };
    for (size_t i = 0; i < 2; i++) {
        if (values[i] != NULL)
            cJSON_DeleteItemFromObject(objects[i], "policy");
        if (values[i] != NULL && *values[i] != '\0')
            cJSON_AddStringToObject(objects[i], "policy", values[i]);
    }
    bool compared = replay_compare(evidence, report, &replay, &error);
    snprintf(answer, sizeof answer, "%s", !compared ? error.text : replay.agrees ? "agrees" : replay.difference);
    cJSON_Delete(evidence);
    cJSON_Delete(report);
    return answer;
}

Test(policy, replay_reads_it_where_there_is_one_and_misses_it_where_there_must_be)
{
    struct run *run = run_of(&smolmachines_backend, "cidr");
    cr_expect_str_eq(replayed(run, NULL, NULL), "agrees");
    cr_expect_not_null(strstr(replayed(run, NULL, "hardened"), "policy is hardened in report.json, and cidr"));
    cr_expect_not_null(strstr(replayed(run, "hardened", NULL), "policy is cidr in report.json, and hardened"));
    cr_expect_not_null(strstr(replayed(run, "open", NULL), "\"policy\" is none that this backend has"));
    cr_expect_not_null(strstr(replayed(run, "", NULL), "\"policy\" is missing"));
    cr_expect_not_null(strstr(replayed(run, NULL, ""), "\"policy\" is missing"));
    run_free(run);
    run = run_of(&native_backend, NULL);
    cr_expect_str_eq(replayed(run, NULL, NULL), "agrees");
    cr_expect_str_eq(replayed(run, "", ""), "agrees");
    cr_expect_not_null(strstr(replayed(run, "cidr", NULL), "\"policy\" is none that this backend has"));
    run_free(run);
}

Test(policy, what_cidr_leaves_open_has_a_remedy_of_its_own)
{
    size_t ours = 0;
    for (uint16_t id = 1; id < 1000; id++) {
        const struct vector *vector = vector_find(id);
        bool port_53 = id == 56; /* tries what a rule on that port forgets */
        for (size_t i = 0; vector != NULL && vector->targets[i].address != NULL; i++)
            port_53 = port_53 || vector->targets[i].port == 53;
        const char *remedy = smolmachines_backend.remedy(id);
        cr_expect_eq(remedy != NULL, port_53, "BG-%03u", id);
        ours += remedy != NULL && strstr(remedy, "--allow-host DOOR --dns DOOR") != NULL &&
                strstr(remedy, "--policy=hardened") != NULL;
    }
    cr_expect_eq(ours, 7);
    cr_expect_null(native_backend.remedy);
}
