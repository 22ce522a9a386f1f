/* evidence.json and back: the same run comes out of it, and nothing that could make a verdict of something else is
 * taken in. */
#include "../../gates/report/evidence_file.h"
#include "../../gates/report/replay.h"
#include "../../gates/report/report.h"
#include "gates_report_run.h"

static const uint16_t asked[] = { 20, 48, 114, 1 };

static cJSON *parse(const char *text)
{
    struct error error = { 0 };
    cJSON *tree = json_parse_bounded(text, strlen(text), "text", &error);
    cr_assert_not_null(tree, "%s", error.text);
    return tree;
}

static cJSON *tree_of(const struct run *run, bool (*write)(const struct run *, const struct report_style *, FILE *))
{
    char *text = told(run, write);
    cJSON *tree = parse(text);
    free(text);
    return tree;
}

/* Runs that end in every verdict, each made from evidence of another kind. */
enum made {
    MADE_PASS,
    MADE_FAIL,
    MADE_OFF,
    MADE_BROKEN,
    MADE_FORGED,
    MADE_CUT,
    MADE_VOID,
    MADE_EACH,
    MADE_EACH_VOID,
    MADE_LATE,
    MADE_FAILED,
    MADE_STRAY,
    MADE_ACCEPTED,
    MADE_BARE,
    MADE_BARE_UNACCEPTED,
    MADE_REQUIRED,
    MADE_KINDS
};

static struct run *make(enum made kind)
{
    bool each = kind == MADE_EACH || kind == MADE_EACH_VOID;
    bool bare = kind == MADE_BARE || kind == MADE_BARE_UNACCEPTED;
    struct run *run = crafted_run(asked, 4,
                                  each               ? SELF_PROOF_EACH
                                  : kind == MADE_OFF ? SELF_PROOF_OFF
                                  : bare             ? SELF_PROOF_BARE
                                                     : SELF_PROOF_OPEN);
    struct phase_result *fenced = &run->phases[PHASE_FENCED];
    struct part_result *own = &fenced->parts[PRINCIPAL_ROOT][PART_ATTEMPTS];
    if (kind == MADE_FAIL)
        fenced->hits[fenced->hit_count++] = run->phases[PHASE_OPEN].hits[3];
    if (kind == MADE_BROKEN)
        run->phases[PHASE_BARE].broken = true,
        strcpy(run->phases[PHASE_BARE].broken_text, "the capture lost 3 packets");
    if (kind == MADE_FORGED)
        own->collection.state = STREAM_FORGED, strcpy(own->collection.problem, HOSTILE);
    if (kind == MADE_CUT)
        own->collection.state = STREAM_CUT, own->collection.acts[2].done = false;
    if (kind == MADE_VOID)
        run->options.mutant = backend_find_fence(&native_backend, "network");
    if (kind == MADE_LATE)
        fenced->control_final = false;
    if (kind == MADE_FAILED)
        run->phases[PHASE_OPEN].state = PHASE_FAILED, strcpy(run->phases[PHASE_OPEN].error.text, "no " HOSTILE);
    if (kind == MADE_STRAY)
        fenced->strays = 2, strcpy(fenced->stray_text, "tcp to 192.0.2.9:99");
    if (kind == MADE_ACCEPTED) { /* the user's first attempt at BG-020 was caught nowhere */
        for (int k = PHASE_BARE; k <= PHASE_OPEN; k++)
            run->phases[k].hits[0] = run->phases[k].hits[1];
        run->options.accepted = (struct vector_list){ 2, { 48, 20 } };
    }
    if (kind == MADE_BARE)
        run->options.accept_open = run->findings.open_accepted = true;
    if (kind == MADE_REQUIRED)
        run->options.required = (struct vector_list){ 2, { 20, 106 } },
        plan_note_unproved(&run->plan, 106, "no vsock here");
    self_proof_pairs(run);
    if (!each)
        run->pair_count = 0;
    for (size_t i = 0; i < run->pair_count; i++) {
        crafted_phase(run, run->pairs[i].without, kind == MADE_EACH);
        if (run->pairs[i].with != PHASE_FENCED)
            crafted_phase(run, run->pairs[i].with, false);
    }
    if (kind == MADE_EACH) /* without one fence only its own vectors get out */
        for (size_t i = 0; i < run->pair_count; i++) {
            struct phase_result *without = &run->phases[run->pairs[i].without];
            const struct fence *fence = &native_backend.fences[run->pairs[i].fence];
            size_t kept = 0;
            for (size_t k = 0; k < without->hit_count; k++)
                for (const uint16_t *id = fence->vectors; *id != 0; id++)
                    if (run->plan.attempts[without->hits[k].watch % run->plan.count].vector->id == *id)
                        without->hits[kept++] = without->hits[k];
            without->hit_count = kept;
        }
    run_judge(run);
    return run;
}

Test(replay, every_kind_of_run_comes_out_of_its_evidence_as_it_went_in)
{
    static const enum run_verdict verdicts[MADE_KINDS] = {
        [MADE_PASS] = RUN_PASS,
        [MADE_FAIL] = RUN_FAIL,
        [MADE_OFF] = RUN_INCONCLUSIVE,
        [MADE_BROKEN] = RUN_BROKEN,
        [MADE_FORGED] = RUN_BROKEN,
        [MADE_CUT] = RUN_INCONCLUSIVE,
        [MADE_VOID] = RUN_VOID,
        [MADE_EACH] = RUN_PASS,
        [MADE_EACH_VOID] = RUN_VOID,
        [MADE_LATE] = RUN_INCONCLUSIVE,
        [MADE_FAILED] = RUN_BROKEN,
        [MADE_STRAY] = RUN_INCONCLUSIVE,
        [MADE_ACCEPTED] = RUN_PASS,
        [MADE_BARE] = RUN_PASS,
        [MADE_BARE_UNACCEPTED] = RUN_INCONCLUSIVE,
        [MADE_REQUIRED] = RUN_INCONCLUSIVE,
    };
    for (int kind = 0; kind < MADE_KINDS; kind++) {
        struct error error = { 0 };
        struct replay replay;
        struct run *run = make((enum made)kind);
        cr_assert_eq(run->verdict, verdicts[kind], "kind %d is %s: %s", kind, run_verdict_name(run->verdict),
                     run->reason);
        cJSON *evidence = tree_of(run, evidence_write), *report = tree_of(run, report_json);
        struct run *again = evidence_read(evidence, &error);
        cr_assert_not_null(again, "kind %d: %s", kind, error.text);
        run_judge(again);
        cr_expect_eq(memcmp(again->attempts, run->attempts, run->attempt_count * sizeof *run->attempts), 0, "kind %d",
                     kind);
        cJSON *evidence_again = tree_of(again, evidence_write), *report_again = tree_of(again, report_json);
        /* All of it but what is not read: the times of day. */
        static const char *const times[] = { "started", "finished" };
        for (int i = 0; i < 2; i++) {
            cJSON_DeleteItemFromObject(report, times[i]), cJSON_DeleteItemFromObject(report_again, times[i]);
            cJSON_DeleteItemFromObject(cJSON_GetObjectItem(evidence, "of"), times[i]);
            cJSON_DeleteItemFromObject(cJSON_GetObjectItem(evidence_again, "of"), times[i]);
        }
        cr_expect(cJSON_Compare(evidence, evidence_again, true), "kind %d", kind);
        cr_expect(cJSON_Compare(report, report_again, true), "kind %d", kind);
        cr_assert(replay_compare(evidence_again, report, &replay, &error), "%s", error.text);
        cr_expect(replay.agrees && replay.verdict == run->verdict, "kind %d: %s", kind, replay.difference);
        cJSON_Delete(evidence), cJSON_Delete(report), cJSON_Delete(evidence_again), cJSON_Delete(report_again);
        run_free(run), run_free(again);
    }
}

/* The first place of `from` in `text`, replaced; the caller frees it. */
static char *with(const char *text, const char *from, const char *to)
{
    const char *at = strstr(text, from);
    cr_assert_not_null(at, "there is no %s", from);
    char *made = malloc(strlen(text) + strlen(to) + 1);
    sprintf(made, "%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
    return made;
}

#define FOUR_IDS    "\"BG-020\",\"BG-048\",\"BG-114\",\"BG-001\""
#define SIXTEEN_IDS FOUR_IDS "," FOUR_IDS "," FOUR_IDS "," FOUR_IDS
#define ALL_IDS     SIXTEEN_IDS "," SIXTEEN_IDS "," SIXTEEN_IDS "," SIXTEEN_IDS /* as many as there is room for */

#define OF_NATIVE "\"backend\":\"native\",\"policy\":null,\"runtime\":null,\"site\":\"sealed\",\"machine\":null"
#define ON_MACHINE(machine)                                                                                            \
    "\"backend\":\"docker\",\"policy\":\"hardened\",\"runtime\":\"runc\",\"site\":\"host\",\"machine\":" machine

static const struct {
    enum made kind;
    const char *from, *to, *why;
} refused[] = {
    { MADE_PASS, "evidence/1", "evidence/2", "\"schema\"" },
    { MADE_PASS, "\"backend\":\"native\"", "\"backend\":\"nope\"", "\"backend\"" },
    { MADE_PASS, "\"backend\":\"native\",", "", "\"backend\" is missing" },
    { MADE_PASS, "\"backend\":\"native\"", "\"backend\":\"docker\"", "\"runtime\"" },
    { MADE_PASS, "\"backend\":\"native\"", "\"backend\":\"native\",\"backend\":\"native\"",
      "\"backend\" is there twice" },
    { MADE_PASS, "[\"user\",\"root\"]", "[\"user\",\"admin\"]", "somebody else" },
    { MADE_PASS, "[\"user\",\"root\"]", "[\"user\",\"user\"]", "somebody else" },
    { MADE_PASS, "\"site\":\"sealed\"", "\"site\":\"elsewhere\"", "\"site\"" },
    { MADE_PASS, "\"site\":\"sealed\"", "\"site\":\"host\"", "\"site\" is none for bottles of that backend" },
    { MADE_PASS, OF_NATIVE, ON_MACHINE("null"), "\"machine\"" },
    { MADE_PASS, OF_NATIVE, ON_MACHINE("{\"host4\":\"198.18.7.2\"}"), "\"host6\" is missing" },
    { MADE_PASS, OF_NATIVE, ON_MACHINE("{\"host4\":\"fd88::2\",\"host6\":\"fd88::2\"}"), "\"host4\" is no IP address" },
    { MADE_PASS, OF_NATIVE, ON_MACHINE("{\"host4\":\"198.18.7.2\",\"host6\":\"fd88::2\"}"),
      "is none that is tried on the machine itself" },
    { MADE_PASS, "\"self_proof\":\"open\"", "\"self_proof\":\"maybe\"", "\"self_proof\"" },
    { MADE_PASS, "\"self_proof\":\"open\"", "\"self_proof\":1", "\"self_proof\" is no text" },
    { MADE_ACCEPTED, "[\"BG-048\",\"BG-020\"]", "[\"BG-48\"]", "no vector id" },
    { MADE_ACCEPTED, "[\"BG-048\",\"BG-020\"]", "[7]", "no vector id" },
    { MADE_ACCEPTED, "[\"BG-048\",\"BG-020\"]", "[\"close\"]", "no vector id" },
    { MADE_ACCEPTED, "[\"BG-048\",\"BG-020\"]", "\"BG-020\"", "is no list" },
    { MADE_PASS, "\"accept_unproved\":[", "\"accept_unproved\":[" ALL_IDS ",\"BG-020\"", "or too many" },
    { MADE_PASS, "\"require\":[", "\"require\":[" ALL_IDS ",\"BG-020\"", "or too many" },
    { MADE_PASS, "\"accept_unproved\":[", "\"accept_unproved\":[" ALL_IDS ",\"open\",\"open\"", "too many entries" },
    { MADE_ACCEPTED, "\"require\":[]", "\"require\":[\"open\"]", "no vector id" },
    { MADE_ACCEPTED, "\"require\":[]", "\"require\":[],\"accept_unproved\":[]", "is there twice" },
    { MADE_PASS, "\"mutant\":null", "\"mutant\":\"nothing\"", "\"mutant\"" },
    { MADE_PASS, "\"mutant\":null,", "", "\"mutant\" is missing" },
    { MADE_PASS, "\"run\":\"", "\"run\":\"g", "\"run\"" },
    { MADE_PASS, "\"seq\":1,\"vector\":\"BG-020\"", "\"seq\":1,\"vector\":\"BG-999\"", "none that this build has" },
    { MADE_PASS, "\"seq\":1,\"vector\":\"BG-020\"", "\"seq\":2,\"vector\":\"BG-020\"", "\"seq\"" },
    { MADE_PASS, "\"seq\":1,\"vector\":\"BG-020\"", "\"seq\":1,\"vector\":\"BG-048\"", "\"target\"" },
    { MADE_PASS, "\"target\":\"127.", "\"target\":\"128.", "\"target\"" },
    { MADE_PASS, "\"address\":\"127.", "\"address\":\"128.", "another address" },
    { MADE_PASS, "\"wire\":\"127.", "\"wire\":\"128.", "another address" },
    { MADE_PASS, "\"part\":\"attempts\"", "\"part\":\"sweep\"", "\"part\"" },
    { MADE_PASS, "\"index\":0", "\"index\":1", "\"index\"" },
    { MADE_PASS, "\"state\":\"finished\"", "\"state\":\"well\"", "\"state\"" },
    { MADE_PASS, "\"control_before\":true", "\"control_before\":1", "neither true nor false" },
    { MADE_PASS, "\"peer_good\":true,", "", "\"peer_good\" is missing" },
    { MADE_PASS, "\"sweep_ports\":100", "\"sweep_ports\":65536", "no number from 0 to 65535" },
    { MADE_PASS, "\"sweep_ports\":100", "\"sweep_ports\":-1", "no number from 0 to 65535" },
    { MADE_PASS, "\"sweep_ports\":100", "\"sweep_ports\":1.5", "no number from 0 to 65535" },
    { MADE_PASS, "\"sweep_ports\":100", "\"sweep_ports\":1e999", "no number from 0 to 65535" },
    { MADE_PASS, "\"token\":\"a0", "\"token\":\"A0", "hex digits" },
    { MADE_PASS, "\"token\":\"a0", "\"token\":\"", "hex digits" },
    { MADE_PASS, "\"uid\":65534", "\"uid\":4294967296", "\"uid\"" },
    { MADE_PASS, "\"digest\":\"d1\"",
      "\"digest\":\"0123456789012345678901234567890123456789012345678901234567890123456789\"", "too long" },
    { MADE_PASS, "\"stream\":\"complete\"", "\"stream\":\"good\"", "\"stream\"" },
    { MADE_PASS, "{\"seq\":2,\"tried\"", "{\"seq\":1,\"tried\"", "there twice" },
    { MADE_PASS, "{\"seq\":2,\"tried\"", "{\"seq\":600,\"tried\"", "\"seq\" is no number from 0 to 513" },
    { MADE_PASS, "\"errno\":\"\"", "\"errno\":\"not implemented\"", "\"errno\"" },
    { MADE_PASS, "\"stage\":\"sent\"", "\"stage\":\"gone\"", "\"stage\"" },
    { MADE_PASS, "\"part\":\"sweep\",\"door", "\"part\":\"attempts\",\"door", "\"part\" is there twice" },
    { MADE_FAIL, "\"hits\":[{\"seq\":1", "\"hits\":[{\"seq\":0", "\"seq\"" },
    { MADE_FAIL, "\"hits\":[{\"seq\":1", "\"hits\":[{\"seq\":500", "\"seq\"" },
    { MADE_FAIL, "\"witness\":\"capture\"", "\"witness\":\"me\"", "\"witness\"" },
    { MADE_FAIL, "\"by\":\"nonce\"", "\"by\":\"chance\"", "\"by\"" },
    { MADE_EACH, "\"pairs\":[{", "\"pairs\":[{\"fence\":\"pid\",\"with\":2,\"without\":3},{", "\"fence\"" },
    { MADE_EACH, "\"with\":2,\"without\":3", "\"with\":2,\"without\":4", "\"without\"" },
    { MADE_EACH, "\"self_proof\":\"each\"", "\"self_proof\":\"open\"", "\"fence\"" },
    { MADE_PASS, "\"self_proof\":\"open\"", "\"self_proof\":\"each\"", "as many as such a run has" },
    { MADE_PASS, "\"phases\":[", "\"phases\":[{},", "as many as such a run has" },
    { MADE_PASS, "\"phases\":[", "\"phase\":[", "\"phases\" is missing" },
    { MADE_PASS, "\"hits\":[", "\"hits\":{},\"\":[", "\"hits\" is no list" },
    { MADE_PASS, "\"not_proved\":[", "\"not_proved\":[7", "missing" },
};

Test(replay, evidence_that_this_build_cannot_judge_is_refused_with_the_field)
{
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        struct error error = { 0 };
        struct run *run = make(refused[i].kind);
        char *text = told(run, evidence_write), *changed = with(text, refused[i].from, refused[i].to);
        cJSON *tree = parse(changed);
        struct run *read = evidence_read(tree, &error);
        cr_expect_null(read, "case %zu: %s", i, refused[i].to);
        cr_expect_eq(error.code, ERROR_USAGE, "case %zu", i);
        cr_expect(strstr(error.text, refused[i].why) != NULL, "case %zu: %s", i, error.text);
        run_free(read);
        cJSON_Delete(tree);
        free(text), free(changed), run_free(run);
    }
}

Test(replay, as_many_ids_as_an_option_takes_are_taken_in)
{
    struct error error = { 0 };
    struct run *run = make(MADE_PASS);
    char *text = told(run, evidence_write),
         *changed = with(text, "\"accept_unproved\":[", "\"accept_unproved\":[\"open\"," ALL_IDS);
    cJSON *tree = parse(changed);
    struct run *read = evidence_read(tree, &error);
    cr_assert_not_null(read, "%s", error.text);
    cr_expect(read->options.accept_open && read->options.accepted.count == VECTORS_ASKED_MAX);
    run_free(read);
    cJSON_Delete(tree);
    free(text), free(changed), run_free(run);
}

Test(replay, fields_that_nobody_knows_are_ignored)
{
    struct error error = { 0 };
    struct run *run = make(MADE_PASS);
    char *text = told(run, evidence_write), *changed = with(text, "\"token\":", "\"new\":[{\"a\":null}],\"token\":");
    cJSON *tree = parse(changed);
    struct run *read = evidence_read(tree, &error);
    cr_expect_not_null(read, "%s", error.text);
    run_free(read);
    cJSON_Delete(tree);
    free(text), free(changed), run_free(run);
}

/* What a report.json says otherwise than its evidence. */
static const struct {
    enum made kind;
    const char *from, *to, *difference; /* NULL: it can't be compared */
} told_otherwise[] = {
    { MADE_PASS, "\"verdict\":\t\"PASS\"", "\"verdict\":\t\"FAIL\"", "verdict is FAIL in report.json, and PASS" },
    { MADE_FAIL, "\"verdict\":\t\"FAIL\"", "\"verdict\":\t\"PASS\"", "verdict is PASS in report.json, and FAIL" },
    { MADE_FAIL, "\"verdict\":\t\"ESCAPED\"", "\"verdict\":\t\"BLOCKED\"",
      "verdict is BLOCKED in report.json, and ESCAPED" },
    { MADE_FAIL, "\"exit\":\t1", "\"exit\":\t0", "exit is 0 in report.json, and 1" },
    { MADE_FAIL, "\"escaped\":\t1", "\"escaped\":\t0", "escaped is 0" },
    { MADE_PASS, "\"how\":\t\"fence\"", "\"how\":\tnull", "how is null in report.json, and fence" },
    { MADE_PASS, "\"principal\":\t\"user\"", "\"principal\":\t\"root\"", "principal is root" },
    { MADE_PASS, "\"id\":\t\"BG-020\"", "\"id\":\t\"BG-021\"", "id is BG-021" },
    { MADE_PASS, "\"attempts\":\t[", "\"attempts\":\t[{}, ", "attempts" },
    { MADE_PASS, "\"run\":\t\"", "\"run\":\t\"0", "run is" },
    { MADE_PASS, "\"site\":\t\"sealed\"", "\"site\":\t\"host\"", "site is host in report.json, and sealed" },
    { MADE_EACH_VOID, "\"proved\":\tfalse", "\"proved\":\ttrue", "proved is true in report.json, and false" },
    { MADE_EACH, "\"mode\":\t\"each\"", "\"mode\":\t\"open\"", "mode is open" },
    { MADE_PASS, "\"mutants\":\t[]", "\"mutants\":\t[{\"fence\":\"network\"}]", "1 mutants" },
    { MADE_PASS, "\"attempts\":\t[", "\"other\":\t[", NULL },
    { MADE_PASS, "report/1", "report/2", NULL },
    { MADE_PASS, "\"exit\":\t0", "\"exit\":\ttrue", NULL },
    { MADE_PASS, "\"principal\":\t\"user\"", "\"principal\":\t7", NULL },
    { MADE_ACCEPTED, "\"accepted\":\ttrue", "\"accepted\":\tfalse", "accepted is false in report.json, and true" },
    { MADE_PASS, "\"accepted\":\tfalse", "\"accepted\":\ttrue", "accepted is true in report.json, and false" },
    { MADE_PASS, "\"accept_unproved\":\t[]", "\"accept_unproved\":\t[\"open\"]", "accept_unproved is not the same" },
    { MADE_REQUIRED, "\"require\":\t[\"BG-020\", \"BG-106\"]", "\"require\":\t[\"BG-020\"]",
      "require is not the same" },
    { MADE_PASS, "\"require\":\t[]", "\"require\":\t7", NULL },
};

Test(replay, a_report_that_says_something_else_is_told_by_its_first_difference)
{
    for (size_t i = 0; i < sizeof told_otherwise / sizeof *told_otherwise; i++) {
        struct error error = { 0 };
        struct replay replay = { 0 };
        struct run *run = make(told_otherwise[i].kind);
        char *text = told(run, report_json), *changed = with(text, told_otherwise[i].from, told_otherwise[i].to);
        cJSON *evidence = tree_of(run, evidence_write), *report = parse(changed);
        bool compared = replay_compare(evidence, report, &replay, &error);
        cr_expect_eq(compared, told_otherwise[i].difference != NULL, "case %zu: %s", i, error.text);
        if (compared) {
            cr_expect_not(replay.agrees, "case %zu", i);
            cr_expect(strstr(replay.difference, told_otherwise[i].difference) != NULL, "case %zu: %s", i,
                      replay.difference);
        }
        cJSON_Delete(evidence), cJSON_Delete(report);
        free(text), free(changed), run_free(run);
    }
}

/* Evidence that somebody made accept more, or less, than the report of the run. */
Test(replay, acceptance_that_the_report_does_not_tell_of_is_no_agreement)
{
    static const struct {
        enum made kind;
        const char *from, *to, *difference;
        enum run_verdict verdict; /* by the evidence */
    } changed[] = {
        { MADE_BARE_UNACCEPTED, "\"accept_unproved\":[]", "\"accept_unproved\":[\"open\"]", "accept_unproved",
          RUN_PASS },
        { MADE_BARE, "\"accept_unproved\":[\"open\"]", "\"accept_unproved\":[]", "accept_unproved", RUN_INCONCLUSIVE },
        { MADE_BARE, "\"accept_unproved\":[\"open\"],", "", "accept_unproved", RUN_INCONCLUSIVE },
        { MADE_BARE, "\"self_proof\":\"bare\"", "\"self_proof\":\"open\"", "INCONCLUSIVE by the evidence",
          RUN_INCONCLUSIVE },
        { MADE_ACCEPTED, "[\"BG-048\",\"BG-020\"]", "[\"BG-048\"]", "accept_unproved", RUN_INCONCLUSIVE },
        { MADE_PASS, "\"require\":[]", "\"require\":[\"BG-020\"]", "require", RUN_PASS },
        { MADE_REQUIRED, "\"require\":[\"BG-020\",\"BG-106\"]", "\"require\":[]", "require", RUN_PASS },
    };
    for (size_t i = 0; i < sizeof changed / sizeof *changed; i++) {
        struct error error = { 0 };
        struct replay replay = { 0 };
        struct run *run = make(changed[i].kind);
        char *text = told(run, evidence_write), *other = with(text, changed[i].from, changed[i].to);
        cJSON *evidence = parse(other), *report = tree_of(run, report_json);
        cr_assert(replay_compare(evidence, report, &replay, &error), "case %zu: %s", i, error.text);
        cr_expect(!replay.agrees && replay.verdict == changed[i].verdict, "case %zu: %s", i,
                  run_verdict_name(replay.verdict));
        cr_expect(strstr(replay.difference, changed[i].difference) != NULL, "case %zu: %s", i, replay.difference);
        cJSON_Delete(evidence), cJSON_Delete(report);
        free(text), free(other), run_free(run);
    }
}

Test(replay, a_report_from_before_there_was_acceptance_accepted_nothing)
{
    static const char *const lists[] = { "accept_unproved", "require" };
    for (int kind = 0; kind < 2; kind++) {
        struct error error = { 0 };
        struct replay replay = { 0 };
        struct run *run = make(kind == 0 ? MADE_PASS : MADE_BARE);
        cJSON *evidence = tree_of(run, evidence_write), *report = tree_of(run, report_json);
        for (int i = 0; i < 2; i++) {
            cJSON_DeleteItemFromObject(report, lists[i]);
            if (kind == 0)
                cJSON_DeleteItemFromObject(cJSON_GetObjectItem(evidence, "options"), lists[i]);
        }
        cr_expect_eq(replay_compare(evidence, report, &replay, &error), kind == 0, "%s", error.text);
        cr_expect_eq(replay.agrees, kind == 0);
        cJSON_Delete(evidence), cJSON_Delete(report), run_free(run);
    }
}

Test(replay, a_text_is_looked_over_before_it_is_parsed)
{
    static char deep[64], many[2 * JSON_VALUES_MAX + 64];
    memset(deep, '[', JSON_DEPTH_MAX + 1);
    size_t used = (size_t)sprintf(many, "[");
    for (unsigned i = 0; i < JSON_VALUES_MAX + 1; i++)
        used += (size_t)sprintf(many + used, "0,");
    sprintf(many + used, "0]");
    const struct {
        const char *text, *why;
        size_t size;
    } bad[] = {
        { deep, "nested too deeply", 0 },    { many, "too many values", 0 }, { "{\"a\":\"\xff\"}", "no UTF-8", 0 },
        { "{\"a\":\"\\u0000\"}", "NUL", 0 }, { "{}\0{}", "NUL", 5 },         { "{\"a\":1", "no JSON", 0 },
        { "{} {}", "no JSON", 0 },           { "", "no JSON", 0 },           { "\"\\", "no JSON", 0 },
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct error error = { 0 };
        cJSON *tree =
            json_parse_bounded(bad[i].text, bad[i].size != 0 ? bad[i].size : strlen(bad[i].text), "it", &error);
        cr_expect_null(tree, "case %zu", i);
        cr_expect(strstr(error.text, bad[i].why) != NULL, "case %zu: %s", i, error.text);
        cJSON_Delete(tree);
    }
    /* Brackets and commas in a text are neither depth nor values. */
    struct error error = { 0 };
    cJSON *tree = parse("[\"[[[[[[[[[[[[[[[[[[[[[[,\\\"[[[\\\\\", \"\\\\u0000\"]");
    cr_expect_eq(cJSON_GetArraySize(tree), 2, "%s", error.text);
    cJSON_Delete(tree);
}
