/* Says something at the door that is no challenge, then does what it should. */
#include "hostile.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

static void act(void)
{
    static const char lie[] = "GET / HTTP/1.1\r\nHost: door\r\n\r\nand more than any challenge has in it\n";
    struct sockaddr_in door = { .sin_family = AF_INET, .sin_port = htons(7702) };
    inet_pton(AF_INET, "127.0.0.1", &door.sin_addr);
    int one = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    char answer;
    if (connect(one, (struct sockaddr *)&door, sizeof door) == 0 && send(one, lie, sizeof lie - 1, 0) > 0 &&
        recv(one, &answer, 1, 0) >= 0)
        close(one);
}
