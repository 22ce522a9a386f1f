/* See kernel_image.h. */
#include "kernel_image.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "../support/cleanup.h"

bool smolvm_kernel_lacks(const char *image, const char *release, const char *word)
{
    char banner[96];
    struct stat status;
    int length = snprintf(banner, sizeof banner, "Linux version %s ", release); /* init/version.c */
    cleanup_close int file = open(image, O_RDONLY | O_CLOEXEC);
    if (*release == '\0' || *word == '\0' || length >= (int)sizeof banner || file < 0 || fstat(file, &status) != 0 ||
        !S_ISREG(status.st_mode) || status.st_size <= 0)
        return false;
    size_t size = (size_t)status.st_size;
    void *bytes = mmap(NULL, size, PROT_READ, MAP_PRIVATE, file, 0);
    if (bytes == MAP_FAILED)
        return false;
    bool lacks = memmem(bytes, size, banner, (size_t)length) != NULL && memmem(bytes, size, word, strlen(word)) == NULL;
    munmap(bytes, size);
    return lacks;
}
