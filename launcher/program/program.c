/*
 * See program.h: what the main() of both programs does around a command. Only here is a status made of an error, and an error
 * told.
 */
#include "program.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

/* A standard stream that is closed would be given to the next file that is opened, and what is written to the stream would go
 * into that. A closed standard output gets one that can't be written to, so that a list which nobody can read is an error
 * and not a success; but the streams of a command that is to be run are null. */
static bool fill_streams(bool writable, struct error *error)
{
    for (int fd = 0; fd <= 2; fd++) {
        if (fcntl(fd, F_GETFD) >= 0 || errno != EBADF)
            continue;
        int filled = open("/dev/null", fd == 1 && !writable ? O_RDONLY : O_RDWR);
        if (filled != fd)
            return error_system(error, "can't open /dev/null in the place of a closed stream");
    }
    return true;
}

const struct command *program_find(const struct program *program, const char *name)
{
    for (const struct command *const *command = program->commands; *command != NULL; command++)
        if (strcmp((*command)->name, name) == 0)
            return *command;
    return NULL;
}

static int no_command(const struct program *program, const char *name, struct error *error)
{
    error_set(error, ERROR_USAGE, "no command is named \"%.64s\"; see %s --help", name, program->name);
    return -1;
}

static bool is_help(const char *word)
{
    return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0;
}

bool program_take_help(void *settings, const char *operand, struct error *error)
{
    (void)error;
    *(const char **)settings = operand;
    return true;
}

/* help [COMMAND]: has no run() of its own, because that would not know of which program it is. */
static int help(const struct program *program, const struct command *own, int argc, char **argv, struct error *error)
{
    const char *name = NULL;
    bool helped;
    if (!command_parse(own, argc, argv, &name, &helped, error))
        return -1;
    const struct command *command = name != NULL ? program_find(program, name) : NULL;
    if (name != NULL && command == NULL)
        return no_command(program, name, error);
    if (command != NULL)
        command_write_help(command, stdout);
    else if (!helped)
        program_write_help(program, stdout);
    return 0;
}

static int dispatch(const struct program *program, int argc, char **argv, struct error *error)
{
    if (argc < 2 && program->usage_alone) {
        program_write_help(program, stderr);
        return STATUS_USAGE;
    }
    if (argc < 2) {
        error_set(error, ERROR_USAGE, "a command is missing; see %s --help", program->name);
        return -1;
    }
    if (is_help(argv[1])) {
        program_write_help(program, stdout);
        return 0;
    }
    if (strcmp(argv[1], "--version") == 0) {
        printf("%s %s\n", program->name, BOTTLE_VERSION);
        return 0;
    }
    const struct command *command = program_find(program, argv[1]);
    if (command == NULL)
        return no_command(program, argv[1], error);
    return command->run == NULL ? help(program, command, argc - 1, argv + 1, error)
                                : command->run(argc - 1, argv + 1, error);
}

/* The bytes of the well-formed UTF-8 character that `text` begins with, 0 if there is none or it can't be shown. */
static size_t printable(const char *text)
{
    const unsigned char *bytes = (const unsigned char *)text;
    if (bytes[0] < 0x80)
        return bytes[0] >= 0x20 && bytes[0] != 0x7f;
    size_t length = bytes[0] >= 0xf0 ? 4 : bytes[0] >= 0xe0 ? 3 : 2;
    if (bytes[0] < 0xc2 || bytes[0] > 0xf4 || (bytes[0] == 0xc2 && bytes[1] < 0xa0))
        return 0;
    for (size_t i = 1; i < length; i++)
        if ((bytes[i] & 0xc0) != 0x80)
            return 0;
    return length;
}

void program_tell(const char *program, const struct error *error)
{
    char line[sizeof error->text + 64];
    int used = snprintf(line, 64, "%.32s: ", program);
    for (const char *text = error->text; *text != '\0';) {
        size_t length = printable(text);
        memcpy(line + used, length > 0 ? text : "?", length > 0 ? length : 1);
        used += (int)(length > 0 ? length : 1);
        text += length > 0 ? length : 1;
    }
    fprintf(stderr, "%.*s\n", used, line); /* in one write */
}

static int status_of(const struct program *program, enum error_code code)
{
    return code == ERROR_USAGE ? STATUS_USAGE : code == ERROR_HOST ? program->host_status : program->failure_status;
}

static bool passes_streams(const struct program *program, int argc, char **argv)
{
    const struct command *command = argc > 1 ? program_find(program, argv[1]) : NULL;
    return command != NULL && command_runs_command(command);
}

int program_main(const struct program *program, int argc, char **argv)
{
    struct error error = { 0 };
    int status = fill_streams(passes_streams(program, argc, argv), &error) ? dispatch(program, argc, argv, &error) : -1;
    /* A command that has said already that something failed has its own status. */
    if (status <= 0 && (fflush(stdout) != 0 || ferror(stdout))) {
        error_system(&error, "can't write standard output");
        status = -1;
    }
    if (error.code != ERROR_NONE)
        program_tell(program->name, &error);
    return status >= 0 ? status : status_of(program, error.code);
}
