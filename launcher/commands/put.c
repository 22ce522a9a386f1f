/* bottle put: copies a file of the caller's into a bottle's /tmp. The keeper gets it opened: no path is looked up for us. */
#include "command.h"

#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../keeper/client.h"
#include "../support/cleanup.h"

struct settings {
    const char *bottle, *path, *name; /* name: inside */
    mode_t mode;
};

static bool take_mode(void *settings, const char *text, struct error *error)
{
    char *end;
    unsigned long value = strspn(text, "01234567") == strlen(text) ? strtoul(text, &end, 8) : ULONG_MAX;
    if (*text == '\0' || value > 0777)
        return error_set(error, ERROR_USAGE, "--mode %.64s: not an octal number up to 0777", text);
    ((struct settings *)settings)->mode = (mode_t)value;
    return true;
}

static bool take_name_inside(void *settings, const char *argument, struct error *error)
{
    (void)error;
    ((struct settings *)settings)->name = argument;
    return true;
}

static bool take_bottle(void *settings, const char *operand, struct error *error)
{
    ((struct settings *)settings)->bottle = operand;
    return bottle_command_check_name(operand, error);
}

static bool take_path(void *settings, const char *operand, struct error *error)
{
    (void)error;
    ((struct settings *)settings)->path = operand;
    return true;
}

static const struct command_option options[] = {
    { .name = "to",
      .argument = "NAME-INSIDE",
      .help = "its name in /tmp (default: that of FILE)",
      .take = take_name_inside },
    { .name = "mode", .argument = "MODE", .help = "its permissions, octal (default: 0644)", .take = take_mode },
};

static const struct command_operand operands[] = {
    { .name = "NAME", .help = "the bottle's name", .least = 1, .most = 1, .take = take_bottle, .kind = WORD_BOTTLE },
    { .name = "FILE", .help = "the file to copy", .least = 1, .most = 1, .take = take_path, .kind = WORD_FILE },
};

static bool find_name_inside(struct settings *settings, struct error *error)
{
    const char *slash = strrchr(settings->path, '/');
    if (settings->name == NULL)
        settings->name = slash != NULL ? slash + 1 : settings->path;
    const char *name = settings->name;
    return (*name != '\0' && strchr(name, '/') == NULL && strcmp(name, ".") != 0 && strcmp(name, "..") != 0 &&
            strlen(name) <= 63) ||
           error_set(error, ERROR_USAGE,
                     "put: \"%.80s\" is no name for a file in /tmp (at most 63 bytes, no /): give one by --to", name);
}

static int open_file(const char *path, struct error *error)
{
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
    return take_fd(&file);
}

static int run(int argc, char **argv, struct error *error)
{
    static struct request request = { .kind = REQUEST_PUT, .word_count = 1 };
    struct settings settings = { .mode = 0644 };
    struct reply reply;
    bool helped;
    if (!command_parse(&bottle_command_put, argc, argv, &settings, &helped, error))
        return -1;
    if (helped)
        return 0;
    if (!find_name_inside(&settings, error))
        return -1;
    cleanup_close int file = open_file(settings.path, error);
    if (file < 0)
        return -1;
    request.words[0] = (char *)settings.name; /* it is only read */
    request.mode = settings.mode;
    return client_ask(settings.bottle, &request, &file, &reply, error) ? 0 : -1;
}

static const struct text_row statuses[] = {
    { "0", "the file is inside" },
    { "4", "wrong usage" },
    { "125", "no such bottle, or the file could not be copied" },
    { NULL, NULL },
};

const struct command bottle_command_put = {
    .program = "bottle",
    .name = "put",
    .summary = "copy a file into a bottle that lives",
    .description = "Copies the regular file FILE to /tmp of the bottle NAME, owned by its root. A file that is there "
                   "already is not replaced.",
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .operands = operands,
    .operand_count = sizeof operands / sizeof *operands,
    .takes = "takes the bottle's name and one file",
    .statuses = statuses,
    .files = bottle_files,
    .environment = bottle_environment,
    .see_also = "bottle-start(1), bottle-exec(1)",
    .run = run,
};
