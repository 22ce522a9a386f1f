/*
 * The calls of the Docker Engine API that a backend needs: https://docs.docker.com/engine/api/. The version is agreed upon
 * first; nothing is asked by its default. Every answer is read within bounds (http.h), ids are checked before they stand in
 * a path, and what the engine says is quoted as printable ASCII, cut.
 */
#ifndef LAUNCHER_DOCKER_CLIENT_H
#define LAUNCHER_DOCKER_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../smolvm/json.h"
#include "../support/error.h"

enum { DOCKER_ID_BYTES = 65 }; /* 64 digits of hex */

struct docker_client {
    char socket[108]; /* a path, or /proc/self/fd/N of its descriptor (O_PATH will do) */
    char version[64]; /* of the engine, as it says */
    unsigned minor;   /* of the API: 41 for v1.41; 0 before docker_connect */
    bool deaf;        /* a call had no answer in time: no other is made */
    bool lost;        /* a call found nobody, or was cut off */
};

/* What one call may take, in milliseconds: a bound on hangs. Tests make it short. */
extern unsigned docker_patience;

/* Asks for the engine's versions and agrees on one of the API: the newest that both know. Waits until `deadline` for an engine
 * that has just been started, where there is a socket already. */
bool docker_connect(struct docker_client *client, const char *socket, uint64_t deadline, struct error *error);

/* Reads what GET /version answers. Pure. */
bool docker_read_version(const char *text, size_t size, struct docker_client *client, struct error *error);

/* One call, its body (may be NULL) and its answer (may be NULL: none is wanted) as JSON; *answer is owned by the caller
 * (cJSON_Delete). `path` goes after /v1.NN. False for any answer that is no success. */
bool docker_call(struct docker_client *client, const char *method, const char *path, const cJSON *body, cJSON **answer,
                 struct error *error);

/* Makes an image of a tar archive and gives its id. It is named REPOSITORY:TAG, both letters, digits and dashes; NULL: it has no name. */
bool docker_import(struct docker_client *client, const void *tar, size_t size, const char *repository, const char *tag,
                   char image[DOCKER_ID_BYTES], struct error *error);

/* Reads what the engine says of an import, line by line: the id of the image. Pure. */
bool docker_read_import(const char *text, size_t size, char image[DOCKER_ID_BYTES], struct error *error);

/* Copies the object's field `name` if it is an id of 64 hex digits. */
bool docker_id(const cJSON *object, const char *name, char id[DOCKER_ID_BYTES]);

#endif
