/*
 * See id_block.h. The range from 0x70000000 is one that no distribution, no systemd allocator and no subordinate id file
 * hands out by default, but an administrator may: so the files are read, and the kernel is asked for processes. Two
 * launchers that look at the same moment start at different blocks, because the place comes from the process id.
 */
#include "id_block.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define FIRST_BLOCK  (ID_BLOCK_LOW / ID_BLOCK_SIZE)
#define BLOCKS       (ID_BLOCK_RANGE / ID_BLOCK_SIZE)
#define ID_COLUMN    2 /* of /etc/passwd */
#define RANGE_COLUMN 1 /* of /etc/subuid, with the count in the next one */

bool id_block_translate(const char *map, uint32_t first, uint32_t count, uint32_t *outside)
{
    for (const char *line = map; line != NULL && *line != '\0'; line = strchr(line, '\n')) {
        line += *line == '\n';
        unsigned long inside, to, length;
        if (sscanf(line, "%lu %lu %lu", &inside, &to, &length) == 3 && inside <= first &&
            first + (unsigned long)count <= inside + length) {
            *outside = (uint32_t)(to + (first - inside));
            return true;
        }
    }
    return false;
}

bool id_block_mapped(const char *map, uint32_t first, uint32_t count)
{
    uint32_t outside;
    return id_block_translate(map, first, count, &outside);
}

static void mark(unsigned char used[BLOCKS], unsigned long first, unsigned long count)
{
    for (unsigned long block = first / ID_BLOCK_SIZE; block <= (first + count - 1) / ID_BLOCK_SIZE; block++)
        if (block >= FIRST_BLOCK && block < FIRST_BLOCK + BLOCKS)
            used[block - FIRST_BLOCK] = 1;
}

/* Marks the ids in column `column` of a colon-separated file; the next column is a count where `ranges`. */
static void mark_file(unsigned char used[BLOCKS], const char *path, int column, bool ranges)
{
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return; /* hosts without subordinate ids have no such file */
    char line[1024];
    while (fgets(line, sizeof line, file) != NULL) {
        const char *field = line;
        for (int i = 0; i < column && field != NULL; i++)
            if ((field = strchr(field, ':')) != NULL)
                field++;
        if (field == NULL)
            continue;
        char *end;
        unsigned long first = strtoul(field, &end, 10);
        unsigned long count = ranges && *end == ':' ? strtoul(end + 1, NULL, 10) : 1;
        if (end != field && count > 0 && count <= UINT32_MAX && first <= UINT32_MAX)
            mark(used, first, count);
    }
    fclose(file);
}

/* Asks the kernel's table of users, which costs the same however many processes there are. The two ids are those that a
 * bottle's processes have; every bottle has a process (its init) with the first. */
bool id_block_taken(uint32_t block)
{
    static const uint32_t used[] = { 0, 65534 };
    for (size_t i = 0; i < sizeof used / sizeof *used; i++) {
        errno = 0;
        if (getpriority(PRIO_USER, block + used[i]) != -1 || errno != ESRCH)
            return true;
    }
    return false;
}

uint32_t id_block_find(void)
{
    static uint32_t calls;
    unsigned char used[BLOCKS] = { 0 };
    mark_file(used, "/etc/passwd", ID_COLUMN, false);
    mark_file(used, "/etc/subuid", RANGE_COLUMN, true);
    mark_file(used, "/etc/subgid", RANGE_COLUMN, true);
    uint32_t start = (uint32_t)getpid() * 31 + calls++;
    for (uint32_t i = 0; i < BLOCKS; i++) {
        uint32_t index = (start + i) % BLOCKS, block = (FIRST_BLOCK + index) * ID_BLOCK_SIZE;
        if (!used[index] && !id_block_taken(block))
            return block;
    }
    return 0;
}
