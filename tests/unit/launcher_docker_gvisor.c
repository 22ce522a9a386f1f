/* What a bottle says of its kernel: read whole or not at all, and taken for gVisor's only if nothing of it is the host's. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "../../launcher/backends/docker/docker.h"

#define HOST_BOOT   "5f2b9f0e-5d5c-4d0e-9a39-0c1d2e3f4a5b"
#define GVISOR_SAYS "4.4.0\n#1 SMP Sun Jan 10 15:06:54 PST 2016\n-\n[   0.000000] Starting gVisor...\na80425fb\n1\n"

static bool read_kernel(const char *said, struct own_kernel *kernel)
{
    char text[512];
    snprintf(text, sizeof text, "%s", said);
    return gvisor_read_kernel(text, kernel);
}

Test(launcher_docker_gvisor, reads_what_a_bottle_says)
{
    struct own_kernel kernel;
    cr_assert(read_kernel(GVISOR_SAYS, &kernel));
    cr_expect_str_eq(kernel.release, "4.4.0");
    cr_expect_str_eq(kernel.version, "#1 SMP Sun Jan 10 15:06:54 PST 2016");
    cr_expect_str_eq(kernel.boot_id, "-");
    cr_expect_str_eq(kernel.log, "[   0.000000] Starting gVisor...");
    cr_expect_eq(kernel.capabilities, 0xa80425fb);
    cr_expect(kernel.no_new_privs);
    cr_assert(read_kernel("4.4.0\n#1\n-\na\033[2Jb gVisor\n0\n0\n", &kernel));
    cr_expect_str_eq(kernel.log, "a?[2Jb gVisor");
    cr_expect_eq(kernel.capabilities, 0);
    cr_expect_not(kernel.no_new_privs);
}

Test(launcher_docker_gvisor, reads_no_part_of_it)
{
    struct own_kernel kernel;
    char text[512];
    for (size_t size = 0; size < sizeof GVISOR_SAYS - 1; size++) {
        snprintf(text, sizeof text, "%.*s", (int)size, GVISOR_SAYS);
        cr_expect_not(read_kernel(text, &kernel), "%zu bytes", size);
    }
    cr_expect_not(read_kernel(GVISOR_SAYS "more\n", &kernel));
    cr_expect_not(read_kernel("\n\n\n\n\n\n", &kernel));
    snprintf(text, sizeof text, "%0100d\n#1\n-\ngVisor\n0\n1\n", 0);
    cr_expect_not(read_kernel(text, &kernel), "a release of a hundred digits");
}

Test(launcher_docker_gvisor, takes_no_kernel_for_gvisors_that_shows_the_hosts)
{
    struct own_kernel kernel, good;
    cr_assert(read_kernel(GVISOR_SAYS, &good));
    cr_expect(gvisor_is_own_kernel(&good, "6.1.0", HOST_BOOT "\n"));
#define EXPECT_REFUSED(change)                                                                                         \
    kernel = good;                                                                                                     \
    change;                                                                                                            \
    cr_expect_not(gvisor_is_own_kernel(&kernel, "6.1.0", HOST_BOOT "\n"), #change)
    EXPECT_REFUSED(strcpy(kernel.release, "6.1.0"));
    EXPECT_REFUSED(strcpy(kernel.boot_id, HOST_BOOT));
    EXPECT_REFUSED(strcpy(kernel.log, "[    0.000000] Linux version 4.4.0"));
    EXPECT_REFUSED(strcpy(kernel.log, "-"));
#undef EXPECT_REFUSED
}
