/* The version line of smolvm: what is read can be written again and is then read as the same; what isn't says why. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../launcher/smolvm/version.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct smolvm_version first, second;
    struct error error = { 0 };
    char line[80];
    if (!smolvm_version_parse((const char *)data, size, &first, &error)) {
        if (error.code == ERROR_NONE || error.text[0] == '\0')
            abort();
        return 0;
    }
    int length = snprintf(line, sizeof line, "smolvm %s", first.text);
    if (!smolvm_version_parse(line, (size_t)length, &second, &error) || memcmp(&first, &second, sizeof first) != 0)
        abort();
    for (int feature = 0; feature < SMOLVM_FEATURES; feature++)
        if (smolvm_can(&first, (enum smolvm_feature)feature) != smolvm_can(&second, (enum smolvm_feature)feature))
            abort();
    return 0;
}
