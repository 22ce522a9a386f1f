/*
 * make-pages DIRECTORY: writes the manual pages (DIRECTORY/man, scdoc sources) and the completion scripts (DIRECTORY/bash,
 * zsh, fish) of both programs, from their tables. Run by the build; not installed.
 */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "../launcher/commands/command.h"
#include "../launcher/program/pages.h"
#include "commands/command.h"

static FILE *open_page(const char *directory, const char *folder, const char *before, const char *name,
                       const char *after)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", directory, folder);
    if (mkdir(path, 0755) != 0 && errno != EEXIST)
        fprintf(stderr, "make-pages: can't make %s: %s\n", path, strerror(errno));
    snprintf(path, sizeof path, "%s/%s/%s%s%s", directory, folder, before, name, after);
    FILE *stream = fopen(path, "we");
    if (stream == NULL)
        fprintf(stderr, "make-pages: can't write %s: %s\n", path, strerror(errno));
    return stream;
}

static bool write_completion(const char *directory, const struct program *program)
{
    static const struct {
        const char *folder, *before, *after;
        void (*write)(const struct program *program, FILE *stream);
    } shells[] = {
        { "bash", "", "", completion_write_bash },
        { "zsh", "_", "", completion_write_zsh },
        { "fish", "", ".fish", completion_write_fish },
    };
    bool written = true;
    for (size_t i = 0; i < sizeof shells / sizeof *shells; i++) {
        FILE *stream = open_page(directory, shells[i].folder, shells[i].before, program->name, shells[i].after);
        if (stream == NULL)
            return false;
        shells[i].write(program, stream);
        written = fclose(stream) == 0 && written;
    }
    return written;
}

static bool write_manual(const char *directory, const struct program *program)
{
    FILE *stream = open_page(directory, "man", "", program->name, ".1.scd");
    if (stream == NULL)
        return false;
    manual_write_program(program, stream);
    bool written = fclose(stream) == 0;
    for (const struct command *const *command = program->commands; *command != NULL; command++) {
        char name[64];
        snprintf(name, sizeof name, "%s-%s", program->name, (*command)->name);
        stream = open_page(directory, "man", "", name, ".1.scd");
        if (stream == NULL)
            return false;
        manual_write_command(program, *command, stream);
        written = fclose(stream) == 0 && written;
    }
    return written;
}

int main(int argc, char **argv)
{
    static const struct program *const programs[] = { &bottle_program, &gate_program };
    bool written = argc == 2;
    if (!written)
        fputs("usage: make-pages DIRECTORY\n", stderr);
    for (size_t i = 0; written && i < sizeof programs / sizeof *programs; i++)
        written = write_completion(argv[1], programs[i]) && write_manual(argv[1], programs[i]);
    return written ? 0 : 1;
}
