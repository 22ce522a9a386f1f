/*
 * See on_machine.h. The guardian is a child of the gate's in a session of its own, deaf to signals but SIGKILL. It has descriptors of its
 * own of the machine. What tells it that all is over is the end of a pipe that the gate and every process of a phase hold: so it
 * never clears while something of the run is still alive.
 */
#include "on_machine.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "../launcher/capabilities.h"
#include "../launcher/namespaces.h"
#include "../launcher/support/cleanup.h"
#include "../launcher/support/process.h"
#include "site/firewall.h"
#include "site/machine.h"
#include "witness/socket_table.h"

#define CLEAR_MICROSECONDS 120000000ull /* a bound on hangs */

enum { NOTHING_LEFT = 0, SOMETHING_LEFT = 1, NOT_CLEARED = 2 }; /* the guardian's exit status */

/* The probe's, the witnesses' and the sweep's: at each of them a connection of the machine's would be taken for the gate's, or the other way round. */
static bool is_needed(uint16_t port)
{
    for (int root = 0; root < PRINCIPALS; root++)
        if (port == sweep_source(root, 1) || port == sweep_source(root, SWEEP_HALF))
            return true;
    return (port >= MACHINE_FIRST_PORT && port <= MACHINE_LAST_PORT) || port == SITE_PORT_DOOR || port == SITE_PORT_TCP;
}

static bool ports_are_free(struct error *error)
{
    struct socket_table table = { .netlink = -1 };
    struct socket_list list = { 0 };
    bool free = socket_table_open(&table, error) && socket_table_read(&table, &list, error);
    for (size_t i = 0; free && i < list.count; i++) {
        const struct socket *socket = &list.sockets[i];
        if ((socket->listening || socket->transport == TRANSPORT_UDP) && is_needed(socket->local.port))
            free = error_set(error, ERROR_HOST,
                             "port %u of this machine (%s) is in use, and --site=host needs it for itself: stop what "
                             "has it (ss -anp), or take --site=sealed",
                             socket->local.port, transport_name(socket->transport));
    }
    socket_list_free(&list);
    socket_table_close(&table);
    return free;
}

bool on_machine_knows(const struct backend *backend, struct error *error)
{
    return backend->machine_open != NULL ||
           error_set(error, ERROR_USAGE,
                     "--site=host: bottles of backend %s are started in a sealed site only; docker's can be in the "
                     "machine's own network",
                     backend->name);
}

static bool look_for_rights(const struct backend *backend, struct error *error)
{
    struct error rules = { 0 };
    (void)backend;
    bool may = geteuid() == 0 && capabilities_have(CAP_NET_ADMIN) && capabilities_have(CAP_NET_RAW) &&
               capabilities_have(CAP_SYS_ADMIN);
    if (may && (firewall_works(&rules) || strstr(rules.text, strerror(EPERM)) == NULL))
        return rules.code == ERROR_NONE || error_set(error, rules.code, "%s", rules.text);
    return error_set(error, ERROR_HOST,
                     "--site=host makes interfaces and firewall rules on this machine and captures its packets: it "
                     "needs CAP_NET_ADMIN, CAP_NET_RAW and CAP_SYS_ADMIN, so run it as root (sudo)");
}

static bool look_for_place(const struct backend *backend, struct error *error)
{
    (void)backend;
    cleanup_close int lock = machine_lock(error);
    return lock >= 0;
}

static bool look_for_engine(const struct backend *backend, struct error *error)
{
    struct machine machine = { .proc = -1, .engine = -1 };
    bool found = backend->machine_open(&machine, error);
    if (found)
        backend->machine_close(&machine);
    return found;
}

static bool look_for_room(const struct backend *backend, struct error *error)
{
    return machine_has_room(backend->machine_networks, error);
}

static bool look_for_ports(const struct backend *backend, struct error *error)
{
    (void)backend;
    return ports_are_free(error);
}

const struct on_machine_check on_machine_checks[ON_MACHINE_CHECKS] = {
    { "machine-rights", "making interfaces and rules here, and capturing packets", look_for_rights },
    { "machine-place", "being the only run on this machine", look_for_place },
    { "machine-engine", "the machine's own engine", look_for_engine },
    { "machine-room", "names, prefixes and source ports that are the gate's", look_for_room },
    { "machine-ports", "ports for controls and attempts", look_for_ports },
};

bool on_machine_preflight(const struct backend *backend, struct error *error)
{
    bool well = on_machine_knows(backend, error);
    for (size_t i = 0; well && i < ON_MACHINE_CHECKS; i++)
        well = on_machine_checks[i].look(backend, error);
    return well;
}

/* Groups 0 to 65534 may, or the probe's principals may not (icmp(7)). */
static bool may_ping(void)
{
    char range[64] = "";
    unsigned first = 1, last = 0;
    file_read("/proc/sys/net/ipv4/ping_group_range", range, sizeof range);
    return sscanf(range, "%u %u", &first, &last) == 2 && first == 0 && last >= 65534;
}

bool on_machine_may_ping(struct error *error)
{
    return may_ping() ||
           error_set(error, ERROR_HOST,
                     "this machine lets nobody ping: sudo sysctl -w net.ipv4.ping_group_range=\"0 65534\"");
}

void on_machine_places(const struct backend *backend, struct machine_places *places)
{
    *places = (struct machine_places){ .gateway4 = backend->machine_gateway4, .networks = backend->machine_networks };
    places->no_ping = !may_ping();
    machine_addresses(places->host4, places->host6);
}

static int clear(const struct backend *backend, const struct machine *machine)
{
    struct error error = { 0 };
    unsigned of_site = 0, of_bottles = 0;
    bool site = site_clear_machine(&of_site, &error);
    bool bottles = backend->machine_clear(machine, &of_bottles, &error);
    if (!site || !bottles)
        return NOT_CLEARED;
    return of_site + of_bottles > 0 ? SOMETHING_LEFT : NOTHING_LEFT;
}

static _Noreturn void guard(const struct on_machine *on, int ended)
{
    for (int number = 1; number < NSIG; number++)
        signal(number, SIG_IGN);
    signal(SIGCHLD, SIG_DFL);
    setsid();
    /* Whoever reads what the gate says is not to wait for its guardian. */
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int fd = STDIN_FILENO; null >= 0 && fd <= STDERR_FILENO; fd++)
        dup2(null, fd);
    struct pollfd end = { .fd = ended, .events = POLLIN };
    while (poll(&end, 1, -1) < 0 || (end.revents & POLLHUP) == 0)
        ;
    _exit(clear(on->backend, &on->machine));
}

static bool start_guardian(struct on_machine *on, struct error *error)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0)
        return error_system(error, "can't make a pipe");
    on->guardian = namespaces_fork(0, error);
    if (on->guardian == 0) {
        close(ends[1]);
        guard(on, ends[0]);
    }
    close(ends[0]);
    on->lifeline = ends[1];
    return on->guardian > 0;
}

bool on_machine_begin(struct on_machine *on, const struct backend *backend, const char *run, struct error *error)
{
    *on = (struct on_machine){
        .backend = backend, .machine = { .proc = -1, .engine = -1 }, .guardian = -1, .lifeline = -1
    };
    snprintf(on->machine.mark, sizeof on->machine.mark, "%s", run);
    on->lock = machine_lock(error);
    return on->lock >= 0 && backend->machine_open(&on->machine, error) && start_guardian(on, error);
}

bool on_machine_end(struct on_machine *on, char text[160])
{
    static const char *const words[] = {
        [SOMETHING_LEFT] = "something of a bottle or of the site was left on the machine, and had to be removed",
        [NOT_CLEARED] = "something of a bottle or of the site is left on the machine: bottle-gate gc",
    };
    int status = -1;
    cleanup_close_fd(&on->lifeline);
    bool ended = process_wait(on->guardian, clock_microseconds() + CLEAR_MICROSECONDS, &status);
    if (!ended)
        process_kill(on->guardian);
    on->guardian = -1;
    int found = ended ? process_exit_status(status) : NOT_CLEARED;
    if (found != NOTHING_LEFT && text[0] == '\0')
        snprintf(text, 160, "%s", words[found == SOMETHING_LEFT ? SOMETHING_LEFT : NOT_CLEARED]);
    return found == NOTHING_LEFT;
}

void on_machine_drop(struct on_machine *on)
{
    char ignored[160] = "";
    if (on->guardian > 0)
        on_machine_end(on, ignored);
    if (on->lock < 0)
        return;
    on->backend->machine_close(&on->machine);
    cleanup_close_fd(&on->lock);
}

/* What bottles left is asked of the backend that made them; an engine that isn't there has none. */
static bool collect(const struct backend *backend, unsigned *removed)
{
    struct error ignored = { 0 };
    struct machine machine = { .proc = -1, .engine = -1 };
    if (!backend->machine_open(&machine, &ignored))
        return true;
    bool cleared = backend->machine_clear(&machine, removed, &ignored);
    backend->machine_close(&machine);
    return cleared;
}

bool on_machine_collect(bool dry, void (*told)(const char *path, const char *what, void *context), void *context,
                        struct error *error)
{
    struct error busy = { 0 };
    unsigned removed = 0;
    if (geteuid() != 0 || !firewall_works(&busy))
        return true;
    cleanup_close int lock = machine_lock(&busy);
    if (lock < 0)
        return true;
    bool site = firewall_has_machine() || if_nametoindex("side0") != 0;
    bool cleared = dry || !site || site_clear_machine(&removed, error);
    if (site && cleared)
        told("side0, table inet " MACHINE_TABLE, "the site of a run on this machine that was killed", context);
    const struct backend *backend;
    for (size_t i = 0; !dry && (backend = backend_at(i)) != NULL; i++) {
        removed = 0;
        if (backend->machine_clear != NULL && !collect(backend, &removed))
            cleared = error_set(error, ERROR_BROKEN, "what a killed run left in the %s engine can't be removed",
                                backend->name);
        if (removed > 0)
            told(backend->name, "containers, networks and images of a run on this machine that was killed", context);
    }
    return cleared;
}
