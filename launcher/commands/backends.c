/*
 * bottle backends [NAME] [--json]: what can start bottles here, and what each fence of one keeps in, with the command that
 * proves it. Everything printed comes from the backend's own table.
 */
#include "command.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "../backend.h"

/* The gate without this fence and those that mask it: it must find a way out. */
#define PROOF "bottle-gate run --mutant=%s"

enum { VECTORS_A_LINE = 12 };

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
        printf("\n  %-14s proved by: " PROOF "\n", "", fence->name);
    }
}

/* The tables' strings are our own: no quotes, no control characters. */
static void print_json(const struct backend *backend)
{
    printf("{\"name\":\"%s\",\"fences\":[", backend->name);
    for (size_t i = 0; i < backend->fence_count; i++) {
        const struct fence *fence = &backend->fences[i];
        printf("%s{\"name\":\"%s\",\"keeps\":\"%s\",\"vectors\":[", i == 0 ? "" : ",", fence->name, fence->keeps);
        for (size_t j = 0; fence->vectors[j] != 0; j++)
            printf("%s%u", j == 0 ? "" : ",", fence->vectors[j]);
        fputs("],\"masked_by\":[", stdout);
        print_masks(backend, fence, "\"", ",");
        printf(fence->vectors[0] != 0 ? "],\"proof\":\"" PROOF "\"}" : "],\"proof\":null}", fence->name);
    }
    fputs("]}", stdout);
}

static int run(int argc, char **argv, struct error *error)
{
    static const struct option options[] = { { "json", no_argument, NULL, 'j' }, COMMAND_HELP_OPTION };
    bool json = false;
    for (int option; (option = getopt_long(argc, argv, ":", options, NULL)) != -1;) {
        if (option != 'j')
            return bottle_command_other_option(&bottle_command_backends, argv, option, error);
        json = true;
    }
    if (argc - optind > 1) {
        error_set(error, ERROR_USAGE, "backends: too many names: see bottle backends --help");
        return -1;
    }
    const struct backend *only = optind < argc ? backend_find(argv[optind]) : NULL;
    if (optind < argc && only == NULL) {
        error_set(error, ERROR_USAGE, "no backend is named \"%.64s\": bottle backends lists them", argv[optind]);
        return -1;
    }
    if (json)
        putchar('[');
    for (size_t i = 0; backend_at(i) != NULL; i++) {
        const struct backend *backend = backend_at(i);
        if (only != NULL && backend != only)
            continue;
        if (json) {
            fputs(i > 0 && only == NULL ? "," : "", stdout);
            print_json(backend);
        } else if (only != NULL) {
            print_fences(backend);
        } else {
            printf("%-16s %zu fences\n", backend->name, backend->fence_count);
        }
    }
    if (json)
        puts("]");
    return 0;
}

const struct command bottle_command_backends = {
    .name = "backends",
    .summary = "list what can start bottles, and the fences of one",
    .help =
        "usage: bottle backends [NAME] [--json]\n"
        "\n"
        "Lists the backends; with NAME, its fences: what each keeps in, the vectors that it stops, the fences that\n"
        "stop the same ones, and the command that proves it by leaving it out.\n"
        "\n"
        "  --json   the same for a program\n",
    .run = run,
};
