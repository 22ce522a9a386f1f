/* Nowhere, with or without a bottle, is a UDP-Lite socket made: its vector can't be shown to be noticed. Linked with
 * -Wl,--wrap=socket. */
#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>

int __real_socket(int domain, int type, int protocol);
int __wrap_socket(int domain, int type, int protocol);

int __wrap_socket(int domain, int type, int protocol)
{
    if (protocol == IPPROTO_UDPLITE) {
        errno = EACCES;
        return -1;
    }
    return __real_socket(domain, type, protocol);
}
