/* The probe's one event loop: all attempts of a list at the same time, under one deadline. */
#ifndef PROBES_ATTEMPTS_H
#define PROBES_ATTEMPTS_H

#include "mechanisms/mechanism.h"
#include "recorder.h"

/* Makes `count` (at most PLAN_ATTEMPTS_MAX) attempts, whose `planned`, `functions` and `repeats` are set, and
 * records each. Returns when all have ended, at the latest `milliseconds` from now, or as soon as nobody
 * reads the records any more. Sockets that an attempt left open stay so until the process ends. */
void attempts_run(struct attempt *attempts, size_t count, uint32_t milliseconds, struct recorder *recorder);

#endif
