/*
 * See backend.h, machine_clear: what a run that was killed has left in the machine's engine is found by the run's mark: containers and networks by
 * their label, images by their name, tables by their comment. The engine may still be at work on what the killed one asked for
 * last, so it is asked until there is nothing.
 */
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "../../support/process.h"
#include "docker.h"

#define CLEAR_MICROSECONDS 60000000ull /* a bound on hangs */
#define AGAIN_MILLISECONDS 50

bool machine_is_mark(const char *mark)
{
    size_t digits = strspn(mark, "0123456789abcdef");
    return digits >= 1 && digits <= 32 && mark[digits] == '\0';
}

/* For a URL: everything but letters and digits as %XX. */
static void escape(const char *text, char *to, size_t capacity)
{
    size_t used = 0;
    for (; *text != '\0' && used + 4 < capacity; text++) {
        char c = *text;
        bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        used += (size_t)snprintf(to + used, capacity - used, plain ? "%c" : "%%%02X", (unsigned char)c);
    }
    to[used] = '\0';
}

/* Lists what has the mark; `joint` stands between the name of the marks and a mark. */
static bool list(struct docker_client *client, const char *what, const char *key, const char *name, char joint,
                 const char *mark, cJSON **answer, struct error *error)
{
    char filter[128], escaped[320], path[400], joined[40] = "";
    if (*mark != '\0')
        snprintf(joined, sizeof joined, "%c%.32s", joint, mark);
    snprintf(filter, sizeof filter, "{\"%s\":[\"%s%s\"]}", key, name, joined);
    escape(filter, escaped, sizeof escaped);
    snprintf(path, sizeof path, "%s%s", what, escaped);
    return docker_call(client, "GET", path, NULL, answer, error) &&
           (cJSON_IsArray(*answer) || error_set(error, ERROR_BROKEN, "Docker's answer to GET %.40s is no list", what));
}

/* Asks for the end of each that is listed, and how many there are; what is refused is kept in `said`. */
static bool remove_listed(struct docker_client *client, const cJSON *listed, const char *before, const char *after,
                          unsigned *found, struct error *said, struct error *error)
{
    const cJSON *each = NULL;
    *found = 0;
    cJSON_ArrayForEach(each, listed)
    {
        char id[DOCKER_ID_BYTES], path[160];
        if (!docker_id(each, "Id", id))
            return error_set(error, ERROR_BROKEN, "Docker lists something that has no id");
        snprintf(path, sizeof path, "%s%s%s", before, id, after);
        docker_call(client, "DELETE", path, NULL, NULL, said);
        ++*found;
    }
    return true;
}

/* A network goes after the containers on it. */
static const struct {
    const char *list, *before, *after;
} kinds[] = {
    { "/containers/json?all=true&filters=", "/containers/", "?force=true&v=true" },
    { "/networks?filters=", "/networks/", "" },
};
enum { KINDS = sizeof kinds / sizeof *kinds };

/* All rounds again until there is nothing in one. */
static bool clear_labelled(struct docker_client *client, const char *mark, unsigned *removed, struct error *error)
{
    uint64_t deadline = clock_microseconds() + CLEAR_MICROSECONDS;
    unsigned most[KINDS] = { 0 };
    for (;;) {
        unsigned all = 0;
        struct error said = { 0 };
        for (size_t i = 0; i < KINDS; i++) {
            unsigned found = 0;
            cleanup_json cJSON *listed = NULL;
            if (!list(client, kinds[i].list, "label", CONTAINER_MARK, '=', mark, &listed, error) ||
                !remove_listed(client, listed, kinds[i].before, kinds[i].after, &found, &said, error))
                return false;
            most[i] = found > most[i] ? found : most[i];
            all += found;
        }
        if (all == 0)
            break;
        if (clock_microseconds() > deadline)
            return error_set(error, ERROR_BROKEN,
                             "what a gate left in this machine's Docker Engine can't be removed: %s", said.text);
        if (said.code != ERROR_NONE)
            poll(NULL, 0, AGAIN_MILLISECONDS); /* it is at work on the same for another call */
    }
    for (size_t i = 0; i < KINDS; i++)
        *removed += most[i];
    return true;
}

/* bottle-gate:MARK, and nothing else that an engine may say. */
static bool is_our_image(const char *name, const char *mark)
{
    static const char before[] = CONTAINER_IMAGE ":";
    return strncmp(name, before, sizeof before - 1) == 0 && machine_is_mark(name + sizeof before - 1) &&
           (*mark == '\0' || strcmp(name + sizeof before - 1, mark) == 0);
}

static bool clear_images(struct docker_client *client, const char *mark, unsigned *removed, struct error *error)
{
    const cJSON *image = NULL, *name = NULL;
    cleanup_json cJSON *listed = NULL;
    if (!list(client, "/images/json?filters=", "reference", CONTAINER_IMAGE, ':', mark, &listed, error))
        return false;
    cJSON_ArrayForEach(image, listed)
    {
        cJSON_ArrayForEach(name, smolvm_json_field(image, "RepoTags"))
        {
            char path[80];
            if (!cJSON_IsString(name) || !is_our_image(name->valuestring, mark))
                continue;
            snprintf(path, sizeof path, "/images/%.50s?force=true", name->valuestring);
            if (!docker_call(client, "DELETE", path, NULL, NULL, error))
                return false;
            ++*removed;
        }
    }
    return true;
}

bool machine_clear(const struct machine *machine, unsigned *removed, struct error *error)
{
    struct docker_client client;
    char socket[32];
    const char *mark = machine->mark;
    *removed = 0;
    snprintf(socket, sizeof socket, "/proc/self/fd/%d", machine->engine);
    if (*mark != '\0' && !machine_is_mark(mark))
        return error_set(error, ERROR_USAGE, "a machine's mark is 1 to 32 lower-case hex digits");
    bool cleared = docker_connect(&client, socket, clock_microseconds() + CLEAR_MICROSECONDS, error) &&
                   clear_labelled(&client, mark, removed, error) && clear_images(&client, mark, removed, error);
    /* A drop ends when nothing can come any more. */
    for (unsigned place = 0; cleared && place < CONTAINER_BOTTLES; place++)
        cleared = rules_clear(place, mark, removed, error);
    return cleared;
}
