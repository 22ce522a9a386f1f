/*
 * The smolmachines backend with fake_smolvm.py in smolvm's place: what the fake is told to do, and what must not be left of it. Orphans
 * become the test's own children, so that no process can be overlooked.
 */
#ifndef TESTS_UNIT_LAUNCHER_MACHINE_FAKE_H
#define TESTS_UNIT_LAUNCHER_MACHINE_FAKE_H

#include "launcher_smolvm_fake.h"

#include <errno.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "../../launcher/backends/smolmachines/machine.h"
#include "../../launcher/support/install.h"

#define DOOR  "192.0.2.7"
#define OPEN  ((1u << MACHINE_FENCES) - 1)
#define SHORT 1500 /* milliseconds, waited out by an engine that hangs; a fake that doesn't takes a thirtieth of it */

__asm__(".pushsection .rodata\n"
        "fake_smolvm_text: .incbin \"" FAKE_SMOLVM "\"\n"
        "fake_smolvm_end: .byte 0\n"
        ".popsection\n");
extern const char fake_smolvm_text[] __asm__("fake_smolvm_text");

/* How it misbehaves: lines of "VERB WORD". */
static inline void behave(const char *lines)
{
    write_scratch("behaviour", 0644, lines);
    unlink(in_scratch("times"));
}

static inline void fake_version(const char *version)
{
    write_scratch("version", 0644, version);
    unlink(in_scratch("log"));
}

static inline void machines_begin(void)
{
    char path[PATH_MAX];
    scratch_make();
    cr_assert_eq(chmod(scratch, 0755), 0);
    write_scratch("smolvm", 0755, fake_smolvm_text);
    write_scratch("libkrun.so", 0644, "the library");
    write_scratch("libkrunfw.so.5", 0644, "the kernel");
    write_scratch("mkfs.ext4", 0755, "#!/bin/sh\n");
    write_scratch("agent-rootfs/here", 0644, "");
    snprintf(path, sizeof path, "%s:/usr/bin:/bin", scratch);
    setenv("PATH", path, 1);
    unsetenv("BOTTLE_SMOLVM");
    unsetenv("SMOLVM_LIB_DIR");
    unsetenv("SMOLVM_AGENT_ROOTFS");
    unsetenv("SMOLVM_AGENT_ROOTFS_TAR");
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    fake_version("1.32.2");
    behave("");
}

/* Reads a file of the fake's; "" if there is none. */
static inline const char *told(const char *name)
{
    static char text[65536];
    if (!file_read(in_scratch(name), text, sizeof text))
        *text = '\0';
    return text;
}

/* The first line of the log that begins so, or "". */
static inline const char *line_of(const char *beginning)
{
    static char line[1024];
    const char *log = told("log");
    *line = '\0';
    for (size_t length; *log != '\0'; log += length + 1) {
        length = strcspn(log, "\n");
        if (*line == '\0' && strncmp(log, beginning, strlen(beginning)) == 0)
            snprintf(line, sizeof line, "%.*s", (int)length, log);
    }
    return line;
}

/* The directory of the bottle that the engine was run for last. */
static inline const char *bottle_directory(void)
{
    static char directory[PATH_MAX];
    const char *found = strstr(told("environment"), "XDG_DATA_HOME=/tmp/bottle-machine-");
    snprintf(directory, sizeof directory, "%.*s", found == NULL ? 0 : (int)strcspn(found + 14, "\n") - 5,
             found == NULL ? "" : found + 14);
    return directory;
}

static inline void expect_nothing_left(const char *after)
{
    const char *directory = bottle_directory();
    pid_t child;
    while ((child = waitpid(-1, NULL, WNOHANG)) > 0)
        ;
    cr_expect(child < 0 && errno == ECHILD, "\"%s\" left a process", after);
    cr_expect(*directory == '\0' || (access(directory, F_OK) != 0 && errno == ENOENT), "\"%s\" left %s", after,
              directory);
}

static inline struct bottle *start_machine(const char *policy, uint32_t without, struct error *error)
{
    static char step[PATH_MAX];
    struct error missing = { 0 };
    cr_assert(install_find("bottle-step", step, &missing), "%s", missing.text);
    const struct bottle_options options = {
        .without = without, .policy = policy, .door = { .wanted = true, .host = DOOR, .port = 9 }, .step_path = step
    };
    return smolmachines_backend.start(&options, error);
}

static inline struct bottle *machine_must_start(const char *policy, uint32_t without)
{
    struct error error = { 0 };
    struct bottle *bottle = start_machine(policy, without, &error);
    cr_assert_not_null(bottle, "%s", error.text);
    return bottle;
}

static inline void machine_must_end(struct bottle *bottle)
{
    struct error error = { 0 };
    cr_expect(smolmachines_backend.destroy(bottle, &error), "%s", error.text);
    cr_expect(waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD, "the VMM, an orphan of ours, was not reaped");
    expect_nothing_left("a good end");
}

#endif
