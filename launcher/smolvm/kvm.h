/*
 * Is there a /dev/kvm that this caller, and the engine's VMM, can use? A device that opens and answers may still run no
 * kernel: that a kernel signalled from inside is shown by a trial boot, whose success is remembered here until the next
 * boot of the host.
 */
#ifndef LAUNCHER_SMOLVM_KVM_H
#define LAUNCHER_SMOLVM_KVM_H

#include <stdbool.h>

#include "../support/error.h"
#include "platform.h"

enum { SMOLVM_BOOT_ID = 40 };

struct smolvm_kvm {
    enum smolvm_platform platform; /* on macOS there is no such device, and none is asked for */
    const char *device;            /* "/dev/kvm" */
    int (*api_version)(int fd);    /* KVM_GET_API_VERSION */
    bool root;                     /* the caller is root ... */
    bool uid_drop;                 /* ... and its VMM runs under a uid of its own (SMOLVM_UID_DROP, not switched off) */
};

/* The host's, for a caller whose VMM drops its uid or doesn't. */
struct smolvm_kvm smolvm_kvm_here(bool uid_drop);

/* False: `error` (ERROR_HOST) says what is missing and the exact remedy. */
bool smolvm_kvm_preflight(const struct smolvm_kvm *kvm, struct error *error);

/* The host's boot id; `path` NULL: /proc/sys/kernel/random/boot_id. */
bool smolvm_boot_id(const char *path, char boot_id[SMOLVM_BOOT_ID], struct error *error);

/* Has a kernel run here since that boot? What isn't exactly what was remembered is "no": the trial is made again.
 * `directory` is the user's own. */
bool smolvm_kvm_known(const char *directory, const char *boot_id);

/* To be called after a trial boot that succeeded. A failed one isn't remembered: its cause may be mended without a
 * reboot. */
bool smolvm_kvm_remember(const char *directory, const char *boot_id, struct error *error);

#endif
