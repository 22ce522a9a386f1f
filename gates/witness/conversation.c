/*
 * See conversation.h. Needs: recvfrom, sendto, close, epoll_ctl. A connection is closed when its client has
 * closed it, never before: a witness that hangs up first would change what the client sees. Answers are small
 * enough for any send buffer; one that does not fit is left out.
 */
#include "conversation.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>

#define READ_BYTES   16384
#define READS_A_TURN 8 /* so that a bulk sender can't keep the loop from the captures */

static void end(struct conversation *talk)
{
    struct conversations *all = talk->all;
    bool seen_by_no_capture = talk->point == POINT_UNIX || talk->point == POINT_VSOCK;
    if (seen_by_no_capture && !talk->heard && talk->answered)
        outbox_stray(&all->house->outbox, talk->point, talk->at, talk->peer,
                     "a connection that carried bytes and no nonce");
    loop_close(&all->house->loop, &talk->source);
    all->free[all->free_count++] = (uint16_t)(talk - all->table);
}

static void say(struct conversation *talk, const void *data, size_t size)
{
    talk->answered = true;
    send(talk->source.fd, data, size, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void say_token(struct conversation *talk)
{
    if (!talk->answered)
        say(talk, talk->all->house->token_line, TOKEN_LINE_BYTES);
}

static void answer_requests(struct conversation *talk, const uint8_t *bytes, size_t size)
{
    char answer[192];
    int length =
        snprintf(answer, sizeof answer, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n%s",
                 TOKEN_LINE_BYTES, talk->all->house->token_line);
    for (unsigned complete = requests_add(&talk->requests, bytes, size); complete > 0; complete--)
        say(talk, answer, (size_t)length);
}

/* Keeps bytes up to `limit` in all; returns how many were taken. */
static size_t keep(struct conversation *talk, const uint8_t *bytes, size_t size, size_t limit)
{
    size_t room = talk->kept < limit ? limit - talk->kept : 0, part = size < room ? size : room;
    memcpy(talk->bytes + talk->kept, bytes, part);
    talk->kept = (uint16_t)(talk->kept + part);
    return part;
}

static void answer_query(struct conversation *talk, struct house_heard *heard)
{
    struct dns_query query;
    uint8_t answer[2 + DNS_UDP_MAX];
    if (!dns_parse(talk->bytes + 2, talk->kept - 2u, &query)) {
        talk->speech = SPEECH_LINE;
        say_token(talk);
        return;
    }
    size_t size = dns_server_answer(talk->all->names, heard, &query, answer + 2, DNS_UDP_MAX);
    answer[0] = (uint8_t)(size >> 8);
    answer[1] = (uint8_t)size;
    say(talk, answer, 2 + size);
}

static void take_dns(struct conversation *talk, struct house_heard *heard, const uint8_t *bytes, size_t size)
{
    while (size > 0 && talk->speech == SPEECH_DNS) {
        size_t length = talk->kept >= 2 ? 2u + (size_t)(talk->bytes[0] << 8 | talk->bytes[1]) : 2;
        if (length > CONVERSATION_DNS_MAX) {
            talk->speech = SPEECH_LINE;
            say_token(talk);
            return;
        }
        size_t taken = keep(talk, bytes, size, length);
        bytes += taken;
        size -= taken;
        if (talk->kept > 2 && talk->kept == length) {
            answer_query(talk, heard);
            talk->kept = 0;
        } else if (taken == 0) { /* a message of no bytes */
            talk->kept = 0;
        }
    }
}

static void take(struct conversation *talk, const uint8_t *bytes, size_t size)
{
    struct house_heard heard = {
        .house = talk->all->house, .kind = talk->kind, .point = talk->point, .at = talk->at, .peer = talk->peer
    };
    house_listen_to(&heard, &talk->cursor, bytes, size);
    if (talk->speech == SPEECH_DNS)
        take_dns(talk, &heard, bytes, size);
    talk->heard |= heard.any;
    if (talk->speech == SPEECH_HTTP)
        answer_requests(talk, bytes, size);
    if (talk->speech != SPEECH_UNKNOWN)
        return;
    size_t taken = keep(talk, bytes, size, CONVERSATION_WORD_MAX);
    enum requests_start start = requests_begin(talk->bytes, talk->kept);
    if (start == REQUESTS_YES) {
        talk->speech = SPEECH_HTTP;
        answer_requests(talk, talk->bytes, talk->kept);
        answer_requests(talk, bytes + taken, size - taken);
    } else if (start == REQUESTS_NO) {
        talk->speech = SPEECH_LINE;
        say_token(talk);
    }
}

static void conversation_ready(struct loop_source *source, uint32_t events)
{
    struct conversation *talk = loop_owner(source, struct conversation, source);
    uint8_t *buffer = talk->all->house->scratch;
    (void)events;
    for (unsigned i = 0; i < READS_A_TURN; i++) {
        ssize_t size = recv(source->fd, buffer, READ_BYTES, MSG_DONTWAIT);
        if (size < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        if (size <= 0) {
            if (talk->kept > 0)
                say_token(talk); /* the client half closed after a lone first word */
            end(talk);
            return;
        }
        take(talk, buffer, (size_t)size);
    }
}

void conversation_prepare(struct conversations *conversations, struct house *house, struct dns_names *names)
{
    conversations->house = house;
    conversations->names = names;
    for (uint16_t i = 0; i < CONVERSATIONS_MAX; i++)
        conversations->free[conversations->free_count++] = (uint16_t)(CONVERSATIONS_MAX - 1 - i);
}

static struct conversation *oldest(struct conversations *conversations)
{
    struct conversation *found = &conversations->table[0];
    for (size_t i = 1; i < CONVERSATIONS_MAX; i++)
        if (conversations->table[i].order < found->order)
            found = &conversations->table[i];
    return found;
}

void conversation_begin(struct conversations *conversations, int fd, enum witness_kind kind, enum point point,
                        const char *at, const char *peer)
{
    struct house *house = conversations->house;
    if (conversations->free_count == 0) {
        struct conversation *victim = oldest(conversations);
        outbox_lost(&house->outbox, "streams: more than %d connections, one to %.40s was cut", CONVERSATIONS_MAX,
                    victim->at);
        end(victim);
    }
    struct conversation *talk = &conversations->table[conversations->free[--conversations->free_count]];
    *talk = (struct conversation){ .all = conversations,
                                   .source = { -1, conversation_ready },
                                   .order = ++conversations->clock,
                                   .kind = kind,
                                   .point = point,
                                   .speech = kind == WITNESS_DNS_TCP ? SPEECH_DNS : SPEECH_UNKNOWN };
    snprintf(talk->at, sizeof talk->at, "%s", at);
    snprintf(talk->peer, sizeof talk->peer, "%s", peer);
    struct error problem = { 0 };
    if (!loop_add(&house->loop, &talk->source, fd, &problem)) {
        outbox_lost(&house->outbox, "streams: %.70s", problem.text);
        talk->source.fd = fd;
        end(talk);
    }
}
