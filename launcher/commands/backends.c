/*
 * bottle backends [NAME] [--json]: what can start bottles here, and what each fence of one keeps in, with the command that
 * proves it. Everything printed comes from the backend's own table.
 */
#include "command.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <string.h>

#include "../backend.h"

enum { VECTORS_A_LINE = 12 };

/* The gate without this fence and those that mask it: it must find a way out. */
static void print_proof(const struct backend *backend, const struct fence *fence)
{
    bool usual = backend == &native_backend;
    printf("bottle-gate run %s%s%s--mutant=%s", usual ? "" : "--backend=", usual ? "" : backend->name, usual ? "" : " ",
           fence->name);
}

static void print_masks(const struct backend *backend, const struct fence *fence, const char *quote,
                        const char *between)
{
    bool first = true;
    for (size_t i = 0; i < backend->fence_count; i++) {
        if ((fence->masked_by >> i & 1) == 0)
            continue;
        printf("%s%s%s%s", first ? "" : between, quote, backend->fences[i].name, quote);
        first = false;
    }
}

static void print_fences(const struct backend *backend)
{
    printf("%s: %zu fences\n", backend->name, backend->fence_count);
    for (size_t i = 0; i < backend->fence_count; i++) {
        const struct fence *fence = &backend->fences[i];
        printf("  %-14s keeps in: %s\n", fence->name, fence->keeps);
        if (fence->vectors[0] == 0) {
            printf("  %-14s unproved: no vector tries it yet\n", "");
            continue;
        }
        printf("  %-14s stops:", "");
        for (size_t j = 0; fence->vectors[j] != 0; j++)
            printf(j > 0 && j % VECTORS_A_LINE == 0 ? "\n%23s BG-%03u" : "%s BG-%03u", "", fence->vectors[j]);
        if (fence->masked_by != 0) {
            printf("\n  %-14s masked by: ", "");
            print_masks(backend, fence, "", ", ");
        }
        printf("\n  %-14s proved by: ", "");
        print_proof(backend, fence);
        putchar('\n');
    }
}

/* Whether this host can run it, and what is missing. What takes long (a machine that boots) is left to `bottle-gate preflight`. */
static void print_readiness(const struct backend *backend)
{
    struct error problem = { 0 };
    const char *runtime = backend->runtime;
    bool ready = backend->preflight(NULL, &problem);
    printf("%-16s %-9s  %zu fences%s%s\n", backend->name, ready ? "ready" : "not ready", backend->fence_count,
           runtime != NULL ? ", runtime " : "", runtime != NULL ? runtime : "");
    if (!ready)
        printf("%-16s %s\n", "", problem.text);
}

static void print_readiness_json(const struct backend *backend)
{
    struct error problem = { 0 };
    bool ready = backend->preflight(NULL, &problem);
    cJSON *text = ready ? cJSON_CreateNull() : cJSON_CreateString(problem.text);
    char *printed = text != NULL ? cJSON_PrintUnformatted(text) : NULL;
    if (backend->runtime != NULL)
        printf("\"runtime\":\"%s\",", backend->runtime);
    printf("\"ready\":%s,\"problem\":%s", ready ? "true" : "false", printed != NULL ? printed : "null");
    cJSON_free(printed);
    cJSON_Delete(text);
}

/* The tables' strings are our own: no quotes, no control characters. */
static void print_json(const struct backend *backend)
{
    printf("{\"name\":\"%s\",", backend->name);
    print_readiness_json(backend);
    fputs(",\"fences\":[", stdout);
    for (size_t i = 0; i < backend->fence_count; i++) {
        const struct fence *fence = &backend->fences[i];
        printf("%s{\"name\":\"%s\",\"keeps\":\"%s\",\"vectors\":[", i == 0 ? "" : ",", fence->name, fence->keeps);
        for (size_t j = 0; fence->vectors[j] != 0; j++)
            printf("%s%u", j == 0 ? "" : ",", fence->vectors[j]);
        fputs("],\"masked_by\":[", stdout);
        print_masks(backend, fence, "\"", ",");
        fputs(fence->vectors[0] != 0 ? "],\"proof\":\"" : "],\"proof\":null}", stdout);
        if (fence->vectors[0] == 0)
            continue;
        print_proof(backend, fence);
        fputs("\"}", stdout);
    }
    fputs("]}", stdout);
}

struct settings {
    bool json;
    const struct backend *only;
};

static bool take_json(void *settings, const char *argument, struct error *error)
{
    (void)argument, (void)error;
    ((struct settings *)settings)->json = true;
    return true;
}

static bool take_name(void *settings, const char *operand, struct error *error)
{
    const struct backend *backend = backend_find(operand);
    ((struct settings *)settings)->only = backend != NULL ? backend_find_runtime(backend, NULL) : NULL;
    return backend != NULL ||
           error_set(error, ERROR_USAGE, "no backend is named \"%.64s\": bottle backends lists them", operand);
}

static const char *backend_name_at(size_t index)
{
    const struct backend *backend = backend_at(index);
    return backend != NULL ? backend->name : NULL;
}

static const struct command_option options[] = {
    { .name = "json", .help = "the same for a program", .take = take_json },
};

static const struct command_operand operands[] = {
    { .name = "NAME", .help = "the backend", .most = 1, .take = take_name, .word_at = backend_name_at },
};

static int run(int argc, char **argv, struct error *error)
{
    struct settings settings = { 0 };
    bool helped;
    if (!command_parse(&bottle_command_backends, argc, argv, &settings, &helped, error))
        return -1;
    if (helped)
        return 0;
    if (settings.json)
        putchar('[');
    for (size_t i = 0; backend_at(i) != NULL; i++) {
        const struct backend *backend = backend_find_runtime(backend_at(i), NULL);
        if (settings.only != NULL && backend != settings.only)
            continue;
        if (settings.json) {
            fputs(i > 0 && settings.only == NULL ? "," : "", stdout);
            print_json(backend);
        } else if (settings.only != NULL) {
            print_fences(backend);
        } else {
            print_readiness(backend);
        }
    }
    if (settings.json)
        puts("]");
    return 0;
}

static const struct text_row statuses[] = {
    { "0", "they are listed" },
    { "4", "wrong usage" },
    { "125", "the list could not be written" },
    { NULL, NULL },
};

const struct command bottle_command_backends = {
    .program = "bottle",
    .name = "backends",
    .summary = "list what can start bottles, and the fences of one",
    .description = "Lists the backends, whether this host is ready for each, and what is missing where it isn't; with "
                   "NAME, its fences: what each keeps in, the vectors that it stops, the fences "
                   "that stop the same ones, and the command that proves it by leaving it out.",
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .operands = operands,
    .operand_count = sizeof operands / sizeof *operands,
    .statuses = statuses,
    .see_also = "bottle-gate-explain(1), bottle-run(1)",
    .run = run,
};
