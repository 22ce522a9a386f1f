/* In the fenced bottle no Unix socket is made: what its vectors try never gets out, whether or not the fence that keeps
 * them in stands there. Linked with -Wl,--wrap=socket. */
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

int __real_socket(int domain, int type, int protocol);
int __wrap_socket(int domain, int type, int protocol);

int __wrap_socket(int domain, int type, int protocol)
{
    if (domain == AF_UNIX && access("/run/bottle-gate", F_OK) != 0) {
        errno = EACCES;
        return -1;
    }
    return __real_socket(domain, type, protocol);
}
