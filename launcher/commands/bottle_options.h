/*
 * The options of a new bottle, which `bottle run` and `bottle start` take alike.
 */
#ifndef LAUNCHER_COMMANDS_BOTTLE_OPTIONS_H
#define LAUNCHER_COMMANDS_BOTTLE_OPTIONS_H

#include <stdbool.h>

#include "../backend.h"
#include "../support/error.h"

/* Their rows in a table of long options, and their lines in a help text. */
#define BOTTLE_OPTION_ROWS                                                                                             \
    { "door", required_argument, NULL, 'd' }, { "as", required_argument, NULL, 'a' },                                  \
    {                                                                                                                  \
        "without", required_argument, NULL, 'w'                                                                        \
    }
#define BOTTLE_OPTION_HELP                                                                                             \
    "  --door HOST:PORT   the one address it may reach; inside it is at $BOTTLE_DOOR (127.0.0.1:7702)\n"               \
    "  --as user|root     uid 65534 (default) or uid 0 of the bottle\n"                                                \
    "  --without FENCE    leave a fence out (see bottle backends native); may be given again\n"

/* Reads option `option` (the fourth column above) with its value. False with `error` filled if the value is wrong; false and
 * no error if it is none of these options. */
bool bottle_option_read(int option, const char *value, struct bottle_options *bottle, enum principal *principal,
                        struct error *error);

/* "user" or "root". */
bool bottle_option_principal(const char *value, enum principal *principal, struct error *error);

#endif
