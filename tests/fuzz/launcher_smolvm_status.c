/* The engine's JSON about a machine: what is told of it is printable, in range, and nothing where it was refused. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../launcher/smolvm/status.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct smolvm_status status;
    struct error error = { 0 };
    bool read = smolvm_status_parse((const char *)data, size, "b1", &status, &error);
    if (read == (error.code != ERROR_NONE) || (!read && (status.pid != 0 || status.state != SMOLVM_STATE_OTHER)))
        abort();
    if (status.pid < 0 || status.pid == 1 || status.state > SMOLVM_STATE_FROZEN)
        abort();
    for (const char *next = status.word; *next != '\0'; next++)
        if (*next < ' ' || *next > '~')
            abort();
    return 0;
}
