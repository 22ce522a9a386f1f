/* See kvm.h. The device is opened as the engine will open it: its mode alone doesn't tell about control groups and
 * modules. */
#include "kvm.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../support/cleanup.h"
#include "../support/process.h"

#define MEMORY_FILE "kvm-runs-kernels"
#define LOAD_MODULE                                                                                                    \
    "sudo modprobe kvm-intel (or kvm-amd), switch virtualisation on in the firmware settings (or nested "              \
    "virtualisation in the host of "                                                                                   \
    "this virtual machine), or take another backend (--backend=native)"

static int ask_api_version(int fd)
{
    return ioctl(fd, KVM_GET_API_VERSION, 0);
}

struct smolvm_kvm smolvm_kvm_here(bool uid_drop)
{
    return (struct smolvm_kvm){ .platform = SMOLVM_PLATFORM,
                                .device = "/dev/kvm",
                                .api_version = ask_api_version,
                                .root = geteuid() == 0,
                                .uid_drop = uid_drop };
}

static bool may_all_of_a_group(const struct stat *status)
{
    return (status->st_mode & 0006) == 0006 || ((status->st_mode & 0060) == 0060 && status->st_gid != 0);
}

static bool explain_denied(const char *device, struct error *error)
{
    struct stat status;
    if (stat(device, &status) != 0)
        return error_system(error, "can't look at %.128s", device);
    const struct group *group = getgrgid(status.st_gid);
    bool for_group = may_all_of_a_group(&status) && group != NULL && strcmp(group->gr_name, "kvm") == 0;
    return error_set(error, ERROR_HOST,
                     "%.128s can't be opened by you for reading and writing (group %.32s, mode %o): %ssudo usermod -aG "
                     "kvm \"$USER\" (the "
                     "group kvm), then log in again",
                     device, group != NULL ? group->gr_name : "unknown", (unsigned)(status.st_mode & 0777),
                     for_group ? "" : "sudo chgrp kvm /dev/kvm; sudo chmod 660 /dev/kvm; ");
}

static bool explain_no_open(const char *device, struct error *error)
{
    switch (errno) {
    case ENOENT:
        return error_set(error, ERROR_HOST, "%.128s is not there: " LOAD_MODULE, device);
    case ENODEV:
    case ENXIO:
        return error_set(error, ERROR_HOST, "%.128s is there, but no module stands behind it: " LOAD_MODULE, device);
    case EACCES:
        return explain_denied(device, error);
    case EPERM:
        return error_set(error, ERROR_HOST,
                         "%.128s is kept from this control group: give the device to the container (docker run "
                         "--device /dev/kvm), or run "
                         "outside of it",
                         device);
    default:
        return error_set(error, ERROR_HOST, "can't open %.128s: %s", device, strerror(errno));
    }
}

bool smolvm_kvm_preflight(const struct smolvm_kvm *kvm, struct error *error)
{
    struct stat status;
    if (kvm->platform == SMOLVM_MACOS)
        return true; /* Hypervisor.framework */
    cleanup_close int device = open(kvm->device, O_RDWR | O_CLOEXEC | O_NONBLOCK);
    if (device < 0)
        return explain_no_open(kvm->device, error);
    if (kvm->api_version(device) != KVM_API_VERSION)
        return error_set(error, ERROR_HOST, "%.128s opens and is no KVM of API version %d: " LOAD_MODULE, kvm->device,
                         KVM_API_VERSION);
    if (fstat(device, &status) != 0)
        return error_system(error, "can't look at %.128s", kvm->device);
    if (kvm->root && kvm->uid_drop && !may_all_of_a_group(&status))
        return error_set(error, ERROR_HOST,
                         "root's VMM drops to a uid of its own, which can't open %.128s (mode %o): sudo chgrp kvm "
                         "/dev/kvm; sudo chmod 660 "
                         "/dev/kvm; or set SMOLVM_VM_UID_DROP=off",
                         kvm->device, (unsigned)(status.st_mode & 0777));
    return true;
}

/* The shape of a boot id: what isn't one is never compared or stored. */
static bool is_boot_id(const char *text)
{
    return strlen(text) == 36 && strspn(text, "0123456789abcdef-") == 36;
}

bool smolvm_boot_id(const char *path, char boot_id[SMOLVM_BOOT_ID], struct error *error)
{
    const char *from = path != NULL ? path : "/proc/sys/kernel/random/boot_id";
    if (!file_read(from, boot_id, SMOLVM_BOOT_ID))
        return error_system(error, "can't read the boot id from %.128s", from);
    boot_id[strcspn(boot_id, "\n")] = '\0';
    return is_boot_id(boot_id) || error_set(error, ERROR_SYSTEM, "what is in %.128s is no boot id", from);
}

bool smolvm_kvm_known(const char *directory, const char *boot_id)
{
    char path[PATH_MAX], known[SMOLVM_BOOT_ID];
    if (!is_boot_id(boot_id) || snprintf(path, sizeof path, "%s/" MEMORY_FILE, directory) >= (int)sizeof path)
        return false;
    struct stat status;
    cleanup_close int file = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (file < 0 || fstat(file, &status) != 0 || !S_ISREG(status.st_mode) || status.st_uid != geteuid())
        return false;
    ssize_t size = read_all(file, known, sizeof known);
    return size == 37 && known[36] == '\n' && memcmp(known, boot_id, 36) == 0;
}

bool smolvm_kvm_remember(const char *directory, const char *boot_id, struct error *error)
{
    char path[PATH_MAX], part[PATH_MAX], line[SMOLVM_BOOT_ID];
    if (!is_boot_id(boot_id))
        return error_set(error, ERROR_USAGE, "\"%.40s\" is no boot id", boot_id);
    if (snprintf(path, sizeof path, "%s/" MEMORY_FILE, directory) >= (int)sizeof path ||
        snprintf(part, sizeof part, "%s/." MEMORY_FILE ".%d", directory, (int)getpid()) >= (int)sizeof part)
        return error_set(error, ERROR_USAGE, "the path of the directory is too long to remember in it that KVM works");
    int length = snprintf(line, sizeof line, "%s\n", boot_id);
    unlink(part);
    cleanup_close int file = open(part, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (file >= 0 && write_all(file, line, (size_t)length) && rename(part, path) == 0)
        return true;
    error_system(error, "can't remember in %.128s that KVM works", directory);
    unlink(part);
    return false;
}
