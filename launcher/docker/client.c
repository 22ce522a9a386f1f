/* See client.h. */
#include "client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../support/cleanup.h"
#include "../support/process.h"
#include "http.h"

/* What is sent is the same in all of them; what is older or newer than these was not looked at. */
#define OLDEST_MINOR 40
#define NEWEST_MINOR 51

unsigned docker_patience = 30000;

static void drop_answer(struct docker_answer *answer)
{
    free(answer->bytes);
}
#define cleanup_answer __attribute__((cleanup(drop_answer)))

/* "1.41" -> 41; 0 for anything else. */
static unsigned minor_of(const cJSON *value)
{
    unsigned minor = 0;
    int end = 0;
    if (!cJSON_IsString(value) || sscanf(value->valuestring, "1.%3u%n", &minor, &end) != 1)
        return 0;
    return value->valuestring[end] == '\0' ? minor : 0;
}

bool docker_read_version(const char *text, size_t size, struct docker_client *client, struct error *error)
{
    cleanup_json cJSON *answer = smolvm_json_parse(text, size);
    char shown[108];
    unsigned newest = minor_of(smolvm_json_field(answer, "ApiVersion"));
    unsigned oldest = minor_of(smolvm_json_field(answer, "MinAPIVersion"));
    if (newest == 0 || oldest == 0 ||
        !smolvm_json_show(smolvm_json_field(answer, "Version"), client->version, sizeof client->version))
        return error_set(error, ERROR_BROKEN, "what answers on %.107s is no Docker Engine: it names no API version",
                         docker_socket_shown(client->socket, shown));
    client->minor = newest < NEWEST_MINOR ? newest : NEWEST_MINOR;
    return (client->minor >= OLDEST_MINOR && client->minor >= oldest) ||
           error_set(error, ERROR_HOST,
                     "Docker Engine %s speaks API 1.%u to 1.%u, and this program 1.%d to 1.%d: take another engine",
                     client->version, oldest, newest, OLDEST_MINOR, NEWEST_MINOR);
}

bool docker_connect(struct docker_client *client, const char *socket, uint64_t deadline, struct error *error)
{
    cleanup_answer struct docker_answer answer;
    *client = (struct docker_client){ 0 };
    snprintf(client->socket, sizeof client->socket, "%s", socket);
    const struct docker_request request = {
        .socket = client->socket, .method = "GET", .path = "/version", .deadline = deadline
    };
    return docker_http(&request, &answer, error) && docker_read_version(answer.bytes, answer.size, client, error);
}

bool docker_id(const cJSON *object, const char *name, char id[DOCKER_ID_BYTES])
{
    const cJSON *value = smolvm_json_field(object, name);
    if (!cJSON_IsString(value) || strlen(value->valuestring) != DOCKER_ID_BYTES - 1 ||
        strspn(value->valuestring, "0123456789abcdef") != DOCKER_ID_BYTES - 1)
        return false;
    memcpy(id, value->valuestring, DOCKER_ID_BYTES);
    return true;
}

/* The engine says why in {"message":...}. */
static bool say_refused(const char *method, const char *path, const struct docker_answer *answer, struct error *error)
{
    char message[256] = "";
    cleanup_json cJSON *said = smolvm_json_parse(answer->bytes, answer->size);
    smolvm_json_show(smolvm_json_field(said, "message"), message, sizeof message);
    return error_set(error, ERROR_BROKEN, "Docker refuses %s %.60s (%ld)%s%s", method, path, answer->status,
                     *message != '\0' ? ": " : "", message);
}

static bool ask(struct docker_client *client, const char *method, const char *path, const char *type, const void *body,
                size_t size, struct docker_answer *answer, struct error *error)
{
    char whole[400], shown[108];
    snprintf(whole, sizeof whole, "/v1.%u%s", client->minor, path);
    const struct docker_request request = { .socket = client->socket,
                                            .method = method,
                                            .path = whole,
                                            .type = type,
                                            .body = body,
                                            .body_size = size,
                                            .deadline = clock_microseconds() + docker_patience * 1000ull };
    if (client->deaf)
        return error_set(error, ERROR_BROKEN, "Docker on %.107s no longer answers",
                         docker_socket_shown(client->socket, shown));
    struct error why = { 0 };
    bool answered = docker_http(&request, answer, &why);
    client->deaf = !answered && clock_microseconds() >= request.deadline;
    /* It has answered before: that it is gone is no lack of this host. */
    client->lost = client->lost || !answered;
    if (!answered)
        error_set(error, why.code == ERROR_HOST ? ERROR_BROKEN : why.code, "%s", why.text);
    return answered && ((answer->status >= 200 && answer->status < 300) || say_refused(method, path, answer, error));
}

bool docker_call(struct docker_client *client, const char *method, const char *path, const cJSON *body, cJSON **answer,
                 struct error *error)
{
    cleanup_answer struct docker_answer said = { 0 };
    cleanup_free char *text = body != NULL ? cJSON_PrintUnformatted(body) : NULL;
    if (body != NULL && text == NULL)
        return error_set(error, ERROR_SYSTEM, "out of memory for a request to Docker");
    if (!ask(client, method, path, text != NULL ? "application/json" : NULL, text, text != NULL ? strlen(text) : 0,
             &said, error))
        return false;
    if (answer == NULL)
        return true;
    *answer = smolvm_json_parse(said.bytes, said.size);
    return *answer != NULL || error_set(error, ERROR_BROKEN, "Docker's answer to %s %.60s is no JSON", method, path);
}

/* {"status":"sha256:..."} is the last line of one that went well; {"error":...} may come after others. */
bool docker_read_import(const char *text, size_t size, char image[DOCKER_ID_BYTES], struct error *error)
{
    static const char algorithm[] = "sha256:";
    bool found = false;
    for (size_t at = 0; at < size;) {
        const char *end = memchr(text + at, '\n', size - at);
        size_t length = end != NULL ? (size_t)(end - (text + at)) : size - at;
        char message[200];
        cleanup_json cJSON *line = smolvm_json_parse(text + at, length);
        at += length + 1;
        if (smolvm_json_show(smolvm_json_field(line, "error"), message, sizeof message))
            return error_set(error, ERROR_BROKEN, "Docker can't import the bottle's image: %s", message);
        const cJSON *status = smolvm_json_field(line, "status");
        if (!cJSON_IsString(status) || strncmp(status->valuestring, algorithm, sizeof algorithm - 1) != 0)
            continue;
        const char *digits = status->valuestring + sizeof algorithm - 1;
        found = strlen(digits) == DOCKER_ID_BYTES - 1 && strspn(digits, "0123456789abcdef") == DOCKER_ID_BYTES - 1;
        if (found)
            memcpy(image, digits, DOCKER_ID_BYTES);
    }
    return found || error_set(error, ERROR_BROKEN, "Docker says of no image that it was imported");
}

bool docker_import(struct docker_client *client, const void *tar, size_t size, const char *repository, const char *tag,
                   char image[DOCKER_ID_BYTES], struct error *error)
{
    char path[160] = "/images/create?fromSrc=-";
    cleanup_answer struct docker_answer said = { 0 };
    if (repository != NULL)
        snprintf(path, sizeof path, "/images/create?fromSrc=-&repo=%.48s&tag=%.48s", repository, tag);
    return ask(client, "POST", path, "application/x-tar", tar, size, &said, error) &&
           docker_read_import(said.bytes, said.size, image, error);
}
