/* The Unix witnesses: abstract names and paths, streams and datagrams. */
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
