/* See backend_option.h. */
#include "backend_option.h"

#include <stdio.h>
#include <stdlib.h>

const char *backend_option_default(void)
{
    const char *environment = getenv("BOT_BOTTLE_BACKEND");
    return environment != NULL && environment[0] != '\0' ? environment : "native";
}

const char *backend_option_name_at(size_t index)
{
    const struct backend *backend = backend_at(index);
    return backend != NULL ? backend->name : NULL;
}

const struct backend *backend_option_find(const char *name, struct error *error)
{
    char known[256] = "";
    size_t used = 0;
    const char *other;
    const struct backend *backend = backend_find(name);
    for (size_t i = 0; (other = backend_option_name_at(i)) != NULL && used < sizeof known; i++)
        used += (size_t)snprintf(known + used, sizeof known - used, "%s%s", i > 0 ? ", " : "", other);
    if (backend == NULL)
        error_set(error, ERROR_USAGE, "there is no backend \"%.40s\" in this version; there are: %s", name, known);
    return backend;
}
