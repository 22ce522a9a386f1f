/*
 * The probe's record stream: writes each record as one line the moment it is given, and keeps the digest and
 * the counts that the last line tells. Once a line could not be written whole, the stream is broken and
 * nothing more is written: half a stream must look like one.
 */
#ifndef PROBES_RECORDER_H
#define PROBES_RECORDER_H

#include <stdbool.h>
#include <stdint.h>

#include "record_grammar.h"
#include "sha256.h"

struct recorder {
    int output; /* borrowed */
    bool root, broken;
    uint16_t tried, done;
    struct sha256 hash;
};

void recorder_start(struct recorder *recorder, int output, bool root);

/* `hello` and `did` records as given; `try` from its parts. */
void recorder_write(struct recorder *recorder, const struct record *record);
void recorder_try(struct recorder *recorder, uint16_t seq, uint16_t vector);

/* Ends the stream. True if every line of it was written. */
bool recorder_bye(struct recorder *recorder);

#endif
