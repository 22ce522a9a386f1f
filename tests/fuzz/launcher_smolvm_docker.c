/* Docker's two answers: ids that may stand in a URL and no more of them than there is room for; an answer that is
 * refused changes nothing. The first byte says which of the two it is. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../launcher/smolvm/docker_ports.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_list(const char *text, size_t size)
{
    static char ids[DOCKER_CONTAINERS][DOCKER_ID];
    size_t count = 0;
    if (!docker_list_parse(text, size, "bot-bottle-sidecars-", ids, &count))
        return;
    if (count > DOCKER_CONTAINERS)
        abort();
    for (size_t i = 0; i < count; i++)
        if (strlen(ids[i]) != DOCKER_ID - 1 || strspn(ids[i], "0123456789abcdef") != DOCKER_ID - 1)
            abort();
}

static void check_container(const char *text, size_t size)
{
    uint16_t none = 0, all = 0xffff, some = 0x1001;
    bool read = docker_inspect_parse(text, size, &none);
    if (docker_inspect_parse(text, size, &some) != read || docker_inspect_parse(text, size, &all) != read ||
        all != 0xffff || some != (0x1001 | none) || (!read && none != 0))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    char *bytes = malloc(size); /* of exactly this size, so that a sanitizer sees who reads on */
    memcpy(bytes, data + 1, size - 1);
    if (data[0] % 2 == 0)
        check_list(bytes, size - 1);
    else
        check_container(bytes, size - 1);
    free(bytes);
    return 0;
}
