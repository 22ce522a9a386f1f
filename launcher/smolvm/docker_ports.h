/*
 * Which host addresses running containers of a name publish ports on, asked of the Docker Engine API on its Unix
 * socket.
 *
 * Two requests: the list of running containers, then each one's NetworkSettings.Ports. Source: Docker Engine API 1.41,
 * ContainerList and ContainerInspect.
 */
#ifndef LAUNCHER_SMOLVM_DOCKER_PORTS_H
#define LAUNCHER_SMOLVM_DOCKER_PORTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../support/error.h"

/* Addresses FIRST to FIRST+15, one bit each from bit 0 on; 127.0.0.16 is the first. */
#define DOCKER_POOL_FIRST 16
#define DOCKER_POOL_SIZE  16

enum { DOCKER_CONTAINERS = 256, DOCKER_ID = 65 };

/* Where the engine listens: DOCKER_HOST if that is unix://PATH, else /var/run/docker.sock. False (ERROR_HOST):
 * DOCKER_HOST names another kind of place. `variable` is DOCKER_HOST, or NULL. */
bool docker_socket_path(const char *variable, char path[108], struct error *error);

/* Fills *taken with the pool's addresses on which a running container whose name begins with `prefix` publishes a
 * port; one that publishes on all addresses takes all. Nobody listens on the socket, or there is none: nothing is
 * published. A container that can't be inspected (it may have just ended) is skipped. A list that can't be had is an
 * error, and so is an answer after `deadline` (clock_microseconds). It is done in a process of its own, which ends
 * with the call. */
bool docker_ports_taken(const char *socket, const char *prefix, uint64_t deadline, uint16_t *taken,
                        struct error *error);

/* The two parsers. A list: the ids of the containers whose name begins with `prefix` (64 hexadecimal digits each:
 * they go into a URL). False: it is no list of containers, or has more than DOCKER_CONTAINERS of them. */
bool docker_list_parse(const char *text, size_t size, const char *prefix, char ids[][DOCKER_ID], size_t *count);

/* One container: adds to *taken. False: it isn't one. */
bool docker_inspect_parse(const char *text, size_t size, uint16_t *taken);

#endif
