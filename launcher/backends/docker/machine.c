/*
 * See docker.h: the Docker Engine that the machine has, for bottles in the machine's own network. It is found by its socket while the caller
 * still sees the machine's files, and is spoken to by a descriptor of that from then on; and so is the /proc in which its
 * containers are found. It was there before us and stays: what is made in it has the run's mark, and that is all that is ever removed.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "../../support/cleanup.h"
#include "../../support/process.h"
#include "docker.h"

#define CONNECT_MICROSECONDS 30000000ull /* a bound on hangs */

static int try_connect(int engine)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d", engine);
    cleanup_close int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    return fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) == 0 ? 0 : errno;
}

static bool say_none(const char *path, int why, struct error *error)
{
    if (why == EACCES || why == EPERM)
        return error_set(error, ERROR_HOST, "can't speak to the Docker Engine on %.200s: %s: run it as root (sudo)",
                         path, strerror(why));
    return error_set(
        error, ERROR_HOST,
        "can't speak to a Docker Engine on %.200s: %s: is Docker running? sudo systemctl start docker; or take "
        "--site=sealed, which starts an engine of its own",
        path, strerror(why));
}

/* Where the command `docker` would look, too. */
static bool find_engine(int *engine, struct error *error)
{
    static const char scheme[] = "unix://";
    const char *named = getenv("DOCKER_HOST"), *places[] = { "/run/docker.sock", "/var/run/docker.sock", NULL };
    if (named != NULL && *named != '\0') {
        if (strncmp(named, scheme, sizeof scheme - 1) != 0)
            return error_set(
                error, ERROR_HOST,
                "DOCKER_HOST is \"%.100s\", and the engine must be this machine's own: unset it, or set it to "
                "unix://PATH",
                named);
        places[0] = named + sizeof scheme - 1;
        places[1] = NULL;
    }
    int why = 0;
    for (size_t i = 0; places[i] != NULL; i++) {
        *engine = open(places[i], O_PATH | O_CLOEXEC);
        int found = *engine >= 0 ? try_connect(*engine) : errno;
        if (found == 0)
            return true;
        if (*engine >= 0)
            close(*engine);
        *engine = -1;
        why = why == 0 ? found : why;
    }
    return say_none(places[0], why, error);
}

/* What the engine has: its runtimes by their names, and whether it can set limits. */
static void take_info(const cJSON *info, struct engine *engine, bool *has_runc)
{
    const cJSON *runtimes = smolvm_json_field(info, "Runtimes"), *runsc = smolvm_json_field(runtimes, GVISOR);
    char program[sizeof engine->runsc] = "";
    *has_runc = smolvm_json_field(runtimes, RUNC) != NULL;
    engine->has_gvisor = runsc != NULL;
    engine->has_limits =
        cJSON_IsTrue(smolvm_json_field(info, "MemoryLimit")) && cJSON_IsTrue(smolvm_json_field(info, "PidsLimit"));
    if (smolvm_json_show(smolvm_json_field(runsc, "path"), program, sizeof program) && *program == '/')
        memcpy(engine->runsc, program, sizeof program);
}

static bool connect_to(const struct machine *machine, struct engine *engine, struct error *error)
{
    char socket[32];
    bool has_runc = false;
    cleanup_json cJSON *info = NULL;
    *engine = (struct engine){ .of_machine = true, .machine = *machine };
    snprintf(socket, sizeof socket, "/proc/self/fd/%d", machine->engine);
    if (!rules_available(error) ||
        !docker_connect(&engine->client, socket, clock_microseconds() + CONNECT_MICROSECONDS, error) ||
        !docker_call(&engine->client, "GET", "/info", NULL, &info, error))
        return false;
    take_info(info, engine, &has_runc);
    return has_runc ||
           error_set(error, ERROR_HOST,
                     "this machine's Docker Engine has no runtime \"" RUNC "\", which bottles need: register it "
                     "in /etc/docker/daemon.json");
}

bool machine_enter(const struct machine *machine, struct engine *engine, struct error *error)
{
    uint8_t random[16];
    struct engine found;
    if (!machine_is_mark(machine->mark))
        return error_set(error, ERROR_USAGE, "a machine's mark is 1 to 32 lower-case hex digits");
    if (!connect_to(machine, &found, error))
        return false;
    if (getrandom(random, sizeof random, 0) != sizeof random)
        return error_system(error, "can't draw a token");
    for (size_t i = 0; i < sizeof random; i++)
        snprintf(found.token + 2 * i, 3, "%02x", random[i]);
    *engine = found;
    return true;
}

void machine_close(struct machine *machine)
{
    cleanup_close_fd(&machine->engine);
    cleanup_close_fd(&machine->proc);
}

static bool open_with(bool gvisor, struct machine *machine, struct error *error)
{
    struct engine engine;
    machine->engine = -1;
    machine->proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
    bool found = geteuid() == 0 || say_none("this machine", EPERM, error);
    found = found && (machine->proc >= 0 || error_system(error, "can't open /proc"));
    found = found && find_engine(&machine->engine, error) && connect_to(machine, &engine, error);
    if (found && gvisor && !engine.has_gvisor)
        found =
            error_set(error, ERROR_HOST,
                      "this machine's Docker Engine has no runtime \"" GVISOR
                      "\": register it (sudo runsc install; sudo systemctl restart docker), or take --runtime=" RUNC);
    if (!found)
        machine_close(machine);
    return found;
}

bool machine_open_runc(struct machine *machine, struct error *error)
{
    return open_with(false, machine, error);
}

bool machine_open_gvisor(struct machine *machine, struct error *error)
{
    return open_with(true, machine, error);
}
