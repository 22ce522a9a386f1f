/*
 * See stream.h. libcurl has no way to speak on a connection that has changed its protocol, so this is a plain socket, in a process
 * of its own: its caller waits for it and kills it as if it were the command. That process holds the three streams and the
 * connection and nothing else. It reads a frame's bytes as they come and keeps none.
 */
#include "stream.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "../support/cleanup.h"
#include "../support/process.h"

#define UNKNOWN      125 /* exit status */
#define CONNECTION   3
#define ENGINE       4 /* its socket (O_PATH), whatever path or descriptor leads there */
#define HEAD_BYTES   4096
#define ANSWER_BYTES 65536

ssize_t docker_frames_take(struct docker_frames *frames, const uint8_t *bytes, size_t size, int *stream,
                           const uint8_t **from, size_t *piece)
{
    size_t used = 0;
    *piece = 0;
    while (frames->left == 0 && used < size) {
        frames->head[frames->head_size++] = bytes[used++];
        if (frames->head_size < sizeof frames->head)
            continue;
        const uint8_t *head = frames->head;
        if ((head[0] != 1 && head[0] != 2) || head[1] != 0 || head[2] != 0 || head[3] != 0)
            return -1;
        frames->left = (uint32_t)head[4] << 24 | (uint32_t)head[5] << 16 | (uint32_t)head[6] << 8 | head[7];
        frames->head_size = 0;
    }
    *stream = frames->head[0];
    *from = bytes + used;
    *piece = size - used < frames->left ? size - used : frames->left;
    frames->left -= (uint32_t)*piece;
    return (ssize_t)(used + *piece);
}

ssize_t docker_read_upgrade(const char *text, size_t size)
{
    static const char *const starts[] = { "HTTP/1.1 101 ", "HTTP/1.1 200 " };
    bool good = false;
    for (size_t i = 0; i < 2; i++)
        good = good || strncmp(text, starts[i], size < strlen(starts[i]) ? size : strlen(starts[i])) == 0;
    const char *end = memmem(text, size, "\r\n\r\n", 4);
    if (!good || (end == NULL && size >= HEAD_BYTES))
        return -1;
    return end != NULL ? end + 4 - text : 0;
}

static _Noreturn void give_up(const char *why)
{
    dprintf(2, "bottle: the command's streams: %s\n", why);
    _exit(UNKNOWN);
}

static void connect_to_engine(void)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d", ENGINE);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) != 0)
        give_up("Docker can't be reached");
    if (fd != CONNECTION && (dup2(fd, CONNECTION) < 0 || close(fd) != 0))
        give_up("no descriptor");
}

/* Waits for something to read; false: not by `deadline`. */
static bool readable(uint64_t deadline)
{
    struct pollfd event = { .fd = CONNECTION, .events = POLLIN };
    return poll(&event, 1, clock_poll_timeout(deadline)) == 1;
}

static void ask_for_stream(const char *id, unsigned minor)
{
    static const char body[] = "{\"Detach\":false,\"Tty\":false}";
    char request[512];
    int length =
        snprintf(request, sizeof request,
                 "POST /v1.%u/exec/%s/start HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n"
                 "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
                 minor, id, sizeof body - 1, body);
    if (!write_all(CONNECTION, request, (size_t)length))
        give_up("Docker doesn't listen");
    /* Byte by byte: what follows the head is the stream's. */
    char head[HEAD_BYTES + 1];
    uint64_t deadline = clock_microseconds() + docker_patience * 1000ull;
    for (size_t size = 0;;) {
        if (!readable(deadline))
            give_up("Docker started no command in time");
        if (size == HEAD_BYTES || read(CONNECTION, head + size, 1) != 1)
            give_up("Docker gave no whole answer");
        ssize_t whole = docker_read_upgrade(head, ++size);
        if (whole < 0)
            give_up("Docker refuses to start the command");
        if (whole > 0)
            return;
    }
}

/* What is on its way to the command. */
struct input {
    bool open, framed, ending; /* `ending`: what is pending is its last */
    size_t start, end;
    uint8_t bytes[2 + 16384];
};

static void take_input(struct input *input)
{
    ssize_t got = read(0, input->bytes + 2, sizeof input->bytes - 2);
    size_t size = got > 0 ? (size_t)got : 0;
    input->bytes[0] = (uint8_t)(size >> 8);
    input->bytes[1] = (uint8_t)size;
    input->start = input->framed ? 0 : 2;
    input->end = 2 + size;
    input->ending = size == 0;
}

/* As much as fits: a command that reads nothing must not keep its output from being read. */
static void pass_input(struct input *input)
{
    ssize_t sent =
        send(CONNECTION, input->bytes + input->start, input->end - input->start, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN && errno != EINTR)
        input->end = input->start, input->ending = true;
    input->start += sent > 0 ? (size_t)sent : 0;
    if (input->start < input->end || !input->ending)
        return;
    input->open = false;
    if (!input->framed)
        shutdown(CONNECTION, SHUT_WR);
}

/* False: the stream has ended. */
static bool pass_output(struct docker_frames *frames)
{
    uint8_t bytes[16384];
    ssize_t got = read(CONNECTION, bytes, sizeof bytes);
    for (ssize_t at = 0; at < got;) {
        int stream;
        size_t piece;
        const uint8_t *from;
        ssize_t used = docker_frames_take(frames, bytes + at, (size_t)(got - at), &stream, &from, &piece);
        if (used < 0)
            give_up("what Docker sends is no stream");
        if (piece > 0)
            (void)!write_all(stream, from, piece); /* who reads no more may still want the exit status */
        at += used;
    }
    return got > 0;
}

static void carry(bool open, bool framed)
{
    static struct input input;
    struct docker_frames frames = { 0 };
    input.open = open;
    input.framed = framed;
    for (;;) {
        bool pending = input.start < input.end;
        struct pollfd events[] = { { .fd = CONNECTION, .events = (short)(pending ? POLLIN | POLLOUT : POLLIN) },
                                   { .fd = input.open && !pending ? 0 : -1, .events = POLLIN } };
        if (poll(events, 2, -1) < 0)
            continue;
        if ((events[0].revents & ~POLLOUT) != 0 && !pass_output(&frames))
            return;
        if (events[1].revents != 0)
            take_input(&input);
        if (input.open && (pending || events[1].revents != 0))
            pass_input(&input);
    }
}

/* HTTP/1.0, so that the answer comes in one piece and ends the connection. */
static int exit_status(const char *id, unsigned minor)
{
    static char answer[ANSWER_BYTES];
    char request[256];
    size_t size = 0;
    ssize_t got = 0;
    int length =
        snprintf(request, sizeof request, "GET /v1.%u/exec/%s/json HTTP/1.0\r\nHost: localhost\r\n\r\n", minor, id);
    if (!write_all(CONNECTION, request, (size_t)length))
        give_up("Docker doesn't tell the exit status");
    uint64_t deadline = clock_microseconds() + docker_patience * 1000ull;
    while (size < sizeof answer && readable(deadline) &&
           (got = read(CONNECTION, answer + size, sizeof answer - size)) > 0)
        size += (size_t)got;
    const char *body = memmem(answer, size, "\r\n\r\n", 4);
    cleanup_json cJSON *said = body != NULL ? smolvm_json_parse(body + 4, size - (size_t)(body + 4 - answer)) : NULL;
    const cJSON *code = smolvm_json_field(said, "ExitCode"), *running = smolvm_json_field(said, "Running");
    if (!cJSON_IsFalse(running) || !cJSON_IsNumber(code) || code->valuedouble < 0 || code->valuedouble > 255)
        give_up("Docker doesn't tell the exit status");
    return code->valueint;
}

static void take_descriptors(const char *socket, const struct docker_exec *exec)
{
    int engine = open(socket, O_PATH | O_CLOEXEC), engine_held = fcntl(engine, F_DUPFD_CLOEXEC, 16);
    const int wanted[] = { exec->input, exec->output, exec->errors };
    int held[3];
    for (int i = 0; i < 3; i++) { /* out of the way of all of them first */
        int null = wanted[i] < 0 ? open("/dev/null", O_RDWR | O_CLOEXEC) : -1;
        held[i] = fcntl(wanted[i] < 0 ? null : wanted[i], F_DUPFD_CLOEXEC, 16);
    }
    for (int i = 0; i < 3; i++)
        if (held[i] < 0 || dup2(held[i], i) < 0)
            _exit(UNKNOWN);
    if (engine_held < 0 || dup2(engine_held, ENGINE) < 0)
        give_up("Docker's socket is gone");
    close(CONNECTION);
    descriptors_close_from(ENGINE + 1);
}

static _Noreturn void be_command(const struct docker_client *client, const struct docker_exec *exec, pid_t parent)
{
    sigset_t none;
    take_descriptors(client->socket, exec);
    for (int number = 1; number < NSIG; number++)
        signal(number, SIG_DFL);
    signal(SIGPIPE, SIG_IGN);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    process_die_with_parent(-1);
    if (getppid() != parent)
        _exit(UNKNOWN);
    connect_to_engine();
    ask_for_stream(exec->id, client->minor);
    carry(exec->input >= 0, exec->framed);
    close(CONNECTION);
    connect_to_engine();
    _exit(exit_status(exec->id, client->minor));
}

bool docker_exec_start(const struct docker_client *client, const struct docker_exec *exec, pid_t *pid,
                       struct error *error)
{
    pid_t parent = getpid(), child = fork();
    if (child < 0)
        return error_system(error, "can't start the process that carries a command's streams");
    if (child == 0)
        be_command(client, exec, parent);
    *pid = child;
    return true;
}
