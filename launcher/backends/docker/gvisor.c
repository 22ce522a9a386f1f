/*
 * See docker.h: the same bottle on a kernel of its own, by gVisor's runtime `runsc`. That it is one is looked at from both sides as the bottle
 * starts, before anything else runs in it: outside, the process that the engine names is the program runsc; inside, the kernel's release, its
 * boot id and the first line of its log are others than the host's. A runtime that only has the name ends the start.
 *
 * runsc is used as it can be in an engine without control groups, and with the network namespace that the engine has made: what a bottle
 * does with sockets, runsc does there in its place (--network=host; its own network stack refuses to start under the engine). It
 * keeps the fences `no-new-privs` and `seccomp` always, so they are none that could be left out.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>

#include "../../smolvm/engine.h"
#include "../../support/process.h"
#include "docker.h"

#define VERSION_MICROSECONDS 20000000 /* a bound on hangs */
#define ARGUMENTS            "\"--network=host\",\"--ignore-cgroups\""

/* Each row was seen in runs (0.0~20221219.0): caught without a sandbox, and not from an open bottle. A row never makes an escape good. */
static const struct structural_way structure[] = {
    /* Abstract Unix sockets of its own kernel; three streams. */
    { 28, "@" },
    { 114, "" },
    { 116, "" },
    /* The host's end of a socket is a plain one of runsc's: with no option of TCP, and with no membership of a group, for which a
     * bottle may ask. */
    { 34, "234.*" },
    { 39, "239.*" },
    { 39, "ff05:39::*" },
    { 69, "" },
};

bool gvisor_structural(uint16_t vector, const char *address)
{
    return backend_has_way(structure, sizeof structure / sizeof *structure, vector, address);
}

bool gvisor_is_here(struct error *error)
{
    char path[PATH_MAX];
    return container_find_program(GVISOR, path) ||
           error_set(error, ERROR_HOST, GVISOR " isn't here: sudo apt install runsc, or take --runtime=" RUNC);
}

/* A bottle without its fence `files` may also connect to the sockets that are bound into it. */
void gvisor_register(char settings[GVISOR_SETTINGS])
{
    char path[PATH_MAX];
    snprintf(settings, GVISOR_SETTINGS, "{}");
    if (container_find_program(GVISOR, path))
        snprintf(settings, GVISOR_SETTINGS,
                 "{\"runtimes\":{"
                 "\"" GVISOR "\":{\"path\":\"%.256s\",\"runtimeArgs\":[" ARGUMENTS "]},"
                 "\"" GVISOR_OPEN "\":{\"path\":\"%.256s\",\"runtimeArgs\":[" ARGUMENTS
                 ",\"--host-uds=open\",\"--net-raw\"]}}}",
                 path, path);
}

static bool take_line(char **text, char *line, size_t capacity)
{
    size_t length = strcspn(*text, "\n");
    bool whole = (*text)[length] == '\n' && length > 0 && length < capacity;
    snprintf(line, capacity, "%.*s", (int)length, *text);
    *text += length + (whole ? 1 : 0);
    for (char *c = line; *c != '\0'; c++)
        if (*c < ' ' || *c > '~')
            *c = '?';
    return whole;
}

bool gvisor_read_kernel(char *said, struct own_kernel *kernel)
{
    char capabilities[20], no_new_privs[4];
    bool whole = take_line(&said, kernel->release, sizeof kernel->release) &&
                 take_line(&said, kernel->version, sizeof kernel->version) &&
                 take_line(&said, kernel->boot_id, sizeof kernel->boot_id) &&
                 take_line(&said, kernel->log, sizeof kernel->log) &&
                 take_line(&said, capabilities, sizeof capabilities) &&
                 take_line(&said, no_new_privs, sizeof no_new_privs) && *said == '\0';
    kernel->capabilities = strtoull(capabilities, NULL, 16);
    kernel->no_new_privs = strcmp(no_new_privs, "1") == 0;
    return whole;
}

/* Of what a bottle says of its kernel nothing may be the host's. */
bool gvisor_is_own_kernel(const struct own_kernel *kernel, const char *host_release, const char *host_boot_id)
{
    return strcmp(kernel->release, host_release) != 0 && strstr(kernel->log, "gVisor") != NULL &&
           strncmp(kernel->boot_id, host_boot_id, strcspn(host_boot_id, "\n")) != 0;
}

/* What the machine's engine has registered may be anywhere. */
static bool find_program(char program[PATH_MAX])
{
    if (container_engine.runsc[0] == '\0')
        return container_find_program(GVISOR, program);
    snprintf(program, PATH_MAX, "%s", container_engine.runsc);
    return true;
}

static bool is_run_by_it(int process, struct error *error)
{
    char program[PATH_MAX];
    struct stat running, registered;
    if (!find_program(program) || stat(program, &registered) != 0 || fstatat(process, "exe", &running, 0) != 0)
        return error_system(error, "can't look at the program that runs the container");
    return (running.st_dev == registered.st_dev && running.st_ino == registered.st_ino) ||
           error_set(error, ERROR_BROKEN, "the container was to be run by " GVISOR " and another program runs it");
}

bool gvisor_prove(struct bottle *bottle, struct error *error)
{
    static const char *const words[] = { CONTAINER_STEP, "kernel" };
    char said[1024], boot_id[64] = "";
    struct utsname host;
    struct own_kernel *kernel = &bottle->kernel;
    if (!is_run_by_it(bottle->process, error) || !container_step(bottle, words, 2, -1, said, sizeof said, error))
        return false;
    if (!gvisor_read_kernel(said, kernel))
        return error_set(error, ERROR_BROKEN, "the container doesn't say what kernel it runs on");
    if (uname(&host) != 0 || !file_read("/proc/sys/kernel/random/boot_id", boot_id, sizeof boot_id))
        return error_system(error, "can't tell the host's kernel from the container's");
    if (!gvisor_is_own_kernel(kernel, host.release, boot_id))
        return error_set(error, ERROR_BROKEN,
                         "the container was to run on gVisor and says that its kernel is %.40s, boot %.36s, \"%.80s\"",
                         kernel->release, kernel->boot_id, kernel->log);
    if (!kernel->no_new_privs)
        return error_set(error, ERROR_BROKEN, "gVisor started the container without its fence \"no-new-privs\"");
    return !container_fenced(bottle->without, CONTAINER_CAPABILITIES) || kernel->capabilities == 0 ||
           error_set(error, ERROR_BROKEN, "gVisor started the container without its fence \"capabilities\"");
}

/* It says "runsc version 0.0~20221219.0", and a line of other things. */
void gvisor_version(char version[48])
{
    static const char before[] = GVISOR " version ";
    char program[PATH_MAX];
    char *const arguments[] = { (char[]){ GVISOR }, (char[]){ "--version" }, NULL }, *const environment[] = { NULL };
    struct smolvm_engine runsc = { .program = program, .environment = environment };
    struct smolvm_result result = { 0 };
    snprintf(version, 48, "?");
    if (find_program(program) &&
        smolvm_run(&runsc, arguments, clock_microseconds() + VERSION_MICROSECONDS, &result, NULL) &&
        result.status == 0 && strncmp(result.output, before, sizeof before - 1) == 0) {
        char *line = result.output + sizeof before - 1;
        take_line(&line, version, 48);
    }
    smolvm_result_free(&result);
}
