/*
 * The talk on accepted stream connections, TCP, Unix and vsock alike: listen to every byte, answer so that a client
 * that waits for an answer before it says more gets one. By what was sent: a DNS message where the client
 * wanted port 53, HTTP where it begins with a method (an answer to each request, the connection stays), else
 * the token line, once.
 *
 * Bounded: CONVERSATIONS_MAX at a time. When there are more the oldest ends and that is reported as a loss.
 */
#ifndef GATES_WITNESS_CONVERSATION_H
#define GATES_WITNESS_CONVERSATION_H

#include "dns_server.h"
#include "house.h"
#include "requests.h"

#define CONVERSATIONS_MAX     1024
#define CONVERSATION_DNS_MAX  (2 + 512) /* a query over TCP with its length; longer ones are answered by the token */
#define CONVERSATION_WORD_MAX 8         /* bytes that tell HTTP from others */

enum speech { SPEECH_UNKNOWN, SPEECH_DNS, SPEECH_HTTP, SPEECH_LINE };

struct conversations;

struct conversation {
    struct conversations *all;
    struct loop_source source;
    uint64_t order;
    enum witness_kind kind;
    enum point point;
    enum speech speech;
    bool heard, answered;
    uint16_t kept;                       /* bytes in `bytes` */
    uint8_t bytes[CONVERSATION_DNS_MAX]; /* the DNS message, or the first word */
    struct requests requests;
    struct windows_cursor cursor;
    char at[ENDPOINT_TEXT], peer[ENDPOINT_TEXT];
};

struct conversations {
    struct house *house;
    struct dns_names *names;
    uint64_t clock;
    struct conversation table[CONVERSATIONS_MAX];
    uint16_t free_count, free[CONVERSATIONS_MAX]; /* places not in use */
};

/* `names` is borrowed. *conversations: all zeroes before. */
void conversation_prepare(struct conversations *conversations, struct house *house, struct dns_names *names);

/* Takes over an accepted non-blocking socket. `at`, `peer`: as in the messages. A client of port 53 is
 * expected to speak DNS (kind WITNESS_DNS_TCP). */
void conversation_begin(struct conversations *conversations, int fd, enum witness_kind kind, enum point point,
                        const char *at, const char *peer);

#endif
