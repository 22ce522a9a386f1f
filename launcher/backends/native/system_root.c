/*
 * What makes a bottle's root a place for people and ordinary programs: the host's programs and libraries, read-only, the few
 * files of /etc that they need, harmless devices, a terminal file system and a home that vanishes. Everything is in the
 * tables below; what the host doesn't have is left out. No secrets: no /etc/shadow, no private keys, nobody's home, no /run.
 */
#include "native.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../namespaces.h"
#include "../../support/cleanup.h"
#include "../../support/process.h"

/* Bound read-only, or copied where they are symbolic links (as on hosts with a merged /usr). */
static const char *const system_paths[] = {
    "usr",
    "bin",
    "sbin",
    "lib",
    "lib32",
    "lib64",
    "libx32",
    "nix/store",
    "run/current-system",
    "etc/ld.so.cache",
    "etc/ld.so.conf",
    "etc/ld.so.conf.d",
    "etc/alternatives",
    "etc/ssl/certs",
    "etc/ssl/openssl.cnf",
    "etc/pki/tls/certs",
    "etc/ca-certificates",
    "etc/localtime",
    "etc/terminfo",
    "etc/services",
    "etc/protocols",
    "etc/mime.types",
};

static const char *const devices[] = { "dev/zero", "dev/full", "dev/random", "dev/urandom", "dev/tty" };

static const struct {
    const char *path, *target;
} links[] = {
    { "dev/fd", "/proc/self/fd" },       { "dev/stdin", "/proc/self/fd/0" }, { "dev/stdout", "/proc/self/fd/1" },
    { "dev/stderr", "/proc/self/fd/2" }, { "dev/ptmx", "pts/ptmx" },
};

static const struct {
    const char *path, *text;
} files[] = {
    { "etc/passwd", "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/home:/bin/sh\n" },
    { "etc/group", "root:x:0:\nnogroup:x:65534:\n" },
    { "etc/hosts", "127.0.0.1 localhost bottle\n::1 localhost bottle\n" },
    { "etc/hostname", "bottle\n" },
    { "etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files\n" },
};

static bool add_parents(const char *path, struct error *error)
{
    char part[128];
    for (const char *slash = strchr(path, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        snprintf(part, sizeof part, "%.*s", (int)(slash - path), path);
        if (mkdir(part, 0755) != 0 && errno != EEXIST)
            return error_system(error, "can't make /%s in the bottle", part);
    }
    return true;
}

static bool add_file(const char *path, const char *text, struct error *error)
{
    cleanup_close int file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644);
    return (file >= 0 && write_all(file, text, strlen(text))) ||
           error_system(error, "can't make /%s in the bottle", path);
}

static bool add_path(const char *path, bool writable, struct error *error)
{
    char host[160], target[4096];
    struct stat status;
    snprintf(host, sizeof host, "/%s", path);
    if (lstat(host, &status) != 0)
        return true; /* this host has none */
    if (!add_parents(path, error))
        return false;
    if (S_ISLNK(status.st_mode)) {
        ssize_t length = readlink(host, target, sizeof target - 1);
        target[length > 0 ? length : 0] = '\0';
        return (length > 0 && symlink(target, path) == 0) || error_system(error, "can't link /%s in the bottle", path);
    }
    if (S_ISDIR(status.st_mode)
            ? mkdir(path, 0755) != 0 && error_system(error, "can't make /%s in the bottle", path) == false
            : !add_file(path, "", error))
        return false;
    return native_mount_bind(host, path, writable, error);
}

static bool add_terminals(struct error *error)
{
    return (mkdir("dev/pts", 0755) == 0 &&
            mount("devpts", "dev/pts", "devpts", MS_NOSUID | MS_NOEXEC, "newinstance,ptmxmode=0666,mode=0620") == 0) ||
           error_system(error, "can't mount /dev/pts in the bottle");
}

static bool add_homes(struct error *error)
{
    /* Where 65534 isn't mapped it is another name for this very id, which owns the directory already. */
    if (mkdir("root", 0700) != 0 || mkdir("home", 0700) != 0 ||
        (namespaces_have_block() && chown("home", 65534, 65534) != 0))
        return error_system(error, "can't make the homes in the bottle");
    return true;
}

bool native_root_add_system(struct error *error)
{
    for (size_t i = 0; i < sizeof system_paths / sizeof *system_paths; i++)
        if (!add_path(system_paths[i], false, error))
            return false;
    for (size_t i = 0; i < sizeof devices / sizeof *devices; i++)
        if (!add_path(devices[i], true, error))
            return false;
    if (!add_terminals(error))
        return false;
    for (size_t i = 0; i < sizeof links / sizeof *links; i++)
        if (symlink(links[i].target, links[i].path) != 0)
            return error_system(error, "can't link /%s in the bottle", links[i].path);
    if (mkdir("etc", 0755) != 0 && errno != EEXIST)
        return error_system(error, "can't make /etc in the bottle");
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        if (!add_file(files[i].path, files[i].text, error))
            return false;
    return add_homes(error);
}
