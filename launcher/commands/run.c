/*
 * bottle run: one command in a new native bottle, for a person or a script. The bottle lives exactly as long as the command:
 * it is destroyed when the command ends, when `bottle` is told to end (SIGTERM, SIGINT, SIGHUP, SIGQUIT), and by the kernel
 * when `bottle` is killed.
 *
 * Streams that are no terminal are passed as they are. A terminal never goes in: the command gets one of the bottle's own,
 * and terminal_relay carries the bytes.
 */
#include "command.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../backend.h"
#include "../support/cleanup.h"
#include "../support/install.h"
#include "../support/process.h"
#include "../terminal_relay.h"

struct request {
    struct bottle_options bottle;
    enum principal principal;
    char **command;
    bool help; /* was asked for and given */
};

static bool parse_door(const char *text, struct door *door, struct error *error)
{
    unsigned char address[16];
    const char *colon = strrchr(text, ':');
    char *end = NULL;
    bool bracketed = *text == '[' && colon != NULL && colon > text && colon[-1] == ']';
    const char *host = text + bracketed;
    size_t length = colon == NULL ? 0 : (size_t)(colon - host) - bracketed;
    unsigned long port = colon == NULL || colon[1] < '0' || colon[1] > '9' ? 0 : strtoul(colon + 1, &end, 10);
    if (port == 0 || port > 65535 || *end != '\0' || length == 0 || length >= sizeof door->host)
        return error_set(error, ERROR_USAGE, "--door %.64s: not HOST:PORT, as 10.0.0.1:8080 or [fd00::1]:8080", text);
    memcpy(door->host, host, length);
    door->host[length] = '\0';
    if (strcmp(door->host, "localhost") == 0)
        snprintf(door->host, sizeof door->host, "127.0.0.1");
    if (inet_pton(bracketed ? AF_INET6 : AF_INET, door->host, address) != 1)
        return error_set(error, ERROR_USAGE, "--door %.64s: the host must be an IP address", text);
    door->port = (uint16_t)port;
    door->wanted = true;
    return true;
}

static bool parse_without(const char *names, uint32_t *without, struct error *error)
{
    while (*names != '\0') {
        char name[32];
        size_t length = strcspn(names, ",");
        snprintf(name, sizeof name, "%.*s", (int)length, names);
        int fence = length < sizeof name ? backend_find_fence(&native_backend, name) : -1;
        if (fence < 0)
            return error_set(error, ERROR_USAGE, "no fence is named \"%s\": bottle backends native lists them", name);
        *without |= 1u << fence;
        names += length + (names[length] == ',');
    }
    return true;
}

static int parse(int argc, char **argv, struct request *request, struct error *error)
{
    static const struct option options[] = { { "door", required_argument, NULL, 'd' },
                                             { "as", required_argument, NULL, 'a' },
                                             { "without", required_argument, NULL, 'w' },
                                             COMMAND_HELP_OPTION };
    static char *shell[] = { "/bin/sh", NULL };
    for (int option; (option = getopt_long(argc, argv, "+:", options, NULL)) != -1;) {
        bool understood = false;
        if (option == 'd')
            understood = parse_door(optarg, &request->bottle.door, error);
        else if (option == 'w')
            understood = parse_without(optarg, &request->bottle.without, error);
        else if (option != 'a')
            return (request->help = option == 'h'),
                   bottle_command_other_option(&bottle_command_run, argv, option, error);
        else if (!(understood = strcmp(optarg, "user") == 0 || strcmp(optarg, "root") == 0))
            error_set(error, ERROR_USAGE, "--as %.64s: must be user or root", optarg);
        else
            request->principal = *optarg == 'r' ? PRINCIPAL_ROOT : PRINCIPAL_USER;
        if (!understood)
            return -1;
    }
    request->command = optind < argc ? argv + optind : shell;
    if (request->command[0][0] != '\0')
        return 0;
    error_set(error, ERROR_USAGE, "run: the command's name is empty");
    return -1;
}

/* A descriptor that is closed would be taken by the next one that is opened, and go in as a stream. */
static bool fill_streams(struct error *error)
{
    int fd;
    while ((fd = open("/dev/null", O_RDWR | O_CLOEXEC)) >= 0 && fd < 3)
        ;
    if (fd < 0)
        return error_system(error, "can't open /dev/null");
    close(fd);
    return true;
}

static int watch_signals(struct error *error)
{
    static const int watched[] = { SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGCHLD, SIGWINCH, SIGTSTP };
    sigset_t set;
    sigemptyset(&set);
    for (size_t i = 0; i < sizeof watched / sizeof *watched; i++)
        sigaddset(&set, watched[i]);
    signal(SIGPIPE, SIG_IGN);
    int signals = sigprocmask(SIG_BLOCK, &set, NULL) == 0 ? signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK) : -1;
    if (signals < 0)
        error_system(error, "can't watch signals");
    return signals;
}

/* Until the command ends or `bottle` is told to: the exit status, or 128 + the signal. */
static int attend(pid_t command, int signals, struct terminal_relay *terminal)
{
    for (;;) {
        struct pollfd events[1 + TERMINAL_RELAY_EVENTS] = { { .fd = signals, .events = POLLIN } };
        terminal_relay_prepare(terminal, events + 1);
        if (poll(events, 1 + TERMINAL_RELAY_EVENTS, -1) < 0 && errno != EINTR)
            return STATUS_LAUNCH;
        terminal_relay_move(terminal, events + 1);
        struct signalfd_siginfo what;
        while (read(signals, &what, sizeof what) == (ssize_t)sizeof what) {
            int status;
            if (what.ssi_signo == SIGWINCH)
                terminal_relay_resize(terminal);
            else if (what.ssi_signo == SIGCHLD && waitpid(command, &status, WNOHANG) == command)
                return process_exit_status(status);
            else if (what.ssi_signo != SIGCHLD && what.ssi_signo != SIGTSTP)
                return 128 + (int)what.ssi_signo;
        }
    }
}

static int run_in(struct bottle *bottle, const struct request *request, int signals, struct terminal_relay *terminal,
                  struct error *error)
{
    struct exec_streams streams = { .input = 0, .output = 1, .errors = 2 };
    cleanup_close int slave = -1;
    pid_t command;
    if (terminal_relay_wanted()) {
        int master;
        if (!native_backend.open_terminal(bottle, request->principal, &master, &slave, error) ||
            !terminal_relay_open(terminal, master, error))
            return -1;
        streams.terminal = isatty(0) == 1;
        streams.input = isatty(0) == 1 ? slave : 0;
        streams.output = isatty(1) == 1 ? slave : 1;
        streams.errors = isatty(2) == 1 ? slave : 2;
    }
    if (!native_backend.exec(bottle, request->command, request->principal, &streams, &command, error))
        return -1;
    cleanup_close_fd(&slave); /* the end of the last process inside is the end of its terminal */
    return attend(command, signals, terminal);
}

static int run(int argc, char **argv, struct error *error)
{
    char init[PATH_MAX];
    struct request request = { .bottle = { .system_directories = true, .init_path = init },
                               .principal = PRINCIPAL_USER };
    int parsed = parse(argc, argv, &request, error);
    if (parsed == 0 && request.help)
        return 0;
    if (parsed != 0 || !fill_streams(error) || !install_find("bottle-init", init, error))
        return -1;
    cleanup_close int signals = watch_signals(error);
    if (signals < 0)
        return -1;
    struct bottle *bottle = native_backend.start(&request.bottle, error);
    if (bottle == NULL)
        return -1;
    struct terminal_relay terminal = TERMINAL_RELAY_NONE;
    int status = run_in(bottle, &request, signals, &terminal, error);
    /* First everybody inside ends, then the last of what they wrote is shown, then the terminal is as it was. */
    bool gone = native_backend.destroy(bottle, error);
    terminal_relay_close(&terminal);
    if (status == 127)
        fprintf(stderr, "bottle: %.128s: not found in the bottle\n", request.command[0]);
    return gone ? status : -1;
}

const struct command bottle_command_run = {
    .name = "run",
    .summary = "run a command in a new bottle",
    .help =
        "usage: bottle run [OPTION...] [--] [COMMAND [ARGUMENT...]]\n"
        "\n"
        "Runs COMMAND (default /bin/sh) in a new native bottle: the system's programs, read-only, and nothing else\n"
        "of this host; no network but the door. The bottle ends with the command and leaves nothing.\n"
        "\n"
        "  --door HOST:PORT   the one address it may reach; inside it is at $BOTTLE_DOOR (127.0.0.1:7702)\n"
        "  --as user|root     uid 65534 (default) or uid 0 of the bottle\n"
        "  --without FENCE    leave a fence out (see bottle backends native); may be given again\n"
        "\n"
        "Exit status: the command's own; 128+n if signal n ended it or bottle; 127 not found, 126 not executable;\n"
        "125 the bottle could not be started; 4 wrong usage.\n",
    .run = run,
};
