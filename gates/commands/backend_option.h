/* --backend, which several commands take alike: it wins over BOT_BOTTLE_BACKEND, which wins over native. */
#ifndef GATES_COMMANDS_BACKEND_OPTION_H
#define GATES_COMMANDS_BACKEND_OPTION_H

#include <stddef.h>

#include "../../launcher/backend.h"

const char *backend_option_default(void);

/* NULL with `error` (ERROR_USAGE), which names those that there are. */
const struct backend *backend_option_find(const char *name, struct error *error);

/* For completion. */
const char *backend_option_name_at(size_t index);

#endif
