/*
 * Which ids a new user namespace can be given by the calling process, and a block of them that nobody uses.
 */
#ifndef LAUNCHER_ID_BLOCK_H
#define LAUNCHER_ID_BLOCK_H

#include <stdbool.h>
#include <stdint.h>

#define ID_BLOCK_SIZE  65536u
#define ID_BLOCK_LOW   0x70000000u /* where blocks are looked for: this and the ID_BLOCK_RANGE - 1 ids after it */
#define ID_BLOCK_RANGE 0x0fff0000u

/* True if ids first..first+count-1 are all mapped by `map`, the text of a /proc/PID/uid_map. */
bool id_block_mapped(const char *map, uint32_t first, uint32_t count);

/* The same, and *outside is what `first` is on the outer side of the map. */
bool id_block_translate(const char *map, uint32_t first, uint32_t count, uint32_t *outside);

/* True if a process has one of the ids of this block that a bottle's processes have. */
bool id_block_taken(uint32_t block);

/* A block of 65536 ids, in that range, that is not taken and that no line of /etc/passwd,
 * /etc/subuid or /etc/subgid has. Each call of a process starts looking at another place. Returns 0 if there
 * is none. */
uint32_t id_block_find(void);

#endif
