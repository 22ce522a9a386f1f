/*
 * What the sealed site does to the file system: its own view, and not a byte on the host.
 */
#include <dirent.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/statfs.h>

#include "site_fixture.h"

#define TMPFS_MAGIC 0x01021994

static void empty_directory(const char *path, unsigned entries)
{
    struct statfs system;
    unsigned found = 0;
    REQUIRE(statfs(path, &system) == 0 && system.f_type == TMPFS_MAGIC, "%s is no tmpfs", path);
    DIR *directory = opendir(path);
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;)
        found += entry->d_name[0] != '.';
    closedir(directory);
    REQUIRE(found == entries, "%s has %u entries", path, found);
}

static void files(void)
{
    char text[256];
    struct stat sockets;
    empty_directory("/run", 1);
    empty_directory("/tmp", 0);
    empty_directory("/var/tmp", 0);
    REQUIRE(stat(SITE_SOCKETS, &sockets) == 0 && (sockets.st_mode & 07777) == 0755, "no " SITE_SOCKETS);
    REQUIRE(file_read("/etc/resolv.conf", text, sizeof text), "no resolv.conf");
    REQUIRE(strcmp(text, "nameserver " SITE_RESOLVER4 "\nnameserver " SITE_RESOLVER6 "\n") == 0, "resolv.conf: %s",
            text);
    int made = open("/tmp/bottle-gate-site-test", O_WRONLY | O_CREAT, 0600);
    REQUIRE(made >= 0, "/tmp can't be written");
    made = open("/run/bottle-gate-site-test", O_WRONLY | O_CREAT, 0600);
    REQUIRE(made >= 0, "/run can't be written");
}

Test(site, the_hosts_files_are_hidden_and_untouched)
{
    char before[4096] = "", after[4096] = "", mounts[65536] = "", mounts_after[65536] = "";
    file_read("/etc/resolv.conf", before, sizeof before);
    file_read("/proc/self/mountinfo", mounts, sizeof mounts);
    run_in_site(files);
    file_read("/etc/resolv.conf", after, sizeof after);
    file_read("/proc/self/mountinfo", mounts_after, sizeof mounts_after);
    cr_assert_str_eq(before, after);
    cr_assert_str_eq(mounts, mounts_after, "a mount of the site is seen on the host");
    cr_assert(access("/tmp/bottle-gate-site-test", F_OK) != 0, "the host's /tmp was written");
    cr_assert(access("/run/bottle-gate-site-test", F_OK) != 0, "the host's /run was written");
}

/* A host whose /etc holds nothing but a resolver file like this one: a link to `target`, or none for NULL. A
 * target beside it exists, any other leads nowhere. */
static void host_with_resolver_link(const char *target)
{
    REQUIRE(mount("tmpfs", "/etc", "tmpfs", 0, NULL) == 0, "tmpfs: %s", strerror(errno));
    if (target != NULL)
        REQUIRE(symlink(target, "/etc/resolv.conf") == 0, "symlink: %s", strerror(errno));
    if (target != NULL && strchr(target, '/') == NULL)
        REQUIRE(close(open("/etc/resolv.conf", O_WRONLY | O_CREAT | O_CLOEXEC, 0644)) == 0, "no target");
    umask(077);
    struct error error = { 0 };
    REQUIRE(site_open(&site, &error), "%s", error.text);
    char text[256];
    struct stat found;
    if (target == NULL) {
        REQUIRE(access("/etc/resolv.conf", F_OK) != 0, "a resolver file was made on the host");
        return;
    }
    REQUIRE(file_read("/etc/resolv.conf", text, sizeof text), "%s: no resolv.conf", target);
    REQUIRE(strncmp(text, "nameserver " SITE_RESOLVER4, 21) == 0, "%s: resolv.conf: %s", target, text);
    REQUIRE(stat("/etc/resolv.conf", &found) == 0 && (found.st_mode & 0777) == 0644, "%s: not for all to read", target);
    if (strncmp(target, "../run/", 7) == 0)
        REQUIRE(stat("/run/systemd/resolve", &found) == 0 && (found.st_mode & 0777) == 0755, "not for all to enter");
    site_close(&site);
}

static void link_into_run(void)
{
    host_with_resolver_link("../run/systemd/resolve/stub-resolv.conf");
}

static void absolute_link_into_run(void)
{
    host_with_resolver_link("/run/resolvconf/resolv.conf");
}

static void link_to_a_file_of_the_host(void)
{
    host_with_resolver_link("resolver.real");
}

static void no_resolver_file(void)
{
    host_with_resolver_link(NULL);
}

Test(site, a_resolver_file_that_is_a_link_or_missing_is_no_obstacle)
{
    run_in_namespaces(link_into_run);
    run_in_namespaces(absolute_link_into_run);
    run_in_namespaces(no_resolver_file);
    run_in_namespaces(link_to_a_file_of_the_host);
}
