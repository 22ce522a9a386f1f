/* The Unix witnesses: abstract names and paths, streams and datagrams; and where control sockets of a host are found. */
#include "witness_site.h"

static const struct {
    int type;
    const char *name; /* @ for an abstract one */
    enum witness_kind kind;
} rows[] = {
    { SOCK_STREAM, "@bottle-gate-test", WITNESS_UNIX_ABSTRACT },
    { SOCK_DGRAM, "@bottle-gate-test.d", WITNESS_UNIX_ABSTRACT },
    { SOCK_STREAM, SITE_SOCKETS_DIR "/stream", WITNESS_UNIX_PATH },
    { SOCK_DGRAM, SITE_SOCKETS_DIR "/dgram", WITNESS_UNIX_PATH },
};
#define ROWS (sizeof rows / sizeof *rows)

static int connect_unix(struct test_site *site, int type, const char *name)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    size_t length = strlen(name);
    memcpy(address.sun_path, name, length);
    if (name[0] == '@')
        address.sun_path[0] = '\0';
    int fd = socket(AF_UNIX, type, 0);
    site_check(site,
               connect(fd, (const struct sockaddr *)&address,
                       (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length)) == 0,
               "connect to %s: %s", name, strerror(errno));
    return fd;
}

static void hears_unix(struct test_site *site)
{
    for (size_t i = 0; i < ROWS; i++)
        site_watch(site, i, false, 0, NULL, 0);
    site_start_witness(site);
    for (size_t i = 0; i < ROWS; i++) {
        int fd = connect_unix(site, rows[i].type, rows[i].name);
        site_check(site, send(fd, site->watches[i].nonce, NONCE_BYTES, 0) == NONCE_BYTES, "send to %s: %s",
                   rows[i].name, strerror(errno));
        if (rows[i].type == SOCK_STREAM)
            site_check_token(site, fd);
        close(fd);
    }
    site_stop_witness(site);
    for (size_t i = 0; i < ROWS; i++)
        site_check(site, site_was_heard(site, i, rows[i].kind, "unix", rows[i].name, false), "nothing heard at %s",
                   rows[i].name);
    site_check_no(site, WITNESS_STRAY);
    site_check_no(site, WITNESS_LOST);
}

Test(witness_unix, hears_a_nonce_on_abstract_names_and_paths)
{
    in_site(hears_unix);
}

static void strange_unix(struct test_site *site)
{
    site_watch(site, 0, false, 0, NULL, 0);
    site_start_witness(site);
    int fd = connect_unix(site, SOCK_STREAM, rows[0].name);
    site_check(site, send(fd, "hello", 5, 0) == 5, "send: %s", strerror(errno));
    site_check_token(site, fd);
    close(fd);
    fd = connect_unix(site, SOCK_DGRAM, rows[3].name);
    site_check(site, send(fd, "hello", 5, 0) == 5, "send: %s", strerror(errno));
    site_stop_witness(site);
    site_check(site, site_count_events(site, WITNESS_STRAY) == 2, "%zu strays", site_count_events(site, WITNESS_STRAY));
}

Test(witness_unix, bytes_without_a_nonce_are_strays)
{
    in_site(strange_unix);
}

static const char *const control_sockets[] = { "/tmp/run/docker.sock", "/tmp/run/containerd/containerd.sock",
                                               "/tmp/run/podman/podman.sock", "/tmp/run/libvirt/libvirt-sock", NULL };
#define CONTROL_SOCKETS (sizeof control_sockets / sizeof *control_sockets - 1)

static void check_mode(struct test_site *site, const char *path, mode_t mode)
{
    struct stat status;
    site_check(site, stat(path, &status) == 0, "%s: %s", path, strerror(errno));
    site_check(site, (status.st_mode & 07777) == mode, "%s has mode %o", path, (unsigned)status.st_mode);
}

static void hears_paths(struct test_site *site)
{
    umask(077);
    site->setup.paths = control_sockets;
    for (size_t i = 0; i < CONTROL_SOCKETS; i++)
        site_watch(site, i, false, 0, NULL, 0);
    site_start_witness(site);
    check_mode(site, "/tmp/run", 0755);
    check_mode(site, "/tmp/run/containerd", 0755);
    for (size_t i = 0; i < CONTROL_SOCKETS; i++) {
        char request[128], digits[2 * NONCE_BYTES + 1];
        encode_hex(site->watches[i].nonce, NONCE_BYTES, digits);
        int size = snprintf(request, sizeof request, "GET /%s HTTP/1.1\r\nHost: docker\r\n\r\n", digits);
        check_mode(site, control_sockets[i], 0666);
        int fd = connect_unix(site, SOCK_STREAM, control_sockets[i]);
        site_check(site, send(fd, request, (size_t)size, 0) == size, "send: %s", strerror(errno));
        site_check_token(site, fd);
        close(fd);
    }
    site_stop_witness(site);
    for (size_t i = 0; i < CONTROL_SOCKETS; i++)
        site_check(site, site_was_heard(site, i, WITNESS_UNIX_PATH, "unix", control_sockets[i], false),
                   "nothing heard at %s", control_sockets[i]);
    site_check_no(site, WITNESS_STRAY);
    site_check_no(site, WITNESS_LOST);
}

Test(witness_unix, hears_a_nonce_where_control_sockets_are_found_and_makes_their_directories)
{
    in_site(hears_paths);
}

static void quiet_paths(struct test_site *site)
{
    site->setup.paths = control_sockets;
    site_start_witness(site);
    site_stop_witness(site);
    site_check(site, site->message_count == 1, "%zu messages, not DONE alone", site->message_count);
}

Test(witness_unix, silence_at_a_path_is_silent)
{
    in_site(quiet_paths);
}

/* Starts a witness with one path more, which must fail with the path in the text. */
static void refuse_path(struct test_site *site, const char *path)
{
    const char *const paths[] = { path, NULL };
    struct error error = { 0 };
    site->setup.host_namespace = site->host;
    site->setup.world_namespace = site->world;
    site->setup.watches = site->watches;
    site->setup.ipv6 = true;
    site->setup.paths = paths;
    site_check(site, !witness_start(&site->witness, &site->setup, &error), "it listens at %s", path);
    site_check(site, strstr(error.text, path) != NULL, "the error is: %s", error.text);
}

static void taken_path(struct test_site *site)
{
    int file = open("/tmp/taken", O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    site_check(site, write(file, "kept", 4) == 4, "write: %s", strerror(errno));
    refuse_path(site, "/tmp/taken");
    refuse_path(site, "/tmp/taken/below.sock");
    refuse_path(site, "taken.sock");
    check_mode(site, "/tmp/taken", 0600);
}

Test(witness_unix, a_path_that_is_taken_is_left_alone_and_named)
{
    in_site(taken_path);
}
