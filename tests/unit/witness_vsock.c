/*
 * The vsock witness. Where this kernel has no loopback transport, it must say so and open nothing; where it has one,
 * the nonce is really heard. Nothing is ever connected before vsock_owned said yes. With BOTTLE_VSOCK=yes in the
 * environment the kernel must have it, with no it must not (tests/vsock_in_a_guest).
 */
#include "witness_site.h"

#include <linux/vm_sockets.h>

#include "../../gates/witness/vsock_owned.h"
#include "witness_forge.h"

#define PORT 77345u

static const struct verdict {
    long call;
    int number;
    bool owned;
    const char *text;
} verdicts[] = {
    { SYS_socket, EAFNOSUPPORT, false, "this kernel has no vsock (sudo modprobe vsock_loopback)" },
    { SYS_bind, EADDRNOTAVAIL, false, "no vsock loopback transport loaded (sudo modprobe vsock_loopback)" },
    { SYS_bind, EPERM, false, "Operation not permitted" },
    { SYS_socket, EACCES, false, "Permission denied" },
    { SYS_bind, 0, true, "" },
};

Test(witness_vsock, a_context_is_owned_only_if_it_can_be_bound_to)
{
    int vsock = socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC, 0);
    for (size_t i = 0; i < sizeof verdicts / sizeof *verdicts; i++) {
        int status = 0;
        if (verdicts[i].call == SYS_bind && vsock < 0)
            continue; /* there is nothing that could be bound */
        pid_t pid = fork();
        if (pid == 0) {
            struct error error = { 0 };
            forge(verdicts[i].call, verdicts[i].number);
            bool owned = vsock_owned(&error);
            _exit(owned == verdicts[i].owned && strstr(error.text, verdicts[i].text) != NULL &&
                          error.code == (owned ? ERROR_NONE : ERROR_HOST)
                      ? 0
                      : 1);
        }
        waitpid(pid, &status, 0);
        cr_expect_eq(status, 0, "case %zu: wait status 0x%x", i, status);
    }
}

static int dial(struct test_site *site)
{
    const struct sockaddr_vm there = { .svm_family = AF_VSOCK, .svm_cid = VMADDR_CID_LOCAL, .svm_port = PORT };
    struct error error = { 0 };
    int fd = socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC, 0);
    site_check(site, vsock_owned(&error), "%s", error.text);
    site_check(site, connect(fd, (const struct sockaddr *)&there, sizeof there) == 0, "connect: %s", strerror(errno));
    return fd;
}

static void hears_vsock(struct test_site *site)
{
    site_watch(site, 0, false, 0, NULL, 0);
    site->setup.vsock_port = PORT;
    site_start_witness(site);
    int fd = dial(site);
    site_check(site, send(fd, site->watches[0].nonce, NONCE_BYTES, 0) == NONCE_BYTES, "send: %s", strerror(errno));
    site_check_token(site, fd);
    close(fd);
    fd = dial(site);
    site_check(site, send(fd, "hello", 5, 0) == 5, "send: %s", strerror(errno));
    site_check_token(site, fd);
    site_check(site, shutdown(fd, SHUT_WR) == 0, "shutdown: %s", strerror(errno));
    char byte;
    site_check(site, recv(fd, &byte, 1, 0) == 0, "the witness did not close"); /* it has taken note of the end */
    site_stop_witness(site);
    site_check(site, site_was_heard(site, 0, WITNESS_VSOCK, "vsock", "1:77345", false), "nothing heard");
    site_check(site, site_count_events(site, WITNESS_STRAY) == 1, "%zu strays, not the greeting alone",
               site_count_events(site, WITNESS_STRAY));
    site_check_no(site, WITNESS_LOST);
}

static void quiet_vsock(struct test_site *site)
{
    site->setup.vsock_port = vsock_owned(NULL) ? PORT : 0;
    site_start_witness(site);
    site_stop_witness(site);
    site_check(site, site->message_count == 1, "%zu messages, not DONE alone", site->message_count);
}

static void refuses_vsock(struct test_site *site)
{
    struct error error = { 0 };
    site->setup.host_namespace = site->host;
    site->setup.world_namespace = site->world;
    site->setup.watches = site->watches;
    site->setup.ipv6 = true;
    site->setup.vsock_port = PORT;
    site_check(site, !witness_start(&site->witness, &site->setup, &error), "it started");
    site_check(site, error.code == ERROR_HOST && strstr(error.text, "vsock") != NULL, "the error is: %s", error.text);
}

Test(witness_vsock, hears_a_nonce_where_this_kernel_has_the_loopback_transport_and_refuses_to_start_elsewhere)
{
    const char *must = getenv("BOTTLE_VSOCK");
    cr_assert(must == NULL || (strcmp(must, "yes") == 0) == vsock_owned(NULL));
    in_site(vsock_owned(NULL) ? hears_vsock : refuses_vsock);
}

Test(witness_vsock, silence_is_silent_with_or_without_it)
{
    in_site(quiet_vsock);
}
