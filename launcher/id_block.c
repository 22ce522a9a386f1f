/*
 * See id_block.h. The range from 0x70000000 is one that no distribution, no systemd allocator and no subordinate id file
 * hands out by default, but an administrator may: so the files are read, and the owners of all processes looked at. Two
 * launchers that look at the same moment start at different blocks, because the place comes from the process id.
 */
#include "id_block.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FIRST_BLOCK  (ID_BLOCK_LOW / ID_BLOCK_SIZE)
#define BLOCKS       (ID_BLOCK_RANGE / ID_BLOCK_SIZE)
#define ID_COLUMN    2 /* of /etc/passwd */
#define RANGE_COLUMN 1 /* of /etc/subuid, with the count in the next one */

bool id_block_mapped(const char *map, uint32_t first, uint32_t count)
{
    for (const char *line = map; line != NULL && *line != '\0'; line = strchr(line, '\n')) {
        line += *line == '\n';
        unsigned long inside, outside, length;
        if (sscanf(line, "%lu %lu %lu", &inside, &outside, &length) == 3 && inside <= first &&
            first + (unsigned long)count <= inside + length)
            return true;
    }
    return false;
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

static void mark_processes(unsigned char used[BLOCKS])
{
    DIR *processes = opendir("/proc");
    if (processes == NULL)
        return;
    for (struct dirent *entry; (entry = readdir(processes)) != NULL;) {
        struct stat owner;
        if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9' &&
            fstatat(dirfd(processes), entry->d_name, &owner, 0) == 0)
            mark(used, owner.st_uid, 1);
    }
    closedir(processes);
}

uint32_t id_block_find(void)
{
    static uint32_t calls;
    unsigned char used[BLOCKS] = { 0 };
    mark_file(used, "/etc/passwd", ID_COLUMN, false);
    mark_file(used, "/etc/subuid", RANGE_COLUMN, true);
    mark_file(used, "/etc/subgid", RANGE_COLUMN, true);
    mark_processes(used);
    uint32_t start = (uint32_t)getpid() * 31 + calls++;
    for (uint32_t i = 0; i < BLOCKS; i++)
        if (!used[(start + i) % BLOCKS])
            return (FIRST_BLOCK + (start + i) % BLOCKS) * ID_BLOCK_SIZE;
    return 0;
}
