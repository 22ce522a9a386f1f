/*
 * See machine.h: where a wrapper keeps the engine's libraries. It names them to nobody but the engine, so the running VMM is asked what
 * it has loaded.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../support/cleanup.h"
#include "machine.h"

/* The directory of libkrunfw in a line of maps (proc_pid_maps(5)). */
static bool take_directory(char *line, char directory[PATH_MAX])
{
    char *path = strchr(line, '/'), *name = strrchr(line, '/');
    if (path == NULL || strncmp(name, "/libkrunfw.so", 13) != 0 || name == path || name - path >= PATH_MAX)
        return false;
    *name = '\0';
    snprintf(directory, PATH_MAX, "%s", path);
    return true;
}

void machine_find_libraries(struct bottle *bottle)
{
    char path[32];
    cleanup_free char *line = NULL;
    size_t room = 0;
    if (bottle->location.libraries[0] != '\0')
        return;
    snprintf(path, sizeof path, "/proc/%d/maps", (int)bottle->monitor);
    FILE *maps = fopen(path, "re");
    while (maps != NULL && getline(&line, &room, maps) > 0 && !take_directory(line, bottle->location.libraries))
        ;
    if (maps != NULL)
        fclose(maps);
}
