/* See machine.h: what stands behind a machine. Digests are of what is there now: the VMM's executable as the kernel has it open, the
 * libraries where the engine was told to load them from. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "../../../probes/sha256.h"
#include "../../smolvm/kernel_image.h"
#include "../../support/cleanup.h"
#include "machine.h"

#define DIGITS 16 /* of the 64, that are shown */

/* The VMM forbids everybody but the privileged to look into it; a file that can't be read has no digest. */
static bool digest_of(const char *path, char digest[DIGITS + 1], struct error *error)
{
    static uint8_t bytes[1 << 16];
    struct sha256 hash;
    char text[65];
    cleanup_close int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0 && errno == EACCES) {
        snprintf(digest, DIGITS + 1, "unreadable");
        return true;
    }
    ssize_t got = -1;
    sha256_start(&hash);
    while (file >= 0 && (got = read(file, bytes, sizeof bytes)) > 0)
        sha256_add(&hash, bytes, (size_t)got);
    if (got != 0)
        return error_system(error, "can't read %.256s for its digest", path);
    sha256_end_hex(&hash, text);
    snprintf(digest, DIGITS + 1, "%.*s", DIGITS, text);
    return true;
}

/* A facility's name in a kernel that has it: what its protocol is registered by. */
static void note_lacks(const struct bottle *bottle, struct fingerprint *fingerprint)
{
    static const struct {
        uint16_t vector;
        const char *name;
    } facilities[] = { { 68, "MPTCP" } };
    char image[PATH_MAX + 20];
    size_t count = 0;
    snprintf(image, sizeof image, "%s/libkrunfw.so.5", bottle->location.libraries);
    for (size_t i = 0; i < sizeof facilities / sizeof *facilities; i++)
        if (smolvm_kernel_lacks(image, bottle->kernel, facilities[i].name))
            fingerprint->lacks[count++] = facilities[i].vector;
}

bool machine_fingerprint(const struct bottle *bottle, struct fingerprint *fingerprint, struct error *error)
{
    char vmm[32], library[PATH_MAX + 32], digests[3][DIGITS + 1];
    memset(fingerprint, 0, sizeof *fingerprint);
    snprintf(fingerprint->engine, sizeof fingerprint->engine, "smolvm");
    snprintf(fingerprint->version, sizeof fingerprint->version, "%s", bottle->version.text);
    snprintf(fingerprint->kernel, sizeof fingerprint->kernel, "%s", bottle->kernel);
    snprintf(fingerprint->boot_id, sizeof fingerprint->boot_id, "%s", bottle->boot_id);
    snprintf(vmm, sizeof vmm, "/proc/%d/exe", (int)bottle->monitor);
    if (!digest_of(vmm, digests[0], error))
        return false;
    for (int i = 0; i < 2; i++) {
        static const char *const names[] = { "libkrun.so", "libkrunfw.so.5" };
        snprintf(library, sizeof library, "%s/%s", bottle->location.libraries, names[i]);
        if (bottle->location.libraries[0] == '\0') /* a wrapper's, and the VMM can't be asked */
            snprintf(digests[i + 1], sizeof digests[i + 1], "not found");
        else if (!digest_of(library, digests[i + 1], error))
            return false;
    }
    snprintf(fingerprint->details, sizeof fingerprint->details, "VMM pid %d, sha256 %s; libkrun %s; libkrunfw %s; %s",
             (int)bottle->monitor, digests[0], digests[1], digests[2], bottle->policy);
    note_lacks(bottle, fingerprint);
    return true;
}
