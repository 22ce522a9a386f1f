/*
 * See docker.h: the door. The sidecar is a container on the bottle's network in which nothing runs but `bottle-step wait`. What
 * listens there is a socket that a helper makes in its network namespace; what it accepts is carried by the door's relay
 * (launcher/door_relay.h), outside. So the sidecar has no way to anywhere either, and nothing is routed.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../../door_relay.h"
#include "../../support/channel.h"
#include "../../support/cleanup.h"
#include "../../support/process.h"
#include "docker.h"

#define LISTENER_MICROSECONDS 20000000

static int listen_inside(unsigned place, int netns, struct error *error)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_port = htons(CONTAINER_DOOR_PORT),
                                   .sin_addr.s_addr = htonl(0xac1f0002u + ((CONTAINER_SUBNET + place) << 8)) };
    if (setns(netns, CLONE_NEWNET) != 0) {
        error_system(error, "can't enter the sidecar's network namespace");
        return -1;
    }
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (listener >= 0 && bind(listener, (struct sockaddr *)&address, sizeof address) == 0 &&
        listen(listener, SOMAXCONN) == 0)
        return listener;
    error_system(error, "can't listen for the door in the sidecar");
    return -1;
}

bool sidecar_open_door(struct bottle *bottle, struct error *error)
{
    cleanup_close int netns = openat(bottle->sidecar_process, "ns/net", O_RDONLY | O_CLOEXEC), channel = -1,
                      listener = -1;
    if (netns < 0)
        return error_system(error, "can't open the sidecar's network namespace");
    pid_t helper = channel_fork(&channel, error);
    if (helper < 0)
        return false;
    if (helper == 0) {
        struct error failure = { 0 };
        struct channel_message made = { .kind = CHANNEL_ERROR + 1 };
        int socket = listen_inside(bottle->place, netns, &failure);
        if (socket < 0 || !channel_send(channel, &made, socket))
            channel_fail(channel, &failure);
        _exit(0);
    }
    struct channel_message message;
    enum channel_result result =
        channel_receive(channel, &message, &listener, clock_microseconds() + LISTENER_MICROSECONDS, error);
    process_kill(helper);
    if (result != CHANNEL_MESSAGE || listener < 0)
        return error_set(error, ERROR_SYSTEM, "no listener for the door came out of the sidecar");
    return door_relay_start(listener, &bottle->door, &bottle->relay, error);
}
