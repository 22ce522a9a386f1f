/* HTTP from a bottle: the count of complete requests does not depend on how the bytes are cut. */
#include <stdint.h>
#include <stdlib.h>

#include "../../gates/witness/requests.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct requests whole = { 0 }, cut = { 0 };
    unsigned at_once = requests_add(&whole, data, size), bytewise = 0;
    for (size_t i = 0; i < size; i++)
        bytewise += requests_add(&cut, data + i, 1);
    if (at_once != bytewise || at_once > size)
        abort();
    (void)requests_begin(data, size);
    return 0;
}
