/* A tar archive of one program: the whole image of a container that needs nothing else. */
#ifndef LAUNCHER_DOCKER_TAR_H
#define LAUNCHER_DOCKER_TAR_H

#include <stdbool.h>
#include <stddef.h>

#include "../support/error.h"

/* Reads all of the file `source` (a descriptor; its offset is left alone) and makes an archive in which it is /NAME, of root's, mode
 * 0755, and beside it an empty /tmp for everybody. *archive is owned by the caller (free). ustar, POSIX.1-1988. */
bool tar_of_program(int source, const char *name, char **archive, size_t *size, struct error *error);

#endif
