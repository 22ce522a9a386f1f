/* See vsock_owned.h. */
#include "vsock_owned.h"

#include <errno.h>
#include <sys/socket.h>
#include <linux/vm_sockets.h>

#include "../../launcher/support/cleanup.h"

bool vsock_owned(struct error *error)
{
    const struct sockaddr_vm any_port = { .svm_family = AF_VSOCK,
                                          .svm_cid = VMADDR_CID_LOCAL,
                                          .svm_port = VMADDR_PORT_ANY };
    cleanup_close int fd = socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 && errno == EAFNOSUPPORT)
        return error_set(error, ERROR_HOST, "this kernel has no vsock (sudo modprobe vsock_loopback)");
    if (fd >= 0 && bind(fd, (const struct sockaddr *)&any_port, sizeof any_port) == 0)
        return true;
    if (fd >= 0 && errno == EADDRNOTAVAIL)
        return error_set(error, ERROR_HOST,
                         "this kernel has no vsock loopback transport loaded (sudo modprobe vsock_loopback)");
    error_system(error, "vsock context 1 can't be had here");
    if (error != NULL && error->code == ERROR_SYSTEM)
        error->code = ERROR_HOST;
    return false;
}
