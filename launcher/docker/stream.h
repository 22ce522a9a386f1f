/*
 * A command in a container, with its streams: POST /exec/ID/start is answered by a connection that carries them both ways, what comes
 * out in frames (docker's "multiplexed" stream: a byte that names the stream, three of nothing, four of length, the
 * bytes).
 */
#ifndef LAUNCHER_DOCKER_STREAM_H
#define LAUNCHER_DOCKER_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "../support/error.h"
#include "client.h"

/* What a byte of the stream belongs to. At first all zeroes. */
struct docker_frames {
    uint8_t head[8];
    size_t head_size;
    uint32_t left; /* bytes of the frame that are still to come */
};

/* Takes the next bytes of the stream. Returns how many of them it used: *piece of them (maybe none) starts at *from and belongs to
 * descriptor *stream (1 or 2). -1: that is no such stream. Pure. */
ssize_t docker_frames_take(struct docker_frames *frames, const uint8_t *bytes, size_t size, int *stream,
                           const uint8_t **from, size_t *piece);

/* Reads the head of an answer to POST /exec/ID/start. Returns its size with the empty line; 0: not there yet; -1: refused or
 * no such answer. Pure. */
ssize_t docker_read_upgrade(const char *text, size_t size);

struct docker_exec {
    char id[DOCKER_ID_BYTES];
    int input, output, errors; /* borrowed; -1: nothing comes, or goes nowhere */
    bool framed; /* the input goes in frames, and its end doesn't end the stream: see launcher/step_main.c */
};

/* Forks the process that runs it: it carries the streams, and exits as the command does; 125 with a line on the command's errors if that
 * can't be known. It ends with the caller. */
bool docker_exec_start(const struct docker_client *client, const struct docker_exec *exec, pid_t *pid,
                       struct error *error);

#endif
