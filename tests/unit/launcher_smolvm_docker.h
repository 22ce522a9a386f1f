/*
 * A Docker Engine in a process of the test's own: it answers GET with the files of the test's directory, by the path with
 * '_' for '/'. A file that begins with '!' is answered as an error 500; "hang", "cut" and "flood" are what they say.
 */
#ifndef TESTS_UNIT_LAUNCHER_SMOLVM_DOCKER_H
#define TESTS_UNIT_LAUNCHER_SMOLVM_DOCKER_H

#include "launcher_smolvm_fake.h"

#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>

#define EIGHT(digit) digit digit digit digit digit digit digit digit
#define ID(digit)    EIGHT(EIGHT(digit))

static pid_t docker;
static char docker_path[64];

static inline void docker_answer(int connection)
{
    char request[4096], path[256], body[65536], head[128];
    size_t size = 0;
    while (size < sizeof request - 1) {
        ssize_t got = read(connection, request + size, sizeof request - 1 - size);
        if (got <= 0)
            return;
        size += (size_t)got;
        request[size] = '\0';
        if (strstr(request, "\r\n\r\n") != NULL)
            break;
    }
    if (sscanf(request, "GET %255s HTTP/1.1", path) != 1)
        return;
    for (char *slash = path; (slash = strchr(slash, '/')) != NULL;)
        *slash = '_';
    bool known = file_read(in_scratch(path), body, sizeof body);
    if (known && strcmp(body, "hang") == 0)
        for (;;)
            pause();
    if (known && strcmp(body, "cut") == 0)
        return;
    if (known && strcmp(body, "flood") == 0) {
        static const char endless[] = "HTTP/1.1 200 OK\r\n\r\n";
        memset(body, '[', sizeof body);
        write_all(connection, endless, sizeof endless - 1);
        while (write_all(connection, body, sizeof body))
            ;
        return;
    }
    const char *sent = !known ? "{}" : *body == '!' ? body + 1 : body;
    int length = snprintf(head, sizeof head, "HTTP/1.1 %s\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n",
                          !known         ? "404 Not Found"
                          : *body == '!' ? "500 Internal Server Error"
                                         : "200 OK",
                          strlen(sent));
    if (write_all(connection, head, (size_t)length))
        write_all(connection, sent, strlen(sent));
}

static inline void docker_start(void)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    snprintf(docker_path, sizeof docker_path, "%s/docker.sock", scratch);
    snprintf(address.sun_path, sizeof address.sun_path, "%s", docker_path);
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert(bind(listener, (struct sockaddr *)&address, sizeof address) == 0 && listen(listener, 16) == 0);
    docker = fork();
    cr_assert_geq(docker, 0);
    if (docker == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        signal(SIGPIPE, SIG_IGN);
        for (;;) {
            int connection = accept(listener, NULL, NULL);
            docker_answer(connection);
            close(connection);
        }
    }
    close(listener);
}

static inline void docker_stop(void)
{
    process_kill(docker);
    docker = 0;
}

/* One container that publishes as `ports` says. */
static inline void docker_container(const char *id, const char *ports)
{
    char name[128], text[4096];
    snprintf(name, sizeof name, "_containers_%s_json", id);
    snprintf(text, sizeof text, "{\"Id\":\"%s\",\"NetworkSettings\":{\"Bridge\":\"\",\"Ports\":%s}}", id, ports);
    write_scratch(name, 0600, text);
}

#endif
