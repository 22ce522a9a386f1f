/* See docker.h: what stands behind a bottle. A container has the host's kernel; that it is this engine's is said by its own mounts and
 * processes, which are looked at when it starts (container.c). */
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#include "../../support/process.h"
#include "docker.h"

bool container_fingerprint(const struct bottle *bottle, struct fingerprint *fingerprint, struct error *error)
{
    struct utsname host;
    char runtime[48] = "?", driver[24] = "?", groups[24] = "?";
    cleanup_json cJSON *info = NULL;
    memset(fingerprint, 0, sizeof *fingerprint);
    if (uname(&host) != 0 || !docker_call(&container_engine.client, "GET", "/info", NULL, &info, error))
        return error_system(error, "can't tell what stands behind the container");
    smolvm_json_show(smolvm_json_field(info, "DefaultRuntime"), runtime, sizeof runtime);
    smolvm_json_show(smolvm_json_field(info, "Driver"), driver, sizeof driver);
    smolvm_json_show(smolvm_json_field(info, "CgroupDriver"), groups, sizeof groups);
    snprintf(fingerprint->engine, sizeof fingerprint->engine, "Docker Engine");
    snprintf(fingerprint->version, sizeof fingerprint->version, "%s", container_engine.client.version);
    snprintf(fingerprint->kernel, sizeof fingerprint->kernel, "%.64s", host.release);
    file_read("/proc/sys/kernel/random/boot_id", fingerprint->boot_id, sizeof fingerprint->boot_id);
    fingerprint->boot_id[strcspn(fingerprint->boot_id, "\n")] = '\0';
    snprintf(fingerprint->details, sizeof fingerprint->details,
             "API 1.%u; runtime %s; %s; control groups %s; %s; image %.12s%s%.120s", container_engine.client.minor,
             runtime, driver, groups, bottle->networked ? bottle->policy : "the host's network", container_engine.image,
             *bottle->warnings != '\0' ? "; engine: " : "", bottle->warnings);
    return true;
}
