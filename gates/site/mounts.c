/*
 * See mounts.h. The empty directories hide the host's sockets (Docker, D-Bus, X11, agents) from a bare or
 * open run, which has no other fence; what the site writes goes into them and ends with the mount namespace.
 *
 * /etc/resolv.conf is a plain file, or a link, often into /run, where the tmpfs has just hidden its target.
 * So the link is followed before anything is mounted. A target below one of the empty directories is made
 * anew; any other is covered by a bind mount. A host with no such file has none in the site either: nothing
 * may be created on the host.
 */
#include "mounts.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../launcher/support/cleanup.h"
#include "../../launcher/support/process.h"
#include "site.h"

#define RESOLVER_FILE "/etc/resolv.conf"

static const struct empty_directory {
    const char *path, *options;
} empty_directories[] = {
    { "/run", "mode=0755,size=256m" },
    { "/tmp", "mode=1777,size=256m" },
    { "/var/tmp", "mode=1777,size=256m" },
};
#define EMPTY_DIRECTORIES (sizeof empty_directories / sizeof empty_directories[0])

static bool is_hidden(const char *path)
{
    for (size_t i = 0; i < EMPTY_DIRECTORIES; i++) {
        size_t length = strlen(empty_directories[i].path);
        if (strncmp(path, empty_directories[i].path, length) == 0 && path[length] == '/')
            return true;
    }
    return false;
}

static bool empty_the_directories(struct error *error)
{
    for (size_t i = 0; i < EMPTY_DIRECTORIES; i++) {
        const struct empty_directory *directory = &empty_directories[i];
        /* A directory that the host lacks needs no cover; without /run, making SITE_SOCKETS fails and says
         * so. */
        if (mount("tmpfs", directory->path, "tmpfs", MS_NOSUID | MS_NODEV, directory->options) < 0 && errno != ENOENT)
            return error_system(error, "can't mount an empty tmpfs over %s", directory->path);
    }
    return true;
}

/* Where /etc/resolv.conf really is, or would be: false if there is none. A link that leads nowhere is
 * followed one step, which is as far as any known host goes; /etc/../run is spelt /run. */
static bool find_resolver_file(char path[PATH_MAX])
{
    if (realpath(RESOLVER_FILE, path) != NULL)
        return true;
    char target[PATH_MAX];
    ssize_t size = readlink(RESOLVER_FILE, target, sizeof target - 1);
    if (size <= 0)
        return false;
    target[size] = '\0';
    snprintf(path, PATH_MAX, "%s", strncmp(target, "../", 3) == 0 ? target + 2 : target);
    return is_hidden(path) && strstr(path, "/../") == NULL;
}

/* Makes the directories above `path`, which lies in one of the empty ones. */
static bool make_parents(const char *path)
{
    char above[PATH_MAX];
    snprintf(above, sizeof above, "%s", path);
    for (char *slash = strchr(above + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        bool made = mkdir(above, 0755) == 0 && chmod(above, 0755) == 0; /* whatever the umask is */
        if (!made && errno != EEXIST)
            return false;
        *slash = '/';
    }
    return true;
}

static bool write_resolver_file(const char *path, bool ipv6, struct error *error)
{
    const char *text =
        ipv6 ? "nameserver " SITE_RESOLVER4 "\nnameserver " SITE_RESOLVER6 "\n" : "nameserver " SITE_RESOLVER4 "\n";
    cleanup_close int file = make_parents(path) ? open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644) : -1;
    return (file >= 0 && fchmod(file, 0644) == 0 && write_all(file, text, strlen(text))) ||
           error_system(error, "can't write the site's resolver file %s", path);
}

static bool own_resolver_file(const char *path, bool ipv6, struct error *error)
{
    if (is_hidden(path))
        return write_resolver_file(path, ipv6, error);
    static const char source[] = SITE_SOCKETS "/resolv.conf";
    return write_resolver_file(source, ipv6, error) &&
           (mount(source, path, NULL, MS_BIND, NULL) == 0 ||
            error_system(error, "can't mount the site's resolver file over %s", path));
}

bool mounts_open(bool ipv6, struct error *error)
{
    char resolver_file[PATH_MAX];
    bool has_resolver_file = find_resolver_file(resolver_file);
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        return error_system(error, "can't make the site's mounts private");
    if (!empty_the_directories(error))
        return false;
    if (mkdir(SITE_SOCKETS, 0755) < 0 || chmod(SITE_SOCKETS, 0755) < 0)
        return error_system(error, "can't make %s", SITE_SOCKETS);
    return !has_resolver_file || own_resolver_file(resolver_file, ipv6, error);
}
