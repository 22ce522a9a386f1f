/*
 * Captured frames, as the capture takes them: parser, fragments, streams, tuples, nonce finder, strays and
 * messages. The input is a sequence of frames, each after one byte that says where it was seen and two bytes
 * of length. The first watch has a nonce of the bytes 1 to 16 and the tuple 1.1.1.1:80/tcp, which the seeds
 * contain.
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
      .tuple = { AF_INET, TRANSPORT_TCP, 80, { 1, 1, 1, 1 } } },
    { .control = true, .nonce = { 0xff }, .tuple = { AF_INET6, TRANSPORT_UDP, 53, { 0x20, 1, 0xd, 0xb8 } } },
};
#define WATCHES (sizeof watches / sizeof *watches)

/* Zeroes by the kernel: only what the frames touch costs anything. */
static struct world *make_world(int channel)
{
    static const struct witness_setup setup = { .watches = watches, .watch_count = WATCHES };
    struct world *world = mmap(NULL, sizeof *world, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    struct error error = { 0 };
    if (world == MAP_FAILED || !loop_open(&world->house.loop, &error) ||
        !outbox_open(&world->house.outbox, &world->house.loop, channel, &setup, &error))
        abort();
    windows_open(&world->house.windows);
    world->capture.house = &world->house;
    for (uint16_t i = 0; i < WATCHES; i++) {
        windows_insert(&world->house.windows, watches[i].nonce, i);
        tuples_insert(&world->capture.tuples, &watches[i], i);
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
    close(world->house.loop.epoll);
    munmap(world, sizeof *world);
    return 0;
}
