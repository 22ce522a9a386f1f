/*
 * A mechanism is one way of making an attempt: three functions over one `struct attempt`, called by the loop
 * in
 * ../attempts.c. `start` opens the socket and makes the first move, `ready` is called when poll(2) reports
 * something on it, `timer` when its `wake` has come. None of them ever waits, allocates or prints; each ends
 * the attempt by attempt_end, at the latest when its deadline has come.
 *
 * Most mechanisms are a payload on top of one of two engines: stream.c (connect, send all, read until
 * complete) or datagram.c (send several times, spaced; read answers).
 */
#ifndef PROBES_MECHANISMS_MECHANISM_H
#define PROBES_MECHANISMS_MECHANISM_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <linux/vm_sockets.h>

#include "../plan_grammar.h"
#include "../proxy.h"
#include "../record_grammar.h"

/* How long an answer is awaited after everything was sent, microseconds: what is silent for so long on the
 * path of a sandbox is taken as silent. The witness outside decides, not this. */
#define ANSWER_PATIENCE 500000u

#define REQUEST_MAX 640
#define ANSWER_KEPT 1024

struct attempt;

struct mechanism_functions {
    void (*start)(struct attempt *attempt, uint64_t now);
    void (*ready)(struct attempt *attempt, short events, uint64_t now);
    void (*timer)(struct attempt *attempt, uint64_t now);
};

struct attempt {
    /* Given by the loop. Times are CLOCK_MONOTONIC, in microseconds. */
    const struct planned_attempt *planned;
    const struct probe_plan
        *plan; /* sweeps: whose principal and door they are; a door act: what door there is behind `proxy` */
    const struct proxy *proxy; /* a door act: what the door is reached through; else NULL */
    const struct mechanism_functions *functions;
    uint8_t repeats;
    uint64_t started, deadline;

    /* What the loop is to wait for: poll events on the socket, and the time of the next call of `timer`. */
    int socket; /* owned; -1: none */
    short events;
    uint64_t wake;

    /* The outcome, told by attempt_end. */
    bool ended;
    enum stage stage;
    int error;
    uint32_t sent, received;
    char proof[65];

    /* For the engines. */
    union {
        struct sockaddr any;
        struct sockaddr_in in;
        struct sockaddr_in6 in6;
        struct sockaddr_un un;
        struct sockaddr_vm vm;
    } target;
    socklen_t target_size;
    bool connected, answered;
    int protocol; /* streams: how they were dialled */
    bool in_syn;
    uint8_t sends;
    uint16_t request_size, request_sent, answer_size;
    uint8_t request[REQUEST_MAX];
    uint8_t answer[ANSWER_KEPT]; /* the end of what was received, if there was more */
    /* Stream: is the answer complete (and the proof in it found)? Datagram: is this an answer to the request
     * at all? */
    bool (*judge_answer)(struct attempt *attempt, const uint8_t *data, size_t size);
};

/* The functions of a mechanism that stands in plans. One that this probe doesn't have yet gets functions that end
 * the attempt at once, as STAGE_TARGET with EOPNOTSUPP: not tried, which proves nothing. */
const struct mechanism_functions *mechanism_functions(enum mechanism mechanism);

/* The door's round trip is made like an attempt, but is no mechanism of any vector: the nonce is the
 * challenge. */
extern const struct mechanism_functions door_functions, door_proxy_functions;

/* One a mechanism; the table of them is in mechanisms.c. */
extern const struct mechanism_functions tcp_functions, mptcp_functions, tcp_fastopen_functions, tcp_syn_functions,
    udp_functions, udp_sendto_functions, udp_broadcast_functions, multicast_join_functions, dns_udp_functions,
    dns_tcp_functions, dns_txt_functions, dns_null_functions, dns_edns_functions, dns_questions_functions,
    dns_case_functions, metadata_functions, icmp_echo_functions, unix_stream_functions, unix_dgram_functions,
    vsock_functions, inherited_functions, sweep_tcp_functions, sweep_udp_functions, udplite_functions,
    udp_on_link_functions;

/* Ends the attempt; its socket is closed, or lives on until the probe ends. */
void attempt_end(struct attempt *attempt, enum stage stage, int error);
void attempt_end_keeping_socket(struct attempt *attempt, enum stage stage, int error);

/* When to try for the next time, after `sends` tries: 1, 3, 6, 10 ... spacings after the start. A spacing is a fiftieth of the plan's
 * time, and 40 ms at least, which is that of two seconds. */
uint64_t attempt_next_try(const struct attempt *attempt);

/* The ordinary payload: the raw nonce, a space, its hex digits, a newline. */
void attempt_set_payload(struct attempt *attempt);

/* Counts and keeps an answer's bytes; sets the proof if "BGW1 <32 hex>" has come by now, in whatever pieces.
 */
void attempt_add_answer(struct attempt *attempt, const uint8_t *data, size_t size);

/* socket(2), non-blocking and closed on exec, for the families that the probe may use; EACCES for any other. */
int probe_socket(int family, int type, int protocol);

/* Notes every descriptor from 3 on that is open now. To be called before the probe has opened any of its own. */
void inherited_note(void);

/* Opens a non-blocking socket for the attempt's address and fills `target`. False if the attempt has ended by
 * that. */
bool attempt_open(struct attempt *attempt, int type, int protocol);

/* The index of the first interface that is up and no loopback, or of the loopback. */
uint32_t attempt_first_link(void);

/* True if the socket's own address is its target: on loopback, the kernel may pick the target's port as the
 * source, and the attempt would talk to itself. */
bool attempt_meets_itself(const struct attempt *attempt);

#endif
