/*
 * See identity.h. The gate compares these with what the backend was asked for: a microVM must show another
 * kernel or boot id than the host, and the digest must be that of the probe that was put in.
 */
#include "identity.h"

#include <fcntl.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "sha256.h"

#define BOOT_ID_SIZE 36

static void fill_kernel(char kernel[65])
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._+~-";
    struct utsname system;
    memcpy(kernel, "-", 2);
    if (uname(&system) != 0 || system.release[0] == '\0')
        return;
    size_t i = 0;
    for (; i < 64 && system.release[i] != '\0'; i++)
        kernel[i] = strchr(plain, system.release[i]) != NULL ? system.release[i] : '_';
    kernel[i] = '\0';
}

static void fill_boot_id(char boot_id[37])
{
    memcpy(boot_id, "-", 2);
    int file = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return;
    char text[BOOT_ID_SIZE];
    ssize_t size = read(file, text, sizeof text);
    close(file);
    if (size != BOOT_ID_SIZE)
        return;
    for (size_t i = 0; i < sizeof text; i++)
        if (strchr("0123456789abcdef-", text[i]) == NULL || text[i] == '\0')
            return;
    memcpy(boot_id, text, sizeof text);
    boot_id[sizeof text] = '\0';
}

static void fill_digest(char digest[65])
{
    memcpy(digest, "-", 2);
    int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return;
    struct sha256 hash;
    char part[4096];
    ssize_t size;
    sha256_start(&hash);
    while ((size = read(file, part, sizeof part)) > 0)
        sha256_add(&hash, part, (size_t)size);
    close(file);
    if (size == 0)
        sha256_end_hex(&hash, digest);
}

void identity_fill(struct record *hello)
{
    hello->hello.uid = getuid();
    fill_kernel(hello->hello.kernel);
    fill_boot_id(hello->hello.boot_id);
    fill_digest(hello->hello.digest);
}
