/* evidence.json as somebody hostile writes it. Whatever is taken in can be judged and reported in every format, and its
 * evidence, written again, is taken in again and comes to the same verdicts. Seeds:
 * tests/fuzz/corpus/gates_evidence. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../gates/report/evidence_file.h"
#include "../../gates/report/replay.h"
#include "../../gates/report/report.h"

#define INPUT_MAX 65536

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char *told(const struct run *run, bool (*write)(const struct run *, const struct report_style *, FILE *))
{
    char *text = NULL;
    size_t size;
    struct report_style verbose = { .verbose = true };
    FILE *stream = open_memstream(&text, &size);
    if (stream == NULL || !write(run, &verbose, stream))
        abort();
    fclose(stream);
    return text;
}

static cJSON *parse(const char *text)
{
    struct error error = { 0 };
    cJSON *tree = json_parse_bounded(text, strlen(text), "text", &error);
    if (tree == NULL)
        abort();
    return tree;
}

static void check(struct run *run)
{
    struct error error = { 0 };
    struct replay replay;
    run_judge(run);
    for (size_t i = 0; i < report_format_count; i++)
        free(told(run, report_formats[i].write));
    char *evidence = told(run, evidence_write), *report = told(run, report_json);
    cJSON *first = parse(evidence), *second = parse(report);
    if (!replay_compare(first, second, &replay, &error) || !replay.agrees || replay.verdict != run->verdict)
        abort();
    cJSON_Delete(first), cJSON_Delete(second);
    free(evidence), free(report);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct error error = { 0 };
    if (size > INPUT_MAX)
        return 0;
    char *text = malloc(size + 1);
    memcpy(text, data, size);
    text[size] = '\0';
    cJSON *tree = json_parse_bounded(text, size, "input", &error);
    struct run *run = tree == NULL ? NULL : evidence_read(tree, &error);
    if (run != NULL)
        check(run);
    else if (error.code == ERROR_NONE || error.text[0] == '\0')
        abort();
    run_free(run);
    cJSON_Delete(tree);
    free(text);
    return 0;
}
