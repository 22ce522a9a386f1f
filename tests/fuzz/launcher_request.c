/* A request to a keeper: whatever is read can be written again, and is then read as the same. The first byte is the number of
 * descriptors that came with it. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../launcher/keeper/request.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct request first, second;
    static char again[REQUEST_SIZE];
    struct error error = { 0 };
    if (size < 1 || size > REQUEST_SIZE)
        return 0;
    char *bytes = malloc(size); /* of exactly this size, so that a sanitizer sees who reads on */
    memcpy(bytes, data + 1, size - 1);
    if (request_read(bytes, size - 1, data[0], &first, &error)) {
        size_t written = request_write(&first, again, &error);
        if (written != size - 1 || memcmp(again, bytes, written) != 0 ||
            !request_read(again, written, data[0], &second, &error) || second.word_count != first.word_count)
            abort();
    } else if (error.code == ERROR_NONE || error.text[0] == '\0') {
        abort();
    }
    free(bytes);
    return 0;
}
