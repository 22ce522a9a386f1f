/* See backends.h: the backends that lie about what they put into a bottle. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../../launcher/support/cleanup.h"
#include "../../launcher/support/process.h"
#include "backends_put.h"

static bool is_probe(const struct bottle *bottle, const char *name)
{
    return bottle == backends_under_test && strcmp(name, "bottle-probe") == 0;
}

static bool is_plan(const struct bottle *bottle, const char *name)
{
    return bottle == backends_under_test && strncmp(name, "plan-", 5) == 0;
}

static bool put_no_probe(struct bottle *bottle, const char *name, int source, mode_t mode, struct error *error)
{
    return is_probe(bottle, name) || native_backend.put(bottle, name, source, mode, error);
}

static bool put_no_plan(struct bottle *bottle, const char *name, int source, mode_t mode, struct error *error)
{
    return is_plan(bottle, name) || native_backend.put(bottle, name, source, mode, error);
}

static bool put_without_mode(struct bottle *bottle, const char *name, int source, mode_t mode, struct error *error)
{
    return native_backend.put(bottle, name, source, is_probe(bottle, name) ? 0444 : mode, error);
}

/* A copy of `source` that is `more` bytes longer, or shorter; -1 on failure. */
static int copy_of(int source, int more, struct error *error)
{
    off_t size = lseek(source, 0, SEEK_END);
    cleanup_free char *bytes = calloc(1, (size_t)size + 1);
    cleanup_close int copy = memfd_create("copy", MFD_CLOEXEC);
    if (bytes != NULL && copy >= 0 && pread(source, bytes, (size_t)size, 0) == (ssize_t)size &&
        write_all(copy, bytes, (size_t)(size + more)) && lseek(copy, 0, SEEK_SET) == 0)
        return take_fd(&copy);
    error_system(error, "can't copy a file");
    return -1;
}

/* An ELF file runs as before with a byte after its end. */
static bool put_longer_probe(struct bottle *bottle, const char *name, int source, mode_t mode, struct error *error)
{
    if (!is_probe(bottle, name))
        return native_backend.put(bottle, name, source, mode, error);
    cleanup_close int longer = copy_of(source, 1, error);
    return longer >= 0 && native_backend.put(bottle, name, longer, mode, error);
}

static bool put_shorter_plan(struct bottle *bottle, const char *name, int source, mode_t mode, struct error *error)
{
    if (!is_plan(bottle, name))
        return native_backend.put(bottle, name, source, mode, error);
    cleanup_close int shorter = copy_of(source, -1, error);
    return shorter >= 0 && native_backend.put(bottle, name, shorter, mode, error);
}

/* bottle-init is the only other program that needs nothing beside it. Run like this it ends at once with 0. */
static bool put_init(struct bottle *bottle, const char *name, int source, mode_t mode, struct error *error)
{
    if (!is_probe(bottle, name))
        return native_backend.put(bottle, name, source, mode, error);
    cleanup_close int init = open(backends_init_path, O_RDONLY | O_CLOEXEC);
    return native_backend.put(bottle, name, init, mode, error);
}

/* Files are put in until none fits any more, the largest first. */
static bool put_after_others(struct bottle *bottle, const char *name, int source, mode_t mode, struct error *error)
{
    cleanup_close int filler = memfd_create("filler", MFD_CLOEXEC);
    if (is_plan(bottle, name) && filler >= 0)
        for (off_t size = 256 << 20; size > 0; size /= 2) {
            char filler_name[32];
            struct error full = { 0 };
            snprintf(filler_name, sizeof filler_name, "filler-%ld", (long)size);
            if (ftruncate(filler, size) != 0 || !native_backend.put(bottle, filler_name, filler, 0400, &full))
                continue;
        }
    return native_backend.put(bottle, name, source, mode, error);
}

DIFFERS(that_loses_the_probe, put, put_no_probe);
DIFFERS(that_loses_the_plan, put, put_no_plan);
DIFFERS(that_cuts_the_plan, put, put_shorter_plan);
DIFFERS(that_forgets_modes, put, put_without_mode);
DIFFERS(with_another_probe, put, put_longer_probe);
DIFFERS(with_another_program, put, put_init);
DIFFERS(with_full_disk, put, put_after_others);
