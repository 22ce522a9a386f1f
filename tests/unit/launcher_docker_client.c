/* The Docker Engine API: what is read of its answers, an engine that says no, and one that is none. The engine is a process of the test's
 * own that answers each path with the bytes of a file, whatever they are. */
#include "launcher_smolvm_fake.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "../../launcher/docker/client.h"
#include "../../launcher/docker/stream.h"
#include "../../launcher/docker/tar.h"

#define EIGHT(digit) digit digit digit digit digit digit digit digit
#define ID(digit)    EIGHT(EIGHT(digit))
#define OK           "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"

static pid_t engine;
static struct docker_client client;

/* Reads a request's head, and after it what there is of a body. */
static bool take_request(int connection, char *request, size_t capacity)
{
    size_t size = 0;
    while (size < capacity - 1) {
        ssize_t got = read(connection, request + size, capacity - 1 - size);
        if (got <= 0)
            return false;
        size += (size_t)got;
        request[size] = '\0';
        if (strstr(request, "\r\n\r\n") != NULL)
            return true;
    }
    return false;
}

static void answer(int connection)
{
    static char request[65536], bytes[65536];
    char method[16], path[256], name[280];
    if (!take_request(connection, request, sizeof request) || sscanf(request, "%15s %255s", method, path) != 2)
        return;
    for (char *c = path; *c != '\0'; c++)
        *c = strchr("/?&=", *c) != NULL ? '_' : *c;
    snprintf(name, sizeof name, "%s%s", method, path);
    int file = open(in_scratch(name), O_RDONLY | O_CLOEXEC);
    ssize_t size = file >= 0 ? read(file, bytes, sizeof bytes) : -1;
    close(file);
    if (size == 4 && memcmp(bytes, "hang", 4) == 0)
        for (;;)
            pause();
    if (size == 5 && memcmp(bytes, "flood", 5) == 0) {
        write_all(connection, OK, sizeof OK - 1);
        memset(bytes, '[', sizeof bytes);
        while (write_all(connection, bytes, sizeof bytes))
            ;
        return;
    }
    static const char unknown[] = "HTTP/1.1 404 Not Found\r\nConnection: close\r\n\r\n{\"message\":\"page not found\"}";
    write_all(connection, size >= 0 ? bytes : unknown, size >= 0 ? (size_t)size : sizeof unknown - 1);
}

static void begin(void)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    scratch_make();
    snprintf(address.sun_path, sizeof address.sun_path, "%s/sock", scratch);
    client = (struct docker_client){ .minor = 41 };
    snprintf(client.socket, sizeof client.socket, "%s", address.sun_path);
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert(bind(listener, (struct sockaddr *)&address, sizeof address) == 0 && listen(listener, 16) == 0);
    engine = fork();
    if (engine == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        signal(SIGPIPE, SIG_IGN);
        for (;;) {
            int connection = accept(listener, NULL, NULL);
            answer(connection);
            shutdown(connection, SHUT_WR);
            char rest[4096];
            while (read(connection, rest, sizeof rest) > 0) /* closed with something unread, it would be reset */
                ;
            close(connection);
        }
    }
    close(listener);
}

static void end(void)
{
    process_kill(engine);
    scratch_remove();
}

Test(docker_client, agrees_on_the_newest_version_that_both_know)
{
    static const struct {
        const char *text;
        unsigned minor; /* 0: refused */
        const char *told;
    } cases[] = {
        { "{\"Version\":\"20.10.24\",\"ApiVersion\":\"1.41\",\"MinAPIVersion\":\"1.12\"}", 41, NULL },
        { "{\"Version\":\"99.0\",\"ApiVersion\":\"1.99\",\"MinAPIVersion\":\"1.44\"}", 51, NULL },
        { "{\"Version\":\"99.0\",\"ApiVersion\":\"1.99\",\"MinAPIVersion\":\"1.60\"}", 0, "speaks API 1.60 to 1.99" },
        { "{\"Version\":\"1.0\",\"ApiVersion\":\"1.24\",\"MinAPIVersion\":\"1.12\"}", 0, "speaks API 1.12 to 1.24" },
        { "{\"Version\":\"1\",\"ApiVersion\":\"2.41\",\"MinAPIVersion\":\"1.12\"}", 0, "no Docker Engine" },
        { "{\"Version\":\"1\",\"ApiVersion\":\"1.41x\",\"MinAPIVersion\":\"1.12\"}", 0, "no Docker Engine" },
        { "{\"Version\":\"1\",\"ApiVersion\":\"1.41\",\"ApiVersion\":\"1.41\",\"MinAPIVersion\":\"1.12\"}", 0,
          "no Docker Engine" },
        { "{\"ApiVersion\":\"1.41\",\"MinAPIVersion\":\"1.12\"}", 0, "no Docker Engine" },
        { "{\"Version\":\"1\",\"ApiVersion\":41,\"MinAPIVersion\":\"1.12\"}", 0, "no Docker Engine" },
        { "<html>", 0, "no Docker Engine" },
        { "", 0, "no Docker Engine" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct docker_client one = { .socket = "/s" };
        struct error error = { 0 };
        bool read = docker_read_version(cases[i].text, strlen(cases[i].text), &one, &error);
        cr_expect_eq(read, cases[i].minor != 0, "%s: %s", cases[i].text, error.text);
        cr_expect(cases[i].minor == 0 || one.minor == cases[i].minor, "%s: %u", cases[i].text, one.minor);
        cr_expect(cases[i].told == NULL || strstr(error.text, cases[i].told) != NULL, "%s", error.text);
    }
}

Test(docker_client, reads_the_image_of_an_import_and_what_went_wrong_with_it)
{
    static const struct {
        const char *text;
        const char *told; /* NULL: good */
    } cases[] = {
        { "{\"status\":\"Importing\"}\r\n{\"status\":\"sha256:" ID("a") "\"}\r\n", NULL },
        { "{\"status\":\"sha256:" ID("a") "\"}\n{\"error\":\"no space\\nleft\"}\n", "no space?left" },
        { "{\"status\":\"sha256:" ID("a") "0\"}\n", "no image" },
        { "{\"status\":\"sha256:" ID("A") "\"}\n", "no image" },
        { "{\"status\":\"sha256:../../x\"}\n", "no image" },
        { "{\"status\":\"Importing\"}", "no image" },
        { "", "no image" },
        { "junk\n[]\n7", "no image" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char image[DOCKER_ID_BYTES] = "";
        struct error error = { 0 };
        bool read = docker_read_import(cases[i].text, strlen(cases[i].text), image, &error);
        cr_expect_eq(read, cases[i].told == NULL, "%s: %s", cases[i].text, error.text);
        cr_expect(!read || strcmp(image, ID("a")) == 0);
        cr_expect(cases[i].told == NULL || strstr(error.text, cases[i].told) != NULL, "%s", error.text);
    }
}

Test(docker_client, tells_in_one_line_what_an_engine_refuses, .init = begin, .fini = end)
{
    struct error error = { 0 };
    write_scratch("POST_v1.41_networks_create", 0600,
                  "HTTP/1.1 409 Conflict\r\nConnection: close\r\n\r\n{\"message\":\"Pool\\n overlaps\\u001b[31m\"}");
    cr_expect_not(docker_call(&client, "POST", "/networks/create", NULL, NULL, &error));
    cr_expect_str_eq(error.text, "Docker refuses POST /networks/create (409): Pool? overlaps?[31m");
    error = (struct error){ 0 };
    cr_expect_not(docker_call(&client, "GET", "/nothing", NULL, NULL, &error));
    cr_expect_str_eq(error.text, "Docker refuses GET /nothing (404): page not found");
}

Test(docker_client, believes_no_answer_that_is_none, .init = begin, .fini = end)
{
    static const struct {
        const char *bytes, *told;
    } cases[] = {
        { OK "{\"Id\":", "is no JSON" },
        { OK "", "is no JSON" },
        { "junk", "gave no whole answer" },
        { "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{}", "gave no whole answer" },
        { "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n{}", "gave no whole answer" },
        { "", "gave no whole answer" },
        { "flood", "answers GET /v1.41/info with more than 1048576 bytes" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        cJSON *said = NULL;
        struct error error = { 0 };
        write_scratch("GET_v1.41_info", 0600, cases[i].bytes);
        cr_expect_not(docker_call(&client, "GET", "/info", NULL, &said, &error), "%s", cases[i].bytes);
        cr_expect(strstr(error.text, cases[i].told) != NULL && strchr(error.text, '\n') == NULL, "%s", error.text);
        cr_expect_null(said);
    }
    cJSON *said = NULL;
    struct error error = { 0 };
    write_scratch("GET_v1.41_info", 0600, OK "{\"Id\":\"" ID("3") "\"}\n");
    cr_assert(docker_call(&client, "GET", "/info", NULL, &said, &error), "%s", error.text);
    char id[DOCKER_ID_BYTES];
    cr_expect(docker_id(said, "Id", id) && strcmp(id, ID("3")) == 0);
    cr_expect_not(docker_id(said, "id", id));
    cJSON_Delete(said);
}

Test(docker_client, waits_for_an_engine_that_stalls_once_and_for_a_while_only, .init = begin, .fini = end)
{
    struct error error = { 0 };
    docker_patience = 100;
    write_scratch("GET_v1.41_info", 0600, "hang");
    cr_expect_not(docker_call(&client, "GET", "/info", NULL, NULL, &error));
    cr_expect(strstr(error.text, "did not answer GET /v1.41/info in time") != NULL, "%s", error.text);
    error = (struct error){ 0 };
    docker_patience = 60000;
    uint64_t began = clock_microseconds();
    cr_expect_not(docker_call(&client, "GET", "/version", NULL, NULL, &error));
    cr_expect(strstr(error.text, "no longer answers") != NULL, "%s", error.text);
    cr_expect_lt(clock_microseconds() - began, 30 * SECONDS);
}

Test(docker_client, tells_that_nobody_is_there)
{
    struct docker_client one;
    struct error error = { 0 };
    cr_expect_not(docker_connect(&one, "/nonexistent/docker.sock", clock_microseconds() + PATIENCE, &error));
    cr_expect_eq(error.code, ERROR_HOST);
    cr_expect_str_eq(error.text, "no Docker Engine that you may speak to listens on /nonexistent/docker.sock");
}

/* The stream cut into pieces of every size gives the same bytes. */
Test(docker_stream, is_taken_apart_whatever_pieces_it_comes_in)
{
    static const uint8_t stream[] = "\1\0\0\0\0\0\0\3abc"
                                    "\2\0\0\0\0\0\0\2er"
                                    "\1\0\0\0\0\0\0\0"
                                    "\1\0\0\0\0\0\0\1d";
    for (size_t cut = 1; cut < sizeof stream; cut++) {
        struct docker_frames frames = { 0 };
        char out[3][16] = { "", "", "" };
        for (size_t at = 0; at < sizeof stream - 1; at += cut) {
            size_t size = sizeof stream - 1 - at < cut ? sizeof stream - 1 - at : cut;
            for (size_t used = 0; used < size;) {
                int which;
                const uint8_t *from;
                size_t piece;
                ssize_t took = docker_frames_take(&frames, stream + at + used, size - used, &which, &from, &piece);
                cr_assert_gt(took, 0);
                if (piece > 0)
                    strncat(out[which], (const char *)from, piece);
                used += (size_t)took;
            }
        }
        cr_expect_str_eq(out[1], "abcd");
        cr_expect_str_eq(out[2], "er");
    }
}

Test(docker_stream, that_is_no_stream_is_refused)
{
    static const char *const heads[] = { "\3\0\0\0\0\0\0\1", "\0\0\0\0\0\0\0\1", "\1\1\0\0\0\0\0\1", "HTTP/1.1" };
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++) {
        struct docker_frames frames = { 0 };
        int which;
        const uint8_t *from;
        size_t piece;
        cr_expect_eq(docker_frames_take(&frames, (const uint8_t *)heads[i], 8, &which, &from, &piece), -1);
    }
    cr_expect_eq(docker_read_upgrade("HTTP/1.1 101 UPGRADED\r\nA: b\r\n\r\nx", 33), 31);
    cr_expect_eq(docker_read_upgrade("HTTP/1.1 101 UPG", 16), 0);
    cr_expect_eq(docker_read_upgrade("HTT", 3), 0);
    cr_expect_eq(docker_read_upgrade("HTTP/1.1 404 Not Found\r\n\r\n", 26), -1);
    cr_expect_eq(docker_read_upgrade("junk", 4), -1);
}

static void write_bytes(const char *name, const void *bytes, size_t size)
{
    int file = open(in_scratch(name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    cr_assert(file >= 0 && write_all(file, bytes, size));
    close(file);
}

#define UPGRADED "HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n"

/* Runs a command whose engine answers so. Its exit status; what it said is in `out` and `err`. */
static int run_command(const char *stream, size_t size, const char *state, char out[64], char err[128])
{
    int ends[2][2], status = 0;
    struct error error = { 0 };
    pid_t pid;
    cr_assert(pipe2(ends[0], O_CLOEXEC) == 0 && pipe2(ends[1], O_CLOEXEC) == 0);
    write_bytes("POST_v1.41_exec_" ID("5") "_start", stream, size);
    write_scratch("GET_v1.41_exec_" ID("5") "_json", 0600, state);
    struct docker_exec exec = { .id = ID("5"), .input = -1, .output = ends[0][1], .errors = ends[1][1] };
    cr_assert(docker_exec_start(&client, &exec, &pid, &error), "%s", error.text);
    close(ends[0][1]);
    close(ends[1][1]);
    cr_assert(process_wait(pid, clock_microseconds() + PATIENCE, &status));
    ssize_t got = read_all(ends[0][0], out, 63);
    out[got] = '\0';
    got = read_all(ends[1][0], err, 127);
    err[got] = '\0';
    close(ends[0][0]);
    close(ends[1][0]);
    return process_exit_status(status);
}

Test(docker_stream, is_a_process_that_ends_as_the_command_does, .init = begin, .fini = end)
{
    static const char good[] = UPGRADED "\1\0\0\0\0\0\0\3abc\2\0\0\0\0\0\0\2er";
    static const char junk[] = UPGRADED "junk junk junk";
    static const char refused[] = "HTTP/1.1 409 Conflict\r\n\r\n{}";
    char out[64], err[128];
    cr_expect_eq(run_command(good, sizeof good - 1, OK "{\"Running\":false,\"ExitCode\":7}", out, err), 7);
    cr_expect_str_eq(out, "abc");
    cr_expect_str_eq(err, "er");
    static const char *const untold[] = { OK "{\"Running\":true,\"ExitCode\":7}", OK "{\"Running\":false}", OK "junk",
                                          "", OK "{\"Running\":false,\"ExitCode\":256}" };
    for (size_t i = 0; i < sizeof untold / sizeof *untold; i++) {
        cr_expect_eq(run_command(good, sizeof good - 1, untold[i], out, err), 125, "%s", untold[i]);
        cr_expect(strstr(err, "doesn't tell the exit status") != NULL, "%s", err);
    }
    cr_expect_eq(run_command(junk, sizeof junk - 1, "", out, err), 125);
    cr_expect(strstr(err, "no stream") != NULL && *out == '\0', "%s", err);
    cr_expect_eq(run_command(refused, sizeof refused - 1, "", out, err), 125);
    cr_expect(strstr(err, "refuses to start") != NULL, "%s", err);
    docker_patience = 100;
    cr_expect_eq(run_command("hang", 4, "", out, err), 125);
    cr_expect(strstr(err, "in time") != NULL, "%s", err);
}

Test(tar, of_a_program_is_read_by_tar)
{
    scratch_make();
    struct error error = { 0 };
    char *archive, command[256];
    size_t size;
    int program = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    cr_assert(tar_of_program(program, "program", &archive, &size, &error), "%s", error.text);
    write_bytes("tar", archive, size);
    free(archive);
    close(program);
    snprintf(
        command, sizeof command,
        "cd %s && tar -xpf tar && cmp program /proc/%d/exe && test \"$(tar -tvf tar | cut -c1-14 | tr '\\n' ' ')\" = "
        "'drwxrwxrwt 0/0 -rwxr-xr-x 0/0 '",
        scratch, (int)getpid());
    cr_expect_eq(system(command), 0, "%s", command);
    scratch_remove();
}
