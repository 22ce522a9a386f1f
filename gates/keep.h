/* --keep: a run's reports and evidence as files, for the question "why did it say that?". */
#ifndef GATES_KEEP_H
#define GATES_KEEP_H

#include "run.h"

/* Makes the directory that --report makes (report/directory.h) as $XDG_RUNTIME_DIR/bottle-gate/<run>, or as
 * /tmp/bottle-gate-<uid>/<run> without it; the one above it has mode 0700. `path` gets the directory. */
bool keep_run(const struct run *run, char *path, size_t size, struct error *error);

#endif
