/* See backend.h: the table of backends and the look-ups in it. A new backend is one row in backends.def and a file (or folder) of
 * its own under backends/. */
#include "backend.h"

#include <string.h>

/* clang-format off */
static const struct backend *const backends[] = {
#define BACKEND(name) &name##_backend,
#include "backends.def"
#undef BACKEND
    NULL
};
/* clang-format on */

const char *principal_name(enum principal principal)
{
    return principal == PRINCIPAL_ROOT ? "root" : "user";
}

const struct backend *backend_at(size_t index)
{
    return index < sizeof backends / sizeof *backends ? backends[index] : NULL;
}

const struct backend *backend_find(const char *name)
{
    for (size_t i = 0; backends[i] != NULL; i++)
        if (strcmp(backends[i]->name, name) == 0)
            return backends[i];
    return NULL;
}

int backend_find_fence(const struct backend *backend, const char *name)
{
    for (size_t i = 0; i < backend->fence_count; i++)
        if (strcmp(backend->fences[i].name, name) == 0)
            return (int)i;
    return -1;
}

bool backend_has_way(const struct structural_way *ways, size_t count, uint16_t vector, const char *address)
{
    for (size_t i = 0; i < count; i++)
        if (ways[i].vector == vector && strncmp(address, ways[i].address, strlen(ways[i].address)) == 0)
            return true;
    return false;
}

const char *backend_find_policy(const struct backend *backend, const char *name)
{
    for (size_t i = 0; backend->policies != NULL && backend->policies[i] != NULL; i++)
        if (strcmp(backend->policies[i], name) == 0)
            return backend->policies[i];
    return NULL;
}

const struct backend *backend_find_runtime(const struct backend *backend, const char *name)
{
    if (backend->runtimes == NULL)
        return name == NULL ? backend : NULL;
    for (const struct backend *const *each = backend->runtimes; *each != NULL; each++)
        if (name != NULL ? strcmp((*each)->runtime, name) == 0
                         : (*each)->has_runtime == NULL || (*each)->has_runtime(NULL))
            return *each;
    return NULL;
}

const struct backend *backend_find_machine_runtime(const struct backend *backend, const char *name, struct error *error)
{
    const struct backend *const alone[] = { backend, NULL };
    const struct backend *const *each = backend->runtimes != NULL ? backend->runtimes : alone;
    struct error said = { 0 };
    for (; *each != NULL; each++) {
        struct machine machine = { .proc = -1, .engine = -1 };
        if (name != NULL && ((*each)->runtime == NULL || strcmp((*each)->runtime, name) != 0))
            continue;
        said.code = ERROR_NONE;
        if ((*each)->machine_open != NULL && (*each)->machine_open(&machine, &said)) {
            (*each)->machine_close(&machine);
            return *each;
        }
    }
    if (said.code != ERROR_NONE)
        error_set(error, said.code, "%s", said.text);
    else if (name != NULL)
        error_set(error, ERROR_USAGE, "%s has no runtime \"%.40s\" in the machine's own engine", backend->name, name);
    else
        error_set(error, ERROR_USAGE, "%s has no bottles in the machine's own network", backend->name);
    return NULL;
}

uint32_t backend_all_fences(const struct backend *backend)
{
    return (uint32_t)((1ull << backend->fence_count) - 1);
}

uint32_t backend_policy_fences(const struct backend *backend, const char *policy)
{
    return backend->policy_fences != NULL ? backend->policy_fences(policy) : backend_all_fences(backend);
}
