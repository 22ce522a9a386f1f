/* See vsock.h. Needs: accept4. */
#include "vsock.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <linux/vm_sockets.h>

#include "../../launcher/support/cleanup.h"
#include "vsock_owned.h"

static void vsock_ready(struct loop_source *source, uint32_t events)
{
    struct vsock *vsock = loop_owner(source, struct vsock, source);
    (void)events;
    for (unsigned i = 0; i < VSOCK_AT_ONCE; i++) {
        struct sockaddr_vm peer = { 0 };
        socklen_t size = sizeof peer;
        int fd = accept4(source->fd, (struct sockaddr *)&peer, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) {
            if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
                outbox_lost(&vsock->conversations->house->outbox, "vsock: a connection can't be accepted: %s",
                            strerror(errno));
            return;
        }
        char from[ENDPOINT_TEXT];
        snprintf(from, sizeof from, "%u:%u", peer.svm_cid, peer.svm_port);
        conversation_begin(vsock->conversations, fd, WITNESS_VSOCK, POINT_VSOCK, vsock->at, from);
    }
}

bool vsock_open(struct vsock *vsock, struct conversations *conversations, struct error *error)
{
    struct house *house = conversations->house;
    uint32_t port = house->setup->vsock_port;
    if (port == 0)
        return true;
    if (!vsock_owned(error))
        return false;
    const struct sockaddr_vm here = { .svm_family = AF_VSOCK, .svm_cid = VMADDR_CID_LOCAL, .svm_port = port };
    *vsock = (struct vsock){ .conversations = conversations, .source = { -1, vsock_ready } };
    snprintf(vsock->at, sizeof vsock->at, "%d:%u", VMADDR_CID_LOCAL, port);
    cleanup_close int fd = socket(AF_VSOCK, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (const struct sockaddr *)&here, sizeof here) < 0 || listen(fd, VSOCK_BACKLOG) < 0)
        return error_system(error, "can't listen on port %u of vsock context 1", port);
    if (!loop_add(&house->loop, &vsock->source, fd, error))
        return false;
    take_fd(&fd);
    return true;
}
