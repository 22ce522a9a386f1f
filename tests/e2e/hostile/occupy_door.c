/* Leaves a process behind that takes as many connections to the door as it gets, and keeps them. */
#include "hostile.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#define CONNECTIONS 300

static void act(void)
{
    struct sockaddr_in door = { .sin_family = AF_INET, .sin_port = htons(7702) };
    inet_pton(AF_INET, "127.0.0.1", &door.sin_addr);
    int taken[2];
    if (pipe(taken) != 0)
        return;
    if (fork() != 0) {
        char byte;
        close(taken[1]);
        if (read(taken[0], &byte, 1) >= 0)
            close(taken[0]);
        return;
    }
    become_stubborn();
    close(1);
    for (int i = 0; i < CONNECTIONS; i++) {
        int one = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        if (connect(one, (struct sockaddr *)&door, sizeof door) != 0)
            continue;
    }
    if (write(taken[1], "!", 1) == 1)
        close(taken[1]);
    for (;;)
        pause();
}
