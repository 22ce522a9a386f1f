/* The spelling of an attempt's destination, and the resolver that a bottle was given. */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <string.h>
#include <sys/socket.h>

#include "../../probes/address.h"
#include "../../probes/mechanisms/resolver.h"

#define LETTERS_63 "abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwxyz0"

Test(address, accepts_every_documented_spelling)
{
    static const struct {
        const char *text;
        enum address_kind kind;
        int family;
        const char *scope, *name, *parent;
    } cases[] = {
        { "127.0.0.1", ADDRESS_IP, AF_INET, "", "", "" },
        { "0.0.0.0", ADDRESS_IP, AF_INET, "", "", "" },
        { "::", ADDRESS_IP, AF_INET6, "", "", "" },
        { "2001:db8::1", ADDRESS_IP, AF_INET6, "", "", "" },
        { "::ffff:10.0.0.1", ADDRESS_IP, AF_INET6, "", "", "" },
        { "fe80::1%eth0", ADDRESS_IP, AF_INET6, "eth0", "", "" },
        { "fe80::1%2", ADDRESS_IP, AF_INET6, "2", "", "" },
        { "@resolver:10.77.0.53", ADDRESS_RESOLVER, AF_INET, "", "", "" },
        { "@resolver:fd77::53", ADDRESS_RESOLVER, AF_INET6, "", "", "" },
        { "@abstract:bg-114.d", ADDRESS_ABSTRACT, AF_UNIX, "", "bg-114.d", "" },
        { "@path:/run/x.sock", ADDRESS_PATH, AF_UNIX, "", "/run/x.sock", "" },
        { "fe80::1%*", ADDRESS_IP, AF_INET6, "*", "", "" },
        { "@resolver:fe80::1%wan0", ADDRESS_RESOLVER, AF_INET6, "wan0", "", "" },
        { "@route:172.17.0.1", ADDRESS_ROUTE, AF_INET, "", "", "" },
        { "@route:fe80::1%*", ADDRESS_ROUTE, AF_INET6, "*", "", "" },
        { "9.9.9.9/metadata.example", ADDRESS_IP, AF_INET, "", "", "metadata.example" },
        { "2001:db8::1/a", ADDRESS_IP, AF_INET6, "", "", "a" },
        { "fe80::1%a/b", ADDRESS_IP, AF_INET6, "a", "", "b" },
        { "@resolver:10.77.0.53/a-1.b2.c", ADDRESS_RESOLVER, AF_INET, "", "", "a-1.b2.c" },
        { "@route:10.0.0.1/a", ADDRESS_ROUTE, AF_INET, "", "", "a" },
        { "9.9.9.9/" LETTERS_63, ADDRESS_IP, AF_INET, "", "", LETTERS_63 },
        { "@vsock:1:1", ADDRESS_VSOCK, AF_VSOCK, "", "", "" },
        { "@vsock:1:4294967294", ADDRESS_VSOCK, AF_VSOCK, "", "", "" },
        { "@inherited", ADDRESS_INHERITED, AF_UNSPEC, "", "", "" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct address address;
        cr_assert(address_parse(cases[i].text, strlen(cases[i].text), &address), "%s", cases[i].text);
        cr_expect_eq(address.kind, cases[i].kind, "%s", cases[i].text);
        cr_expect_eq(address.family, cases[i].family, "%s", cases[i].text);
        cr_expect_str_eq(address.scope, cases[i].scope);
        cr_expect_str_eq(address.name, cases[i].name);
        cr_expect_str_eq(address.parent, cases[i].parent);
    }
    struct address address;
    cr_assert(address_parse("@vsock:1:4294967294", 19, &address));
    cr_expect_eq(address.context, 1);
    cr_expect_eq(address.vsock_port, 4294967294u);
}

Test(address, refuses_everything_else)
{
    static const char *const refused[] = {
        "",
        "1",
        "1.2.3",
        "1.2.3.4.5",
        "1.2.3.256",
        "1.2.3.4 ",
        "1.2.3.4%lo",
        "localhost",
        ":",
        "1::2::3",
        "fe80::1%",
        "fe80::1%sixteen-letters-",
        "fe80::1%**",
        "fe80::1%*a",
        "fe80::1%a*",
        "1.2.3.4%*",
        "1.2.3.4/",
        "/",
        "/a",
        "1.2.3.4/.",
        "1.2.3.4/.a",
        "1.2.3.4/a.",
        "1.2.3.4/a..b",
        "1.2.3.4/A",
        "1.2.3.4/a_b",
        "1.2.3.4/a/b",
        "1.2.3.4/a b",
        "1.2.3.4/a%lo",
        "1.2.3.4/" LETTERS_63 "a",
        "fe80::1%/a",
        "fe80::1%lo/",
        "@route:",
        "@route:x",
        "@route:@resolver:1.1.1.1",
        "@route:/a",
        "@route",
        "@inherited:",
        "@inherited1",
        "@inherit",
        "@vsock:",
        "@vsock:1",
        "@vsock:1:",
        "@vsock:1:0",
        "@vsock:1:01",
        "@vsock:1:4294967295",
        "@vsock:1:4294967296",
        "@vsock:1:1/a",
        "@vsock:0:1",
        "@vsock:2:1",
        "@vsock:3:1",
        "@vsock:01:1",
        "@vsock:4294967295:1",
        "@vsock:-1:1",
        "fe80::1%a%b",
        "::1:",
        "[::1]",
        "@",
        "@resolver:",
        "@resolver:x",
        "@resolver:@path:/x",
        "@abstract:",
        "@path:",
        "@path:relative",
        "@path:/a b",
        "@vsock:2",
        "vsock:2:1",
        "2:1",
        "@abstract:"
        "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"
        "0123",
    };
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        struct address address;
        cr_expect_not(address_parse(refused[i], strlen(refused[i]), &address), "\"%s\"", refused[i]);
    }
    struct address address;
    cr_expect_not(address_parse("1.2.3.4\0x", 9, &address));
    cr_expect(address_parse("1.2.3.45", 7, &address), "a size that ends before the text does");
    cr_expect_eq(address.ip[3], 4);
}

Test(resolver, is_the_first_nameserver_of_its_family_or_else_the_literal)
{
    static const struct {
        const char *file, *expected4, *expected6;
    } cases[] = {
        { "", "10.77.0.53", "fd77::53" },
        { "nameserver 127.0.0.11\n", "127.0.0.11", "fd77::53" },
        { "nameserver 127.0.0.11", "127.0.0.11", "fd77::53" },
        { "nameserver ::1\nnameserver 9.9.9.9\nnameserver 8.8.8.8\n", "9.9.9.9", "::1" },
        { "# nameserver 1.1.1.1\n;nameserver 2.2.2.2\nsearch x\n\n\nnameserver\t3.3.3.3 # why\n", "3.3.3.3",
          "fd77::53" },
        { "nameserver 1.2.3.4\r\nnameserver fe80::1%eth0\r\n", "1.2.3.4", "fe80::1" },
        { "nameserver\nnameserver \nnameservers 1.1.1.1\nnameserver1.1.1.1\n nameserver 1.1.1.1\nnameserver "
          "dns\n",
          "10.77.0.53", "fd77::53" },
        { "nameserver @path:/x\nnameserver @resolver:1.1.1.1\nnameserver @route:1.1.1.1\n", "10.77.0.53", "fd77::53" },
        { "nameserver 1.1.1.1/a\nnameserver fe80::1%*\nnameserver @inherited\n", "10.77.0.53", "fd77::53" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct address address;
        char text[INET6_ADDRSTRLEN];
        cr_assert(address_parse("@resolver:10.77.0.53", 20, &address));
        resolver_prefer(cases[i].file, strlen(cases[i].file), &address);
        cr_expect_str_eq(inet_ntop(AF_INET, address.ip, text, sizeof text), cases[i].expected4, "case %zu: %s", i,
                         text);
        cr_assert(address_parse("@resolver:fd77::53", 18, &address));
        resolver_prefer(cases[i].file, strlen(cases[i].file), &address);
        cr_expect_str_eq(inet_ntop(AF_INET6, address.ip, text, sizeof text), cases[i].expected6, "case %zu: %s", i,
                         text);
    }
}
