/*
 * The door through a proxy: first the proxy is asked for a connection to the door, by CONNECT (RFC 9110 section 9.3.6; Basic
 * authentication, RFC 7617) or by SOCKS5 (RFC 1928, 1929); then the round trip is made through it. A proxy that refuses, or says
 * what it shouldn't, leaves the act without a proof.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "../address.h"
#include "../encode.h"
#include "../proxy.h"
#include "door.h"
#include "stream.h"

#define SOCKS_VERSION   5
#define SOCKS_CONNECT   1
#define SOCKS_NO_LOGIN  0
#define SOCKS_LOGIN     2
#define SOCKS_LOGIN_ONE 1 /* the version of RFC 1929 */
#define LOGIN_BYTES     (2 * PROXY_NAME + 1)

typedef bool judge(struct attempt *attempt, const uint8_t *data, size_t size);

/* What was set is sent next, and its answer judged by `judge_answer`. */
static bool go_on(struct attempt *attempt, judge *judge_answer)
{
    attempt->request_sent = 0;
    attempt->answer_size = 0;
    attempt->judge_answer = judge_answer;
    attempt->events = POLLOUT;
    return false; /* there is more to come */
}

static bool ask_door(struct attempt *attempt)
{
    door_set_question(attempt);
    return go_on(attempt, attempt->judge_answer);
}

/* "HTTP/1.1 200 ..." and the end of the header, and nothing after it: the door speaks only when it was asked. */
static bool connected(struct attempt *attempt, const uint8_t *data, size_t size)
{
    (void)data, (void)size;
    const char *text = (const char *)attempt->answer;
    attempt->proof[0] = '\0';
    const char *end = memmem(text, attempt->answer_size, "\r\n\r\n", 4);
    if (end == NULL)
        return attempt->answer_size == sizeof attempt->answer; /* its beginning will be lost */
    if (attempt->answer_size < 12 || memcmp(text, "HTTP/1.", 7) != 0 || text[8] != ' ' || text[9] != '2' ||
        end + 4 != text + attempt->answer_size)
        return true;
    return ask_door(attempt);
}

static bool is_ipv6(const char *host)
{
    return strchr(host, ':') != NULL;
}

static bool set_connect(struct attempt *attempt, const struct proxy *proxy)
{
    char goal[80], login[LOGIN_BYTES + 1], spelled[(LOGIN_BYTES + 2) / 3 * 4 + 1] = "";
    const struct probe_plan *plan = attempt->plan;
    snprintf(goal, sizeof goal, is_ipv6(plan->door_host) ? "[%s]:%u" : "%s:%u", plan->door_host, plan->door_port);
    if (proxy->login) {
        memcpy(login, proxy->user, proxy->user_size);
        login[proxy->user_size] = ':';
        memcpy(login + proxy->user_size + 1, proxy->password, proxy->password_size);
        encode_base64((const uint8_t *)login, (size_t)proxy->user_size + 1 + proxy->password_size, spelled);
    }
    int length =
        snprintf((char *)attempt->request, sizeof attempt->request, "CONNECT %s HTTP/1.1\r\nHost: %s\r\n%s%s%s\r\n",
                 goal, goal, proxy->login ? "Proxy-Authorization: Basic " : "", spelled, proxy->login ? "\r\n" : "");
    attempt->request_size = (uint16_t)length;
    attempt->judge_answer = connected;
    return length > 0 && (size_t)length < sizeof attempt->request;
}

/* VER REP RSV ATYP BND.ADDR BND.PORT: its length is in it. */
static bool socks_connected(struct attempt *attempt, const uint8_t *data, size_t size)
{
    (void)data, (void)size;
    const uint8_t *answer = attempt->answer;
    size_t whole = 5;
    attempt->proof[0] = '\0';
    if (attempt->answer_size >= whole)
        whole = answer[3] == 1 ? 10u : answer[3] == 4 ? 22u : answer[3] == 3 ? 7u + answer[4] : 0u;
    if (attempt->answer_size < whole)
        return false;
    if (attempt->answer_size != whole || answer[0] != SOCKS_VERSION || answer[1] != 0)
        return true;
    return ask_door(attempt);
}

static bool ask_socks(struct attempt *attempt)
{
    const struct probe_plan *plan = attempt->plan;
    bool v6 = is_ipv6(plan->door_host);
    size_t bytes = v6 ? 16 : 4;
    uint8_t *request = attempt->request;
    memcpy(request, (const uint8_t[]){ SOCKS_VERSION, SOCKS_CONNECT, 0, v6 ? 4 : 1 }, 4);
    if (inet_pton(v6 ? AF_INET6 : AF_INET, plan->door_host, request + 4) != 1)
        return true;
    request[4 + bytes] = (uint8_t)(plan->door_port >> 8);
    request[5 + bytes] = (uint8_t)plan->door_port;
    attempt->request_size = (uint16_t)(6 + bytes);
    return go_on(attempt, socks_connected);
}

static bool socks_let_in(struct attempt *attempt, const uint8_t *data, size_t size)
{
    (void)data, (void)size;
    attempt->proof[0] = '\0';
    if (attempt->answer_size < 2)
        return false;
    return attempt->answer_size != 2 || attempt->answer[1] != 0 || ask_socks(attempt);
}

static bool socks_chose(struct attempt *attempt, const uint8_t *data, size_t size)
{
    (void)data, (void)size;
    const struct proxy *proxy = attempt->proxy;
    attempt->proof[0] = '\0';
    if (attempt->answer_size < 2)
        return false;
    if (attempt->answer_size != 2 || attempt->answer[0] != SOCKS_VERSION)
        return true;
    if (attempt->answer[1] == SOCKS_NO_LOGIN)
        return ask_socks(attempt);
    if (attempt->answer[1] != SOCKS_LOGIN || !proxy->login)
        return true;
    uint8_t *at = attempt->request;
    *at++ = SOCKS_LOGIN_ONE;
    *at++ = proxy->user_size;
    memcpy(at, proxy->user, proxy->user_size);
    at += proxy->user_size;
    *at++ = proxy->password_size;
    memcpy(at, proxy->password, proxy->password_size);
    attempt->request_size = (uint16_t)(at + proxy->password_size - attempt->request);
    return go_on(attempt, socks_let_in);
}

static bool set_greeting(struct attempt *attempt, const struct proxy *proxy)
{
    memcpy(attempt->request, (const uint8_t[]){ SOCKS_VERSION, proxy->login ? 2 : 1, SOCKS_NO_LOGIN, SOCKS_LOGIN }, 4);
    attempt->request_size = proxy->login ? 4 : 3;
    attempt->judge_answer = socks_chose;
    return true;
}

static void start(struct attempt *attempt, uint64_t now)
{
    const struct proxy *proxy = attempt->proxy;
    if (proxy->port == 0)
        attempt_end(attempt, STAGE_TARGET, EINVAL);
    else if (proxy->socks ? set_greeting(attempt, proxy) : set_connect(attempt, proxy))
        stream_start(attempt, now);
    else
        attempt_end(attempt, STAGE_TARGET, EMSGSIZE);
}

const struct mechanism_functions door_proxy_functions = { start, stream_ready, stream_timer };
