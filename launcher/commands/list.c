/*
 * bottle list: the bottles that live, by asking each keeper. A socket that nobody answers on is removed by the asking and not
 * shown; a keeper that is there and doesn't answer is an error that is told after the list.
 */
#include "command.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "../keeper/client.h"
#include "../keeper/registry.h"
#include "../support/cleanup.h"
#include "../support/process.h"

#define ANSWER_MICROSECONDS 10000000

struct row {
    const char *name;
    pid_t keeper;
    char since[32], door[80];
    struct reply reply;
};

/* Fills `row`. False: it doesn't live; or, with `error` filled, it can't be told. */
static bool ask(const char *name, struct row *row, struct error *error)
{
    bool closed = false;
    struct error failure = { 0 };
    struct request request = { .kind = REQUEST_ASK };
    cleanup_close int connection = client_connect(name, &failure);
    if (connection < 0)
        return false;
    row->name = name;
    row->keeper = client_keeper(connection);
    if (!client_send(connection, &request, NULL, &closed, &failure) ||
        !client_receive(connection, &row->reply, NULL, clock_microseconds() + ANSWER_MICROSECONDS, &closed, &failure)) {
        if (!closed) /* one that ended this very moment is no error */
            error_set(error, failure.code, "%s: %.400s", name, failure.text);
        return false;
    }
    struct tm time;
    time_t since = (time_t)row->reply.since;
    if (gmtime_r(&since, &time) == NULL || strftime(row->since, sizeof row->since, "%Y-%m-%dT%H:%M:%SZ", &time) == 0)
        snprintf(row->since, sizeof row->since, "-");
    const char *host = row->reply.door_host;
    snprintf(row->door, sizeof row->door, strchr(host, ':') != NULL ? "[%s]:%u" : "%s:%u", host, row->reply.door_port);
    return true;
}

static void print_fences(uint32_t without, const char *quote)
{
    bool first = true;
    for (size_t i = 0; i < native_backend.fence_count; i++) {
        if ((without >> i & 1) == 0)
            continue;
        printf("%s%s%s%s", first ? "" : ",", quote, native_backend.fences[i].name, quote);
        first = false;
    }
    if (first && *quote == '\0')
        putchar('-');
}

static void print_row(const struct row *row)
{
    printf("%-32s %s %8d %-4s %-22s ", row->name, row->since, (int)row->keeper,
           principal_name((enum principal)row->reply.principal), row->reply.door_port != 0 ? row->door : "-");
    print_fences(row->reply.without, "");
    putchar('\n');
}

/* Names and addresses are of few characters: nothing in them needs escaping. */
static void print_json(const struct row *row, bool first)
{
    const char *quote = row->reply.door_port != 0 ? "\"" : "";
    printf("%s{\"name\":\"%s\",\"since\":\"%s\",\"pid\":%d,\"as\":\"%s\",\"door\":%s%s%s,\"without\":[",
           first ? "" : ",", row->name, row->since, (int)row->keeper,
           principal_name((enum principal)row->reply.principal), quote, row->reply.door_port != 0 ? row->door : "null",
           quote);
    print_fences(row->reply.without, "\"");
    fputs("]}", stdout);
}

static bool take_json(void *settings, const char *argument, struct error *error)
{
    (void)argument, (void)error;
    *(bool *)settings = true;
    return true;
}

static const struct command_option options[] = {
    { .name = "json", .help = "the same for a program", .take = take_json },
};

static int run(int argc, char **argv, struct error *error)
{
    bool json = false, first = true, helped;
    if (!command_parse(&bottle_command_list, argc, argv, &json, &helped, error))
        return -1;
    if (helped)
        return 0;
    cleanup_free char(*names)[REGISTRY_NAME] = NULL;
    cleanup_close int directory = registry_open(false, error);
    int count = directory >= 0 ? registry_list(directory, &names, error) : 0;
    if (error->code != ERROR_NONE)
        return -1;
    if (json)
        putchar('[');
    else
        printf("%-32s %-20s %8s %-4s %-22s %s\n", "NAME", "SINCE", "KEEPER", "AS", "DOOR", "WITHOUT");
    for (int i = 0; i < count; i++) {
        struct row row;
        if (!ask(names[i], &row, error))
            continue;
        if (json)
            print_json(&row, first);
        else
            print_row(&row);
        first = false;
    }
    if (json)
        puts("]");
    return error->code == ERROR_NONE ? 0 : -1;
}

static const struct text_row statuses[] = {
    { "0", "all of them are listed" },
    { "4", "wrong usage" },
    { "125", "one could not be asked; those that could are listed" },
    { NULL, NULL },
};

const struct command bottle_command_list = {
    .program = "bottle",
    .name = "list",
    .summary = "list the bottles that live",
    .description =
        "Lists this user's bottles: name, since when, the process that keeps it, whom its commands act as, its "
        "door, and the fences that were left out.",
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .takes = "takes no name",
    .statuses = statuses,
    .files = bottle_files,
    .environment = bottle_environment,
    .see_also = "bottle-start(1), bottle-stop(1)",
    .run = run,
};
