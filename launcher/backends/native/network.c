/*
 * A bottle's network: a namespace with a loopback that is up, ping sockets allowed (so that trying them is a real try and
 * not a local refusal), and one listener for the door. There is no veth and no route, so nothing leads anywhere.
 *
 * The door's listener is made inside and accepted from outside: a socket belongs to the namespace that it was made in, and
 * works from wherever its descriptor is held. The relay (door_relay.c) holds it.
 */
#include "native.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../../namespaces.h"
#include "../../support/cleanup.h"
#include "../../support/process.h"

#define PING_GROUPS "/proc/sys/net/ipv4/ping_group_range"

bool native_network_set_up(struct error *error)
{
    cleanup_close int control = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct ifreq request = { .ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING };
    return (control >= 0 && ioctl(control, SIOCSIFFLAGS, &request) == 0) ||
           error_system(error, "can't bring up the bottle's loopback");
}

bool native_network_allow_ping(struct error *error)
{
    /* The kernel refuses a range that isn't mapped, and 65534 is mapped only where a block is. */
    return file_write(PING_GROUPS, namespaces_have_block() ? "0 65535" : "0 0", error);
}

int native_door_listen(struct error *error)
{
    cleanup_close int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int yes = 1;
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(NATIVE_DOOR_PORT) };
    inet_pton(AF_INET, NATIVE_DOOR_ADDRESS, &address.sin_addr);
    if (listener < 0 || setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) != 0 ||
        bind(listener, (struct sockaddr *)&address, sizeof address) != 0 || listen(listener, 64) != 0) {
        error_system(error, "can't listen on %s:%d for the door", NATIVE_DOOR_ADDRESS, NATIVE_DOOR_PORT);
        return -1;
    }
    return take_fd(&listener);
}
