/* The door behind a proxy: how a proxy is spelled, and what the real bottle-probe says to one. */
#include "../../probes/proxy.h"

#include "probes_trial.h"

static const struct {
    const char *text, *host;
    uint16_t port;
    bool socks, login;
    const char *user, *password;
} good[] = {
    { "http://127.0.0.1:3128", "127.0.0.1", 3128, false, false, "", "" },
    { "http://localhost:1/", "127.0.0.1", 1, false, false, "", "" },
    { "http://[::1]:65535", "::1", 65535, false, false, "", "" },
    { "socks5://10.0.2.2:1080", "10.0.2.2", 1080, true, false, "", "" },
    { "socks5h://localhost:1080", "127.0.0.1", 1080, true, false, "", "" },
    { "http://me@localhost:80", "127.0.0.1", 80, false, true, "me", "" },
    { "http://me:@localhost:80", "127.0.0.1", 80, false, true, "me", "" },
    { "http://me:a:b@localhost:80", "127.0.0.1", 80, false, true, "me", "a:b" },
    { "http://me:a@b@localhost:80", "127.0.0.1", 80, false, true, "me", "a@b" },
    { "http://%6De:%40%3a%2F%c3%A9@localhost:80", "127.0.0.1", 80, false, true, "me", "@:/\xc3\xa9" },
};

static const char *const bad[] = {
    "",
    "http",
    "http://",
    "http://localhost",
    "http://localhost:",
    "http://localhost:0",
    "http://localhost:65536",
    "http://localhost:080",
    "http://localhost:80/path",
    "http://localhost:80//",
    "http://:80",
    "http://proxy.example:80",
    "http://::1:80",
    "http://[::1:80",
    "http://[127.0.0.1]:80",
    "http://[]:80",
    "http://[fe80::1%*]:80",
    "http://127.0.0.1/x:80",
    "http://@localhost:80",
    "http://:secret@localhost:80",
    "http://me%@localhost:80",
    "http://me%4@localhost:80",
    "http://me%4g@localhost:80",
    "http://m e@localhost:80",
    "http://m\x7f@localhost:80",
    "https://localhost:80",
    "HTTP://localhost:80",
    "socks4://localhost:80",
    "socks5:/localhost:80",
    "localhost:80",
    "env:HTTP_PROXY",
};

Test(proxy, is_a_url_with_a_port)
{
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        struct proxy proxy;
        const char *problem = "none";
        cr_assert(proxy_parse(good[i].text, strlen(good[i].text), &proxy, &problem), "%s: %s", good[i].text, problem);
        cr_expect_str_eq(proxy.host, good[i].host, "%s", good[i].text);
        cr_expect(proxy.port == good[i].port && proxy.socks == good[i].socks && proxy.login == good[i].login, "%s",
                  good[i].text);
        cr_expect_str_eq(proxy.user, good[i].user);
        cr_expect_str_eq(proxy.password, good[i].password);
        cr_expect(proxy.user_size == strlen(good[i].user) && proxy.password_size == strlen(good[i].password));
    }
}

Test(proxy, is_nothing_else)
{
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct proxy proxy;
        const char *problem = NULL;
        cr_expect_not(proxy_parse(bad[i], strlen(bad[i]), &proxy, &problem), "%s", bad[i]);
        cr_expect_not_null(problem);
        cr_expect_not(proxy_parse(bad[i], strlen(bad[i]), &proxy, NULL));
    }
}

Test(proxy, takes_a_name_and_a_password_of_255_bytes_and_no_more)
{
    char text[700];
    struct proxy proxy;
    for (int more = 0; more < 2; more++) {
        memset(text, 'x', sizeof text);
        sprintf(text, "http://%0*d:%0*d@localhost:80", 255, 1, 255 + more, 2);
        cr_expect_eq(proxy_parse(text, strlen(text), &proxy, NULL), more == 0);
    }
}

Test(proxy, may_stand_in_a_plan_as_a_url_or_the_name_of_a_variable)
{
    static const char *const words[] = { "http://localhost:80", "env:HTTPS_PROXY", "env:_a9" };
    static const char *const others[] = {
        "env:", "env:9A", "env:A-B", "env:A B", "ENV:A", "-", "http://a b@localhost:80"
    };
    char longest[PROXY_WORD + 1] = "env:";
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        cr_expect(proxy_word_is_good(words[i], strlen(words[i]), NULL), "%s", words[i]);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        cr_expect_not(proxy_word_is_good(others[i], strlen(others[i]), NULL), "%s", others[i]);
    memset(longest + 4, 'A', sizeof longest - 5);
    cr_expect_not(proxy_word_is_good(longest, PROXY_WORD, NULL));
    cr_expect(proxy_word_is_good(longest, PROXY_WORD - 1, NULL));
}

#define SAYING(text)                                                                                                   \
    {                                                                                                                  \
        text, sizeof text - 1                                                                                          \
    }

static const struct saying http_yes[] = { SAYING("HTTP/1.1 200 Connection established\r\nVia: us\r\n\r\n"), { 0 } };
static const struct saying socks_yes[] = { SAYING("\5\0"), SAYING("\5\0\0\1\177\0\0\1\37\220"), { 0 } };
static const struct saying socks_login_yes[] = {
    SAYING("\5\2"), SAYING("\1\0"), SAYING("\5\0\0\3\4door\37\220"), { 0 }
};
static const struct saying socks_yes6[] = { SAYING("\5\0"), SAYING("\5\0\0\4abcdefghijklmnop\37\220"), { 0 } };

/* Asks for a door at 10.1.2.3, port 258, which only the proxy could find; `scheme` and `login` are of the proxy's URL. */
static struct endpoint *through(const struct saying *script, const char *scheme, const char *login)
{
    world_size = guest_count = 0;
    struct endpoint *proxy = world_add(FOLLOWS_A_SCRIPT, SOCK_STREAM, NULL);
    proxy->script = script;
    plan_begin(3000, proxy);
    strcpy(plan.door_host, "10.1.2.3");
    plan.door_port = 258;
    snprintf(plan.door_proxy, sizeof plan.door_proxy, "%s://%slocalhost:%u", scheme, login, proxy->port);
    plan_add(MECHANISM_UNIX_STREAM, "@abstract:nobody", 0);
    return proxy;
}

#define QUESTION "BGD1 11111111111111111111111111111111\n"

static void run_probe(void)
{
    run(NULL);
    cr_expect_eq(outcome.status, 0);
}

static const struct {
    const struct saying *script;
    const char *scheme, *login, *door; /* door NULL: 10.1.2.3 */
    struct saying said;
} conversations[] = {
    { http_yes, "http", "", NULL, SAYING("CONNECT 10.1.2.3:258 HTTP/1.1\r\nHost: 10.1.2.3:258\r\n\r\n" QUESTION) },
    { http_yes, "http", "me:se%3Acret@", "fd00::1",
      SAYING("CONNECT [fd00::1]:258 HTTP/1.1\r\nHost: [fd00::1]:258\r\n"
             "Proxy-Authorization: Basic bWU6c2U6Y3JldA==\r\n\r\n" QUESTION) },
    { socks_yes, "socks5", "", NULL, SAYING("\5\1\0\5\1\0\1\12\1\2\3\1\2" QUESTION) },
    { socks_login_yes, "socks5h", "me:pw@", NULL, SAYING("\5\2\0\2\1\2me\2pw\5\1\0\1\12\1\2\3\1\2" QUESTION) },
    { socks_yes6, "socks5", "", "fd00::1", SAYING("\5\1\0\5\1\0\4\xfd\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1\1\2" QUESTION) },
};

Test(probe_proxy, is_asked_for_the_door_in_its_own_way)
{
    for (size_t i = 0; i < sizeof conversations / sizeof *conversations; i++) {
        struct endpoint *proxy = through(conversations[i].script, conversations[i].scheme, conversations[i].login);
        if (conversations[i].door != NULL)
            strcpy(plan.door_host, conversations[i].door);
        run_probe();
        expect_door_proofs(2);
        cr_assert_geq(proxy->heard_size, conversations[i].said.size, "conversation %zu", i);
        cr_expect_arr_eq(proxy->heard, conversations[i].said.bytes, conversations[i].said.size, "conversation %zu", i);
    }
}

Test(probe_proxy, is_found_by_a_variable_of_the_bottle)
{
    static char variable[PROXY_WORD + 16];
    struct endpoint *proxy = through(http_yes, "http", "");
    snprintf(variable, sizeof variable, "HTTPS_PROXY=%s", plan.door_proxy);
    environment[0] = variable;
    strcpy(plan.door_proxy, "env:HTTPS_PROXY");
    run_probe();
    expect_door_proofs(2);
    cr_expect_eq(proxy->visits, 2);
}

/* Nobody listens yet when it is dialled for the first time. */
Test(probe_proxy, that_comes_a_moment_late_is_dialled_again)
{
    struct endpoint *proxy = through(http_yes, "http", "");
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_port = htons(proxy->port),
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    close(proxy->fd);
    proxy->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    cr_assert_eq(bind(proxy->fd, (struct sockaddr *)&address, sizeof address), 0);
    listens_late = proxy;
    run_probe();
    expect_door_proofs(2);
}

Test(probe_proxy, that_nobody_names_is_no_way_to_the_door)
{
    static const char *const values[] = { NULL, "HTTPS_PROXY=http://proxy.example:80" };
    for (size_t i = 0; i < 2; i++) {
        environment[0] = (char *)values[i];
        through(http_yes, "http", "");
        strcpy(plan.door_proxy, "env:HTTPS_PROXY");
        probe_run_text(plan_text, plan_write(), NULL);
        cr_expect(strstr(outcome.complaint, i == 0 ? "not set in the bottle" : "neither an IP literal") != NULL, "%s",
                  outcome.complaint);
        outcome.complaint[0] = '\0';
        read_records();
        expect(0, STAGE_TARGET, "EINVAL", "");
        expect(2, STAGE_TARGET, "EINVAL", "");
    }
}

static const struct {
    const char *scheme;
    struct saying script[3];
} refusals[] = {
    { "http", { SAYING("HTTP/1.1 403 Forbidden\r\n\r\n") } },
    { "http", { SAYING("HTTP/1.1 407 Proxy Authentication Required\r\n\r\n") } },
    { "http", { SAYING("HTTP/1.1 200 Connected\r\n\r\nmore") } },
    { "http", { SAYING("HTTP/2.0 200 Connected\r\n\r\n") } },
    { "http", { SAYING("200 Connected\r\n\r\n") } },
    { "http", { SAYING("\r\n\r\n") } },
    { "http", { SAYING("BGW1 " TOKEN "\n") } },
    { "http", { SAYING("HTTP/1.1 200 Connected\r\n") } },
    { "socks5", { SAYING("\5\377") } },
    { "socks5", { SAYING("\5\2") } }, /* it wants to know who asks, and was not told */
    { "socks5", { SAYING("\4\0") } },
    { "socks5", { SAYING("\5\0more") } },
    { "socks5", { SAYING("\5\0"), SAYING("\5\2\0\1\0\0\0\0\0\0") } },
    { "socks5", { SAYING("\5\0"), SAYING("\4\0\0\1\0\0\0\0\0\0") } },
    { "socks5", { SAYING("\5\0"), SAYING("\5\0\0\2\0\0\0\0\0\0") } },
    { "socks5", { SAYING("\5\0"), SAYING("\5\0\0\1\0\0\0\0\0\0more") } },
    { "socks5", { SAYING("\5\0"), SAYING("\5\0\0\1") } },
};

Test(probe_proxy, that_refuses_or_babbles_is_no_way_to_the_door)
{
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        through(refusals[i].script, refusals[i].scheme, "");
        run_probe();
        cr_expect_str_empty(done[0].proof, "refusal %zu", i);
        cr_expect_str_empty(done[2].proof, "refusal %zu", i);
    }
}

Test(probe_proxy, that_refuses_a_login_is_no_way_to_the_door)
{
    static const struct saying no[] = { SAYING("\5\2"), SAYING("\1\1"), { 0 } };
    through(no, "socks5", "me:pw@");
    run_probe();
    cr_expect_str_empty(done[0].proof);
}
