/*
 * The native backend: namespaces, a root of its own, seccomp, and nothing that the kernel doesn't bring. It needs no root,
 * no daemon and no image, and starts in milliseconds. What a bottle keeps is the fence table below; each row can be left
 * out, which is how an open bottle and the mutants of the self-proof are made. This file has the tables and the order of
 * things; each operation has a file of its own.
 */
#include "native.h"

#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../door_relay.h"
#include "../../namespaces.h"
#include "../../support/cleanup.h"
#include "../../support/install.h"

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x00000080
#endif

static const uint16_t none[] = { 0 };
static const uint16_t network_vectors[] = { 1,  17, 18, 20, 21, 22, 23, 26, 27, 28, 34, 38, 39, 44,  45,  46,  48, 49,
                                            54, 55, 56, 60, 61, 62, 63, 64, 67, 68, 69, 70, 78, 114, 152, 153, 0 };
static const uint16_t mount_vectors[] = { 112, 0 };
static const uint16_t descriptor_vectors[] = { 116, 0 };
static const uint16_t seccomp_vectors[] = { 106, 0 };

const struct fence native_fences[NATIVE_FENCES] = {
    [FENCE_NETWORK] = { "network", "every packet: its own network namespace has a loopback and the door, nothing else",
                        network_vectors, 0 },
    [FENCE_MOUNT] = { "mount", "the host's files and Unix sockets by path: its own root, from an empty tmpfs",
                      mount_vectors, 0 },
    [FENCE_PID] = { "pid", "the sight of, and signals to, the host's processes; ends with its PID 1", none, 0 },
    [FENCE_USER] = { "user", "the ids of the host: root inside is no root outside (nesting goes with it)", none, 0 },
    [FENCE_IPC] = { "ipc", "System V and POSIX message queues and shared memory", none, 0 },
    [FENCE_UTS] = { "uts", "the host's name", none, 0 },
    [FENCE_CGROUP] = { "cgroup", "the sight of the host's control groups", none, 0 },
    [FENCE_TIME] = { "time", "the host's monotonic clock and boot time offsets", none, 0 },
    [FENCE_NO_NEW_PRIVILEGES] = { "no-new-privs", "setuid programs and file capabilities", none, 0 },
    [FENCE_CAPABILITIES] = { "capabilities", "every capability, uid 0 of the bottle included", none, 0 },
    [FENCE_SECCOMP] = { "seccomp",
                        "packet, raw, vsock and odd sockets, namespaces, mounts, io_uring, keys, BPF, tracing",
                        seccomp_vectors, 0 },
    [FENCE_LIMITS] = { "limits", "core dumps, and unlimited processes, descriptors and file sizes", none, 0 },
    [FENCE_DESCRIPTORS] = { "descriptors", "what the launcher has open, but the three streams", descriptor_vectors, 0 },
    [FENCE_SESSION] = { "session", "the launcher's session and its controlling terminal", none, 0 },
    [FENCE_NESTING] = { "nesting", "user namespaces inside the bottle, and what they would give", none, 0 },
};

const struct native_namespace native_namespaces[NATIVE_NAMESPACES] = {
    { "user", CLONE_NEWUSER, FENCE_USER },  { "cgroup", CLONE_NEWCGROUP, FENCE_CGROUP },
    { "ipc", CLONE_NEWIPC, FENCE_IPC },     { "uts", CLONE_NEWUTS, FENCE_UTS },
    { "net", CLONE_NEWNET, FENCE_NETWORK }, { "pid", CLONE_NEWPID, FENCE_PID },
    { "time", CLONE_NEWTIME, FENCE_TIME },  { "mnt", CLONE_NEWNS, FENCE_MOUNT },
};

bool native_namespace_exists(const struct native_namespace *wanted)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/self/ns/%s", wanted->file);
    return access(path, F_OK) == 0;
}

static void forget(struct bottle *bottle)
{
    for (size_t i = 0; i < NATIVE_NAMESPACES; i++)
        cleanup_close_fd(&bottle->namespaces[i]);
    for (size_t i = 0; i < bottle->command_count; i++)
        cleanup_close_fd(&bottle->commands[i].handle);
    cleanup_close_fd(&bottle->user_namespace);
    cleanup_close_fd(&bottle->temporary);
    cleanup_close_fd(&bottle->lifeline);
    free(bottle);
}

static bool destroy(struct bottle *bottle, struct error *error)
{
    bool gone = native_destroy(bottle, error);
    forget(bottle);
    return gone;
}

static struct bottle *start(const struct bottle_options *options, struct error *error)
{
    struct bottle *bottle = calloc(1, sizeof *bottle);
    if (bottle == NULL) {
        error_system(error, "can't start a bottle");
        return NULL;
    }
    bottle->without = options->without;
    /* The limit on user namespaces is a setting of the bottle's own; without one it would be the caller's that is set. */
    if (!native_fenced(bottle->without, FENCE_USER))
        bottle->without |= 1u << FENCE_NESTING;
    bottle->door = options->door;
    bottle->system_directories = options->system_directories;
    bottle->user_namespace = bottle->temporary = bottle->lifeline = -1;
    for (size_t i = 0; i < NATIVE_NAMESPACES; i++)
        bottle->namespaces[i] = -1;

    cleanup_close int listener = -1;
    if (!native_build(bottle, options->init_path, &listener, error)) {
        forget(bottle);
        return NULL;
    }
    if (!native_check_namespaces(bottle, error) ||
        (listener >= 0 && !door_relay_start(listener, &bottle->door, &bottle->relay, error)) ||
        !native_build_finish(bottle, error)) {
        destroy(bottle, NULL);
        return NULL;
    }
    return bottle;
}

static bool door_address(const struct bottle *bottle, char host[64], uint16_t *port, struct error *error)
{
    if (!bottle->door.wanted)
        return error_set(error, ERROR_USAGE, "this bottle was started without a door");
    snprintf(host, 64, "%s", NATIVE_DOOR_ADDRESS);
    *port = NATIVE_DOOR_PORT;
    return true;
}

/* The settings say why it can't work; only a bottle shows that it does (a masked /proc has no setting). */
static bool preflight(const char *policy, struct error *error)
{
    (void)policy;
    char init[PATH_MAX];
    if (!namespaces_preflight("/proc", error) || !install_find("bottle-init", init, error))
        return false;
    struct bottle_options options = { .init_path = init };
    struct bottle *bottle = start(&options, error);
    return bottle != NULL && destroy(bottle, error);
}

static bool structural(uint16_t vector, const char *address)
{
    (void)vector;
    (void)address;
    return false;
}

/* An open bottle is in its caller's network and files: it reaches all of these, or something else stands in the way. */
static const uint16_t open_must_leak[] = { 1, 17, 20, 22, 26, 44, 48, 49, 55, 61, 62, 112, 114, 116, 0 };

const struct backend native_backend = {
    .name = "native",
    .fences = native_fences,
    .fence_count = NATIVE_FENCES,
    .open_must_leak = open_must_leak,
    .peer4 = "127.0.0.1", /* bottles have no address but that of their own loopback */
    .peer6 = "::1",
    .drain_milliseconds = 1000, /* a SYN that nobody answered is sent again after one second (RFC 6298 2.1) */
    .preflight = preflight,
    .start = start,
    .door_address = door_address,
    .put = native_put,
    .exec = native_exec,
    .open_terminal = native_open_terminal,
    .host_uid = native_host_uid,
    .fingerprint = native_fingerprint,
    .structural = structural,
    .destroy = destroy,
};
