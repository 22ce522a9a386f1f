/*
 * bottle backends [NAME] [--json]: what can start bottles here, and what each fence of one keeps in. Everything printed comes
 * from the backend's own table.
 */
#include "command.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "../backend.h"

static void print_vectors(const struct fence *fence, const char *before, const char *between, const char *format)
{
    for (size_t i = 0; fence->vectors[i] != 0; i++) {
        fputs(i == 0 ? before : between, stdout);
        if (*format == 'B')
            printf("BG-%03u", fence->vectors[i]);
        else
            printf("%u", fence->vectors[i]);
    }
}

static void print_fences(const struct backend *backend)
{
    printf("%s: %zu fences\n", backend->name, backend->fence_count);
    for (size_t i = 0; i < backend->fence_count; i++) {
        printf("  %-14s keeps in: %s\n", backend->fences[i].name, backend->fences[i].keeps);
        print_vectors(&backend->fences[i], "                 stops: ", ", ", "BG");
        if (backend->fences[i].vectors[0] != 0)
            putchar('\n');
    }
}

/* The tables' strings are our own: no quotes, no control characters. */
static void print_json(const struct backend *backend)
{
    printf("{\"name\":\"%s\",\"fences\":[", backend->name);
    for (size_t i = 0; i < backend->fence_count; i++) {
        printf("%s{\"name\":\"%s\",\"keeps\":\"%s\",\"vectors\":[", i == 0 ? "" : ",", backend->fences[i].name,
               backend->fences[i].keeps);
        print_vectors(&backend->fences[i], "", ",", "number");
        fputs("]}", stdout);
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
    .help = "usage: bottle backends [NAME] [--json]\n"
            "\n"
            "Lists the backends; with NAME, its fences: what each keeps in, and the vectors that it stops.\n"
            "\n"
            "  --json   the same for a program\n",
    .run = run,
};
