/*
 * From an id of the calling process's user namespace to the same id one namespace further out.
 */
#ifndef LAUNCHER_OUTER_ID_H
#define LAUNCHER_OUTER_ID_H

#include <stdbool.h>
#include <sys/types.h>

/* `map` is the text of /proc/self/uid_map (user_namespaces(7)). False if `inside` isn't mapped or the text isn't a map. */
bool outer_id_in(const char *map, uid_t inside, uid_t *outside);

/* The same with the calling process's own map. */
bool outer_id_find(uid_t inside, uid_t *outside);

#endif
