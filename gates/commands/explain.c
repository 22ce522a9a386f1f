/*
 * `bottle-gate explain ID`: one way out in words, for who has met it in a report: what is tried, who hears it, what stops it,
 * how to shut it, and how to see all that oneself. Everything comes from the tables of vectors and of backends.
 */
#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>

#include "../../launcher/backend.h"
#include "../../launcher/support/cleanup.h"
#include "../vector_words.h"
#include "command.h"
#include "vector_option.h"

struct settings {
    const struct vector *vector;
    bool json;
};

static bool take_json(void *settings, const char *argument, struct error *error)
{
    (void)argument, (void)error;
    ((struct settings *)settings)->json = true;
    return true;
}

static bool take_id(void *settings, const char *operand, struct error *error)
{
    ((struct settings *)settings)->vector = vector_option_find(operand, error);
    return ((struct settings *)settings)->vector != NULL;
}

static const struct command_option options[] = {
    { .name = "json", .help = "the same for a program", .take = take_json },
};

static const struct command_operand operands[] = {
    { .name = "ID",
      .help = "the vector's id, like BG-049",
      .least = 1,
      .most = 1,
      .take = take_id,
      .word_at = vector_option_id_at },
};

static bool stops(const struct fence *fence, const struct vector *vector)
{
    for (const uint16_t *id = fence->vectors; *id != 0; id++)
        if (*id == vector->id)
            return true;
    return false;
}

/* The same for both forms: calls `each` for every fence of every backend that stops it. */
static unsigned each_fence(const struct vector *vector,
                           void (*each)(const struct backend *backend, const struct fence *fence, void *context),
                           void *context)
{
    unsigned count = 0;
    const struct backend *backend;
    for (size_t i = 0; (backend = backend_at(i)) != NULL; i++)
        for (size_t j = 0; j < backend->fence_count; j++)
            if (stops(&backend->fences[j], vector)) {
                each(backend, &backend->fences[j], context);
                count++;
            }
    return count;
}

static void print_fence(const struct backend *backend, const struct fence *fence, void *context)
{
    (void)context;
    printf("  backend %s: the fence `%s`, which keeps in %s\n", backend->name, fence->name, fence->keeps);
    for (size_t i = 0; i < backend->fence_count; i++)
        if (fence->masked_by >> i & 1)
            printf("    and `%s` stops it too\n", backend->fences[i].name);
}

/* The table whose fences are told is that of one runtime, where there are several. */
static void mutant_command(const struct backend *backend, const struct fence *fence, const char *id, char text[160])
{
    snprintf(text, 160, "bottle-gate run --backend=%s%s%s --vector=%s --mutant=%s", backend->name,
             backend->runtime != NULL ? " --runtime=" : "", backend->runtime != NULL ? backend->runtime : "", id,
             fence->name);
}

static void print_mutant(const struct backend *backend, const struct fence *fence, void *context)
{
    char text[160];
    mutant_command(backend, fence, context, text);
    printf("  %s\n", text);
    printf("      that the gate would notice: without that fence it must FAIL, exit 1\n");
}

static void print_witnesses(unsigned kinds)
{
    for (unsigned kind = 0; kind < WITNESS_KINDS; kind++)
        if (kinds >> kind & 1)
            printf("  %-14s %s\n", witness_kind_name((enum witness_kind)(1u << kind)),
                   vector_witness_words((enum witness_kind)(1u << kind)));
}

/* What one mechanism tries, with all its targets. */
static void print_targets(const struct vector *vector, enum mechanism mechanism)
{
    bool first = true;
    for (const struct vector_target *at = vector->targets; at->address != NULL; at++) {
        char target[160];
        if (at->mechanism != mechanism)
            continue;
        if (first)
            printf("  It %s:\n", vector_mechanism_words(mechanism));
        vector_target_words(at, target, sizeof target);
        printf("      %s\n", target);
        first = false;
    }
}

typedef void sandbox_remedy(const char *sandbox, const char *text, void *context);

/* The sandboxes of others for which it is known how they shut the vector. */
static void each_sandbox(const struct vector *vector, sandbox_remedy *each, void *context)
{
    const struct backend *backend;
    const char *sandbox, *text;
    for (size_t i = 0; (backend = backend_at(i)) != NULL; i++)
        for (size_t j = 0; backend->sandbox_remedy != NULL && backend->sandbox_remedy(j, vector->id, &sandbox, &text);
             j++)
            if (text != NULL)
                each(sandbox, text, context);
}

static void print_sandbox_remedy(const char *sandbox, const char *text, void *context)
{
    (void)context;
    printf("  %s: %s\n", sandbox, text);
}

/* With which engine it is shut how, where that is more than the general advice. */
static void print_remedies(const struct vector *vector)
{
    const struct backend *backend;
    for (size_t i = 0; (backend = backend_at(i)) != NULL; i++)
        if (backend->remedy != NULL && backend->remedy(vector->id) != NULL)
            printf("  backend %s: %s\n", backend->name, backend->remedy(vector->id));
    each_sandbox(vector, print_sandbox_remedy, NULL);
}

static void print_for_people(const struct vector *vector)
{
    char id[8];
    vector_format_id(vector->id, id);
    printf("%s  %s\nfamily %s%s\n\nWhat it tries\n", id, vector->title, vector_family_name(vector->family),
           vector->core ? ", in the core profile" : "");
    for (int mechanism = 0; mechanism < MECHANISMS; mechanism++)
        print_targets(vector, (enum mechanism)mechanism);
    printf("\nWhere the idea was met\n  %s\n\nWho hears it where nothing stops it\n", vector->source);
    print_witnesses(vector->witness);
    if (vector->proof != 0) {
        printf(
            "  To show that the way exists, one of these must have heard it, because it can fall back to another:\n");
        print_witnesses(vector->proof);
    }
    for (unsigned need = 1; need != 0 && need <= vector->needs; need <<= 1)
        if (vector->needs & need)
            printf("  Without this it is not tried: %s\n", vector_need_words((enum vector_need)need));
    printf("\nWhat stops it\n");
    if (each_fence(vector, print_fence, NULL) == 0)
        printf("  no fence of a backend of this version\n");
    printf("\nHow to shut it\n  %s\n", vector->remedy);
    print_remedies(vector);
    printf("\nSee for yourself\n  bottle-gate run -v --vector=%s\n      this way out alone, with all its evidence\n",
           id);
    each_fence(vector, print_mutant, id);
}

static void add_fence(const struct backend *backend, const struct fence *fence, void *context)
{
    cJSON *row = cJSON_CreateObject();
    cJSON_AddStringToObject(row, "backend", backend->name);
    cJSON_AddStringToObject(row, "fence", fence->name);
    cJSON_AddStringToObject(row, "keeps", fence->keeps);
    cJSON *masks = cJSON_AddArrayToObject(row, "masked_by");
    for (size_t i = 0; i < backend->fence_count; i++)
        if (fence->masked_by >> i & 1)
            cJSON_AddItemToArray(masks, cJSON_CreateString(backend->fences[i].name));
    cJSON_AddItemToArray(context, row);
}

static void add_mutant(const struct backend *backend, const struct fence *fence, void *context)
{
    char text[160];
    cJSON *commands = context;
    mutant_command(backend, fence, cJSON_GetStringValue(cJSON_GetObjectItem(commands, "id")), text);
    cJSON_AddItemToArray(cJSON_GetObjectItem(commands, "mutants"), cJSON_CreateString(text));
}

static void add_witnesses(cJSON *object, const char *name, unsigned kinds)
{
    cJSON *list = cJSON_AddArrayToObject(object, name);
    for (unsigned kind = 0; kind < WITNESS_KINDS; kind++) {
        if ((kinds >> kind & 1) == 0)
            continue;
        cJSON *row = cJSON_CreateObject();
        cJSON_AddStringToObject(row, "witness", witness_kind_name((enum witness_kind)(1u << kind)));
        cJSON_AddStringToObject(row, "what", vector_witness_words((enum witness_kind)(1u << kind)));
        cJSON_AddItemToArray(list, row);
    }
}

static void add_sandbox_remedy(const char *sandbox, const char *text, void *context)
{
    cJSON_AddStringToObject(context, sandbox, text);
}

static void add_remedies(cJSON *object, const struct vector *vector)
{
    const struct backend *backend;
    cJSON *remedies = cJSON_AddObjectToObject(object, "backend_remedies");
    for (size_t i = 0; (backend = backend_at(i)) != NULL; i++)
        if (backend->remedy != NULL && backend->remedy(vector->id) != NULL)
            cJSON_AddStringToObject(remedies, backend->name, backend->remedy(vector->id));
    each_sandbox(vector, add_sandbox_remedy, cJSON_AddObjectToObject(object, "sandbox_remedies"));
}

static cJSON *explanation_of(const struct vector *vector)
{
    char id[8], text[160];
    vector_format_id(vector->id, id);
    cJSON *object = cJSON_CreateObject();
    cJSON_AddStringToObject(object, "id", id);
    cJSON_AddStringToObject(object, "title", vector->title);
    cJSON_AddStringToObject(object, "family", vector_family_name(vector->family));
    cJSON_AddBoolToObject(object, "core", vector->core);
    cJSON *targets = cJSON_AddArrayToObject(object, "targets");
    for (const struct vector_target *at = vector->targets; at->address != NULL; at++) {
        cJSON *target = cJSON_CreateObject();
        vector_target_words(at, text, sizeof text);
        cJSON_AddStringToObject(target, "mechanism", mechanism_name(at->mechanism));
        cJSON_AddStringToObject(target, "how", vector_mechanism_words(at->mechanism));
        cJSON_AddStringToObject(target, "address", at->address);
        cJSON_AddStringToObject(target, "where", text);
        cJSON_AddItemToArray(targets, target);
    }
    cJSON_AddStringToObject(object, "source", vector->source);
    add_witnesses(object, "witnesses", vector->witness);
    add_witnesses(object, "proof", vector->proof);
    cJSON *needs = cJSON_AddArrayToObject(object, "needs");
    for (unsigned need = 1; need != 0 && need <= vector->needs; need <<= 1)
        if (vector->needs & need)
            cJSON_AddItemToArray(needs, cJSON_CreateString(vector_need_words((enum vector_need)need)));
    each_fence(vector, add_fence, cJSON_AddArrayToObject(object, "fences"));
    cJSON_AddStringToObject(object, "remedy", vector->remedy);
    add_remedies(object, vector);
    snprintf(text, sizeof text, "bottle-gate run -v --vector=%s", id);
    cJSON_AddStringToObject(object, "try", text);
    cJSON_AddArrayToObject(object, "mutants");
    each_fence(vector, add_mutant, object);
    return object;
}

static int explain_command(int argc, char **argv, struct error *error)
{
    struct settings settings = { 0 };
    bool helped;
    if (!command_parse(&command_explain, argc, argv, &settings, &helped, error))
        return -1;
    if (helped)
        return EXIT_PASS;
    if (!settings.json) {
        print_for_people(settings.vector);
        return EXIT_PASS;
    }
    cJSON *object = explanation_of(settings.vector);
    cleanup_free char *text = cJSON_Print(object);
    cJSON_Delete(object);
    if (text != NULL && puts(text) >= 0)
        return EXIT_PASS;
    error_system(error, "can't write the explanation");
    return -1;
}

static const struct text_row statuses[] = {
    { "0", "it is explained" },
    { "3", "the text could not be written" },
    { "4", "wrong usage, or there is no such vector" },
    { NULL, NULL },
};

const struct command command_explain = {
    .program = "bottle-gate",
    .name = "explain",
    .summary = "tell what one way out is, who hears it, what stops it and how to shut it",
    .description =
        "Explains one vector: what it tries and where, where the idea was met, who hears it where nothing stops "
        "it, which fences stop it, how to shut it on any sandbox, and the commands that show all that.",
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .operands = operands,
    .operand_count = sizeof operands / sizeof *operands,
    .statuses = statuses,
    .see_also = "bottle-gate-vectors(1), bottle-gate-run(1), bottle-backends(1)",
    .run = explain_command,
};
