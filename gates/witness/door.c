/* See door.h. Needs: accept4, recvfrom, sendto, close, epoll_ctl. HMAC: RFC 2104, over probes/sha256.h, for
 * nothing may be initialised or allocated in the jail. */
#include "door.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "../../probes/encode.h"
#include "../../probes/sha256.h"
#include "door_faults.h"

#define PREFIX          "BGD1 "
#define CHALLENGE_BYTES 16
#define KEY_BYTES       32
#define BLOCK_BYTES     64

static void authenticate(const uint8_t key[KEY_BYTES], const uint8_t challenge[CHALLENGE_BYTES], uint8_t digest[32])
{
    uint8_t inner[BLOCK_BYTES], outer[BLOCK_BYTES];
    struct sha256 hash;
    memset(inner, 0x36, sizeof inner);
    memset(outer, 0x5c, sizeof outer);
    for (size_t i = 0; i < KEY_BYTES; i++) {
        inner[i] ^= key[i];
        outer[i] ^= key[i];
    }
    sha256_start(&hash);
    sha256_add(&hash, inner, sizeof inner);
    sha256_add(&hash, challenge, CHALLENGE_BYTES);
    sha256_end(&hash, digest);
    sha256_start(&hash);
    sha256_add(&hash, outer, sizeof outer);
    sha256_add(&hash, digest, 32);
    sha256_end(&hash, digest);
}

bool door_answer(const uint8_t key[32], const char line[DOOR_QUESTION], char answer[DOOR_ANSWER])
{
    const size_t prefix = sizeof PREFIX - 1;
    uint8_t challenge[CHALLENGE_BYTES], digest[32];
    char digits[2 * sizeof digest + 1];
    if (memcmp(line, PREFIX, prefix) != 0 || line[DOOR_QUESTION - 1] != '\n' ||
        !decode_hex(line + prefix, 2 * sizeof challenge, challenge, sizeof challenge))
        return false;
    authenticate(key, challenge, digest);
    encode_hex(digest, sizeof digest, digits);
    memcpy(answer, PREFIX, prefix);
    memcpy(answer + prefix, digits, 2 * sizeof digest);
    answer[DOOR_ANSWER - 1] = '\n';
    return true;
}

static void door_at(char at[ENDPOINT_TEXT])
{
    snprintf(at, ENDPOINT_TEXT, "127.0.0.1:%d", SITE_PORT_DOOR);
}

static void send_away(struct door_guest *guest, const char *why)
{
    char at[ENDPOINT_TEXT];
    door_at(at);
    if (why != NULL && !guest->nonce)
        outbox_stray(&guest->door->house->outbox, POINT_LO, at, guest->peer, why);
    loop_close(&guest->door->house->loop, &guest->source);
}

/* Takes bytes into the current line; the guest may be sent away. */
static void take(struct door_guest *guest, const char *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        guest->line[guest->kept++] = bytes[i];
        if (guest->kept < DOOR_QUESTION && bytes[i] != '\n')
            continue;
        char answer[DOOR_ANSWER];
        if (guest->kept < DOOR_QUESTION || !door_answer(guest->door->house->setup->door_key, guest->line, answer)) {
            send_away(guest, "at the door: not a challenge");
            return;
        }
        guest->kept = 0;
        size_t answer_size = door_faults_answer(guest->door, guest->line, answer);
        if (answer_size > 0)
            send(guest->source.fd, answer, answer_size, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (guest->door->house->setup->fault == WITNESS_FAULT_DOOR_SHUTS) {
            send_away(guest, NULL);
            return;
        }
    }
}

static void guest_ready(struct loop_source *source, uint32_t events)
{
    struct door_guest *guest = loop_owner(source, struct door_guest, source);
    char bytes[512], at[ENDPOINT_TEXT];
    (void)events;
    ssize_t size = recv(source->fd, bytes, sizeof bytes, MSG_DONTWAIT);
    if (size < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (size <= 0) {
        send_away(guest, guest->kept > 0 ? "at the door: half a line" : NULL);
        return;
    }
    door_at(at);
    struct house_heard heard = {
        .house = guest->door->house, .kind = WITNESS_TCP, .point = POINT_LO, .at = at, .peer = guest->peer
    };
    house_listen_to(&heard, &guest->cursor, (const uint8_t *)bytes, (size_t)size);
    guest->nonce = guest->nonce || heard.any;
    take(guest, bytes, (size_t)size);
}

/* A free place, or that of the guest who came first, which is a loss. */
static struct door_guest *find_place(struct door *door)
{
    struct door_guest *place = &door->guests[0];
    for (size_t i = 0; i < DOOR_GUESTS_MAX; i++) {
        if (door->guests[i].source.fd < 0)
            return &door->guests[i];
        if (door->guests[i].order < place->order)
            place = &door->guests[i];
    }
    outbox_lost(&door->house->outbox, "door: more than %d connections at a time", DOOR_GUESTS_MAX);
    send_away(place, NULL);
    return place;
}

static void door_ready(struct loop_source *source, uint32_t events)
{
    struct door *door = loop_owner(source, struct door, source);
    union socket_address address = { 0 };
    socklen_t size = sizeof address;
    (void)events;
    int fd = accept4(source->fd, &address.any, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0)
        return;
    struct door_guest *guest = find_place(door);
    *guest = (struct door_guest){ .door = door, .source = { -1, guest_ready }, .order = ++door->clock };
    struct endpoint peer = endpoint_of(&address);
    endpoint_format(&peer, guest->peer);
    struct error problem = { 0 };
    if (!loop_add(&door->house->loop, &guest->source, fd, &problem)) {
        outbox_lost(&door->house->outbox, "door: %.70s", problem.text);
        close(fd);
    }
}

bool door_open(struct door *door, struct house *house, struct error *error)
{
    door->house = house;
    door->source = (struct loop_source){ -1, door_ready };
    for (size_t i = 0; i < DOOR_GUESTS_MAX; i++)
        door->guests[i].source.fd = -1;
    if (house->setup->fault == WITNESS_FAULT_NO_DOOR)
        return true;
    int fd = house_bind(AF_INET, SOCK_STREAM, "0.0.0.0", SITE_PORT_DOOR, 0, error);
    if (fd < 0)
        return false;
    if (listen(fd, DOOR_BACKLOG) < 0)
        return error_system(error, "can't open the door");
    return loop_add(&house->loop, &door->source, fd, error);
}
