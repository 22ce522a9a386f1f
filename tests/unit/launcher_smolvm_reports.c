/* What the engine says of a machine and of what it denied: the real shapes, and everything else. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../launcher/smolvm/events.h"
#include "../../launcher/smolvm/json.h"
#include "../../launcher/smolvm/status.h"

/* In memory of exactly that size, so that the sanitizer sees who reads on. */
static bool status_of(const char *text, struct smolvm_status *status, struct error *error)
{
    size_t size = strlen(text);
    char *exact = malloc(size + !size);
    cr_assert_not_null(exact);
    memcpy(exact, text, size);
    bool read = smolvm_status_parse(exact, size, "b1", status, error);
    free(exact);
    return read;
}

Test(launcher_smolvm_reports, the_status_of_a_machine_is_read)
{
    static const struct {
        const char *text, *word;
        enum smolvm_state_word state;
        pid_t pid;
    } rows[] = {
        { "{\n  \"allowed_cidrs\": [\"10.88.0.1/32\"],\n  \"name\": \"b1\",\n  \"pid\": null,\n  \"state\": "
          "\"created\"\n}\n",
          "created", SMOLVM_STATE_CREATED, 0 },
        { "{\"name\":\"b1\",\"state\":\"running\",\"pid\":4711}", "running", SMOLVM_STATE_RUNNING, 4711 },
        { "{\"name\":\"b1\",\"state\":\"stopped\"}", "stopped", SMOLVM_STATE_STOPPED, 0 },
        { "{\"name\":\"b1\",\"state\":\"failed\"}", "failed", SMOLVM_STATE_FAILED, 0 },
        { "{\"name\":\"b1\",\"state\":\"unreachable\",\"pid\":2}", "unreachable", SMOLVM_STATE_UNREACHABLE, 2 },
        { "{\"name\":\"b1\",\"state\":\"frozen\"}", "frozen", SMOLVM_STATE_FROZEN, 0 },
        { "{\"name\":\"b1\",\"state\":\"Running\"}", "Running", SMOLVM_STATE_OTHER, 0 },
        { "{\"name\":\"b1\",\"state\":\"running\\u001b[2J and a long tail of words\"}", "running?[2J and a long ",
          SMOLVM_STATE_OTHER, 0 },
        { "{\"name\":\"b1\",\"state\":\"\"}", "", SMOLVM_STATE_OTHER, 0 },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct smolvm_status status;
        struct error error = { 0 };
        cr_expect(status_of(rows[i].text, &status, &error), "row %zu: %s", i, error.text);
        cr_expect(status.state == rows[i].state && status.pid == rows[i].pid, "row %zu", i);
        cr_expect_str_eq(status.word, rows[i].word);
    }
}

Test(launcher_smolvm_reports, a_status_of_another_shape_or_machine_is_refused)
{
    static const char *const texts[] = {
        "",
        "null",
        "[]",
        "{}",
        "x",
        "{\"name\":\"b1\",\"state\":\"running\"",
        "{\"name\":\"b1\",\"state\":\"running\"} x",
        "{\"name\":\"b2\",\"state\":\"running\"}",
        "{\"name\":\"B1\",\"state\":\"running\"}",
        "{\"state\":\"running\"}",
        "{\"name\":\"b1\"}",
        "{\"name\":\"b1\",\"state\":1}",
        "{\"name\":\"b1\",\"state\":null}",
        "{\"NAME\":\"b1\",\"STATE\":\"running\"}",
        "[{\"name\":\"b1\",\"state\":\"running\"}]",
        "{\"name\":\"b1\",\"state\":\"running\",\"state\":\"stopped\"}",
        "{\"name\":\"b1\",\"name\":\"b2\",\"state\":\"running\"}",
        "{\"name\":\"b1\",\"state\":\"running\",\"pid\":0}",
        "{\"name\":\"b1\",\"state\":\"running\",\"pid\":1}",
        "{\"name\":\"b1\",\"state\":\"running\",\"pid\":-5}",
        "{\"name\":\"b1\",\"state\":\"running\",\"pid\":7.5}",
        "{\"name\":\"b1\",\"state\":\"running\",\"pid\":2147483648}",
        "{\"name\":\"b1\",\"state\":\"running\",\"pid\":1e99}",
        "{\"name\":\"b1\",\"state\":\"running\",\"pid\":\"7\"}",
        "{\"name\":\"b1\",\"state\":\"running\",\"pid\":7,\"pid\":8}",
        "Error: vm not found: b1",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct smolvm_status status;
        struct error error = { 0 };
        cr_expect_not(status_of(texts[i], &status, &error), "%s", texts[i]);
        cr_expect(error.code == ERROR_HOST && status.pid == 0 && status.state == SMOLVM_STATE_OTHER, "%s", texts[i]);
    }
}

Test(launcher_smolvm_reports, json_is_read_whole_and_within_its_bound)
{
    static char big[SMOLVM_JSON_BYTES + 2], deep[4000];
    memset(big, ' ', sizeof big);
    memcpy(big, "{}", 2);
    cJSON *value = smolvm_json_parse(big, SMOLVM_JSON_BYTES);
    cr_expect_not_null(value);
    cJSON_Delete(value);
    cr_expect_null(smolvm_json_parse(big, SMOLVM_JSON_BYTES + 1));
    cr_expect_null(smolvm_json_parse("{}\0", 3));
    cr_expect_null(smolvm_json_parse("{}", 1));
    memset(deep, '[', sizeof deep);
    cr_expect_null(smolvm_json_parse(deep, sizeof deep));
}

static bool events_of(const char *text, struct smolvm_event *list, size_t capacity, struct smolvm_events *events,
                      struct error *error)
{
    size_t size = strlen(text);
    char *exact = malloc(size + !size);
    cr_assert_not_null(exact);
    memcpy(exact, text, size);
    bool read = smolvm_events_parse(exact, size, list, capacity, events, error);
    free(exact);
    return read;
}

#define EVENT "{\"timestamp\":\"2026-08-11T01:02:03Z\",\"operation\":\"connect\",\"dest\":\"1.2.3.4:443\"}"

Test(launcher_smolvm_reports, denials_are_read_from_an_array_and_from_lines)
{
    static const struct {
        const char *text;
        size_t total, strange, kept;
    } rows[] = {
        { "[]\n", 0, 0, 0 },
        { "", 0, 0, 0 },
        { "\n\n", 0, 0, 0 },
        { "[\n  " EVENT ",\n  " EVENT "\n]\n", 2, 0, 2 },
        { EVENT "\n" EVENT "\n", 2, 0, 2 },
        { EVENT, 1, 0, 1 },
        { "[" EVENT ",7,null,{},{\"operation\":\"connect\"},{\"dest\":\"x\"},{\"operation\":1,\"dest\":\"x\"}]", 7, 6,
          1 },
        { "[{\"operation\":\"connect\",\"dest\":\"x\",\"dest\":\"y\"}," EVENT "]", 2, 1, 1 },
        { "[" EVENT "," EVENT "," EVENT "," EVENT "]", 4, 0, 3 },
        { EVENT "\n" EVENT "\n" EVENT "\n" EVENT "\n", 4, 0, 3 },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct smolvm_event list[3] = { 0 };
        struct smolvm_events events;
        struct error error = { 0 };
        cr_expect(events_of(rows[i].text, list, 3, &events, &error), "row %zu: %s", i, error.text);
        cr_expect(events.total == rows[i].total && events.strange == rows[i].strange && events.kept == rows[i].kept,
                  "row %zu: %zu %zu %zu", i, events.total, events.strange, events.kept);
        for (size_t k = 0; k < events.kept; k++)
            cr_expect(strcmp(list[k].timestamp, "2026-08-11T01:02:03Z") == 0 &&
                          strcmp(list[k].operation, "connect") == 0 && strcmp(list[k].destination, "1.2.3.4:443") == 0,
                      "row %zu", i);
    }
}

Test(launcher_smolvm_reports, what_the_guest_chose_is_printable_and_cut)
{
    struct smolvm_event list[1];
    struct smolvm_events events;
    char text[700], name[301];
    memset(name, 'a', sizeof name - 1);
    name[300] = '\0';
    snprintf(text, sizeof text,
             "[{\"timestamp\":7,\"operation\":\"resolve\\u001b]0;x\\u0007\",\"dest\":\"\\n\xc3\xa4\\\"%s\"}]", name);
    cr_assert(events_of(text, list, 1, &events, NULL));
    cr_expect_str_eq(list[0].timestamp, "");
    cr_expect_str_eq(list[0].operation, "resolve?]0;x?");
    cr_expect_eq(strlen(list[0].destination), sizeof list[0].destination - 1);
    cr_expect_eq(strncmp(list[0].destination, "???\"aaaa", 8), 0);
}

Test(launcher_smolvm_reports, denials_of_another_shape_are_refused)
{
    static const char *const texts[] = {
        "{",  "null", "7", "[" EVENT, EVENT "\nx\n", EVENT "," EVENT, "error: unrecognized subcommand", EVENT "\n[]\n",
        " \n"
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct smolvm_event list[1];
        struct smolvm_events events;
        struct error error = { 0 };
        cr_expect_not(events_of(texts[i], list, 1, &events, &error), "%s", texts[i]);
        cr_expect(error.code == ERROR_HOST && events.kept == 0 && events.total == 0);
    }
}
