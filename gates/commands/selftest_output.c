/* See selftest_output.h. */
#include "selftest_output.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void format_status(int status, char text[32])
{
    if (status > 128)
        snprintf(text, 32, "signal %d", status - 128);
    else
        snprintf(text, 32, "exit %d", status);
}

static void format_wanted(const struct fault *fault, char text[48])
{
    format_status(fault->exit, text);
    if (fault->also != 0)
        snprintf(text + strlen(text), 16, " or %d", fault->also);
}

static const char *format_vector(const struct fault *fault, char text[8])
{
    vector_format_id(fault->vector, text);
    return fault->vector != 0 ? text : "-";
}

static cJSON *describe(const struct fault *fault)
{
    char vector[8];
    cJSON *object = cJSON_CreateObject();
    cJSON_AddStringToObject(object, "name", fault->name);
    cJSON_AddStringToObject(object, "stage", fault->stage);
    cJSON_AddStringToObject(object, "breaks", fault->breaks);
    cJSON *wanted = cJSON_AddArrayToObject(object, "wanted");
    cJSON_AddItemToArray(wanted, cJSON_CreateNumber(fault->exit));
    if (fault->also != 0)
        cJSON_AddItemToArray(wanted, cJSON_CreateNumber(fault->also));
    if (fault->vector != 0)
        cJSON_AddStringToObject(object, "id", format_vector(fault, vector));
    else
        cJSON_AddNullToObject(object, "id");
    return object;
}

static bool print_json(cJSON *object)
{
    char *text = cJSON_Print(object);
    bool printed = text != NULL && puts(text) >= 0 && fflush(stdout) == 0;
    free(text);
    cJSON_Delete(object);
    return printed;
}

void selftest_begin(struct selftest_output *output, const struct selftest_style *style)
{
    *output = (struct selftest_output){ .style = style, .faults = style->json ? cJSON_CreateArray() : NULL };
}

static void tell_line(const struct selftest_style *style, const struct fault *fault,
                      const struct fault_outcome *outcome, const char *why)
{
    char status[32];
    bool good = why[0] == '\0';
    if (good && style->quiet)
        return;
    if (outcome->skipped != NULL) {
        printf("skip   %-24s %s (%s): %s\n", fault->name, fault->breaks, fault->stage, outcome->skipped);
        return;
    }
    format_status(outcome->status, status);
    printf("%s %-24s %s (%s): %s; left behind: %s%s%s\n", good ? "ok    " : "not ok", fault->name, fault->breaks,
           fault->stage, status, outcome->left[0] != '\0' ? outcome->left : "nothing", good ? "" : "; ", why);
    if ((style->verbose || !good) && outcome->reason[0] != '\0')
        printf("       said: %s\n", outcome->reason);
    if (style->verbose)
        printf("       took: %llu ms\n", (unsigned long long)outcome->milliseconds);
}

void selftest_tell(struct selftest_output *output, const struct fault *fault, const struct fault_outcome *outcome)
{
    char why[320];
    bool good = fault_is_as_it_must(fault, outcome, why, sizeof why);
    output->made += outcome->skipped == NULL;
    output->skipped += outcome->skipped != NULL;
    output->good += good && outcome->skipped == NULL;
    if (!output->style->json) {
        tell_line(output->style, fault, outcome, why);
        fflush(stdout);
        return;
    }
    cJSON *object = describe(fault);
    cJSON_AddBoolToObject(object, "good", good);
    cJSON_AddStringToObject(object, "why", why);
    if (outcome->skipped != NULL) {
        cJSON_AddStringToObject(object, "skipped", outcome->skipped);
    } else {
        cJSON_AddNumberToObject(object, "exit", outcome->status);
        cJSON_AddStringToObject(object, "reason", outcome->reason);
        cJSON_AddStringToObject(object, "left", outcome->left);
        cJSON_AddNumberToObject(object, "milliseconds", (double)outcome->milliseconds);
    }
    cJSON_AddItemToArray(output->faults, object);
}

bool selftest_end(struct selftest_output *output)
{
    bool good = output->good == output->made;
    if (!output->style->json) {
        printf("%u of %u as a sound gate must", output->good, output->made);
        if (output->skipped > 0)
            printf("; %u skipped", output->skipped);
        putchar('\n');
        return fflush(stdout) == 0 && !ferror(stdout) && good;
    }
    cJSON *object = cJSON_CreateObject();
    cJSON_AddStringToObject(object, "schema", "bottle-gate/selftest/1");
    cJSON_AddBoolToObject(object, "good", good);
    cJSON_AddNumberToObject(object, "made", output->made);
    cJSON_AddNumberToObject(object, "skipped", output->skipped);
    cJSON_AddItemToObject(object, "faults", output->faults);
    return print_json(object) && good;
}

static void list_line(const struct fault *fault, bool markdown)
{
    char status[48], vector[8];
    format_wanted(fault, status);
    if (markdown)
        printf("| `%s` | %s | %s | %s | %s |\n", fault->name, fault->stage, fault->breaks, status,
               format_vector(fault, vector));
    else
        printf("%-24s %-10s %-11s %-7s %s\n", fault->name, fault->stage, status, format_vector(fault, vector),
               fault->breaks);
}

bool selftest_list(const struct selftest_style *style)
{
    const struct fault *fault;
    cJSON *all = style->json ? cJSON_CreateArray() : NULL;
    if (style->markdown)
        printf("| fault | stage | what is broken | must end with | catalogue |\n| --- | --- | --- | --- | --- |\n");
    for (size_t i = 0; (fault = fault_at(i)) != NULL; i++)
        if (style->json)
            cJSON_AddItemToArray(all, describe(fault));
        else
            list_line(fault, style->markdown);
    return style->json ? print_json(all) : fflush(stdout) == 0 && !ferror(stdout);
}
