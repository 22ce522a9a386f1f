/*
 * See http.h. libcurl does it, loaded when it is first needed (launcher/smolvm/docker_ports.c says why). Over a Unix socket it
 * uses no proxy, whatever the environment says. Each request has a connection of its own: none is left open for somebody
 * who is forked later.
 */
#include "http.h"

#define CURL_DISABLE_TYPECHECK
#include <curl/curl.h>
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../support/process.h"

/* What is used of libcurl. */
static struct {
    bool loaded;
    __typeof__(curl_global_init) *global_init;
    __typeof__(curl_easy_init) *init;
    __typeof__(curl_easy_setopt) *set;
    __typeof__(curl_easy_perform) *perform;
    __typeof__(curl_easy_getinfo) *get_info;
    __typeof__(curl_easy_cleanup) *cleanup;
    __typeof__(curl_easy_strerror) *text;
    __typeof__(curl_slist_append) *append;
    __typeof__(curl_slist_free_all) *free_all;
} curl;

static bool load_curl(struct error *error)
{
    static const struct {
        const char *name;
        void *place;
    } calls[] = {
        { "curl_global_init", &curl.global_init }, { "curl_easy_init", &curl.init },
        { "curl_easy_setopt", &curl.set },         { "curl_easy_perform", &curl.perform },
        { "curl_easy_getinfo", &curl.get_info },   { "curl_easy_cleanup", &curl.cleanup },
        { "curl_easy_strerror", &curl.text },      { "curl_slist_append", &curl.append },
        { "curl_slist_free_all", &curl.free_all },
    };
    if (curl.loaded)
        return true;
    void *library = dlopen("libcurl.so.4", RTLD_NOW | RTLD_LOCAL);
    bool whole = library != NULL;
    for (size_t i = 0; whole && i < sizeof calls / sizeof *calls; i++) {
        void *call = dlsym(library, calls[i].name);
        whole = call != NULL;
        memcpy(calls[i].place, &call, sizeof call);
    }
    if (!whole)
        return error_set(error, ERROR_HOST,
                         "libcurl.so.4 can't be loaded to speak to Docker: sudo apt install libcurl4 (nixpkgs: curl)");
    curl.loaded = curl.global_init(CURL_GLOBAL_NOTHING) == CURLE_OK;
    return curl.loaded || error_set(error, ERROR_SYSTEM, "libcurl can't be used to speak to Docker");
}

static size_t keep(char *bytes, size_t unit, size_t count, void *pointer)
{
    struct docker_answer *answer = pointer;
    size_t size = unit * count;
    if (size > DOCKER_ANSWER_BYTES - answer->size)
        return 0; /* ends the transfer */
    memcpy(answer->bytes + answer->size, bytes, size);
    answer->size += size;
    return size;
}

const char *docker_socket_shown(const char *socket, char shown[108])
{
    ssize_t size = strncmp(socket, "/proc/self/fd/", 14) == 0 ? readlink(socket, shown, 107) : -1;
    if (size < 0)
        snprintf(shown, 108, "%s", socket);
    else
        shown[size] = '\0';
    return shown;
}

static bool say_what_failed(const struct docker_request *request, CURLcode code, struct error *error)
{
    char shown[108];
    const char *method = request->method, *path = request->path, *at = docker_socket_shown(request->socket, shown);
    if (code == CURLE_COULDNT_CONNECT)
        return error_set(error, ERROR_HOST, "no Docker Engine that you may speak to listens on %.107s", at);
    if (code == CURLE_OPERATION_TIMEDOUT)
        return error_set(error, ERROR_BROKEN, "Docker on %.107s did not answer %s %.80s in time", at, method, path);
    if (code == CURLE_WRITE_ERROR)
        return error_set(error, ERROR_BROKEN, "Docker on %.107s answers %s %.80s with more than %d bytes", at, method,
                         path, DOCKER_ANSWER_BYTES);
    return error_set(error, ERROR_BROKEN, "Docker on %.107s gave no whole answer to %s %.80s: %.100s", at, method, path,
                     curl.text(code));
}

static void set_up(CURL *handle, const struct docker_request *request, const char *url, struct docker_answer *answer)
{
    curl.set(handle, CURLOPT_URL, url);
    curl.set(handle, CURLOPT_UNIX_SOCKET_PATH, request->socket);
    curl.set(handle, CURLOPT_NOSIGNAL, 1L);
    curl.set(handle, CURLOPT_FORBID_REUSE, 1L);
    curl.set(handle, CURLOPT_TIMEOUT_MS, (long)clock_poll_timeout(request->deadline) + 1);
    curl.set(handle, CURLOPT_CUSTOMREQUEST, request->method);
    curl.set(handle, CURLOPT_WRITEFUNCTION, keep);
    curl.set(handle, CURLOPT_WRITEDATA, answer);
    if (strcmp(request->method, "GET") == 0)
        return;
    curl.set(handle, CURLOPT_POST, 1L);
    curl.set(handle, CURLOPT_POSTFIELDS, request->type != NULL ? request->body : "");
    curl.set(handle, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)(request->type != NULL ? request->body_size : 0));
}

bool docker_http(const struct docker_request *request, struct docker_answer *answer, struct error *error)
{
    char url[512], type[80];
    *answer = (struct docker_answer){ 0 };
    if (!load_curl(error))
        return false;
    if (snprintf(url, sizeof url, "http://localhost%s", request->path) >= (int)sizeof url)
        return error_set(error, ERROR_BROKEN, "a request to Docker that is too long: %.80s", request->path);
    snprintf(type, sizeof type, "Content-Type: %s", request->type != NULL ? request->type : "text/plain");
    answer->bytes = malloc(DOCKER_ANSWER_BYTES);
    CURL *handle = curl.init();
    /* Without the second, a body of a megabyte would wait a second for leave to be sent. */
    struct curl_slist *headers = curl.append(curl.append(NULL, type), "Expect:");
    CURLcode code = CURLE_OUT_OF_MEMORY;
    if (answer->bytes != NULL && handle != NULL && headers != NULL) {
        set_up(handle, request, url, answer);
        curl.set(handle, CURLOPT_HTTPHEADER, headers);
        code = curl.perform(handle);
        curl.get_info(handle, CURLINFO_RESPONSE_CODE, &answer->status);
    }
    curl.free_all(headers);
    curl.cleanup(handle);
    if (code == CURLE_OK)
        return true;
    free(answer->bytes);
    *answer = (struct docker_answer){ 0 };
    return say_what_failed(request, code, error);
}
