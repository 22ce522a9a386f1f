/* Frames built by hand, for tests that need no network. */
#ifndef TESTS_UNIT_WITNESS_FRAMES_H
#define TESTS_UNIT_WITNESS_FRAMES_H

#include <arpa/inet.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* An IPv4 frame with `body` from source to destination; returns its size. */
static inline size_t frame_4(uint8_t *frame, uint8_t protocol, const char *source, const char *destination, uint16_t id,
                             uint16_t fragment, const uint8_t *body, size_t size)
{
    memset(frame, 0, 34);
    frame[12] = 8;
    frame[14] = 0x45;
    frame[16] = (uint8_t)((20 + size) >> 8);
    frame[17] = (uint8_t)(20 + size);
    frame[18] = (uint8_t)(id >> 8);
    frame[19] = (uint8_t)id;
    frame[20] = (uint8_t)(fragment >> 8);
    frame[21] = (uint8_t)fragment;
    frame[23] = protocol;
    inet_pton(AF_INET, source, frame + 26);
    inet_pton(AF_INET, destination, frame + 30);
    memcpy(frame + 34, body, size);
    return 34 + size;
}

static inline size_t frame_6(uint8_t *frame, uint8_t next, const char *source, const char *destination,
                             const uint8_t *body, size_t size)
{
    memset(frame, 0, 54);
    frame[12] = 0x86;
    frame[13] = 0xdd;
    frame[14] = 0x60;
    frame[18] = (uint8_t)(size >> 8);
    frame[19] = (uint8_t)size;
    frame[20] = next;
    inet_pton(AF_INET6, source, frame + 22);
    inet_pton(AF_INET6, destination, frame + 38);
    memcpy(frame + 54, body, size);
    return 54 + size;
}

static inline void ports(uint8_t *body, uint16_t source, uint16_t destination)
{
    body[0] = (uint8_t)(source >> 8);
    body[1] = (uint8_t)source;
    body[2] = (uint8_t)(destination >> 8);
    body[3] = (uint8_t)destination;
}

#endif
