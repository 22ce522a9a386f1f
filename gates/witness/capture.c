/*
 * See capture.h. Needs: poll, recvfrom, read, getsockopt (PACKET_STATISTICS), sendto.
 *
 * libpcap reads a TPACKET_V3 ring: the kernel hands over a block when it is full or when CAPTURE_MILLISECONDS
 * have passed; immediate mode would lose packets of a sweep. Promiscuous mode stays off: a veth delivers
 * foreign frames to packet sockets without it, and with it pcap_stats would open files, which the jail
 * forbids.
 */
#include "capture.h"

#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <string.h>
#include <sys/random.h>

#include "membership.h"

#ifndef PACKET_IGNORE_OUTGOING
#define PACKET_IGNORE_OUTGOING 23
#endif

/* One packet under examination. */
struct finding {
    struct capture *capture;
    enum point point;
    const struct packet *packet;
    enum sight sight;
    struct endpoint destination, peer; /* of the flow: of an answer they are turned round */
    uint16_t attempt;                  /* for SIGHT_ATTEMPT and SIGHT_SWEEP */
    bool any;                          /* its bytes carried a nonce: */
    uint16_t told;                     /* this one, most recently */
    bool swept;                        /* and one was a sweep's */
};

/* Who hears it, but for what SYNs say: places in the host's firewall have a witness of their own. */
static enum witness_kind kind_at(enum point point)
{
    return point == POINT_HOST ? WITNESS_HOST : WITNESS_CAPTURE;
}

static void say(const struct finding *finding, uint16_t watch, enum witness_kind kind, bool by_tuple,
                const struct endpoint *destination)
{
    struct outbox *outbox = &finding->capture->house->outbox;
    if (!outbox_wants(outbox, watch, kind, finding->point, by_tuple))
        return;
    char at[ENDPOINT_TEXT], peer[ENDPOINT_TEXT];
    endpoint_format(destination, at);
    endpoint_format(&finding->peer, peer);
    outbox_hit(outbox, watch, kind, finding->point, by_tuple, at, peer);
}

/* A sweep's packet went to this port, whether or not that is still worth saying. What goes back to where a sweep sends from
 * notes nothing: an echo's port was noted on the way there, and a connection that a relay makes to that very port would be
 * turned round. */
static void note_swept_port(const struct finding *finding, uint16_t watch)
{
    const struct house *house = finding->capture->house;
    const struct packet *packet = finding->packet;
    if (finding->sight != SIGHT_SWEEP_ANSWER && packet->has_transport &&
        (packet->protocol == IPPROTO_TCP || packet->protocol == IPPROTO_UDP))
        sweeps_note(&house->sweeps, &house->setup->watches[watch], finding->destination.port);
}

static void found_nonce(void *context, uint16_t watch)
{
    struct finding *finding = context;
    bool again = finding->any && finding->told == watch;
    finding->any = true;
    finding->told = watch;
    if (again)
        return;
    say(finding, watch, kind_at(finding->point), false, &finding->destination);
    if (finding->capture->house->setup->watches[watch].is_sweep) {
        finding->swept = true;
        note_swept_port(finding, watch);
    }
}

static void found_in_syn(void *context, uint16_t watch)
{
    struct finding *finding = context;
    say(finding, watch, WITNESS_SYN, false, &finding->destination);
}

/* What a SYN says before there is a connection: bytes, and options. Its addresses are no more than any packet's. */
static void examine_syn(struct finding *finding)
{
    const struct packet *packet = finding->packet;
    if (!packet_opens_connection(packet))
        return;
    struct windows_cursor cursor = { 0 };
    if (finding->any)
        windows_scan(&finding->capture->house->windows, &cursor, packet->body, packet->body_size, found_in_syn,
                     finding);
    uint16_t watch =
        packet->mp_capable ? tuples_find_mp_capable(&finding->capture->tuples, &packet->destination) : TUPLES_NOBODY;
    if (watch != TUPLES_NOBODY)
        say(finding, watch, WITNESS_SYN, true, &finding->destination);
}

/* One report can name the groups of several attempts, beside one that has a nonce in it. */
static void examine_membership(const struct finding *finding)
{
    struct membership membership;
    struct endpoint group;
    membership_begin(&membership, finding->packet);
    while (membership_next(&membership, &group)) {
        uint16_t watch = tuples_find(&finding->capture->tuples, TRANSPORT_GROUP, &group);
        if (watch != TUPLES_NOBODY)
            say(finding, watch, kind_at(finding->point), true, &group);
    }
}

/* The responders' own line, in one segment: nothing of a nonce is in it or lies across its borders. */
static bool is_own_answer(const struct house *house, const struct packet *packet)
{
    return packet->protocol == IPPROTO_TCP && packet->payload_size == TOKEN_LINE_BYTES &&
           memcmp(packet->payload, house->token_line, TOKEN_LINE_BYTES) == 0;
}

/* The stream that a TCP segment continues. A sweep's flow needs none: whose it is, is known from its source port, or from
 * this very segment. Nor does an answer of ours. So a sweep that a relay makes for a bottle fills no table either. */
static void examine_stream(struct finding *finding, bool own_answer)
{
    struct capture *capture = finding->capture;
    const struct packet *packet = finding->packet;
    if (packet->kind != PACKET_IP || packet->protocol != IPPROTO_TCP || !packet->has_transport || packet->fragment ||
        sight_is_sweep(finding->sight))
        return;
    if (finding->swept || own_answer)
        streams_forget(&capture->streams, (uint8_t)finding->point, packet);
    else
        streams_add(&capture->streams, (uint8_t)finding->point, packet, &capture->house->windows, found_nonce, finding);
}

/* Searches `bytes`, which are or contain the packet, and the stream that it continues; then asks what it is.
 */
static void examine(struct capture *capture, enum point point, const struct packet *packet, const uint8_t *bytes,
                    size_t size)
{
    if (point == POINT_LO && own_listeners_have(&capture->own, packet))
        return;
    struct finding finding = { .capture = capture, .point = point, .packet = packet };
    struct windows_cursor cursor = { 0 };
    finding.sight = tuples_explain(&capture->tuples, packet, point == POINT_LO, &finding.attempt);
    if (finding.sight == SIGHT_ERROR)
        return;
    bool own_answer = is_own_answer(capture->house, packet);
    if (own_answer && finding.sight == SIGHT_SWEEP) /* of a connection to a port that a sweep sends from */
        finding.sight = SIGHT_SWEEP_ANSWER;
    bool answer = finding.sight == SIGHT_ANSWER || finding.sight == SIGHT_SWEEP_ANSWER;
    finding.destination = answer ? packet->source : packet->destination;
    finding.peer = answer ? packet->destination : packet->source;
    windows_scan(&capture->house->windows, &cursor, bytes, size, found_nonce, &finding);
    examine_stream(&finding, own_answer);
    examine_syn(&finding);
    examine_membership(&finding);
    if (finding.sight == SIGHT_SWEEP)
        note_swept_port(&finding, finding.attempt);
    if (finding.sight == SIGHT_STRAY && finding.any)
        strays_attribute(&capture->strays, point, packet);
    else if (finding.sight == SIGHT_STRAY)
        strays_add(&capture->strays, point, packet);
    else if ((finding.sight == SIGHT_ATTEMPT || finding.sight == SIGHT_SWEEP) && !finding.any)
        say(&finding, finding.attempt, kind_at(point), true, &finding.destination);
}

static bool is_marker(const struct capture *capture, const struct packet *packet)
{
    return packet->kind == PACKET_LINK && packet->ether_type == CAPTURE_MARKER_TYPE &&
           packet->body_size >= sizeof capture->marker &&
           memcmp(packet->body, capture->marker, sizeof capture->marker) == 0;
}

void capture_take_packet(struct capture *capture, enum point point, struct packet *packet, const uint8_t *bytes,
                         size_t size)
{
    examine(capture, point, packet, bytes, size);
    if (packet->fragment && fragments_add(&capture->fragments, (uint8_t)point, packet))
        examine(capture, point, packet, packet->body, packet->body_size);
}

void capture_take_frame(struct capture *capture, enum point point, const uint8_t *frame, size_t size)
{
    struct packet packet;
    packet_parse(frame, size, &packet);
    if (is_marker(capture, &packet)) {
        capture->places[point].marker_seen = true;
        return;
    }
    capture_take_packet(capture, point, &packet, frame, size);
}

static void take_captured(u_char *context, const struct pcap_pkthdr *header, const u_char *bytes)
{
    struct capture_place *place = (struct capture_place *)(void *)context;
    if (header->caplen < header->len)
        outbox_lost(&place->capture->house->outbox, "capture: a frame of %u bytes was cut", header->len);
    capture_take_frame(place->capture, place->point, bytes, header->caplen);
}

static void capture_ready(struct loop_source *source, uint32_t events)
{
    (void)events;
    struct capture_place *place = loop_owner(source, struct capture_place, source);
    own_listeners_look(&place->capture->own);
    if (pcap_dispatch(place->pcap, -1, take_captured, (u_char *)place) == PCAP_ERROR) {
        outbox_lost(&place->capture->house->outbox, "capture: %.70s", pcap_geterr(place->pcap));
        loop_close(&place->capture->house->loop, source);
    }
}

/* A fault's filter lets nothing through. Any other leaves out ICMP errors where they are plain to see (in one piece, no
 * extension headers): nothing is looked for in them, and a sweep of closed UDP ports draws one for each. */
static bool set_filter(pcap_t *pcap, const char *filter)
{
    struct bpf_program program;
    if (pcap_compile(pcap, &program, filter, 1, PCAP_NETMASK_UNKNOWN) < 0)
        return false;
    bool set = pcap_setfilter(pcap, &program) == 0;
    pcap_freecode(&program);
    return set;
}

static void choose_filter(const struct capture_place *place, char *filter, size_t size)
{
    const struct witness_setup *setup = place->capture->house->setup;
    if (setup->fault == WITNESS_FAULT_DEAF_CAPTURE)
        snprintf(filter, size, "less 0");
    else
        snprintf(filter, size,
                 "not ((ip[6:2] & 0x3fff == 0 and (icmp[0] == 3 or icmp[0] == 11 or icmp[0] == 12)) or "
                 "(ip6[6] == 58 and ip6[40] >= 1 and ip6[40] <= 4))%s%s%s",
                 place->point == POINT_LO && setup->lo_ports != NULL
                     ? " and not ((tcp or udp) and ip[6:2] & 0x1fff == 0 and not ("
                     : "",
                 place->point == POINT_LO && setup->lo_ports != NULL ? setup->lo_ports : "",
                 place->point == POINT_LO && setup->lo_ports != NULL ? "))" : "");
}

static bool open_pcap(struct capture_place *place, const char *link, struct error *error)
{
    char problem[PCAP_ERRBUF_SIZE] = "";
    pcap_t *pcap = place->pcap = pcap_create(link, problem);
    if (pcap == NULL)
        return error_set(error, ERROR_SYSTEM, "can't capture on %s: %s", link, problem);
    pcap_set_snaplen(pcap, CAPTURE_SNAPSHOT);
    pcap_set_promisc(pcap, 0);
    pcap_set_timeout(pcap, CAPTURE_MILLISECONDS);
    pcap_set_buffer_size(pcap, place->point == POINT_LO ? CAPTURE_RING_LO : CAPTURE_RING_WAN);
    if (pcap_activate(pcap) < 0 || pcap_setdirection(pcap, PCAP_D_IN) < 0 || pcap_setnonblock(pcap, 1, problem) < 0)
        return error_set(error, ERROR_SYSTEM, "can't capture on %s: %s %s", link, pcap_geterr(pcap), problem);
    if (pcap_datalink(pcap) != DLT_EN10MB)
        return error_set(error, ERROR_SYSTEM, "can't capture on %s: its frames aren't Ethernet frames", link);
    int on = 1; /* also in the kernel, where it can: outgoing packets would only fill the ring */
    setsockopt(pcap_fileno(pcap), SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof on);
    char filter[512];
    choose_filter(place, filter, sizeof filter);
    if (!set_filter(pcap, filter))
        return error_set(error, ERROR_SYSTEM, "can't filter the capture on %s: %s", link, pcap_geterr(pcap));
    place->source.ready = capture_ready;
    return loop_add(&place->capture->house->loop, &place->source, pcap_get_selectable_fd(pcap), error);
}

static bool find_marker_link(struct capture_place *place, const char *link, struct error *error)
{
    place->marker_link = (int)if_nametoindex(link);
    return place->marker_link > 0 || error_system(error, "can't find the interface %s", link);
}

bool capture_open(struct capture *capture, struct house *house, struct error *error)
{
    const struct witness_setup *setup = house->setup;
    struct capture_place *wan = &capture->places[POINT_WAN], *lo = &capture->places[POINT_LO];
    if (getrandom(capture->marker, sizeof capture->marker, 0) != sizeof capture->marker ||
        getrandom(&capture->streams.seed, sizeof capture->streams.seed, 0) != sizeof capture->streams.seed)
        return error_system(error, "can't get random bytes");
    capture->house = house;
    capture->tuples.sweeps = &house->sweeps;
    for (size_t i = 0; i < setup->watch_count; i++)
        tuples_insert(&capture->tuples, &setup->watches[i], (uint16_t)i);
    wan->capture = lo->capture = capture;
    wan->point = POINT_WAN;
    lo->point = POINT_LO;
    return house_enter(setup->world_namespace, error) && open_pcap(wan, "wan0", error) &&
           house_enter(setup->host_namespace, error) && open_pcap(lo, "lo", error) &&
           (!setup->own_listeners || own_listeners_open(&capture->own, house, error)) &&
           find_marker_link(wan, "lan0", error) && find_marker_link(lo, "lo", error);
}

/* Both are sent by the packet socket of the host's capture: every packet socket more costs milliseconds when
 * the process ends, for the kernel waits for its readers (synchronize_net) at each. */
void capture_mark(struct capture *capture)
{
    int fd = pcap_fileno(capture->places[POINT_LO].pcap);
    for (size_t i = 0; i < 2; i++) {
        struct capture_place *place = &capture->places[i];
        uint8_t frame[ETHER_MIN_LEN] = { 0 };
        struct sockaddr_ll link = { .sll_family = AF_PACKET, .sll_ifindex = place->marker_link };
        if (place->point == POINT_WAN)
            memset(frame, 0xff, ETHER_ADDR_LEN);
        frame[12] = CAPTURE_MARKER_TYPE >> 8;
        frame[13] = CAPTURE_MARKER_TYPE & 0xff;
        memcpy(frame + sizeof(struct ether_header), capture->marker, sizeof capture->marker);
        sendto(fd, frame, sizeof frame, 0, (const struct sockaddr *)&link, sizeof link);
    }
}

bool capture_is_drained(const struct capture *capture)
{
    return capture->places[POINT_WAN].marker_seen && capture->places[POINT_LO].marker_seen;
}

void capture_finish(struct capture *capture)
{
    static const char *const links[] = { "wan0", "lo" };
    struct outbox *outbox = &capture->house->outbox;
    for (const struct fragments_datagram *piece; (piece = fragments_next_headless(&capture->fragments)) != NULL;) {
        char at[ENDPOINT_TEXT], peer[ENDPOINT_TEXT];
        endpoint_format(&piece->destination, at);
        endpoint_format(&piece->source, peer);
        outbox_stray(outbox, piece->place, at, peer, "fragments of a datagram whose first piece never came");
    }
    own_listeners_look(&capture->own);
    strays_excuse(&capture->strays, POINT_LO, &capture->own);
    strays_report(&capture->strays, outbox);
    for (size_t i = 0; i < 2; i++) {
        struct pcap_stat counts = { 0 };
        if (pcap_stats(capture->places[i].pcap, &counts) < 0)
            outbox_lost(outbox, "capture on %s: its loss counter can't be read", links[i]);
        else if (counts.ps_drop > 0 || counts.ps_ifdrop > 0)
            outbox_lost(outbox, "capture on %s: %u packets dropped", links[i], counts.ps_drop + counts.ps_ifdrop);
        if (!capture->places[i].marker_seen)
            outbox_lost(outbox, "capture on %s: it did not see the last frame that was sent to it", links[i]);
    }
    if (capture->fragments.overflows > 0)
        outbox_lost(outbox, "capture: %llu datagrams in fragments given up, too many at once",
                    (unsigned long long)capture->fragments.overflows);
    if (capture->streams.overflows > 0)
        outbox_lost(outbox, "capture: %llu TCP streams or pieces of them given up, too many at once",
                    (unsigned long long)capture->streams.overflows);
}
