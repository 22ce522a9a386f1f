/* See site_option.h. */
#include "site_option.h"

#include <string.h>

bool site_option_take(enum site_kind *site, const char *argument, struct error *error)
{
    for (int kind = 0; kind < SITE_KINDS; kind++)
        if (strcmp(argument, site_kind_name((enum site_kind)kind)) == 0) {
            *site = (enum site_kind)kind;
            return true;
        }
    return error_set(error, ERROR_USAGE, "there is no site \"%.40s\"; there are: sealed, host", argument);
}

const char *site_option_at(size_t index)
{
    return index < SITE_KINDS ? site_kind_name((enum site_kind)index) : NULL;
}
