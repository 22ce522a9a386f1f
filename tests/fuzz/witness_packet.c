/*
 * Captured frames, as the capture takes them: parser, fragments, streams, tuples, nonce finder, strays and
 * messages. The input is a sequence of frames, each after one byte that says where it was seen and two bytes
 * of length. The first watch has a nonce of the bytes 1 to 16 and the tuple 1.1.1.1:80/tcp, which the seeds
 * contain, and is about MP_CAPABLE. There are two sweeps, two groups, and a port of any address.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../../gates/witness/capture.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct world {
    struct house house;
    struct capture capture;
};

static const struct watch watches[] = {
    { .nonce = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16 },
      .tuple = { AF_INET, TRANSPORT_TCP, 80, { 1, 1, 1, 1 } },
      .mp_capable = true },
    { .control = true, .nonce = { 0xff }, .tuple = { AF_INET6, TRANSPORT_UDP, 53, { 0x20, 1, 0xd, 0xb8 } } },
    { .nonce = { 0xa1, 0xa2, 0xa3, 0xa4, 0xa5, 0xa6, 0xa7, 0xa8, 0xa9 },
      .tuple = { AF_INET, TRANSPORT_TCP, 0, { 127, 0, 0, 1 } },
      .is_sweep = true,
      .sweep = 0,
      .sweep_source = { 61001, 11001 } },
    { .nonce = { 0xb1, 0xb2, 0xb3, 0xb4, 0xb5, 0xb6, 0xb7, 0xb8, 0xb9 },
      .tuple = { AF_INET6, TRANSPORT_UDP, 0, { [15] = 1 } },
      .is_sweep = true,
      .sweep = SWEEPS_MAX - 1,
      .sweep_source = { 61002, 11002 } },
    { .nonce = { 0xc1 }, .tuple = { AF_INET, TRANSPORT_GROUP, 0, { 239, 1, 2, 3 } } },
    { .nonce = { 0xd1 }, .tuple = { AF_INET6, TRANSPORT_GROUP, 0, { 0xff, 5, [14] = 0x12, 0x34 } } },
    { .nonce = { 0xe1 }, .tuple = { AF_INET, TRANSPORT_UDP, 8080, { 0 } } },
};
#define WATCHES (sizeof watches / sizeof *watches)

static struct swept_ports swept[SWEEPS_MAX];

/* What was counted is what was noted. */
static void check_sweeps(void)
{
    for (size_t i = 0; i < SWEEPS_MAX; i++) {
        uint32_t bits = 0;
        for (size_t k = 0; k < sizeof swept[i].ports; k++)
            bits += (uint32_t)__builtin_popcount(swept[i].ports[k]);
        if (bits != swept[i].count || (bits > 0 && swept[i].first == 0))
            abort();
    }
}

/* Zeroes by the kernel: only what the frames touch costs anything. */
static struct world *make_world(int channel)
{
    static const struct witness_setup setup = { .watches = watches, .watch_count = WATCHES, .sweeps = swept };
    struct world *world = mmap(NULL, sizeof *world, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    struct error error = { 0 };
    if (world == MAP_FAILED || !loop_open(&world->house.loop, &error) ||
        !outbox_open(&world->house.outbox, &world->house.loop, channel, &setup, &error))
        abort();
    windows_open(&world->house.windows);
    world->house.setup = &setup;
    world->house.sweeps.ports = memset(swept, 0, sizeof swept);
    strcpy(world->house.token_line, "BGW1 0123456789abcdef0123456789abcdef\n");
    world->capture.house = &world->house;
    world->capture.tuples.sweeps = &world->house.sweeps;
    for (uint16_t i = 0; i < WATCHES; i++) {
        windows_insert(&world->house.windows, watches[i].nonce, i);
        tuples_insert(&world->capture.tuples, &watches[i], i);
        if (watches[i].is_sweep && !sweeps_insert(&world->house.sweeps, &watches[i], i))
            abort();
    }
    return world;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static int ends[2] = { -1, -1 };
    if (ends[0] < 0 && socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends) < 0)
        abort();
    struct world *world = make_world(ends[1]);
    while (size >= 3) {
        size_t length = (size_t)(data[1] << 8 | data[2]);
        if (length > size - 3)
            length = size - 3;
        uint8_t *frame = malloc(length + 1); /* on the heap, so that a sanitizer sees the first byte too far */
        memcpy(frame, data + 3, length);
        capture_take_frame(&world->capture, data[0] & 1 ? POINT_LO : POINT_WAN, frame, length);
        free(frame);
        data += 3 + length;
        size -= 3 + length;
    }
    while (fragments_next_headless(&world->capture.fragments) != NULL)
        ;
    strays_report(&world->capture.strays, &world->house.outbox);
    struct witness_message message;
    while (recv(ends[0], &message, sizeof message, MSG_DONTWAIT) == sizeof message)
        if (message.event == WITNESS_HIT && message.watch >= WATCHES)
            abort();
    check_sweeps();
    close(world->house.loop.epoll);
    munmap(world, sizeof *world);
    return 0;
}
