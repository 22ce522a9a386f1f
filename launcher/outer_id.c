/* See outer_id.h. */
#include "outer_id.h"

#include <stdint.h>
#include <stdio.h>

#include "support/process.h"

bool outer_id_in(const char *map, uid_t inside, uid_t *outside)
{
    unsigned long first, outer, count;
    int used = 0;
    for (; sscanf(map, "%lu %lu %lu%n", &first, &outer, &count, &used) == 3; map += used)
        if (inside >= first && inside - first < count && outer + (inside - first) <= UINT32_MAX) {
            *outside = (uid_t)(outer + (inside - first));
            return true;
        }
    return false;
}

bool outer_id_find(uid_t inside, uid_t *outside)
{
    char map[4096];
    return file_read("/proc/self/uid_map", map, sizeof map) && outer_id_in(map, inside, outside);
}
