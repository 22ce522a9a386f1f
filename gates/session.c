/* See session.h. The plan goes in as a file put into the bottle, or as a memfd on standard input where there
 * is none; the collector is started first, so that a probe never writes into a pipe that nobody reads. */
#include "session.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

#include "../launcher/namespaces.h"
#include "../launcher/support/cleanup.h"
#include "../launcher/support/process.h"

#define LISTEN_SPECS        24
#define LISTEN_MICROSECONDS 20000000
#define READY_BYTES         65536   /* that may be said before the listener is ready */
#define SLACK_MICROSECONDS  3000000 /* what a session may take beyond the plan's own deadline: a bound on hangs */

bool session_prepare(const struct session_place *place, struct error *error)
{
    if (place->backend == NULL)
        return true;
    cleanup_close int probe = open(place->probe_path, O_RDONLY | O_CLOEXEC);
    if (probe < 0)
        return error_system(error, "can't open the probe %s", place->probe_path);
    return place->backend->put(place->bottle, place->probe_name, probe, 0555, error);
}

/* The plan's text in a memfd, read from its start; -1 on failure. */
static int plan_file(const struct probe_plan *plan, struct error *error)
{
    size_t capacity = PLAN_TEXT_MAX, masks_size = PLAN_ATTEMPTS_MAX * NONCE_BYTES;
    cleanup_free char *text = malloc(capacity);
    cleanup_free uint8_t(*masks)[NONCE_BYTES] = malloc(masks_size);
    if (text == NULL || masks == NULL) {
        error_set(error, ERROR_SYSTEM, "out of memory for the plan");
        return -1;
    }
    for (size_t done = 0; done < masks_size;) {
        ssize_t got = getrandom((uint8_t *)masks + done, masks_size - done, 0);
        if (got <= 0) {
            error_system(error, "can't get random bytes for the plan's masks");
            return -1;
        }
        done += (size_t)got;
    }
    size_t size = plan_format(plan, (const uint8_t(*)[NONCE_BYTES])masks, text, capacity);
    if (size == 0) {
        error_set(error, ERROR_BROKEN, "can't write the probe's plan");
        return -1;
    }
    int file = memfd_create("plan", MFD_CLOEXEC);
    if (file < 0 || !write_all(file, text, size) || lseek(file, 0, SEEK_SET) != 0) {
        error_system(error, "can't store the probe's plan");
        if (file >= 0)
            close(file);
        return -1;
    }
    return file;
}

/* The probe with nothing around it. */
static bool start_bare(const char *probe_path, char *const arguments[], const struct exec_streams *streams,
                       enum principal principal, pid_t *pid, struct error *error)
{
    cleanup_close int probe = open(probe_path, O_RDONLY | O_CLOEXEC);
    if (probe < 0)
        return error_system(error, "can't open the probe %s", probe_path);
    *pid = fork();
    if (*pid < 0)
        return error_system(error, "can't start the probe");
    if (*pid > 0)
        return true;
    struct error ignored = { 0 };
    if ((streams->input >= 0 && dup2(streams->input, 0) < 0) || dup2(streams->output, 1) < 0 ||
        (streams->errors >= 0 && dup2(streams->errors, 2) < 0) || !namespaces_become(principal, -1, &ignored))
        _exit(125);
    process_die_with_parent(-1);
    char *const environment[] = { NULL };
    fexecve(probe, arguments, environment);
    _exit(127);
}

static bool start_in_bottle(const struct session_place *place, int plan, int output, enum principal principal,
                            pid_t *pid, struct error *error)
{
    char path[48], probe[48];
    snprintf(path, sizeof path, "/tmp/%s", place->plan_name);
    snprintf(probe, sizeof probe, "/tmp/%s", place->probe_name);
    if (!place->backend->put(place->bottle, place->plan_name, plan, 0444, error))
        return false;
    char *const arguments[] = { probe, path, NULL };
    struct exec_streams streams = { .input = -1, .output = output, .errors = -1 };
    return place->backend->exec(place->bottle, arguments, principal, &streams, pid, error);
}

/* Reads lines until one says "ready": an engine may write notes of its own before it. Else `line` is what was said last. */
static bool await_ready(int said, uint64_t deadline, char *line, size_t capacity)
{
    for (size_t used = 0, total = 0; total < READY_BYTES; total++) {
        char byte;
        struct pollfd event = { .fd = said, .events = POLLIN };
        if (poll(&event, 1, clock_poll_timeout(deadline)) <= 0 || read(said, &byte, 1) != 1)
            return false;
        if (byte == '\n' && strcmp(line, "ready") == 0)
            return true;
        if (byte == '\n')
            used = 0;
        else if (used < capacity - 1)
            line[used++] = byte, line[used] = '\0';
    }
    return false;
}

bool session_listen(const struct session_place *place, char *const specs[], int output, pid_t *pid, struct error *error)
{
    char probe[48];
    snprintf(probe, sizeof probe, "/tmp/%s", place->probe_name);
    char *arguments[LISTEN_SPECS + 3] = { probe, (char[]){ "--listen" } };
    for (size_t i = 0; i < LISTEN_SPECS && specs[i] != NULL; i++)
        arguments[i + 2] = specs[i];
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0)
        return error_system(error, "can't make a pipe for the listener");
    cleanup_close int said = ends[0], saying = ends[1];
    struct exec_streams streams = { .input = -1, .output = output, .errors = saying };
    bool started = place->backend == NULL
                       ? start_bare(place->probe_path, arguments, &streams, PRINCIPAL_USER, pid, error)
                       : place->backend->exec(place->bottle, arguments, PRINCIPAL_USER, &streams, pid, error);
    if (!started)
        return false;
    cleanup_close_fd(&saying);
    char line[96] = "";
    if (await_ready(said,
                    clock_microseconds() + LISTEN_MICROSECONDS +
                        (place->backend != NULL ? place->backend->command_milliseconds * 1000ull : 0),
                    line, sizeof line))
        return true;
    process_kill(*pid);
    *pid = -1;
    return error_set(error, ERROR_SYSTEM, "the listener of the second bottle did not begin to listen: %.80s", line);
}

static void collector_plan_of(const struct probe_plan *plan, struct collector_plan *out)
{
    memset(out, 0, sizeof *out);
    memcpy(out->run, plan->run, sizeof out->run);
    out->root = plan->root;
    out->first = plan->has_door ? 0 : 1;
    out->count = (uint16_t)(plan->count + (plan->has_door ? 2 : 0));
    for (uint16_t i = 0; i < plan->count; i++)
        out->vectors[i + 1] = plan->attempts[i].vector;
}

static bool start_probe(const struct session_place *place, int plan, int output, enum principal principal, pid_t *pid,
                        struct error *error)
{
    if (place->backend != NULL)
        return start_in_bottle(place, plan, output, principal, pid, error);
    char *const arguments[] = { (char[]){ "bottle-probe" }, (char[]){ "-" }, NULL };
    struct exec_streams streams = { .input = plan, .output = output, .errors = -1 };
    return start_bare(place->probe_path, arguments, &streams, principal, pid, error);
}

bool session_start(struct session *session, const struct session_place *place, const struct probe_plan *plan,
                   enum principal principal, const struct fault *fault, struct error *error)
{
    *session = (struct session){ .collector = { .pid = -1, .result = -1 }, .probe = -1, .tamper = -1 };
    session->deadline = clock_microseconds() + plan->deadline_milliseconds * 1000ull + SLACK_MICROSECONDS +
                        (place->backend != NULL ? place->backend->command_milliseconds * 1000ull : 0);
    cleanup_close int text = plan_file(plan, error);
    int ends[2];
    if (text < 0)
        return false;
    if (pipe2(ends, O_CLOEXEC) != 0)
        return error_system(error, "can't make a pipe for the probe's records");
    cleanup_close int output = ends[1], tell = -1;
    int stream = ends[0];
    struct collector_plan collector_plan;
    collector_plan_of(plan, &collector_plan);
    collector_plan.any_uid = place->backend != NULL && place->backend->own_ids;
    if (fault != NULL && fault->stream.how != TAMPER_NOTHING) {
        stream = fault_tamper(fault, &collector_plan, stream, output, &session->tamper, &tell, error);
        if (stream < 0)
            return false;
    }
    if (!collector_start(&session->collector, &collector_plan, stream, error))
        return false;
    if (fault != NULL && fault->dead_collector)
        kill(session->collector.pid, SIGKILL);
    if (!start_probe(place, text, output, principal, &session->probe, error))
        return false;
    return tell < 0 || write_all(tell, &session->probe, sizeof session->probe) ||
           error_system(error, "can't tell the tampering process whom to hurt");
}

void session_finish(struct session *session, struct collection *collection)
{
    if (session->collector.pid > 0)
        collector_finish(&session->collector, session->deadline, collection);
    else
        memset(collection, 0, sizeof *collection), collection->state = STREAM_SILENT;
    process_kill(session->probe);
    process_kill(session->tamper);
    session->probe = session->tamper = -1;
}

void session_cancel(struct session *session)
{
    process_kill(session->probe);
    process_kill(session->tamper);
    process_kill(session->collector.pid);
    cleanup_close_fd(&session->collector.result);
    cleanup_close_fd(&session->collector.stop);
    session->probe = session->tamper = session->collector.pid = -1;
}
