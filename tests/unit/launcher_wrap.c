/* The command lines of the wrap backend: what is taken for one, and what stands in it for its words. How they run is for tests/e2e/test_wrap.py. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "../../launcher/backends/wrap/wrap.h"

static struct bottle bottle;
static char line[WRAP_LINE];

static void make_bottle(void)
{
    static const struct wrap_words words = { .command = "{probe}", .door = "direct" };
    cr_assert(wrap_backend.take_words(&words, NULL));
    bottle = (struct bottle){ .directory = "/tmp/bottle-wrap-abcdef", .door = { true, "10.88.0.1", 7 } };
}

static bool expand(const char *command, const char *first, const char *second)
{
    char words[2][128];
    char *argv[3] = { words[0], second != NULL ? words[1] : NULL, NULL };
    snprintf(words[0], sizeof words[0], "%s", first);
    snprintf(words[1], sizeof words[1], "%s", second != NULL ? second : "");
    bottle.command = command;
    return wrap_expand(&bottle, argv, line, NULL);
}

TestSuite(launcher_wrap, .init = make_bottle);

static const struct {
    const char *command, *line;
} expansions[] = {
    { "{probe}", "/tmp/bottle-wrap-abcdef/probe /tmp/bottle-wrap-abcdef/plan" },
    { "a '{probe}' \"{probe}\"", "a '/tmp/bottle-wrap-abcdef/probe /tmp/bottle-wrap-abcdef/plan' "
                                 "\"/tmp/bottle-wrap-abcdef/probe /tmp/bottle-wrap-abcdef/plan\"" },
    { "--bind {directory} x", "--bind /tmp/bottle-wrap-abcdef x" },
    { "--allow={door};", "--allow=10.88.0.1:7;" },
    { "{prob} {} ${a} {", "{prob} {} ${a} {" },
    { "", "" },
};

Test(launcher_wrap, words_in_braces_are_filled_in_and_all_else_stays)
{
    for (size_t i = 0; i < sizeof expansions / sizeof *expansions; i++) {
        cr_expect(expand(expansions[i].command, "/tmp/probe", "/tmp/plan"), "%s", expansions[i].command);
        cr_expect_str_eq(line, expansions[i].line);
    }
    cr_expect(expand("{probe}", "/bin/true", NULL));
    cr_expect_str_eq(line, "/bin/true", "what was not put in stands as it is");
}

Test(launcher_wrap, a_word_that_the_shell_could_read_otherwise_is_refused)
{
    for (int c = 1; c < 256; c++) {
        char word[] = { 'a', (char)c, '\0' };
        bool plain = strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/_.:-", c) != NULL;
        cr_expect_eq(expand("{probe}", word, NULL), plain, "%d", c);
    }
}

Test(launcher_wrap, a_line_that_does_not_fit_is_refused_whole)
{
    static char command[WRAP_LINE + 8];
    memset(command, 'x', WRAP_LINE - 1);
    cr_expect(expand(command, "a", NULL));
    command[WRAP_LINE - 1] = 'x';
    cr_expect_not(expand(command, "a", NULL));
    strcpy(command + WRAP_LINE - 8, "{probe}");
    cr_expect_not(expand(command, "a-word-of-some-length", NULL));
    strcpy(command + WRAP_LINE - 8, "{door}");
    cr_expect_not(expand(command, "a", NULL));
}

static const struct {
    const char *door, *host;
    uint16_t port; /* 0: refused */
} doors[] = {
    { "direct", "10.88.0.1", 7 },
    { "10.0.2.2", "10.0.2.2", 7 },
    { "10.0.2.2:1", "10.0.2.2", 1 },
    { "10.0.2.2:65535", "10.0.2.2", 65535 },
    { "10.0.2.2:65536", "", 0 },
    { "10.0.2.2:", "", 0 },
    { "10.0.2.2: 7", "", 0 },
    { "10.0.2.2:7x", "", 0 },
    { "10.0.2", "", 0 },
    { "", "", 0 },
    { ":7", "", 0 },
    { "localhost", "", 0 },
    { "::1", "", 0 },
    { "DIRECT", "", 0 },
    { "http://127.0.0.1:3128", "10.88.0.1", 7 },
    { "socks5://me:secret@localhost:1080", "10.88.0.1", 7 },
    { "env:HTTPS_PROXY", "10.88.0.1", 7 },
    { "http://127.0.0.1", "", 0 },
    { "ftp://127.0.0.1:21", "", 0 },
    { "env:", "", 0 },
};

Test(launcher_wrap, the_door_is_where_it_is_said_to_be)
{
    for (size_t i = 0; i < sizeof doors / sizeof *doors; i++) {
        struct error error = { 0 };
        char host[64] = "";
        uint16_t port = 0;
        const struct wrap_words words = { .command = "{probe}", .door = doors[i].door };
        bool taken = wrap_backend.take_words(&words, &error);
        cr_expect_eq(taken, doors[i].port != 0, "%s", doors[i].door);
        cr_expect_eq(error.code, taken ? ERROR_NONE : ERROR_USAGE, "%s", doors[i].door);
        if (!taken)
            continue;
        cr_expect(wrap_backend.has_door() && wrap_backend.door_address(&bottle, host, &port, NULL));
        cr_expect(strcmp(host, doors[i].host) == 0 && port == doors[i].port, "%s: %s:%u", doors[i].door, host, port);
    }
}

Test(launcher_wrap, a_proxy_stands_before_the_door_of_a_bottle_that_is_shut)
{
    struct bottle open = bottle;
    const struct wrap_words proxy = { .command = "{probe}", .door = "http://127.0.0.1:3128" };
    const struct wrap_words direct = { .command = "{probe}", .door = "direct" };
    open.open = true;
    cr_assert(wrap_backend.take_words(&proxy, NULL));
    cr_expect_str_eq(wrap_backend.door_proxy(&bottle), "http://127.0.0.1:3128");
    cr_expect_null(wrap_backend.door_proxy(&open));
    cr_assert(wrap_backend.take_words(&direct, NULL));
    cr_expect_null(wrap_backend.door_proxy(&bottle));
}

Test(launcher_wrap, without_a_door_there_is_none_to_ask_for)
{
    uint16_t port;
    char host[64];
    struct error error = { 0 };
    const struct wrap_words none = { .command = "{probe}" }, used = { .command = "{probe} {door}" };
    cr_assert(wrap_backend.take_words(&none, NULL));
    cr_expect_not(wrap_backend.has_door());
    cr_expect_not(wrap_backend.door_address(&bottle, host, &port, NULL));
    cr_expect_not(wrap_backend.take_words(&used, &error));
    cr_expect(strstr(error.text, "--wrap-door") != NULL, "%s", error.text);
}

Test(launcher_wrap, an_engine_is_named_after_the_first_word_and_only_in_print)
{
    static const struct {
        const char *command, *name;
    } names[] = {
        { "bwrap --x", "bwrap" },
        { "  /usr/bin/bwrap\t-x", "bwrap" },
        { "a\x1b[31m x", "a?[31m" },
        { "", "" },
        { "/", "" },
    };
    char name[64];
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        wrap_name(names[i].command, name, sizeof name);
        cr_expect_str_eq(name, names[i].name);
    }
    static char long_word[300];
    memset(long_word, 'y', sizeof long_word - 1);
    wrap_name(long_word, name, sizeof name);
    cr_expect_eq(strlen(name), 63);
}

static const struct {
    const char *command;
    uint16_t vector;
    const char *says; /* NULL: nothing of its own */
} remedies[] = {
    { "bwrap --ro-bind / / {probe}", 112, "--tmpfs /run" },
    { "bwrap --ro-bind / / {probe}", 116, "close every descriptor" },
    { "bwrap --ro-bind / / {probe}", 1, "--unshare-net" },
    { "bwrap --ro-bind / / {probe}", 78, "--unshare-net" },
    { "bwrap --ro-bind / / {probe}", 106, NULL },
    { "exec /usr/bin/bwrap {probe}", 112, "--tmpfs /run" },
    { "(bwrap {probe})", 112, "--tmpfs /run" },
    { "/opt/firejail-in-container {probe}", 112, "--whitelist" },
    { "node /x/sandbox-runtime/dist/cli.js {probe}", 1, "CVE-2025-66479" },
    { "slirp4netns-stack {probe}", 38, "10.0.2.2" },
    { "slirp4netns-stack {probe}", 1, NULL },
    { "pasta --config-net -- {probe}", 1, "--no-map-gw" },
    { "unshare --net {probe}", 116, "close every descriptor" },
    { "systemd-nspawn -D / {probe}", 114, "--private-network" },
    { "landlock-tcp {probe}", 62, "network namespace" },
    { "landlock-tcp {probe}", 61, NULL },
    { "mybwrap {probe}", 112, NULL },
    { "my-bwrap {probe}", 112, NULL },
    { "bwrapper {probe}", 112, NULL },
    { "env {probe}", 112, NULL },
};

Test(launcher_wrap, a_sandbox_that_is_named_in_the_command_has_remedies_of_its_own)
{
    for (size_t i = 0; i < sizeof remedies / sizeof *remedies; i++) {
        const struct wrap_words taken = { .command = remedies[i].command };
        cr_assert(wrap_backend.take_words(&taken, NULL));
        const char *text = wrap_backend.remedy(remedies[i].vector);
        cr_expect_eq(text != NULL, remedies[i].says != NULL, "%s, %u: %s", remedies[i].command, remedies[i].vector,
                     text);
        cr_expect(text == NULL || remedies[i].says == NULL || strstr(text, remedies[i].says) != NULL, "%s", text);
    }
}

Test(launcher_wrap, every_remedy_of_a_sandbox_is_told_one_by_one)
{
    const char *sandbox, *text;
    size_t rows = 0, told = 0;
    while (wrap_backend.sandbox_remedy(rows, 112, &sandbox, &text)) {
        cr_expect_gt(strlen(sandbox), 0);
        told += text != NULL;
        rows++;
    }
    cr_expect_gt(rows, told);
    cr_expect_eq(told, 5);
    cr_expect_not(wrap_backend.sandbox_remedy(rows + 1, 112, &sandbox, &text));
}
