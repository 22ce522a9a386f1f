/*
 * One request to a Docker Engine, over its Unix socket. Whatever answers is not trusted: an answer is read within bounds of
 * size and time, and what is wrong with it becomes one line.
 */
#ifndef LAUNCHER_DOCKER_HTTP_H
#define LAUNCHER_DOCKER_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../support/error.h"

enum { DOCKER_ANSWER_BYTES = 1 << 20 }; /* most that is read of one answer */

struct docker_answer {
    long status; /* of HTTP */
    char *bytes; /* owned by the caller; not terminated */
    size_t size;
};

struct docker_request {
    const char *socket; /* path, at most 107 bytes */
    const char *method; /* "GET", "POST", "DELETE" */
    const char *path;   /* with its query, from the first slash on */
    const char *type;   /* of the body; NULL: there is no body */
    const void *body;
    size_t body_size;
    uint64_t deadline; /* of clock_microseconds */
};

/* Makes the request. False with `error` (ERROR_HOST: nobody there, or not allowed; ERROR_BROKEN: cut, too long, too late); an
 * answer of any HTTP status is an answer. */
bool docker_http(const struct docker_request *request, struct docker_answer *answer, struct error *error);

/* The socket as errors name it: of a descriptor's path, what it leads to. */
const char *docker_socket_shown(const char *socket, char shown[108]);

#endif
