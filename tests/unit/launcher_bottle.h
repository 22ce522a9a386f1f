/*
 * What the launcher's tests share: bottles that must start, commands that must end, and a way to run code of the test's own
 * inside: the test binary is put into the bottle, and what it is called there says what it does (see INSIDE).
 */
#ifndef TESTS_UNIT_LAUNCHER_BOTTLE_H
#define TESTS_UNIT_LAUNCHER_BOTTLE_H

#include <criterion/criterion.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../launcher/backend.h"
#include "../../launcher/backends/native/native.h"
#include "../../launcher/support/install.h"
#include "../../launcher/support/process.h"

#define WITHOUT(fence) (1u << (fence))
#define BOUND          20000000 /* microseconds; against hangs only */

/* Defines what the test binary does where it is called `program` in a bottle: it runs before Criterion's main. */
#define INSIDE(program)                                                                                                \
    static void program##_inside(int argc, char **argv);                                                               \
    __attribute__((constructor)) static void program##_enter(int argc, char **argv)                                    \
    {                                                                                                                  \
        if (argc > 0 && strcmp(argv[0], "/tmp/" #program) == 0) {                                                      \
            program##_inside(argc, argv);                                                                              \
            fflush(stdout);                                                                                            \
            _exit(0);                                                                                                  \
        }                                                                                                              \
    }                                                                                                                  \
    static void program##_inside(int argc, char **argv)

static inline struct bottle *start_with(struct bottle_options options)
{
    static char init[PATH_MAX];
    struct error error = { 0 };
    cr_assert(install_find("bottle-init", init, &error), "%s", error.text);
    options.init_path = init;
    struct bottle *bottle = native_backend.start(&options, &error);
    cr_assert_not_null(bottle, "%s", error.text);
    return bottle;
}

static inline struct bottle *start_without(uint32_t without)
{
    return start_with((struct bottle_options){ .without = without, .system_directories = true });
}

static inline void destroy(struct bottle *bottle)
{
    struct error error = { 0 };
    cr_expect(native_backend.destroy(bottle, &error), "%s", error.text);
}

/* Runs a command to its end. Returns its exit status; its output and errors are in `output`. */
static inline int run_argv(struct bottle *bottle, enum principal principal, char *const argv[], char *output,
                           size_t size)
{
    struct error error = { 0 };
    int memory = memfd_create("output", MFD_CLOEXEC), status = -1;
    pid_t pid = 0;
    /* Several processes may write at once, and a memfd's shared offset is not locked. */
    cr_assert(memory >= 0 && fcntl(memory, F_SETFL, O_APPEND) == 0);
    struct exec_streams streams = { .input = -1, .output = memory, .errors = memory };
    cr_assert(native_backend.exec(bottle, argv, principal, &streams, &pid, &error), "%s", error.text);
    cr_assert(process_wait(pid, clock_microseconds() + BOUND, &status));
    lseek(memory, 0, SEEK_SET);
    ssize_t got = read_all(memory, output, size - 1);
    output[got > 0 ? got : 0] = '\0';
    close(memory);
    return process_exit_status(status);
}

/* Runs a shell script as `principal`; the last newline of its output is cut off. */
static inline int run_shell(struct bottle *bottle, enum principal principal, const char *script, char *output,
                            size_t size)
{
    char *const argv[] = { "/bin/sh", "-c", (char *)script, NULL };
    int status = run_argv(bottle, principal, argv, output, size);
    size_t length = strlen(output);
    if (length > 0 && output[length - 1] == '\n')
        output[length - 1] = '\0';
    return status;
}

static inline void put_self(struct bottle *bottle, const char *name)
{
    struct error error = { 0 };
    int self = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    cr_assert(native_backend.put(bottle, name, self, 0555, &error), "%s", error.text);
    close(self);
}

#endif
