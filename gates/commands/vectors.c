/* `bottle-gate vectors`: the table of ways out, from probes/vectors.c and nowhere else. */
#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../launcher/support/cleanup.h"
#include "../vector_words.h"
#include "command.h"
#include "vector_option.h"

#define ASKED_MAX 1000 /* ids have three digits */

struct settings {
    bool json, core_only;
    size_t asked_count;
    const struct vector *asked[ASKED_MAX];
};

static bool take_json(void *settings, const char *argument, struct error *error)
{
    (void)argument, (void)error;
    ((struct settings *)settings)->json = true;
    return true;
}

static bool take_profile(void *settings, const char *argument, struct error *error)
{
    bool core = strcmp(argument, "core") == 0;
    ((struct settings *)settings)->core_only = core;
    return core || strcmp(argument, "all") == 0 ||
           error_set(error, ERROR_USAGE, "--profile is core or all, not \"%.40s\"", argument);
}

static bool take_id(void *settings, const char *operand, struct error *error)
{
    struct settings *own = settings;
    const struct vector *vector = vector_option_find(operand, error);
    for (size_t i = 0; vector != NULL && i < own->asked_count; i++)
        if (own->asked[i] == vector)
            return error_set(error, ERROR_USAGE, "vectors: %.8s was given twice", operand);
    if (vector == NULL || own->asked_count == ASKED_MAX)
        return error_set(error, ERROR_USAGE, "vectors: too many ids");
    own->asked[own->asked_count++] = vector;
    return true;
}

static const struct command_option options[] = {
    { .name = "json", .help = "the same for a program", .take = take_json },
    { .name = "profile",
      .argument = "core|all",
      .help = "those of the core profile only, or all (default)",
      .take = take_profile },
};

static const struct command_operand operands[] = {
    { .name = "ID", .help = "only these, like BG-049", .take = take_id, .word_at = vector_option_id_at },
};

static bool is_wanted(const struct settings *settings, const struct vector *vector)
{
    if (settings->core_only && !vector->core)
        return false;
    for (size_t i = 0; i < settings->asked_count; i++)
        if (settings->asked[i] == vector)
            return true;
    return settings->asked_count == 0;
}

static void print_row(const struct vector *vector)
{
    char id[8], witnesses[160] = "";
    size_t used = 0;
    vector_format_id(vector->id, id);
    for (unsigned kind = 0; kind < WITNESS_KINDS && used < sizeof witnesses; kind++)
        if (vector->witness >> kind & 1)
            used += (size_t)snprintf(witnesses + used, sizeof witnesses - used, "%s%s", used > 0 ? " " : "",
                                     witness_kind_name((enum witness_kind)(1u << kind)));
    printf("%s  %-10s %-4s %7zu  %s\n%*s heard by: %s\n", id, vector_family_name(vector->family),
           vector->core ? "core" : "-", vector_target_count(vector), vector->title, 32, "", witnesses);
}

static cJSON *row_of(const struct vector *vector)
{
    char id[8];
    vector_format_id(vector->id, id);
    cJSON *row = cJSON_CreateObject();
    cJSON_AddStringToObject(row, "id", id);
    cJSON_AddStringToObject(row, "family", vector_family_name(vector->family));
    cJSON_AddStringToObject(row, "title", vector->title);
    cJSON_AddBoolToObject(row, "core", vector->core);
    cJSON_AddNumberToObject(row, "targets", (double)vector_target_count(vector));
    cJSON *witnesses = cJSON_AddArrayToObject(row, "witnesses");
    for (unsigned kind = 0; kind < WITNESS_KINDS; kind++)
        if (vector->witness >> kind & 1)
            cJSON_AddItemToArray(witnesses, cJSON_CreateString(witness_kind_name((enum witness_kind)(1u << kind))));
    return row;
}

static bool print_json(const struct settings *settings)
{
    cJSON *list = cJSON_CreateArray();
    for (size_t i = 0; i < vector_count; i++)
        if (is_wanted(settings, &vectors[i]))
            cJSON_AddItemToArray(list, row_of(&vectors[i]));
    cleanup_free char *text = cJSON_Print(list);
    cJSON_Delete(list);
    return text != NULL && puts(text) >= 0;
}

static int vectors_command(int argc, char **argv, struct error *error)
{
    static struct settings settings;
    bool helped;
    if (!command_parse(&command_vectors, argc, argv, &settings, &helped, error))
        return -1;
    if (helped)
        return EXIT_PASS;
    if (settings.json && !print_json(&settings)) {
        error_system(error, "can't write the list");
        return -1;
    }
    if (settings.json)
        return EXIT_PASS;
    printf("%-7s %-10s %-4s %7s  %s\n", "ID", "FAMILY", "CORE", "TARGETS", "TITLE");
    for (size_t i = 0; i < vector_count; i++)
        if (is_wanted(&settings, &vectors[i]))
            print_row(&vectors[i]);
    return EXIT_PASS;
}

static const struct text_row statuses[] = {
    { "0", "they are listed" },
    { "3", "the list could not be written" },
    { "4", "wrong usage, or there is no such vector" },
    { NULL, NULL },
};

const struct command command_vectors = {
    .program = "bottle-gate",
    .name = "vectors",
    .summary = "list the ways out that are tried",
    .description =
        "Lists the vectors, the ways out that the gate can try: id, family, whether it is in the core profile, "
        "the number of its targets, its title, and the witnesses that must hear it where nothing stops it.",
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .operands = operands,
    .operand_count = sizeof operands / sizeof *operands,
    .statuses = statuses,
    .see_also = "bottle-gate-explain(1), bottle-gate-run(1)",
    .run = vectors_command,
};
