/* bottle put: copies a file of the caller's into a bottle's /tmp. The keeper gets it opened: no path is looked up for us. */
#include "command.h"

#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../keeper/client.h"
#include "../support/cleanup.h"

static bool parse_mode(const char *text, mode_t *mode, struct error *error)
{
    char *end;
    unsigned long value = strspn(text, "01234567") == strlen(text) ? strtoul(text, &end, 8) : ULONG_MAX;
    if (*text == '\0' || value > 0777)
        return error_set(error, ERROR_USAGE, "--mode %.64s: not an octal number up to 0777", text);
    *mode = (mode_t)value;
    return true;
}

static int run(int argc, char **argv, struct error *error)
{
    static const struct option options[] = { { "to", required_argument, NULL, 't' },
                                             { "mode", required_argument, NULL, 'm' },
                                             COMMAND_HELP_OPTION };
    static struct request request = { .kind = REQUEST_PUT, .mode = 0644, .word_count = 1 };
    struct reply reply;
    for (int option; (option = getopt_long(argc, argv, ":", options, NULL)) != -1;) {
        if (option == 't')
            request.words[0] = optarg;
        else if (option != 'm')
            return bottle_command_other_option(&bottle_command_put, argv, option, error);
        else if (!parse_mode(optarg, &request.mode, error))
            return -1;
    }
    if (argc - optind != 2) {
        error_set(error, ERROR_USAGE, "put: takes the bottle's name and one file: see bottle put --help");
        return -1;
    }
    char *path = argv[optind + 1], *slash = strrchr(path, '/');
    if (request.words[0] == NULL)
        request.words[0] = slash != NULL ? slash + 1 : path;
    const char *name = request.words[0];
    if (*name == '\0' || strchr(name, '/') != NULL || strcmp(name, ".") == 0 || strcmp(name, "..") == 0 ||
        strlen(name) > 63) {
        error_set(error, ERROR_USAGE,
                  "put: \"%.80s\" is no name for a file in /tmp (at most 63 bytes, no /): give one by --to", name);
        return -1;
    }
    if (!bottle_command_check_name(argv[optind], error))
        return -1;
    struct stat status;
    cleanup_close int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY); /* a FIFO must not hold us up */
    if (file < 0 || fstat(file, &status) != 0) {
        error_system(error, "can't open %.256s", path);
        return -1;
    }
    if (!S_ISREG(status.st_mode)) {
        error_set(error, ERROR_USAGE, "put: %.256s is no regular file", path);
        return -1;
    }
    return client_ask(argv[optind], &request, &file, &reply, error) ? 0 : -1;
}

const struct command bottle_command_put = {
    .name = "put",
    .summary = "copy a file into a bottle that lives",
    .help = "usage: bottle put NAME FILE [--to NAME-INSIDE] [--mode MODE]\n"
            "\n"
            "Copies the regular file FILE to /tmp of the bottle NAME, owned by its root. A file that is there already\n"
            "is not replaced.\n"
            "\n"
            "  --to NAME-INSIDE   its name in /tmp (default: that of FILE)\n"
            "  --mode MODE        its permissions, octal (default 0644)\n"
            "\n"
            "Exit status: 0; 125 no such bottle, or it could not be copied; 4 wrong usage.\n",
    .run = run,
};
