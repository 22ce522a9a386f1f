/* See tar.h. */
#include "tar.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BLOCK   512u
#define PROGRAM (64u << 20) /* bytes, at most */

struct header {
    char name[100], mode[8], uid[8], gid[8], size[12], time[12], checksum[8], type, link[100], magic[6], version[2],
        rest[247];
};
_Static_assert(sizeof(struct header) == BLOCK, "a block of tar");

static void fill_header(struct header *header, const char *name, unsigned mode, size_t size, char type)
{
    unsigned sum = 0;
    snprintf(header->name, sizeof header->name, "%s", name);
    snprintf(header->mode, sizeof header->mode, "%07o", mode);
    snprintf(header->uid, sizeof header->uid, "%07o", 0u);
    snprintf(header->gid, sizeof header->gid, "%07o", 0u);
    snprintf(header->size, sizeof header->size, "%011zo", size);
    snprintf(header->time, sizeof header->time, "%011o", 0u);
    header->type = type;
    memcpy(header->magic, "ustar", 6);
    memcpy(header->version, "00", 2);
    memset(header->checksum, ' ', sizeof header->checksum);
    for (size_t i = 0; i < BLOCK; i++)
        sum += ((const uint8_t *)header)[i];
    snprintf(header->checksum, sizeof header->checksum, "%06o", sum & 0777777);
}

bool tar_of_program(int source, const char *name, char **archive, size_t *size, struct error *error)
{
    struct stat status;
    *archive = NULL;
    if (fstat(source, &status) != 0 || status.st_size <= 0 || status.st_size > PROGRAM)
        return error_set(error, ERROR_SYSTEM, "%s is no program to make an image of", name);
    size_t bytes = (size_t)status.st_size, rounded = (bytes + BLOCK - 1) / BLOCK * BLOCK;
    *size = 4 * BLOCK + rounded; /* two headers, the program, two empty blocks */
    *archive = calloc(1, *size);
    if (*archive == NULL)
        return error_set(error, ERROR_SYSTEM, "out of memory for the bottle's image");
    fill_header((struct header *)(void *)*archive, "tmp/", 01777, 0, '5');
    fill_header((struct header *)(void *)(*archive + BLOCK), name, 0755, bytes, '0');
    if (pread(source, *archive + 2 * BLOCK, bytes, 0) == (ssize_t)bytes)
        return true;
    free(*archive);
    *archive = NULL;
    return error_system(error, "can't read %s", name);
}
