/*
 * What an engine's guest kernel can't do, told by something outside the guest: the kernel lies uncompressed in libkrunfw, on the host,
 * and a facility that it has leaves its name there.
 */
#ifndef LAUNCHER_SMOLVM_KERNEL_IMAGE_H
#define LAUNCHER_SMOLVM_KERNEL_IMAGE_H

#include <stdbool.h>

/* True only if the file `image` holds the kernel of this release ("6.18.55", as the guest says) and `word` stands nowhere in it. False
 * also for a file that can't be read, holds another kernel or a compressed one: then nobody outside knows. */
bool smolvm_kernel_lacks(const char *image, const char *release, const char *word);

#endif
