/* See unix_sockets.h. Needs: accept4, recvfrom, sendto. */
#include "unix_sockets.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "../../launcher/support/cleanup.h"

#define UNIX_BACKLOG 128

static void stream_ready(struct loop_source *source, uint32_t events)
{
    struct unix_listener *listener = loop_owner(source, struct unix_listener, source);
    (void)events;
    for (unsigned i = 0; i < UNIX_AT_ONCE; i++) {
        int fd = accept4(source->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0)
            return;
        conversation_begin(listener->sockets->conversations, fd, listener->kind, POINT_UNIX, listener->at, "");
    }
}

static void datagram_ready(struct loop_source *source, uint32_t events)
{
    struct unix_listener *listener = loop_owner(source, struct unix_listener, source);
    struct house *house = listener->sockets->conversations->house;
    (void)events;
    for (unsigned i = 0; i < UNIX_AT_ONCE; i++) {
        struct sockaddr_un peer;
        socklen_t peer_size = sizeof peer;
        ssize_t size = recvfrom(source->fd, house->scratch, sizeof house->scratch, MSG_DONTWAIT,
                                (struct sockaddr *)&peer, &peer_size);
        if (size < 0)
            return;
        struct house_heard heard = {
            .house = house, .kind = listener->kind, .point = POINT_UNIX, .at = listener->at, .peer = ""
        };
        struct windows_cursor cursor = { 0 };
        house_listen_to(&heard, &cursor, house->scratch, (size_t)size);
        if (!heard.any)
            outbox_stray(&house->outbox, POINT_UNIX, listener->at, "", "a datagram that carried no nonce");
        if (peer_size > offsetof(struct sockaddr_un, sun_path)) /* the sender has a name to answer to */
            sendto(source->fd, house->token_line, TOKEN_LINE_BYTES, MSG_DONTWAIT | MSG_NOSIGNAL,
                   (const struct sockaddr *)&peer, peer_size);
    }
}

/* Makes the directories above `path` that aren't there, mode 0755 whatever the umask. One that can't be made is
 * found out when the socket is bound. */
static void make_parents(const char *path)
{
    char directory[sizeof((struct sockaddr_un *)0)->sun_path];
    for (size_t i = 1; i < sizeof directory && path[i] != '\0'; i++) {
        if (path[i] != '/')
            continue;
        memcpy(directory, path, i);
        directory[i] = '\0';
        if (mkdir(directory, 0755) == 0)
            chmod(directory, 0755);
    }
}

/* `name`: with @ for an abstract name, else a path, at which nothing must be. */
static bool open_listener(struct unix_sockets *sockets, const char *name, int type, struct error *error)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    size_t length = strlen(name);
    bool abstract = name[0] == '@';
    if (sockets->count == UNIX_MAX || length >= sizeof address.sun_path)
        return error_set(error, ERROR_USAGE, "too many Unix listeners, or too long a name: %.80s", name);
    memcpy(address.sun_path, name, length);
    if (abstract)
        address.sun_path[0] = '\0';
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length + (abstract ? 0 : 1));
    cleanup_close int fd = socket(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (const struct sockaddr *)&address, size) < 0 || (!abstract && chmod(name, 0666) < 0) ||
        (type == SOCK_STREAM && listen(fd, UNIX_BACKLOG) < 0))
        return error_system(error, "can't listen on the Unix socket %.80s", name);
    struct unix_listener *listener = &sockets->listeners[sockets->count];
    *listener = (struct unix_listener){ .sockets = sockets,
                                        .source = { -1, type == SOCK_STREAM ? stream_ready : datagram_ready },
                                        .kind = abstract ? WITNESS_UNIX_ABSTRACT : WITNESS_UNIX_PATH };
    snprintf(listener->at, sizeof listener->at, "%s", name);
    if (!loop_add(&sockets->conversations->house->loop, &listener->source, fd, error))
        return false;
    take_fd(&fd);
    sockets->count++;
    return true;
}

bool unix_sockets_open(struct unix_sockets *sockets, struct conversations *conversations, struct error *error)
{
    const struct witness_setup *setup = conversations->house->setup;
    char name[sizeof((struct sockaddr_un *)0)->sun_path + 16];
    sockets->conversations = conversations;
    for (const char *const *each = setup->abstract_names; each != NULL && *each != NULL; each++) {
        snprintf(name, sizeof name, "@%s", *each);
        if (!open_listener(sockets, name, SOCK_STREAM, error))
            return false;
        snprintf(name, sizeof name, "@%s.d", *each);
        if (!open_listener(sockets, name, SOCK_DGRAM, error))
            return false;
    }
    for (const char *const *each = setup->paths; each != NULL && *each != NULL; each++) {
        if (**each != '/')
            return error_set(error, ERROR_USAGE, "can't listen on the Unix socket %.80s: not an absolute path", *each);
        make_parents(*each);
        if (!open_listener(sockets, *each, SOCK_STREAM, error))
            return false;
    }
    if (setup->path_directory == NULL)
        return true;
    snprintf(name, sizeof name, "%s/stream", setup->path_directory);
    unlink(name);
    if (!open_listener(sockets, name, SOCK_STREAM, error))
        return false;
    snprintf(name, sizeof name, "%s/dgram", setup->path_directory);
    unlink(name);
    return open_listener(sockets, name, SOCK_DGRAM, error);
}
