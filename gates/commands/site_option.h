/* --site, which several commands take alike. */
#ifndef GATES_COMMANDS_SITE_OPTION_H
#define GATES_COMMANDS_SITE_OPTION_H

#include <stdbool.h>
#include <stddef.h>

#include "../site/site.h"

/* False (ERROR_USAGE) for a kind that there is none of. */
bool site_option_take(enum site_kind *site, const char *argument, struct error *error);

/* For completion. */
const char *site_option_at(size_t index);

#endif
