/* What a container says of its kernel: printable whatever it says, and never gVisor's with a release or a boot id of the host's. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../launcher/backends/docker/docker.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_printable(const char *text)
{
    for (const char *c = text; *c != '\0'; c++)
        if (*c < ' ' || *c > '~')
            abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char boot_id[] = "5f2b9f0e-5d5c-4d0e-9a39-0c1d2e3f4a5b";
    struct own_kernel kernel;
    char *said = malloc(size + 1);
    if (said == NULL)
        return 0;
    memcpy(said, data, size);
    said[size] = '\0';
    if (gvisor_read_kernel(said, &kernel)) {
        check_printable(kernel.release);
        check_printable(kernel.version);
        check_printable(kernel.boot_id);
        check_printable(kernel.log);
        if (gvisor_is_own_kernel(&kernel, "6.1.0", boot_id) &&
            (strcmp(kernel.release, "6.1.0") == 0 || strcmp(kernel.boot_id, boot_id) == 0 ||
             strstr(kernel.log, "gVisor") == NULL))
            abort();
    }
    free(said);
    return 0;
}
