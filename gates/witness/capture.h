/*
 * The capture witness: every packet that arrives on wan0 (world namespace) and on lo (host namespace), by
 * libpcap. What comes into the host by any other interface is brought by host_input.h and examined here as well.
 *
 * Each packet is searched as a whole, headers included (a nonce can be in an IPv6 address), then as part of
 * its datagram and of its TCP stream; its destination, and each group that a report of membership names, is
 * looked up among the tuples; what nothing explains is remembered as stray. ICMP errors are skipped: they quote
 * what somebody else sent. The capture never answers anything.
 *
 * A SYN that carries a nonce, or asks for a multipath connection where an attempt is about that, is heard by the
 * SYN witness as well. What a sweep sends takes no place in any table: all that there is to know of it is in the
 * packet, and 65,535 of its connections may come at once.
 */
#ifndef GATES_WITNESS_CAPTURE_H
#define GATES_WITNESS_CAPTURE_H

#include <pcap/pcap.h>

#include "fragments.h"
#include "house.h"
#include "own_listeners.h"
#include "strays.h"
#include "streams.h"
#include "tuples.h"

#define CAPTURE_RING_WAN     (8 << 20)    /* bytes; measured by sweeps, see README.md */
#define CAPTURE_RING_LO      (16 << 20)   /* sweeps go to loopback */
#define CAPTURE_MILLISECONDS 30           /* how long the kernel may keep packets back to hand over many at once */
#define CAPTURE_SNAPSHOT     (65535 + 64) /* bytes: the largest frame on lo */
#define CAPTURE_MARKER_TYPE  0x88b5       /* EtherType for local experiments (IEEE 802) */

struct capture;

struct capture_place {
    struct capture *capture;
    struct loop_source source;
    enum point point;
    pcap_t *pcap;
    int marker_link; /* interface of the host namespace on which a frame is sent that arrives at this place */
    bool marker_seen;
};

struct capture {
    struct house *house;
    struct capture_place places[2]; /* by enum point: wan0, lo */
    uint8_t marker[16];             /* secret: tells our frames from others */
    struct tuples tuples;
    struct strays strays;
    struct fragments fragments;
    struct streams streams;
    struct own_listeners own;
};

/* Opens both captures, in their namespaces. On return the process is in one of them. */
bool capture_open(struct capture *capture, struct house *house, struct error *error);

/* Sends a marker frame to each place: once capture_is_drained, all packets that were sent before have been
 * seen. */
void capture_mark(struct capture *capture);
bool capture_is_drained(const struct capture *capture);

/* Says what stayed unexplained and what was lost: to be called once, at the end. */
void capture_finish(struct capture *capture);

/* What is done with one frame of wan0 or lo; public for the fuzz driver, which has no interface. */
void capture_take_frame(struct capture *capture, enum point point, const uint8_t *frame, size_t size);

/* What is done with one packet, of whose frame nothing is known but these `size` bytes from its IP header on, or with it. */
void capture_take_packet(struct capture *capture, enum point point, struct packet *packet, const uint8_t *bytes,
                         size_t size);

#endif
