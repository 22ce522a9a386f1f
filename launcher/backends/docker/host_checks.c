/* See docker.h: what the host must have for an engine in the site, one row a thing. */
#include <dlfcn.h>
#include <stdio.h>
#include <unistd.h>

#include "../../namespaces.h"
#include "docker.h"

static bool look_for_ids(const char *policy, struct error *error)
{
    (void)policy;
    return (geteuid() == 0 && namespaces_have_block()) ||
           error_set(
               error, ERROR_HOST,
               "a Docker Engine of the site's own needs many ids, and an ordinary user can map one: run it as root "
               "(sudo), or take --backend=native");
}

static bool look_for_programs(const char *policy, struct error *error)
{
    static const char *const programs[] = { "dockerd", "containerd", "containerd-shim-runc-v2", "runc", "iptables" };
    char path[PATH_MAX];
    (void)policy;
    for (size_t i = 0; i < sizeof programs / sizeof *programs; i++)
        if (!container_find_program(programs[i], path))
            return error_set(error, ERROR_HOST, "%s isn't here: sudo apt install docker.io iptables", programs[i]);
    return true;
}

/* The engine writes a key there, whatever it is told, and there is nowhere else to mount something over. */
static bool look_for_directory(const char *policy, struct error *error)
{
    (void)policy;
    return access("/etc/docker", F_OK) == 0 ||
           error_set(error, ERROR_HOST,
                     "there is no directory /etc/docker, which the engine needs: sudo mkdir /etc/docker");
}

static bool look_for_libraries(const char *policy, struct error *error)
{
    (void)policy;
    void *library = dlopen("libcurl.so.4", RTLD_LAZY | RTLD_LOCAL);
    if (library == NULL)
        return error_set(error, ERROR_HOST,
                         "libcurl.so.4 can't be loaded to speak to Docker: sudo apt install libcurl4 (nixpkgs: curl)");
    dlclose(library);
    return rules_available(error);
}

static bool look_for_gvisor(const char *policy, struct error *error)
{
    (void)policy;
    return gvisor_is_here(error);
}

const struct host_check container_checks[CONTAINER_CHECKS + 1] = {
    { .name = "docker-ids", .purpose = "65536 ids for the engine and its containers", .look = look_for_ids },
    { .name = "docker-programs", .purpose = "the engine and its runtime", .look = look_for_programs },
    { .name = "docker-directory", .purpose = "a place for the engine's key", .look = look_for_directory },
    { .name = "docker-libraries", .purpose = "speaking to the engine and the firewall", .look = look_for_libraries },
    { .name = "docker-runsc", .purpose = "gVisor, which runs the containers", .look = look_for_gvisor },
};

bool container_preflight(const char *policy, struct error *error)
{
    for (size_t i = 0; i < CONTAINER_CHECKS; i++)
        if (!container_checks[i].look(policy, error))
            return false;
    return true;
}

bool container_preflight_gvisor(const char *policy, struct error *error)
{
    return container_preflight(policy, error) && look_for_gvisor(policy, error);
}
