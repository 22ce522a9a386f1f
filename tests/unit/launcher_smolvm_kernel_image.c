/* What the guest's kernel lacks is said only of a file that holds that very kernel. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../launcher/smolvm/kernel_image.h"

static char path[] = "/tmp/kernel-image-XXXXXX";

static void write_image(const char *bytes, size_t size)
{
    strcpy(path, "/tmp/kernel-image-XXXXXX");
    int file = mkstemp(path);
    cr_assert(file >= 0 && write(file, bytes, size) == (ssize_t)size);
    close(file);
}

#define IMAGE(text) write_image(text, sizeof(text) - 1)

Test(kernel_image, lacks_what_stands_nowhere_in_it)
{
    IMAGE("\x7f"
          "ELF\0\0Linux version 6.18.55 (root@libkrunfw) #1\0UDP-Lite\0bpf_skc_to_mptcp_sock\0");
    cr_expect(smolvm_kernel_lacks(path, "6.18.55", "MPTCP"));
    cr_expect_not(smolvm_kernel_lacks(path, "6.18.55", "UDP-Lite"));
    unlink(path);
}

Test(kernel_image, of_another_kernel_tells_nothing)
{
    IMAGE("Linux version 6.18.55 (root@libkrunfw) #1\0");
    cr_expect_not(smolvm_kernel_lacks(path, "6.18.5", "MPTCP"));
    cr_expect_not(smolvm_kernel_lacks(path, "6.12.91", "MPTCP"));
    cr_expect_not(smolvm_kernel_lacks(path, "", "MPTCP"));
    cr_expect_not(smolvm_kernel_lacks(path, "6.18.55", ""));
    unlink(path);
}

Test(kernel_image, that_is_compressed_empty_or_not_there_tells_nothing)
{
    IMAGE("\x1f\x8b\x08 and so on");
    cr_expect_not(smolvm_kernel_lacks(path, "6.18.55", "MPTCP"));
    unlink(path);
    cr_expect_not(smolvm_kernel_lacks(path, "6.18.55", "MPTCP"));
    IMAGE("");
    cr_expect_not(smolvm_kernel_lacks(path, "6.18.55", "MPTCP"));
    unlink(path);
    cr_expect_not(smolvm_kernel_lacks("/", "6.18.55", "MPTCP"));
}
