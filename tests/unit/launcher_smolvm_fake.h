/* A directory of the test's own, with programs that play smolvm in it. */
#ifndef TESTS_UNIT_LAUNCHER_SMOLVM_FAKE_H
#define TESTS_UNIT_LAUNCHER_SMOLVM_FAKE_H

#include <criterion/criterion.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../launcher/support/process.h"

#define SECONDS  1000000ull
#define PATIENCE (60 * SECONDS) /* a bound on hangs, never waited out */

static char scratch[32];

static inline void scratch_make(void)
{
    strcpy(scratch, "/tmp/smolvm-XXXXXX");
    umask(022);
    cr_assert_not_null(mkdtemp(scratch));
}

static inline void scratch_remove(void)
{
    char command[128];
    snprintf(command, sizeof command, "chmod -R u+rwx %s && rm -rf %s", scratch, scratch);
    cr_assert_eq(system(command), 0);
}

/* The path of something in the directory; good until the 64th call after it. */
static inline const char *in_scratch(const char *name)
{
    static char paths[64][PATH_MAX];
    static unsigned turn;
    char *path = paths[turn++ % 64];
    snprintf(path, PATH_MAX, "%s/%s", scratch, name);
    return path;
}

/* Writes a file, and makes the directories to it. */
static inline const char *write_scratch(const char *name, mode_t mode, const char *text)
{
    const char *path = in_scratch(name);
    char made[PATH_MAX];
    snprintf(made, sizeof made, "%s", path);
    for (char *slash = made + strlen(scratch) + 1; (slash = strchr(slash, '/')) != NULL; slash++) {
        *slash = '\0';
        mkdir(made, 0755);
        *slash = '/';
    }
    int file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    cr_assert(file >= 0 && write_all(file, text, strlen(text)) && fchmod(file, mode) == 0, "%s", path);
    close(file);
    return path;
}

/* A program of the given lines of sh. */
static inline const char *fake_engine(const char *name, const char *lines)
{
    char text[4096];
    snprintf(text, sizeof text, "#!/bin/sh\n%s\n", lines);
    return write_scratch(name, 0755, text);
}

#endif
