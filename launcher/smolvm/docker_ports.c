/*
 * See docker_ports.h. A helper is forked for it: what Docker answers is parsed where nothing else is, and one that never
 * answers is killed with it. libcurl is loaded there too, when it is needed: linked with it, every start of a bottle
 * would wait for some forty libraries (8 ms instead of 1). Over a Unix socket it uses no proxy, whatever the environment
 * says: nothing of this leaves the host.
 */
#include "docker_ports.h"

#include <arpa/inet.h>
#define CURL_DISABLE_TYPECHECK
#include <curl/curl.h>
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "../support/channel.h"
#include "../support/cleanup.h"
#include "../support/process.h"
#include "json.h"

#define ALL_TAKEN 0xffff

bool docker_socket_path(const char *variable, char path[108], struct error *error)
{
    static const char scheme[] = "unix://";
    bool named = variable != NULL && *variable != '\0';
    if (named && strncmp(variable, scheme, sizeof scheme - 1) != 0)
        return error_set(error, ERROR_HOST,
                         "DOCKER_HOST (%.128s) is no Unix socket, so its published ports say nothing about this host: "
                         "unset it, or set it to "
                         "unix:///var/run/docker.sock",
                         variable);
    const char *from = named ? variable + sizeof scheme - 1 : "/var/run/docker.sock";
    return (*from == '/' && snprintf(path, 108, "%s", from) < 108) ||
           error_set(error, ERROR_HOST, "DOCKER_HOST (%.128s) names no path of a socket of at most 107 bytes",
                     variable);
}

static bool is_id(const char *text)
{
    return strlen(text) == DOCKER_ID - 1 && strspn(text, "0123456789abcdef") == DOCKER_ID - 1;
}

/* Docker writes names with a slash before them. */
static bool has_name(const cJSON *container, const char *prefix)
{
    const cJSON *name = NULL;
    cJSON_ArrayForEach(name, smolvm_json_field(container, "Names"))
    {
        if (cJSON_IsString(name) && *name->valuestring == '/' &&
            strncmp(name->valuestring + 1, prefix, strlen(prefix)) == 0)
            return true;
    }
    return false;
}

bool docker_list_parse(const char *text, size_t size, const char *prefix, char ids[][DOCKER_ID], size_t *count)
{
    cleanup_json cJSON *list = smolvm_json_parse(text, size);
    const cJSON *container = NULL;
    *count = 0;
    if (!cJSON_IsArray(list))
        return false;
    cJSON_ArrayForEach(container, list)
    {
        const cJSON *id = smolvm_json_field(container, "Id");
        if (!cJSON_IsArray(smolvm_json_field(container, "Names")) || !cJSON_IsString(id) || !is_id(id->valuestring))
            return false;
        if (!has_name(container, prefix))
            continue;
        if (*count == DOCKER_CONTAINERS)
            return false;
        memcpy(ids[(*count)++], id->valuestring, DOCKER_ID);
    }
    return true;
}

/* An empty HostIp is every address; so are the two spellings of "any". */
static uint16_t bits_of(const char *host)
{
    unsigned char address[16];
    static const unsigned char nothing[16];
    if (*host == '\0' || (inet_pton(AF_INET, host, address) == 1 && memcmp(address, nothing, 4) == 0) ||
        (inet_pton(AF_INET6, host, address) == 1 && memcmp(address, nothing, 16) == 0))
        return ALL_TAKEN;
    if (inet_pton(AF_INET, host, address) != 1 || address[0] != 127 || address[1] != 0 || address[2] != 0 ||
        address[3] < DOCKER_POOL_FIRST || address[3] >= DOCKER_POOL_FIRST + DOCKER_POOL_SIZE)
        return 0;
    return (uint16_t)(1u << (address[3] - DOCKER_POOL_FIRST));
}

bool docker_inspect_parse(const char *text, size_t size, uint16_t *taken)
{
    cleanup_json cJSON *container = smolvm_json_parse(text, size);
    const cJSON *ports = smolvm_json_field(smolvm_json_field(container, "NetworkSettings"), "Ports"), *port = NULL;
    uint16_t found = 0;
    if (!cJSON_IsObject(ports) && !cJSON_IsNull(ports))
        return false;
    cJSON_ArrayForEach(port, ports)
    {
        const cJSON *binding = NULL;
        if (cJSON_IsNull(port))
            continue; /* exposed, not published */
        if (!cJSON_IsArray(port))
            return false;
        cJSON_ArrayForEach(binding, port)
        {
            const cJSON *host = smolvm_json_field(binding, "HostIp");
            if (!cJSON_IsString(host))
                return false;
            found |= bits_of(host->valuestring);
        }
    }
    *taken |= found;
    return true;
}

struct answer {
    char *bytes; /* SMOLVM_JSON_BYTES */
    size_t size;
};

static size_t keep(char *bytes, size_t unit, size_t count, void *pointer)
{
    struct answer *answer = pointer;
    size_t size = unit * count;
    if (size > SMOLVM_JSON_BYTES - answer->size)
        return 0; /* ends the transfer */
    memcpy(answer->bytes + answer->size, bytes, size);
    answer->size += size;
    return size;
}

/* What is used of libcurl. */
static struct {
    __typeof__(curl_global_init) *global_init;
    __typeof__(curl_easy_init) *init;
    __typeof__(curl_easy_setopt) *set;
    __typeof__(curl_easy_perform) *perform;
    __typeof__(curl_easy_getinfo) *get_info;
    __typeof__(curl_easy_cleanup) *cleanup;
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
    };
    void *library = dlopen("libcurl.so.4", RTLD_NOW | RTLD_LOCAL);
    bool whole = library != NULL;
    for (size_t i = 0; whole && i < sizeof calls / sizeof *calls; i++) {
        void *call = dlsym(library, calls[i].name);
        whole = call != NULL;
        memcpy(calls[i].place, &call, sizeof call);
    }
    if (!whole)
        return error_set(error, ERROR_HOST,
                         "libcurl.so.4 can't be loaded to ask Docker: sudo apt install libcurl4 (nixpkgs: curl)");
    return curl.global_init(CURL_GLOBAL_NOTHING) == CURLE_OK ||
           error_set(error, ERROR_SYSTEM, "libcurl can't be used to ask Docker");
}

struct connection {
    const char *socket;
    uint64_t deadline;
    struct answer answer;
};

/* GET `path`: true if it answered 200 with a body that fits. */
static bool get(struct connection *connection, const char *path)
{
    char url[512];
    long status = 0;
    CURL *request = curl.init();
    if (request == NULL)
        return false;
    snprintf(url, sizeof url, "http://localhost%s", path);
    connection->answer.size = 0;
    curl.set(request, CURLOPT_URL, url);
    curl.set(request, CURLOPT_UNIX_SOCKET_PATH, connection->socket);
    curl.set(request, CURLOPT_NOSIGNAL, 1L);
    curl.set(request, CURLOPT_TIMEOUT_MS, (long)clock_poll_timeout(connection->deadline) + 1);
    curl.set(request, CURLOPT_WRITEFUNCTION, keep);
    curl.set(request, CURLOPT_WRITEDATA, &connection->answer);
    bool answered = curl.perform(request) == CURLE_OK &&
                    curl.get_info(request, CURLINFO_RESPONSE_CODE, &status) == CURLE_OK && status == 200;
    curl.cleanup(request);
    return answered;
}

static bool ask(struct connection *connection, const char *prefix, uint16_t *taken, struct error *error)
{
    static char ids[DOCKER_CONTAINERS][DOCKER_ID];
    size_t count;
    /* Without all=1 the list has the running ones only. */
    if (!get(connection, "/containers/json") ||
        !docker_list_parse(connection->answer.bytes, connection->answer.size, prefix, ids, &count))
        return error_set(error, ERROR_HOST,
                         "Docker does not list its containers on %.100s, so it isn't known which addresses are taken: "
                         "see that \"docker ps\" "
                         "works",
                         connection->socket);
    for (size_t i = 0; i < count; i++) {
        char path[128];
        snprintf(path, sizeof path, "/containers/%.64s/json", ids[i]);
        if (get(connection, path))
            docker_inspect_parse(connection->answer.bytes, connection->answer.size, taken);
    }
    return true;
}

/* Does somebody listen there? *nobody: certainly not. */
static bool look(const char *socket_path, bool *nobody, struct error *error)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    *nobody = false;
    snprintf(address.sun_path, sizeof address.sun_path, "%s", socket_path);
    cleanup_close int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return error_system(error, "can't make a socket to Docker");
    if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0 || errno == EAGAIN)
        return true;
    *nobody = errno == ENOENT || errno == ECONNREFUSED || errno == ENOTDIR;
    if (*nobody)
        return true;
    if (errno == EACCES || errno == EPERM)
        return error_set(error, ERROR_HOST,
                         "%.100s can't be opened by you, so it isn't known which addresses are taken: sudo usermod -aG "
                         "docker \"$USER\", then "
                         "log in again",
                         socket_path);
    return error_system(error, "can't reach Docker on %.100s", socket_path);
}

static _Noreturn void help(int channel, const char *socket_path, const char *prefix, uint64_t deadline)
{
    struct channel_message message = { .kind = CHANNEL_ERROR };
    struct connection connection = { socket_path, deadline, { malloc(SMOLVM_JSON_BYTES), 0 } };
    uint16_t taken = 0;
    if (connection.answer.bytes == NULL)
        error_set(&message.error, ERROR_SYSTEM, "no memory to ask Docker");
    else if (load_curl(&message.error) && ask(&connection, prefix, &taken, &message.error))
        message.kind = 1 + taken; /* 0 is CHANNEL_ERROR */
    channel_send(channel, &message, -1);
    _exit(0);
}

bool docker_ports_taken(const char *socket_path, const char *prefix, uint64_t deadline, uint16_t *taken,
                        struct error *error)
{
    cleanup_close int channel = -1;
    bool nobody;
    *taken = 0;
    if (!look(socket_path, &nobody, error) || nobody)
        return nobody;
    pid_t helper = channel_fork(&channel, error);
    if (helper < 0)
        return false;
    if (helper == 0)
        help(channel, socket_path, prefix, deadline);
    struct channel_message message;
    struct error failure = { 0 };
    enum channel_result result = channel_receive(channel, &message, NULL, deadline, &failure);
    process_kill(helper);
    if (result == CHANNEL_MESSAGE && message.kind >= 1 && message.kind <= 1 + ALL_TAKEN) {
        *taken = (uint16_t)(message.kind - 1);
        return true;
    }
    if (failure.code == ERROR_HOST) /* the helper's own words */
        return error_set(error, ERROR_HOST, "%s", failure.text);
    return error_set(error, ERROR_HOST,
                     "Docker did not answer in time on %.100s, so it isn't known which addresses are taken: see that "
                     "\"docker ps\" works",
                     socket_path);
}
