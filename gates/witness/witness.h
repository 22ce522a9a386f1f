/*
 * The witness process: everything that listens outside a bottle, in one jailed process with one event loop.
 *
 * It is forked after the plan is known, opens all its sockets in the site's two network namespaces (and the
 * Unix ones in the site's file system), shuts itself in with seccomp (no open, no socket, no connect, no
 * exec) and says READY. From then on it reports every hit as a message on a SEQPACKET socket, in the order in
 * which it saw them. It must never decide anything: it says what it heard, and what it lost.
 *
 *   wan0, world namespace   capture, TCP accept-all, UDP catch-all, DNS over UDP and TCP, ICMP,
 *                           IPv6 neighbour responder
 *   lo, host namespace      capture, TCP accept-all on every loopback port (TPROXY), ICMP,
 *                           the door's endpoint
 *   host, host namespace    what its firewall lets in by any other interface (nfnetlink_log)
 *   unix, the same          stream and datagram listeners by abstract name and by path
 *   held                    streams that somebody else opened and the witness reads
 *   vsock                   a stream listener on context 1, the kernel's loopback transport
 *
 * A hit is by nonce (an 8-byte window of it, raw, base32 or hex, in a packet, a reassembled datagram or
 * stream, or what a responder was sent) or by tuple (a packet to a destination that only that attempt uses).
 * A packet that carries a nonce is a hit by nonce only.
 *
 * What nothing planned explains is held back until the stop: a flow of a relay is explained by the nonce that
 * it carries in the end. So STRAY messages come last, before DONE.
 */
#ifndef GATES_WITNESS_WITNESS_H
#define GATES_WITNESS_WITNESS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "../../launcher/support/error.h"
#include "../../probes/plan_grammar.h"
#include "../../probes/vectors.h"

/* Ports of the site's own services; no attempt is ever planned on 7700 to 7799 (nft rules:
 * gates/site/firewall.c). */
enum site_port {
    SITE_PORT_FIRST = 7700,
    SITE_PORT_DOOR = 7701,        /* the door's endpoint, host namespace, 127.0.0.1 */
    SITE_PORT_BOTTLE_DOOR = 7702, /* where a native bottle finds its door */
    SITE_PORT_UDP = 7710,         /* catch-all: world udp is redirected here */
    SITE_PORT_DNS = 7711,         /* world udp/53 is redirected here */
    SITE_PORT_TCP = 7712,         /* catch-all: world tcp is redirected, host loopback tcp is TPROXYed here */
    SITE_PORT_LAST = 7799,
};

/* Destination of an attempt as seen on the wire. Unused bytes are zero, so that tuples compare with memcmp.
 */
struct tuple {
    uint8_t family;      /* AF_INET, AF_INET6, AF_UNIX; 0: none */
    uint8_t transport;   /* enum transport */
    uint16_t port;       /* host order; 0 for ICMP */
    uint8_t address[16]; /* 4 or 16 bytes */
};

#define WATCHES_MAX 2048

/* The ports at which a sweep was seen, as a set of bits, in memory shared with whoever started the witness. */
struct swept_ports {
    uint32_t count;
    uint16_t first; /* the first that was seen */
    uint8_t ports[65536 / 8];
};
#define SWEEPS_MAX 8 /* TCP and UDP, IPv4 and IPv6, two principals */

/* Something to watch for. Its index in the table is what hits name. Several watches may share a tuple (two
 * principals, several control rounds): a tuple hit then names the first attempt of them. Controls are watched
 * by nonce; their tuple serves only to explain their packets, so it must not be an attempt's: a bare SYN of
 * the control would be that attempt's hit. */
struct watch {
    bool control;
    bool mp_capable; /* a SYN to its tuple with the option MP_CAPABLE is heard as `syn` */
    uint8_t nonce[NONCE_BYTES];
    struct tuple tuple; /* an unspecified address (all zeroes) stands for any address of the family */
    /* A sweep: what comes from these two ports (of the tuple's family and transport), wherever it goes, is its own, and
     * so is its nonce; the destination's port is noted in sweeps[sweep]. The tuple itself is not looked at. */
    bool is_sweep;
    uint8_t sweep; /* below SWEEPS_MAX */
    uint16_t sweep_source[2];
};

/* A stream that the witness reads from its start: the other end of a planted descriptor, or what the listener of a second
 * bottle repeats. Its end is no event. */
struct held_stream {
    int fd; /* borrowed, and made non-blocking if it is a pipe; 0 and -1: none; the standard streams can't be held */
    enum witness_kind kind;
    const char *at; /* how hits name it, at most 71 bytes */
};
#define HELD_MAX 4

/* Faults that `bottle-gate selftest` makes; 0 in every real run. */
enum witness_fault {
    WITNESS_FAULT_NONE,
    /* From witness_ask_to_break on: */
    WITNESS_FAULT_DEAD,           /* the listeners of `fault_kinds` are closed; what has none of its own says nothing */
    WITNESS_FAULT_NO_CAPTURE_WAN, /* the capture on wan0 is closed */
    WITNESS_FAULT_NO_CAPTURE_LO,  /* the capture on lo is closed */
    WITNESS_FAULT_NO_NEIGHBOUR,   /* nobody answers for IPv6 neighbours */
    WITNESS_FAULT_LATE,           /* what the witnesses of `fault_kinds` hear is said only when asked to stop */
    /* From the start: */
    WITNESS_FAULT_DEAF_CAPTURE, /* a capture filter that lets nothing through */
    WITNESS_FAULT_SHORT_QUEUE,  /* the TCP listeners have room for TCP_BACKLOG_SHORT connections only */
    WITNESS_FAULT_DIES,         /* the process ends at the first attempt that it hears, or when asked to stop */
    WITNESS_FAULT_NO_DOOR,      /* nobody listens at the door */
    WITNESS_FAULT_DOOR_SILENT,  /* the door accepts, reads, and never answers */
    WITNESS_FAULT_DOOR_SHUTS,   /* the door accepts and closes */
    WITNESS_FAULT_DOOR_ECHOES,  /* it sends back what it reads */
    WITNESS_FAULT_DOOR_BABBLES, /* it answers with a line of its own */
    WITNESS_FAULT_DOOR_GUESSES, /* it answers in the right form with a wrong proof */
    WITNESS_FAULT_DOOR_HALF,    /* it answers with the first half of the proof */
    WITNESS_FAULT_DOOR_REPEATS, /* it answers every challenge with its first answer */
    WITNESS_FAULT_DOOR_ONCE,    /* it answers one challenge, then nobody listens any more */
};

struct witness_setup {
    int host_namespace, world_namespace; /* descriptors of network namespaces, borrowed */
    const struct watch *watches;
    size_t watch_count;                /* at most WATCHES_MAX */
    bool ipv6;                         /* false where the kernel has none: no IPv6 listener is opened */
    const char *const *abstract_names; /* NULL-ended; each gets a stream and a datagram listener ("NAME", "NAME.d") */
    const char *path_directory;        /* where the path listeners are bound: DIR/stream, DIR/dgram */
    const char *const
        *paths; /* NULL, or NULL-ended: more stream listeners, mode 0666, directories made where missing */
    struct held_stream held[HELD_MAX]; /* fd 0 is none, too: a setup that is all zeroes holds nothing */
    uint32_t vsock_port;               /* of context 1; 0: no vsock listener */
    struct swept_ports *sweeps;        /* SWEEPS_MAX of them, shared (mmap), all zeroes; NULL: no sweep is watched */
    bool
        own_listeners; /* who listens on host loopback beside the witnesses is inside the fence, and what goes there by lo is no hit */
    /* Where host loopback is a machine's own: what of TCP and UDP is captured there (pcap-filter(7)). NULL: all of it. */
    const char *lo_ports;
    uint8_t door_key[32]; /* `BGD1 <challenge>` is answered by `BGD1 <HMAC-SHA-256(door_key, challenge bytes)>` */
    uint8_t token[16];    /* "BGW1 <32 hex>" is what responders answer with */
    enum witness_fault fault;
    unsigned fault_kinds; /* enum witness_kind bits */
};

enum witness_event {
    WITNESS_READY,
    WITNESS_HIT,
    WITNESS_STRAY, /* a flow at an outside point, a door flow or a Unix message that nothing planned explains
                    */
    WITNESS_BROKE, /* answer to witness_ask_to_break: the fault is made */
    WITNESS_LOST,  /* something was lost: capture drops, a full table, an overlong stream; text says what */
    WITNESS_DONE,  /* answer to stop: everything heard has been said */
    WITNESS_GONE,  /* made by witness_next: the process has ended without DONE */
};

struct witness_message {
    enum witness_event event;
    uint16_t watch;         /* HIT: index */
    bool by_tuple;          /* HIT: no nonce, only the destination */
    enum witness_kind kind; /* HIT: who heard it */
    char point[8];          /* where: "wan0" (world namespace), "lo" (host namespace), "host" (the same, by any other
                             * interface), "unix", "held", "vsock" */
    char at[72];   /* destination, "8.8.8.8:53", "[2001:db8::1]:80", "1.1.1.1" (ICMP), "@name", a path, "1:7" (vsock);
                    * "" where the kernel doesn't tell (a redirected datagram without ctnetlink) */
    char peer[72]; /* source, or "" */
    char text[96]; /* STRAY, LOST */
    uint64_t monotonic_microseconds;
};

struct witness {
    pid_t pid;
    int channel;
    size_t watch_count;
    bool ended; /* DONE or GONE was returned: nothing can come after it */
};

/* Forks the process and waits (at most 20 s) until it is READY. The caller's network namespace is left as it
 * was. */
bool witness_start(struct witness *witness, const struct witness_setup *setup, struct error *error);

/* Next message, in order; waits until `deadline` (CLOCK_MONOTONIC, microseconds; 0: don't wait). False if
 * none came. */
bool witness_next(struct witness *witness, struct witness_message *message, uint64_t deadline);

/* Lets it make the fault of its set-up. What arrives until it says BROKE may still be heard as if nothing were wrong. */
void witness_ask_to_break(const struct witness *witness);

/* Asks it to say what it still has (capture rings are drained, loss counters read) and to end: the remaining
 * messages come by witness_next, up to DONE or GONE. */
void witness_ask_to_stop(struct witness *witness);

/* Ends the process whatever it does, and reaps it; nothing happens for one that is all zeroes or has ended.
 * The kernel takes some 50 ms for it, of no use to anybody: after DONE it can be left for later. */
void witness_end(struct witness *witness);

#endif
