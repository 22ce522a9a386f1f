/* Ids of vectors, as options and operands of several commands take them. */
#ifndef GATES_COMMANDS_VECTOR_OPTION_H
#define GATES_COMMANDS_VECTOR_OPTION_H

#include "../../launcher/support/error.h"
#include "../../probes/vectors.h"

/* The row of "BG-049"; NULL with `error` (ERROR_USAGE) for what is no id, or none of this version. */
const struct vector *vector_option_find(const char *text, struct error *error);

/* For completion: "BG-001", ... in a buffer that the next call writes over. */
const char *vector_option_id_at(size_t index);

#endif
