/* See backend_option.h. */
#include "backend_option.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool backend_option_take_name(void *settings, const char *argument, struct error *error)
{
    (void)error;
    ((struct backend_choice *)settings)->name = argument;
    return true;
}

bool backend_option_take_policy(void *settings, const char *argument, struct error *error)
{
    (void)error;
    ((struct backend_choice *)settings)->policy = argument;
    return true;
}

bool backend_option_take_runtime(void *settings, const char *argument, struct error *error)
{
    (void)error;
    ((struct backend_choice *)settings)->runtime = argument;
    return true;
}

bool backend_option_take_engine(void *settings, const char *argument, struct error *error)
{
    (void)error;
    ((struct backend_choice *)settings)->engine = argument;
    return true;
}

bool backend_option_take_wrap(void *settings, const char *argument, struct error *error)
{
    (void)error;
    ((struct backend_choice *)settings)->wrap.command = argument;
    return true;
}

bool backend_option_take_wrap_open(void *settings, const char *argument, struct error *error)
{
    (void)error;
    ((struct backend_choice *)settings)->wrap.open_command = argument;
    return true;
}

bool backend_option_take_wrap_door(void *settings, const char *argument, struct error *error)
{
    (void)error;
    ((struct backend_choice *)settings)->wrap.door = argument;
    return true;
}

struct backend_choice backend_option_default(void)
{
    const char *environment = getenv("BOT_BOTTLE_BACKEND");
    return (struct backend_choice){ .name = environment != NULL && environment[0] != '\0' ? environment : "native" };
}

const char *backend_option_name_at(size_t index)
{
    const struct backend *backend = backend_at(index);
    return backend != NULL ? backend->name : NULL;
}

/* Has a backend before this one a policy of that name? Each is offered once. */
static bool is_offered(size_t before, const char *policy)
{
    for (size_t i = 0; i < before; i++)
        if (backend_find_policy(backend_at(i), policy) != NULL)
            return true;
    return false;
}

const char *backend_option_policy_at(size_t index)
{
    const struct backend *backend;
    for (size_t i = 0; (backend = backend_at(i)) != NULL; i++)
        for (size_t j = 0; backend->policies != NULL && backend->policies[j] != NULL; j++)
            if (!is_offered(i, backend->policies[j]) && index-- == 0)
                return backend->policies[j];
    return NULL;
}

const char *backend_option_runtime_at(size_t index)
{
    const struct backend *backend;
    for (size_t i = 0; (backend = backend_at(i)) != NULL; i++)
        for (size_t j = 0; backend->runtimes != NULL && backend->runtimes[j] != NULL; j++)
            if (index-- == 0)
                return backend->runtimes[j]->runtime;
    return NULL;
}

static void add_word(char text[256], const char *word)
{
    size_t used = strlen(text);
    snprintf(text + used, 256 - used, "%s%s", used > 0 ? ", " : "", word);
}

static const struct backend *find(const char *name, struct error *error)
{
    char known[256] = "";
    const char *other;
    const struct backend *backend = backend_find(name);
    for (size_t i = 0; (other = backend_option_name_at(i)) != NULL; i++)
        add_word(known, other);
    if (backend == NULL)
        error_set(error, ERROR_USAGE, "there is no backend \"%.40s\" in this version; there are: %s", name, known);
    return backend;
}

static bool resolve_policy(const struct backend *backend, const char *name, const char **policy, struct error *error)
{
    char known[256] = "";
    *policy = NULL;
    if (backend->policies == NULL)
        return name == NULL ||
               error_set(error, ERROR_USAGE, "--policy: backend %s has no policies to choose from", backend->name);
    *policy = name == NULL ? backend->policies[0] : backend_find_policy(backend, name);
    for (size_t i = 0; backend->policies[i] != NULL; i++)
        add_word(known, backend->policies[i]);
    return *policy != NULL ||
           error_set(error, ERROR_USAGE, "backend %s has no policy \"%.40s\"; it has: %s", backend->name, name, known);
}

static const struct backend *resolve_runtime(const struct backend *backend, const struct backend_choice *choice,
                                             struct error *error)
{
    char known[256] = "";
    const char *name = choice->runtime;
    const struct backend *found = backend_find_runtime(backend, name);
    for (size_t i = 0; backend->runtimes != NULL && backend->runtimes[i] != NULL; i++)
        add_word(known, backend->runtimes[i]->runtime);
    if (found == NULL && backend->runtimes == NULL)
        error_set(error, ERROR_USAGE, "--runtime: backend %s has no runtimes to choose from", backend->name);
    else if (found == NULL)
        error_set(error, ERROR_USAGE, "backend %s has no runtime \"%.40s\"; it has: %s", backend->name, name, known);
    else if (choice->on_machine && backend->machine_open != NULL)
        return backend_find_machine_runtime(backend, name, error);
    else if (found->has_runtime != NULL && !found->has_runtime(error))
        return NULL;
    return found;
}

static bool name_engine(const struct backend *backend, const char *path, struct error *error)
{
    if (path == NULL)
        return true;
    if (backend->name_engine == NULL)
        return error_set(error, ERROR_USAGE, "--smolvm: backend %s has no use for it", backend->name);
    return backend->name_engine(path, error);
}

static bool take_words(const struct backend *backend, const struct wrap_words *words, struct error *error)
{
    if (backend->take_words != NULL)
        return backend->take_words(words, error);
    return (words->command == NULL && words->open_command == NULL && words->door == NULL) ||
           error_set(error, ERROR_USAGE, "--wrap: backend %s has no use for it; say --backend=wrap", backend->name);
}

const struct backend *backend_option_resolve(const struct backend_choice *choice, const char **policy,
                                             struct error *error)
{
    const struct backend *backend = find(choice->name, error);
    if (backend != NULL)
        backend = resolve_runtime(backend, choice, error);
    return backend != NULL && resolve_policy(backend, choice->policy, policy, error) &&
                   name_engine(backend, choice->engine, error) && take_words(backend, &choice->wrap, error)
               ? backend
               : NULL;
}
