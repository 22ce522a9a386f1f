/* TCP streams: however small, late or repeated the segments are, the bytes are read in order, within bounds.
 */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <sys/random.h>

#include "../../gates/witness/streams.h"
#include "witness_frames.h"

struct listening {
    struct streams *streams;
    struct windows *windows;
    uint8_t nonce[NONCE_BYTES];
    unsigned found;
};

static void note(void *context, uint16_t watch)
{
    (void)watch;
    ((struct listening *)context)->found++;
}

static void open_listening(struct listening *listening)
{
    memset(listening, 0, sizeof *listening);
    listening->streams = calloc(1, sizeof *listening->streams);
    listening->windows = calloc(1, sizeof *listening->windows);
    windows_open(listening->windows);
    cr_assert_eq(getrandom(listening->nonce, NONCE_BYTES, 0), NONCE_BYTES);
    windows_insert(listening->windows, listening->nonce, 0);
}

static void close_listening(struct listening *listening)
{
    free(listening->streams);
    free(listening->windows);
}

static void segment(struct listening *listening, uint16_t source_port, uint32_t sequence, uint8_t flags,
                    const void *data, size_t size)
{
    uint8_t body[20 + 1500] = { 0 }, frame[1600];
    ports(body, source_port, 80);
    uint32_t order = htonl(sequence);
    memcpy(body + 4, &order, 4);
    body[12] = 0x50;
    body[13] = flags;
    memcpy(body + 20, data, size);
    struct packet packet;
    packet_parse(frame, frame_4(frame, IPPROTO_TCP, "1.2.3.4", "5.6.7.8", 1, 0, body, 20 + size), &packet);
    cr_assert_eq(packet.payload_size, size);
    streams_add(listening->streams, 0, &packet, listening->windows, note, listening);
}

Test(witness_streams, a_stream_of_single_bytes_in_any_order_is_read_in_order)
{
    for (unsigned round = 0; round < 200; round++) {
        struct listening listening;
        unsigned order[NONCE_BYTES];
        open_listening(&listening);
        for (unsigned i = 0; i < NONCE_BYTES; i++)
            order[i] = i;
        for (unsigned i = NONCE_BYTES - 1; i > 0; i--) {
            unsigned k = (unsigned)rand() % (i + 1), kept = order[i];
            order[i] = order[k];
            order[k] = kept;
        }
        uint32_t first = 0xfffffff8u; /* the numbers wrap in the middle of the nonce */
        segment(&listening, 1000, first - 1, PACKET_TCP_SYN, "", 0);
        for (unsigned i = 0; i < NONCE_BYTES; i++) {
            segment(&listening, 1000, first + order[i], PACKET_TCP_ACK, listening.nonce + order[i], 1);
            if (rand() % 2 == 0) /* again */
                segment(&listening, 1000, first + order[i], PACKET_TCP_ACK, listening.nonce + order[i], 1);
        }
        cr_assert_gt(listening.found, 0);
        cr_assert_eq(listening.streams->overflows, 0);
        close_listening(&listening);
    }
}

Test(witness_streams, streams_of_different_ports_are_not_mixed)
{
    struct listening listening;
    open_listening(&listening);
    segment(&listening, 1000, 100, PACKET_TCP_ACK, listening.nonce, 7);
    segment(&listening, 1001, 107, PACKET_TCP_ACK, listening.nonce + 7, 7);
    cr_assert_eq(listening.found, 0);
    segment(&listening, 1000, 107, PACKET_TCP_ACK, listening.nonce + 7, 1);
    cr_assert_eq(listening.found, 1);
    close_listening(&listening);
}

Test(witness_streams, a_port_that_is_used_anew_begins_a_new_stream)
{
    struct listening listening;
    open_listening(&listening);
    segment(&listening, 1000, 100, PACKET_TCP_SYN, "", 0);
    segment(&listening, 1000, 101, PACKET_TCP_ACK, "abc", 3);
    segment(&listening, 1000, 104, PACKET_TCP_FIN, "", 0);
    segment(&listening, 1000, 90, PACKET_TCP_SYN, "", 0);
    segment(&listening, 1000, 91, PACKET_TCP_ACK, listening.nonce, 4);
    segment(&listening, 1000, 95, PACKET_TCP_ACK, listening.nonce + 4, 4);
    cr_assert_eq(listening.found, 1);
    close_listening(&listening);
}

Test(witness_streams, bare_SYNs_are_forgotten_silently_and_live_streams_are_not)
{
    struct listening listening;
    open_listening(&listening);
    for (uint32_t port = 1; port < 60000; port++)
        segment(&listening, (uint16_t)port, port, PACKET_TCP_SYN, "", 0);
    cr_assert_eq(listening.streams->overflows, 0);
    for (uint32_t port = 1; port < 60000; port++)
        segment(&listening, (uint16_t)port, port + 1, PACKET_TCP_ACK, "x", 1);
    cr_assert_gt(listening.streams->overflows, 0);
    close_listening(&listening);
}

Test(witness_streams, more_early_pieces_than_there_is_room_for_are_counted)
{
    struct listening listening;
    open_listening(&listening);
    segment(&listening, 1000, 0, PACKET_TCP_SYN, "", 0);
    for (uint32_t i = 0; i < STREAMS_PIECES_MAX; i++)
        segment(&listening, 1000, 10 + 2 * i, PACKET_TCP_ACK, "x", 1);
    cr_assert_eq(listening.streams->overflows, 0);
    segment(&listening, 1000, 5, PACKET_TCP_ACK, "x", 1);
    cr_assert_eq(listening.streams->overflows, 1);
    close_listening(&listening);
}
