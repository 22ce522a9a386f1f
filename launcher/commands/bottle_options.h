/*
 * The options of a new bottle, which `bottle run` and `bottle start` take alike.
 */
#ifndef LAUNCHER_COMMANDS_BOTTLE_OPTIONS_H
#define LAUNCHER_COMMANDS_BOTTLE_OPTIONS_H

#include <stdbool.h>

#include "../backend.h"
#include "../program/program.h"

/* The settings of a command with these options begin with this. */
struct new_bottle {
    struct bottle_options options;
    enum principal principal;
};

bool bottle_take_door(void *settings, const char *argument, struct error *error);
bool bottle_take_principal(void *settings, const char *argument, struct error *error);
bool bottle_take_without(void *settings, const char *argument, struct error *error);
const char *bottle_fence_at(size_t index);

/* Their rows in a table of options. */
#define BOTTLE_OPTION_ROWS                                                                                             \
    { .name = "door",                                                                                                  \
      .argument = "HOST:PORT",                                                                                         \
      .help = "the one address it may reach; inside it is at $BOTTLE_DOOR (127.0.0.1:7702)",                           \
      .take = bottle_take_door },                                                                                      \
        { .name = "as",                                                                                                \
          .argument = "user|root",                                                                                     \
          .help = "uid 65534 (default) or uid 0 of the bottle",                                                        \
          .take = bottle_take_principal },                                                                             \
    {                                                                                                                  \
        .name = "without", .argument = "FENCE[,FENCE...]",                                                             \
        .help = "leave a fence out (see bottle backends native); may be given again", .take = bottle_take_without,     \
        .word_at = bottle_fence_at, .list = true, .repeatable = true                                                   \
    }

/* "user" or "root". */
bool bottle_read_principal(const char *value, enum principal *principal, struct error *error);

#endif
