/* See docker.h: what stands behind a bottle. A container has the host's kernel, or gVisor's, of which it said itself what it is as it
 * started (gvisor.c); that it is this engine's is said by its own mounts and processes, which are looked at then (container.c). */
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#include "../../support/process.h"
#include "docker.h"

bool container_fingerprint(const struct bottle *bottle, struct fingerprint *fingerprint, struct error *error)
{
    struct utsname host;
    const char *log = strchr(bottle->kernel.log, ']');
    log = log != NULL && log[1] == ' ' ? log + 2 : bottle->kernel.log; /* after the time */
    char runtime[48] = "", driver[24] = "?", groups[80] = "no limits by control groups";
    cleanup_json cJSON *info = NULL;
    memset(fingerprint, 0, sizeof *fingerprint);
    if (uname(&host) != 0 || !docker_call(&container_engine.client, "GET", "/info", NULL, &info, error))
        return error_system(error, "can't tell what stands behind the container");
    if (bottle->gvisor)
        gvisor_version(runtime);
    smolvm_json_show(smolvm_json_field(info, "Driver"), driver, sizeof driver);
    if (container_engine.of_machine && container_engine.has_limits && *bottle->warnings == '\0')
        snprintf(groups, sizeof groups, "memory and processes limited by the engine: %d MiB, %d", CONTAINER_MEBIBYTES,
                 CONTAINER_PROCESSES);
    if (container_engine.mebibytes != 0)
        snprintf(groups, sizeof groups, "memory and processes limited by control groups: %u MiB, %u",
                 container_engine.mebibytes, container_engine.processes);
    snprintf(fingerprint->engine, sizeof fingerprint->engine, "Docker Engine");
    snprintf(fingerprint->version, sizeof fingerprint->version, "%s", container_engine.client.version);
    snprintf(fingerprint->kernel, sizeof fingerprint->kernel, "%.64s",
             bottle->gvisor ? bottle->kernel.release : host.release);
    if (bottle->gvisor)
        snprintf(fingerprint->boot_id, sizeof fingerprint->boot_id, "%s", bottle->kernel.boot_id);
    else
        file_read("/proc/sys/kernel/random/boot_id", fingerprint->boot_id, sizeof fingerprint->boot_id);
    fingerprint->boot_id[strcspn(fingerprint->boot_id, "\n")] = '\0';
    snprintf(fingerprint->details, sizeof fingerprint->details,
             "%sAPI 1.%u; runtime %s%s%s%.40s; %s; %s; %s; image %.12s%s%.80s",
             container_engine.of_machine ? "the machine's own engine; " : "", container_engine.client.minor,
             bottle->gvisor ? GVISOR " " : RUNC, runtime, bottle->gvisor ? ", kernel log: " : "",
             bottle->gvisor ? log : "", driver, groups, bottle->networked ? bottle->policy : "the host's network",
             container_engine.image, *bottle->warnings != '\0' ? "; engine: " : "", bottle->warnings);
    return true;
}
