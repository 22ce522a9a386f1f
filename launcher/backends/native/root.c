/*
 * A bottle's root: a tmpfs of limited size with a /proc of its own, /dev/null and /tmp, and what system_root.c adds for
 * people. It is built on the caller's /tmp (in a mount namespace of its own, so that nobody sees it), entered by pivot_root,
 * and the old root is then detached: chroot could be left again, this can't.
 *
 * /proc must be mounted while the host's is still visible: the kernel lets a user namespace mount one only where an
 * unmasked one is. The files in it that set something are read-only in the bottle.
 */
#include "native.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define BASE "/tmp"
#define SIZE "size=256m,nr_inodes=65536,mode=0755"

static const char *const proc_read_only[] = { "proc/sys", "proc/sysrq-trigger", "proc/irq", "proc/bus" };

static bool mount_proc(bool own_processes, struct error *error)
{
    if (mkdir("proc", 0555) != 0)
        return error_system(error, "can't make /proc in the bottle");
    /* Without a PID namespace of its own the bottle has no right to a /proc of its own: it sees the caller's. */
    if (!own_processes)
        return native_mount_bind("/proc", "proc", true, error);
    if (mount("proc", "proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) != 0) {
        if (errno == EPERM)
            return error_set(error, ERROR_HOST,
                             "can't mount /proc in a bottle: the one here is masked (a container?); start "
                             "the container with an unmasked /proc (docker: --security-opt "
                             "systempaths=unconfined)");
        return error_system(error, "can't mount /proc in the bottle");
    }
    for (size_t i = 0; i < sizeof proc_read_only / sizeof *proc_read_only; i++)
        if (access(proc_read_only[i], F_OK) == 0 &&
            !native_mount_bind(proc_read_only[i], proc_read_only[i], false, error))
            return false;
    return true;
}

static bool add_null(struct error *error)
{
    int file = -1;
    if (mkdir("dev", 0755) != 0 || (file = open("dev/null", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666)) < 0)
        return error_system(error, "can't make /dev in the bottle");
    close(file);
    return native_mount_bind("/dev/null", "dev/null", true, error);
}

static bool add_temporary(struct error *error)
{
    return (mkdir("tmp", 01777) == 0 && chmod("tmp", 01777) == 0) ||
           error_system(error, "can't make /tmp in the bottle");
}

bool native_root_enter(bool system_directories, bool own_processes, struct error *error)
{
    umask(022);
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0)
        return error_system(error, "can't make the mounts private");
    if (mount("bottle", BASE, "tmpfs", MS_NOSUID | MS_NODEV, SIZE) != 0 || chdir(BASE) != 0)
        return error_system(error, "can't mount a tmpfs on %s", BASE);
    if (!mount_proc(own_processes, error) || !add_null(error) || !add_temporary(error) ||
        (system_directories && !native_root_add_system(error)))
        return false;
    /* Old and new root on one place: the old one then lies on top and is peeled off. */
    if (syscall(SYS_pivot_root, ".", ".") != 0)
        return error_system(error, "can't enter the bottle's root");
    if (umount2(".", MNT_DETACH) != 0 || chdir("/") != 0)
        return error_system(error, "can't leave the host's root");
    return true;
}
