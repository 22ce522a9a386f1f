/*
 * Where Linux and macOS differ for smolvm: every function with a difference takes the platform, so that both ways are
 * compiled and tested on either. What is behind SMOLVM_MACOS has not been run on a macOS.
 */
#ifndef LAUNCHER_SMOLVM_PLATFORM_H
#define LAUNCHER_SMOLVM_PLATFORM_H

enum smolvm_platform { SMOLVM_LINUX, SMOLVM_MACOS };

#ifdef __APPLE__
#define SMOLVM_PLATFORM SMOLVM_MACOS
#else
#define SMOLVM_PLATFORM SMOLVM_LINUX
#endif

#endif
