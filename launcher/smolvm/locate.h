/*
 * Where the engine is: the program, its two libraries, the agent's root file system, and the host's own tools that it
 * calls. Each part that is missing has a message of its own with the exact remedy.
 *
 * The order is smolvm's own (README.md in this folder has the sources), looked up in the caller's environment before
 * the engine gets a private one: there it would find nothing any more.
 */
#ifndef LAUNCHER_SMOLVM_LOCATE_H
#define LAUNCHER_SMOLVM_LOCATE_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

#include "../support/error.h"

/* Where to look. Everything is borrowed; NULL and "" are the same: unset. */
struct smolvm_places {
    const char *named;       /* --smolvm PATH */
    const char *variable;    /* BOTTLE_SMOLVM */
    const char *path;        /* PATH: "smolvm", and then "smol-vmm" */
    const char *system_path; /* looked through after `path` for tools: mkfs.ext4 is not on an ordinary user's PATH */
    const char *libraries;   /* SMOLVM_LIB_DIR */
    const char *rootfs;      /* SMOLVM_AGENT_ROOTFS */
    const char *rootfs_tar;  /* SMOLVM_AGENT_ROOTFS_TAR */
    const char *home, *data_home; /* HOME, XDG_DATA_HOME */
};

/* Takes that program from now on, in this process and its children, whatever the environment says: --smolvm. ERROR_USAGE if
 * there is nothing at that path; whether it can be run is told by smolvm_locate_program. */
bool smolvm_name_program(const char *path, struct error *error);

/* The places of this process's environment. `named`: NULL for what smolvm_name_program was given, if it was. */
struct smolvm_places smolvm_places_here(const char *named);

struct smolvm_location {
    char program[PATH_MAX];   /* links resolved */
    char libraries[PATH_MAX]; /* the directory of libkrun.so and libkrunfw.so.5; "" if `wrapper` */
    char rootfs[PATH_MAX];    /* a directory, or a tar; may be "" if `wrapper` */
    bool rootfs_is_tar, rootfs_is_zstd;
    bool wrapper; /* the program is a script, with nothing beside it, which sets the engine's own variables */
};

/* The parts, in the order in which they depend on each other; each needs the ones before. False: `error`
 * (ERROR_HOST, or ERROR_USAGE for a path that was named and is none) says what is missing, where it was looked for
 * and what to do. A file that was named and isn't right is an error and no reason to look elsewhere. */
bool smolvm_locate_program(const struct smolvm_places *places, struct smolvm_location *location, struct error *error);
bool smolvm_locate_libraries(const struct smolvm_places *places, struct smolvm_location *location, struct error *error);
bool smolvm_locate_rootfs(const struct smolvm_places *places, struct smolvm_location *location, struct error *error);

/* The tools that the engine calls for this location: mkfs.ext4; tar if the rootfs is a tar; zstd if that is
 * compressed by it. smolvm_locate_tool(i) looks for the one of that index and puts its name into *name; true too if
 * it isn't needed. */
size_t smolvm_locate_tools(void);
bool smolvm_locate_tool(const struct smolvm_places *places, const struct smolvm_location *location, size_t index,
                        const char **name, struct error *error);

/* All of it; the first thing that is missing. */
bool smolvm_locate(const struct smolvm_places *places, struct smolvm_location *location, struct error *error);

#endif
