/* See flood.h. All of it is real load in the site's own namespaces; that it did its work is seen from what the gate says
 * of it, so nothing here reports a failure. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../../launcher/support/cleanup.h"
#include "../../launcher/support/process.h"
#include "../witness/tcp.h"
#include "flood.h"

#define FLOOD_PORT 19031
#define AT_ONCE    512 /* datagrams a system call */

static struct sockaddr_in address_of(const char *text, uint16_t port)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(port) };
    inet_pton(AF_INET, text, &address.sin_addr);
    return address;
}

void flood_datagrams(const char *address, size_t size, size_t total)
{
    static uint8_t bytes[65000];
    struct sockaddr_in to = address_of(address, FLOOD_PORT);
    int room = 1 << 20;
    cleanup_close int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
    for (size_t sent = 0; sent < total; sent += size)
        (void)sendto(fd, bytes, size, 0, (const struct sockaddr *)&to, sizeof to);
}

/* A connection that its client has closed keeps its place in the queue. */
void flood_connections(const char *address)
{
    struct sockaddr_in to = address_of(address, FLOOD_PORT);
    for (int i = 0; i < 4 * TCP_BACKLOG_SHORT; i++) {
        cleanup_close int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        (void)connect(fd, (const struct sockaddr *)&to, sizeof to);
    }
}

unsigned long flood_tracked_limit(void)
{
    char text[32];
    return file_read("/proc/sys/net/netfilter/nf_conntrack_max", text, sizeof text) ? strtoul(text, NULL, 10) : 0;
}

void flood_tracked(int world, int home)
{
    static struct sockaddr_in to[AT_ONCE];
    static struct mmsghdr messages[AT_ONCE];
    struct iovec nothing = { .iov_base = (char[]){ "" }, .iov_len = 1 };
    if (setns(world, CLONE_NEWNET) != 0)
        return;
    unsigned long limit = flood_tracked_limit();
    limit = limit < FLOOD_TRACKED_MAX ? limit + limit / 16 : FLOOD_TRACKED_MAX;
    cleanup_close int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    for (unsigned long done = 0; fd >= 0 && done < limit; done += AT_ONCE) {
        for (unsigned i = 0; i < AT_ONCE; i++) {
            unsigned long number = done + i;
            to[i] = (struct sockaddr_in){ .sin_family = AF_INET,
                                          .sin_port = htons((uint16_t)(20000 + number % 12000)),
                                          .sin_addr = { htonl((uint32_t)(0x7f080001 + number / 12000)) } };
            messages[i].msg_hdr = (struct msghdr){
                .msg_name = &to[i], .msg_namelen = sizeof to[i], .msg_iov = &nothing, .msg_iovlen = 1
            };
        }
        /* A full table refuses the rest, and so may a port at which nobody listens: the next are tried all the same. */
        for (unsigned sent = 0; sent < AT_ONCE;) {
            int now = sendmmsg(fd, messages + sent, AT_ONCE - sent, 0);
            sent += now > 0 ? (unsigned)now : 1;
        }
    }
    (void)setns(home, CLONE_NEWNET);
}
