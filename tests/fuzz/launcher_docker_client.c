/* What a Docker Engine answers: its versions, the report of an import, the head of a stream, and the stream itself, which in whatever
 * pieces it comes is taken apart in the same way. The first byte says which of them it is. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../launcher/docker/client.h"
#include "../../launcher/docker/stream.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_version(const char *text, size_t size)
{
    struct docker_client client = { .socket = "/s" };
    struct error error = { 0 };
    if (docker_read_version(text, size, &client, &error) && (client.minor < 40 || client.minor > 51))
        abort();
    for (const char *c = client.version; *c != '\0'; c++)
        if (*c < ' ' || *c > '~')
            abort();
}

static void check_import(const char *text, size_t size)
{
    char image[DOCKER_ID_BYTES] = "";
    struct error error = { 0 };
    if (docker_read_import(text, size, image, &error) &&
        (strlen(image) != DOCKER_ID_BYTES - 1 || strspn(image, "0123456789abcdef") != DOCKER_ID_BYTES - 1))
        abort();
    if (strchr(error.text, '\n') != NULL)
        abort();
}

static void check_upgrade(const char *text, size_t size)
{
    ssize_t head = docker_read_upgrade(text, size);
    if (head > (ssize_t)size || (head > 0 && memcmp(text + head - 4, "\r\n\r\n", 4) != 0))
        abort();
}

/* The bytes of both streams in `out`, and how many there were; false: it is no stream. */
static bool take_apart(const uint8_t *bytes, size_t size, size_t cut, uint8_t *out, size_t *count)
{
    struct docker_frames frames = { 0 };
    *count = 0;
    for (size_t at = 0; at < size; at += cut) {
        size_t part = size - at < cut ? size - at : cut;
        for (size_t used = 0; used < part;) {
            int stream = 0;
            const uint8_t *from;
            size_t piece;
            ssize_t took = docker_frames_take(&frames, bytes + at + used, part - used, &stream, &from, &piece);
            if (took < 0)
                return false;
            if (took == 0 || used + (size_t)took > part || (piece > 0 && stream != 1 && stream != 2))
                abort();
            memcpy(out + *count, from, piece);
            *count += piece;
            used += (size_t)took;
        }
    }
    return true;
}

static void check_stream(const uint8_t *bytes, size_t size)
{
    uint8_t *one = malloc(size + 1), *other = malloc(size + 1);
    size_t count_one, count_other;
    bool whole = take_apart(bytes, size, size + 1, one, &count_one);
    if (take_apart(bytes, size, 1, other, &count_other) != whole || count_one > count_other ||
        memcmp(one, other, count_one) != 0 || (whole && count_one != count_other))
        abort();
    free(one);
    free(other);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    char *bytes = malloc(size); /* of exactly this size, so that a sanitizer sees who reads on */
    memcpy(bytes, data + 1, size - 1);
    if (data[0] % 4 == 0)
        check_version(bytes, size - 1);
    else if (data[0] % 4 == 1)
        check_import(bytes, size - 1);
    else if (data[0] % 4 == 2)
        check_upgrade(bytes, size - 1);
    else
        check_stream((const uint8_t *)bytes, size - 1);
    free(bytes);
    return 0;
}
