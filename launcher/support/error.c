/* See error.h: filling the one error object, keeping the first cause. */
#include "error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static bool occupied(const struct error *error)
{
    return error == NULL || error->code != ERROR_NONE;
}

bool error_set(struct error *error, enum error_code code, const char *format, ...)
{
    if (occupied(error))
        return false;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(error->text, sizeof error->text, format, arguments);
    va_end(arguments);
    error->code = code;
    return false;
}

bool error_system(struct error *error, const char *format, ...)
{
    int saved = errno;
    if (occupied(error))
        return false;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(error->text, sizeof error->text, format, arguments);
    va_end(arguments);
    size_t used = strlen(error->text);
    snprintf(error->text + used, sizeof error->text - used, ": %s", strerror(saved));
    error->code = ERROR_SYSTEM;
    errno = saved;
    return false;
}
