/*
 * The door's endpoint: 127.0.0.1:SITE_PORT_DOOR of the host namespace. "BGD1 <32 hex digits>\n" is answered
 * by "BGD1 <HMAC-SHA-256 of those 16 bytes, 64 hex digits>\n", which nobody without the key can make up.
 * A nonce that comes through the door is a hit; whatever else is said to it is reported as unexplained.
 */
#ifndef GATES_WITNESS_DOOR_H
#define GATES_WITNESS_DOOR_H

#include "house.h"

#define DOOR_GUESTS_MAX 64
#define DOOR_QUESTION   38 /* bytes of a line, with its newline */
#define DOOR_ANSWER     70
#define DOOR_BACKLOG    64

struct door;

struct door_guest {
    struct door *door;
    struct loop_source source;
    uint64_t order;
    size_t kept;
    char line[DOOR_QUESTION];
    struct windows_cursor cursor;
    bool nonce; /* one was heard: an attempt got here, by the sweep through a relay, say */
    char peer[ENDPOINT_TEXT];
};

struct door {
    struct house *house;
    struct loop_source source;
    uint64_t clock;
    unsigned answers; /* given so far, and the first of them: for faults */
    char first_answer[DOOR_ANSWER];
    struct door_guest guests[DOOR_GUESTS_MAX];
};

/* Opens the endpoint in the current (host) namespace. */
bool door_open(struct door *door, struct house *house, struct error *error);

/* Answers one line of DOOR_QUESTION bytes into `answer` (not terminated). False for any other line. Pure. */
bool door_answer(const uint8_t key[32], const char line[DOOR_QUESTION], char answer[DOOR_ANSWER]);

#endif
