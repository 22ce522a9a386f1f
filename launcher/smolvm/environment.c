/* See environment.h. A new variable of the engine's or of the host's is out until it stands in one of the tables. */
#include "environment.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* What the engine or its tools need of the caller's. */
static const char *const taken_over[] = {
    "LANG",
    "LC_ALL",
    "LC_CTYPE",
    "TZ",
    "TMPDIR",
    "USER",
    "LOGNAME",
    /* Without them a program that wasn't built for NixOS doesn't run there. */
    "NIX_LD",
    "NIX_LD_LIBRARY_PATH",
    "LOCALE_ARCHIVE",
};

/* mkfs.ext4 is in a directory that an ordinary user's PATH hasn't got, and the engine looks nowhere else. */
#define SYSTEM_PATH "/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin:/run/current-system/sw/bin"

static const struct {
    const char *variable, *directory;
    bool passed; /* by the VMM's own uid */
} directories[] = {
    { "HOME", "home", true },
    { "XDG_DATA_HOME", "data", true },
    { "XDG_CACHE_HOME", "cache", true },
    { "XDG_CONFIG_HOME", "config", true },
    { "XDG_RUNTIME_DIR", "run", false },
};
enum { DIRECTORIES = sizeof directories / sizeof *directories };

/* Every version reads those that it knows; 1.0.4 to 1.1.2 have a floor without a setting. */
static const char *const floors_off[][2] = {
    { "SMOLVM_EGRESS_FLOOR", "off" },
    { "SMOLVM_EGRESS_ALLOW_PRIVATE", "1" },
    { "SMOLVM_ALLOW_HOST_LOOPBACK", "1" },
};

/* Adds NAME=FIRST SECOND, the two without a blank. */
static bool add(struct smolvm_environment *environment, const char *name, const char *first, const char *second,
                struct error *error)
{
    size_t left = sizeof environment->bytes - environment->used;
    char *word = environment->bytes + environment->used;
    int length = snprintf(word, left, "%s=%s%s", name, first, second);
    if (length < 0 || (size_t)length >= left || environment->count == SMOLVM_VARIABLES)
        return error_set(error, ERROR_HOST, "the environment of the engine is too long: shorten %s", name);
    environment->words[environment->count++] = word;
    environment->words[environment->count] = NULL;
    environment->used += (size_t)length + 1;
    return true;
}

static const char *value_in(char *const words[], const char *name)
{
    size_t length = strlen(name);
    for (size_t i = 0; words != NULL && words[i] != NULL; i++)
        if (strncmp(words[i], name, length) == 0 && words[i][length] == '=')
            return words[i] + length + 1;
    return NULL;
}

const char *smolvm_environment_value(const struct smolvm_environment *environment, const char *name)
{
    return value_in(environment->words, name);
}

static bool check_directory(const char *directory, struct error *error)
{
    size_t length = strlen(directory);
    return (*directory == '/' && length <= SMOLVM_DIRECTORY) ||
           error_set(error, ERROR_USAGE,
                     "\"%.128s\" can't be the directory of a machine: an absolute path of at most %d bytes, because "
                     "the engine makes "
                     "sockets below it; set TMPDIR or XDG_RUNTIME_DIR to a shorter one",
                     directory, SMOLVM_DIRECTORY);
}

static bool add_rootfs(struct smolvm_environment *environment, const struct smolvm_setting *setting,
                       const struct smolvm_version *version, struct error *error)
{
    if (setting->rootfs == NULL && setting->location->rootfs[0] == '\0')
        return true;
    bool tar = setting->rootfs == NULL && setting->location->rootfs_is_tar;
    if (tar && !smolvm_can(version, SMOLVM_ROOTFS_TAR))
        return smolvm_version_lacks(version, SMOLVM_ROOTFS_TAR, error);
    return add(environment, tar ? "SMOLVM_AGENT_ROOTFS_TAR" : "SMOLVM_AGENT_ROOTFS",
               setting->rootfs != NULL ? setting->rootfs : setting->location->rootfs, "", error);
}

bool smolvm_environment_fill(struct smolvm_environment *environment, const struct smolvm_setting *setting,
                             const struct smolvm_version *version, char *const inherited[], struct error *error)
{
    environment->count = environment->used = 0;
    environment->words[0] = NULL;
    if (!check_directory(setting->directory, error))
        return false;
    const char *path = value_in(inherited, "PATH");
    bool well = path != NULL && *path != '\0' ? add(environment, "PATH", path, ":" SYSTEM_PATH, error)
                                              : add(environment, "PATH", SYSTEM_PATH, "", error);
    for (size_t i = 0; well && i < sizeof taken_over / sizeof *taken_over; i++) {
        const char *value = value_in(inherited, taken_over[i]);
        if (value != NULL)
            well = add(environment, taken_over[i], value, "", error);
    }
    for (size_t i = 0; well && i < DIRECTORIES; i++) {
        char below[16];
        snprintf(below, sizeof below, "/%s", directories[i].directory);
        well = add(environment, directories[i].variable, setting->directory, below, error);
    }
    if (well && setting->location->libraries[0] != '\0') /* else a wrapper sets it */
        well = add(environment, "SMOLVM_LIB_DIR", setting->location->libraries, "", error);
    well = well && add_rootfs(environment, setting, version, error);
    for (size_t i = 0; well && setting->floors_off && i < sizeof floors_off / sizeof *floors_off; i++)
        well = add(environment, floors_off[i][0], floors_off[i][1], "", error);
    if (well && setting->keep_uid)
        well = add(environment, "SMOLVM_VM_UID_DROP", "off", "", error);
    return well;
}

bool smolvm_environment_make(const struct smolvm_setting *setting, const struct smolvm_version *version,
                             struct error *error)
{
    bool dropped = geteuid() == 0 && !setting->keep_uid && smolvm_can(version, SMOLVM_UID_DROP);
    if (!check_directory(setting->directory, error))
        return false;
    for (size_t i = 0; i < DIRECTORIES; i++) {
        char path[SMOLVM_DIRECTORY + 16];
        mode_t mode = dropped && directories[i].passed ? 0711 : 0700;
        snprintf(path, sizeof path, "%s/%s", setting->directory, directories[i].directory);
        if (mkdir(path, 0700) != 0 || chmod(path, mode) != 0)
            return error_system(error, "can't make %s for the engine", path);
    }
    return true;
}
