/*
 * --backend, --policy, --runtime, --smolvm and --wrap, which several commands take alike. --backend wins over BOT_BOTTLE_BACKEND, which wins over
 * native; --smolvm wins over BOTTLE_SMOLVM. What a policy or an engine means is the backend's: one that has none refuses it.
 */
#ifndef GATES_COMMANDS_BACKEND_OPTION_H
#define GATES_COMMANDS_BACKEND_OPTION_H

#include <stddef.h>

#include "../../launcher/backend.h"
#include "../../launcher/program/program.h"

/* As they were given; the settings of a command with these options begin with this. */
struct backend_choice {
    const char *name, *policy, *runtime, *engine; /* all but the name: NULL if they weren't given */
    struct wrap_words wrap;
    bool on_machine; /* its bottles are to be in the machine's own network, by the machine's own engine */
};

/* native, or what BOT_BOTTLE_BACKEND says. */
struct backend_choice backend_option_default(void);

/* The backend that was chosen, after all options are known. *policy is one of its own, its default if none was given, NULL if it
 * has none; the engine is named to it, and where it has runtimes it is the table of one. NULL with `error` (ERROR_USAGE), which names those that there are. */
const struct backend *backend_option_resolve(const struct backend_choice *choice, const char **policy,
                                             struct error *error);

bool backend_option_take_name(void *settings, const char *argument, struct error *error);
bool backend_option_take_policy(void *settings, const char *argument, struct error *error);
bool backend_option_take_runtime(void *settings, const char *argument, struct error *error);
bool backend_option_take_engine(void *settings, const char *argument, struct error *error);
bool backend_option_take_wrap(void *settings, const char *argument, struct error *error);
bool backend_option_take_wrap_open(void *settings, const char *argument, struct error *error);
bool backend_option_take_wrap_door(void *settings, const char *argument, struct error *error);

/* For completion: of all backends; a shell doesn't know yet which one will be meant. */
const char *backend_option_name_at(size_t index);
const char *backend_option_policy_at(size_t index);
const char *backend_option_runtime_at(size_t index);

/* Their rows in a table of options. */
#define BACKEND_OPTION_ROWS                                                                                            \
    { .name = "backend",                                                                                               \
      .argument = "NAME",                                                                                              \
      .help = "what starts the bottle (default: $BOT_BOTTLE_BACKEND, or native)",                                      \
      .take = backend_option_take_name,                                                                                \
      .word_at = backend_option_name_at },                                                                             \
        { .name = "policy",                                                                                            \
          .argument = "NAME",                                                                                          \
          .help = "how tight the bottle is made: hardened (default: the door alone), or less: cidr (smolmachines: "    \
                  "DNS gets out), internal (docker: the host is reached)",                                             \
          .take = backend_option_take_policy,                                                                          \
          .word_at = backend_option_policy_at },                                                                       \
        { .name = "runtime",                                                                                           \
          .argument = "NAME",                                                                                          \
          .help = "what runs the containers of --backend=docker: runsc (gVisor; used unasked where it is) or runc",    \
          .take = backend_option_take_runtime,                                                                         \
          .word_at = backend_option_runtime_at },                                                                      \
        { .name = "smolvm",                                                                                            \
          .argument = "PATH",                                                                                          \
          .help = "the program smolvm (default: $BOTTLE_SMOLVM, or smolvm or smol-vmm on PATH)",                       \
          .take = backend_option_take_engine,                                                                          \
          .kind = WORD_FILE },                                                                                         \
        { .name = "wrap",                                                                                              \
          .argument = "COMMAND",                                                                                       \
          .help = "for --backend=wrap: the sandbox as a line for the shell, in which {probe} stands for what is run "  \
                  "in it, {directory} for where that is, {door} for the door",                                         \
          .take = backend_option_take_wrap },                                                                          \
        { .name = "wrap-open",                                                                                         \
          .argument = "COMMAND",                                                                                       \
          .help = "the same without its fence: the open bottle",                                                       \
          .take = backend_option_take_wrap_open },                                                                     \
    {                                                                                                                  \
        .name = "wrap-door", .argument = "WHERE",                                                                      \
        .help = "how the sandbox reaches its allowed endpoint: none (default), direct, the IPv4 address that "         \
                "leads to this host, with or without :PORT, its proxy (http://HOST:PORT, socks5://HOST:PORT), or "     \
                "env:NAME, the variable in which the sandbox says its proxy",                                          \
        .take = backend_option_take_wrap_door                                                                          \
    }
#define BACKEND_OPTIONS 7

#endif
