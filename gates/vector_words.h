/*
 * The vector table in words, for people who want to understand one row: what its mechanisms do, where its targets are, who
 * hears it. Every value of the enums in probes/vectors.h has its words here.
 */
#ifndef GATES_VECTOR_WORDS_H
#define GATES_VECTOR_WORDS_H

#include <stddef.h>

#include "../probes/vectors.h"

/* "connects, sends the nonce, reads an answer" */
const char *vector_mechanism_words(enum mechanism mechanism);

/* "the witness that accepts TCP on every address and port" */
const char *vector_witness_words(enum witness_kind kind);

/* What a bit of enum vector_need needs: "a vsock context that the gate owns". */
const char *vector_need_words(enum vector_need need);

/* "8.8.8.8 port 53"; "the host's own LAN address, a port of its own". */
void vector_target_words(const struct vector_target *target, char *text, size_t size);

size_t vector_target_count(const struct vector *vector);

#endif
