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

#ifndef PACKET_IGNORE_OUTGOING
#define PACKET_IGNORE_OUTGOING 23
#endif

/* One packet under examination. */
struct finding {
    struct capture *capture;
    enum point point;
    const struct packet *packet;
    enum sight sight;
    uint16_t attempt; /* for SIGHT_ATTEMPT */
    bool any;         /* its bytes carried a nonce: */
    uint16_t told;    /* this one, most recently */
};

static void say_hit(const struct finding *finding, uint16_t watch, bool by_tuple)
{
    struct outbox *outbox = &finding->capture->house->outbox;
    if (!outbox_wants(outbox, watch, WITNESS_CAPTURE, finding->point, by_tuple))
        return;
    const struct packet *packet = finding->packet;
    bool answer = finding->sight == SIGHT_ANSWER; /* then the flow's destination is where the packet comes from */
    char at[ENDPOINT_TEXT], peer[ENDPOINT_TEXT];
    endpoint_format(answer ? &packet->source : &packet->destination, at);
    endpoint_format(answer ? &packet->destination : &packet->source, peer);
    outbox_hit(outbox, watch, WITNESS_CAPTURE, finding->point, by_tuple, at, peer);
}

static void found_nonce(void *context, uint16_t watch)
{
    struct finding *finding = context;
    if (!finding->any || finding->told != watch)
        say_hit(finding, watch, false);
    finding->any = true;
    finding->told = watch;
}

/* Searches `bytes`, which are or contain the packet, and the stream that it continues; then asks what it is.
 */
static void examine(struct capture *capture, enum point point, const struct packet *packet, const uint8_t *bytes,
                    size_t size)
{
    struct finding finding = { .capture = capture, .point = point, .packet = packet };
    struct windows_cursor cursor = { 0 };
    finding.sight = tuples_explain(&capture->tuples, packet, point == POINT_LO, &finding.attempt);
    if (finding.sight == SIGHT_ERROR)
        return;
    windows_scan(&capture->house->windows, &cursor, bytes, size, found_nonce, &finding);
    if (packet->kind == PACKET_IP && packet->protocol == IPPROTO_TCP && packet->has_transport && !packet->fragment)
        streams_add(&capture->streams, (uint8_t)point, packet, &capture->house->windows, found_nonce, &finding);
    if (finding.sight == SIGHT_STRAY && finding.any)
        strays_attribute(&capture->strays, point, packet);
    else if (finding.sight == SIGHT_STRAY)
        strays_add(&capture->strays, point, packet);
    else if (finding.sight == SIGHT_ATTEMPT && !finding.any)
        say_hit(&finding, finding.attempt, true);
}

static bool is_marker(const struct capture *capture, const struct packet *packet)
{
    return packet->kind == PACKET_LINK && packet->ether_type == CAPTURE_MARKER_TYPE &&
           packet->body_size >= sizeof capture->marker &&
           memcmp(packet->body, capture->marker, sizeof capture->marker) == 0;
}

void capture_take_frame(struct capture *capture, enum point point, const uint8_t *frame, size_t size)
{
    struct packet packet;
    packet_parse(frame, size, &packet);
    if (is_marker(capture, &packet)) {
        capture->places[point].marker_seen = true;
        return;
    }
    examine(capture, point, &packet, frame, size);
    if (packet.fragment && fragments_add(&capture->fragments, (uint8_t)point, &packet))
        examine(capture, point, &packet, packet.body, packet.body_size);
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
    if (pcap_dispatch(place->pcap, -1, take_captured, (u_char *)place) == PCAP_ERROR) {
        outbox_lost(&place->capture->house->outbox, "capture: %.70s", pcap_geterr(place->pcap));
        loop_close(&place->capture->house->loop, source);
    }
}

static bool open_pcap(struct capture_place *place, const char *link, bool deaf, struct error *error)
{
    char problem[PCAP_ERRBUF_SIZE] = "";
    pcap_t *pcap = place->pcap = pcap_create(link, problem);
    if (pcap == NULL)
        return error_set(error, ERROR_SYSTEM, "can't capture on %s: %s", link, problem);
    pcap_set_snaplen(pcap, CAPTURE_SNAPSHOT);
    pcap_set_promisc(pcap, 0);
    pcap_set_timeout(pcap, CAPTURE_MILLISECONDS);
    pcap_set_buffer_size(pcap, CAPTURE_RING_BYTES);
    if (pcap_activate(pcap) < 0 || pcap_setdirection(pcap, PCAP_D_IN) < 0 || pcap_setnonblock(pcap, 1, problem) < 0)
        return error_set(error, ERROR_SYSTEM, "can't capture on %s: %s %s", link, pcap_geterr(pcap), problem);
    if (pcap_datalink(pcap) != DLT_EN10MB)
        return error_set(error, ERROR_SYSTEM, "can't capture on %s: its frames aren't Ethernet frames", link);
    int on = 1; /* also in the kernel, where it can: outgoing packets would only fill the ring */
    setsockopt(pcap_fileno(pcap), SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof on);
    struct bpf_insn nothing = { .code = BPF_RET | BPF_K, .k = 0 };
    struct bpf_program filter = { .bf_len = 1, .bf_insns = &nothing };
    if (deaf && pcap_setfilter(pcap, &filter) < 0)
        return error_set(error, ERROR_SYSTEM, "can't deafen the capture on %s", link);
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
    bool deaf = setup->fault == WITNESS_FAULT_DEAF_CAPTURE;
    if (getrandom(capture->marker, sizeof capture->marker, 0) != sizeof capture->marker ||
        getrandom(&capture->streams.seed, sizeof capture->streams.seed, 0) != sizeof capture->streams.seed)
        return error_system(error, "can't get random bytes");
    capture->house = house;
    for (size_t i = 0; i < setup->watch_count; i++)
        tuples_insert(&capture->tuples, &setup->watches[i], (uint16_t)i);
    wan->capture = lo->capture = capture;
    wan->point = POINT_WAN;
    lo->point = POINT_LO;
    return house_enter(setup->world_namespace, error) && open_pcap(wan, "wan0", deaf, error) &&
           house_enter(setup->host_namespace, error) && open_pcap(lo, "lo", deaf, error) &&
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
