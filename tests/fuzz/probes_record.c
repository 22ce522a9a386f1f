/* Any bytes as a record line: what is accepted must be written again as the same bytes. */
#include <stdlib.h>
#include <string.h>

#include "../../probes/record_grammar.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct record record;
    char line[RECORD_LINE_MAX];
    if (!record_parse((const char *)data, size, &record))
        return 0;
    size_t length = record_format(&record, line);
    if (length != size + 1 || memcmp(line, data, size) != 0 || line[size] != '\n')
        abort();
    return 0;
}
