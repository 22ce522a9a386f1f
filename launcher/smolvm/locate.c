/*
 * See locate.h. The wheel from PyPI carries everything in one folder, its program is called smol-vmm; the release
 * tarball has its libraries in lib/ beside a wrapper and its root file system in the user's data directory. One list of
 * candidates fits both.
 */
#include "locate.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../support/cleanup.h"
#include "../support/process.h"

#define SYSTEM_PATH "/usr/local/sbin:/usr/sbin:/sbin:/run/current-system/sw/bin"
#define REMEDY                                                                                                         \
    "install it (pip install smolmachines, or its release from GitHub) and name the program with --smolvm=PATH (in "   \
    "the wheel: smol/smol-vmm), or take "                                                                              \
    "another backend (--backend=native)"

static bool is_set(const char *text)
{
    return text != NULL && *text != '\0';
}

/* What --smolvm named. Of the whole process: what is started for a run is forked, and looks there too. */
static char named_program[PATH_MAX];

bool smolvm_name_program(const char *path, struct error *error)
{
    if (realpath(path, named_program) != NULL)
        return true;
    named_program[0] = '\0';
    return error_set(error, ERROR_USAGE, "can't find smolvm at \"%.200s\" (--smolvm): %s", path, strerror(errno));
}

struct smolvm_places smolvm_places_here(const char *named)
{
    return (struct smolvm_places){ .named = is_set(named) ? named : named_program,
                                   .variable = getenv("BOTTLE_SMOLVM"),
                                   .path = getenv("PATH"),
                                   .system_path = SYSTEM_PATH,
                                   .libraries = getenv("SMOLVM_LIB_DIR"),
                                   .rootfs = getenv("SMOLVM_AGENT_ROOTFS"),
                                   .rootfs_tar = getenv("SMOLVM_AGENT_ROOTFS_TAR"),
                                   .home = getenv("HOME"),
                                   .data_home = getenv("XDG_DATA_HOME") };
}

/* DIRECTORY/BETWEEN/NAME, if that fits. */
static bool join(char path[PATH_MAX], const char *directory, size_t length, const char *between, const char *name)
{
    int written = snprintf(path, PATH_MAX, "%.*s%s/%s", (int)length, directory, between, name);
    return written > 0 && written < PATH_MAX;
}

static bool is_file(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 && S_ISREG(status.st_mode) && access(path, R_OK) == 0;
}

static bool is_directory(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

/* Looks for `name` in the directories of a PATH. A relative one is skipped: it means another thing wherever one stands.
 * *dull: a file of that name was there, and not executable. */
static bool find_on_path(const char *path, const char *name, char found[PATH_MAX], bool *dull)
{
    for (const char *next = path; is_set(next);) {
        size_t length = strcspn(next, ":");
        if (*next == '/' && length < PATH_MAX && join(found, next, length, "", name) && is_file(found)) {
            if (access(found, X_OK) == 0)
                return true;
            *dull = true;
        }
        next += length + (next[length] == ':');
    }
    return false;
}

static bool check_named(const char *path, const char *who, struct error *error)
{
    struct stat status;
    if (stat(path, &status) != 0)
        return error_set(error, ERROR_USAGE, "can't find smolvm at %.200s (%s): %s", path, who, strerror(errno));
    if (!S_ISREG(status.st_mode))
        return error_set(error, ERROR_USAGE, "%.200s (%s) is no program: name the file itself (smolvm, smol-vmm)", path,
                         who);
    return access(path, X_OK) == 0 ||
           error_set(error, ERROR_HOST, "%.200s (%s) is not executable by you: chmod a+rx it", path, who);
}

bool smolvm_locate_program(const struct smolvm_places *places, struct smolvm_location *location, struct error *error)
{
    char found[PATH_MAX];
    bool dull = false;
    const char *named = is_set(places->named) ? places->named : places->variable;
    *location = (struct smolvm_location){ 0 };
    if (is_set(named)) {
        if (!check_named(named, is_set(places->named) ? "--smolvm" : "BOTTLE_SMOLVM", error))
            return false;
        if (realpath(named, location->program) == NULL)
            return error_system(error, "can't resolve %.200s", named);
        return true;
    }
    if (!find_on_path(places->path, "smolvm", found, &dull) && !find_on_path(places->path, "smol-vmm", found, &dull))
        return dull ? error_set(error, ERROR_HOST,
                                "the smolvm on PATH is not executable by you: chmod a+rx \"$(command -v smolvm)\", "
                                "or name another with --smolvm=PATH")
                    : error_set(error, ERROR_HOST, "smolvm is not on PATH: " REMEDY);
    return realpath(found, location->program) != NULL || error_system(error, "can't resolve %.200s", found);
}

/* A script that starts the engine, and not the engine. */
static bool is_wrapper(const char *program)
{
    char start[2];
    cleanup_close int file = open(program, O_RDONLY | O_CLOEXEC);
    return file >= 0 && read_all(file, start, sizeof start) == sizeof start && memcmp(start, "#!", sizeof start) == 0;
}

static bool has_libraries(const char *directory)
{
    char path[PATH_MAX];
    static const char *const names[] = { "libkrun.so", "libkrunfw.so.5" };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (!join(path, directory, strlen(directory), "", names[i]) || !is_file(path))
            return false;
    return true;
}

/* The directory of the program. */
static size_t directory_length(const struct smolvm_location *location)
{
    return (size_t)(strrchr(location->program, '/') - location->program);
}

bool smolvm_locate_libraries(const struct smolvm_places *places, struct smolvm_location *location, struct error *error)
{
    static const char *const beside[] = {
        "lib", ".", "../lib", "../../lib", "../../lib/linux-x86_64", "../../lib/linux-aarch64"
    };
    char found[PATH_MAX];
    if (is_set(places->libraries)) {
        if (has_libraries(places->libraries) && realpath(places->libraries, location->libraries) != NULL)
            return true;
        return error_set(error, ERROR_HOST,
                         "SMOLVM_LIB_DIR (%.200s) has no libkrun.so and libkrunfw.so.5: unset it, or name the "
                         "directory that has both",
                         places->libraries);
    }
    for (size_t i = 0; i < sizeof beside / sizeof *beside; i++)
        if (join(found, location->program, directory_length(location), "", beside[i]) && has_libraries(found) &&
            realpath(found, location->libraries) != NULL)
            return true;
    location->libraries[0] = '\0';
    location->wrapper = is_wrapper(location->program);
    if (location->wrapper)
        return true;
    return error_set(error, ERROR_HOST,
                     "libkrun.so and libkrunfw.so.5 are not in %.*s or the lib beside it: unpack the whole wheel or "
                     "release, or name "
                     "their directory in SMOLVM_LIB_DIR",
                     200, location->program);
}

static bool ends_with(const char *text, const char *end)
{
    size_t length = strlen(text), tail = strlen(end);
    return length >= tail && strcmp(text + length - tail, end) == 0;
}

static bool take_tar(const char *path, struct smolvm_location *location)
{
    location->rootfs_is_tar = true;
    location->rootfs_is_zstd = ends_with(path, ".zst");
    return is_file(path) && realpath(path, location->rootfs) != NULL;
}

static bool take_directory(const char *path, struct smolvm_location *location)
{
    location->rootfs_is_tar = location->rootfs_is_zstd = false;
    return is_directory(path) && realpath(path, location->rootfs) != NULL;
}

bool smolvm_locate_rootfs(const struct smolvm_places *places, struct smolvm_location *location, struct error *error)
{
    static const char *const tars[] = { "agent-rootfs.tar", "agent-rootfs.tar.zst", "agent-rootfs.tar.gz" };
    char found[PATH_MAX];
    if (is_set(places->rootfs))
        return take_directory(places->rootfs, location) ||
               error_set(error, ERROR_HOST,
                         "SMOLVM_AGENT_ROOTFS (%.200s) is no directory: unset it, or name the agent's root file system",
                         places->rootfs);
    if (is_set(places->rootfs_tar))
        return take_tar(places->rootfs_tar, location) ||
               error_set(error, ERROR_HOST,
                         "SMOLVM_AGENT_ROOTFS_TAR (%.200s) can't be read: unset it, or name the agent's tar",
                         places->rootfs_tar);
    size_t length = directory_length(location);
    if (join(found, location->program, length, "", "agent-rootfs") && take_directory(found, location))
        return true;
    for (size_t i = 0; i < sizeof tars / sizeof *tars; i++)
        if (join(found, location->program, length, "", tars[i]) && take_tar(found, location))
            return true;
    if (location->wrapper) { /* what is in the user's data directory may be of another version */
        location->rootfs[0] = '\0';
        location->rootfs_is_tar = location->rootfs_is_zstd = false;
        return true;
    }
    bool named = is_set(places->data_home) && *places->data_home == '/';
    const char *base = named ? places->data_home : is_set(places->home) ? places->home : "";
    if (*base == '/' && join(found, base, strlen(base), named ? "/smolvm" : "/.local/share/smolvm", "agent-rootfs") &&
        take_directory(found, location))
        return true;
    return error_set(error, ERROR_HOST,
                     "smolvm's agent-rootfs is not beside %.200s or in the user's data directory: unpack the whole "
                     "wheel or release, or "
                     "name it in SMOLVM_AGENT_ROOTFS_TAR (a tar) or SMOLVM_AGENT_ROOTFS (a directory)",
                     location->program);
}

static const struct {
    const char *name, *package;
    bool for_tar, for_zstd;
} tools[] = {
    { "mkfs.ext4", "e2fsprogs", false, false },
    { "tar", "tar", true, false },
    { "zstd", "zstd", true, true },
};

size_t smolvm_locate_tools(void)
{
    return sizeof tools / sizeof *tools;
}

bool smolvm_locate_tool(const struct smolvm_places *places, const struct smolvm_location *location, size_t index,
                        const char **name, struct error *error)
{
    char found[PATH_MAX];
    bool dull = false;
    *name = tools[index].name;
    if ((tools[index].for_tar && !location->rootfs_is_tar) || (tools[index].for_zstd && !location->rootfs_is_zstd) ||
        find_on_path(places->path, *name, found, &dull) || find_on_path(places->system_path, *name, found, &dull))
        return true;
    return error_set(error, ERROR_HOST, "%s is not here, and smolvm %s with it: sudo apt install %s (nixpkgs: %s)",
                     *name, tools[index].for_tar ? "unpacks its agent" : "makes its disks", tools[index].package,
                     tools[index].for_tar && !tools[index].for_zstd ? "gnutar" : tools[index].package);
}

bool smolvm_locate(const struct smolvm_places *places, struct smolvm_location *location, struct error *error)
{
    const char *name;
    if (!smolvm_locate_program(places, location, error) || !smolvm_locate_libraries(places, location, error) ||
        !smolvm_locate_rootfs(places, location, error))
        return false;
    for (size_t i = 0; i < smolvm_locate_tools(); i++)
        if (!smolvm_locate_tool(places, location, i, &name, error))
            return false;
    return true;
}
