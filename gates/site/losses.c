/*
 * See losses.h. Two tables: the files, and the counters in them. A file of /proc/net belongs to the namespace
 * in which it was opened, whoever reads it later and from where; reading it again from its start makes the
 * kernel write it anew.
 *
 * A counter may also count what is no loss: then the row names the counter to take off. Datagrams with a
 * wrong checksum are UDP input errors, but nothing that a witness should have heard: no socket of any kernel
 * would have got them.
 */
#include "losses.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../launcher/support/cleanup.h"

/* One line a processor of at most 200 bytes; 1000 processors. */
#define TEXT_MAX (200 * 1024)

enum loss_file { FILE_SNMP, FILE_NETSTAT, FILE_DEVICES, FILE_SNMP6, FILE_CONNTRACK, FILE_ENTRIES, FILE_LIMIT };

static const struct {
    const char *path;
    bool ipv6; /* only where the kernel has it */
} files[LOSS_FILES] = {
    [FILE_SNMP] = { "/proc/net/snmp", false },
    [FILE_NETSTAT] = { "/proc/net/netstat", false },
    [FILE_DEVICES] = { "/proc/net/dev", false },
    [FILE_SNMP6] = { "/proc/net/snmp6", true },
    [FILE_CONNTRACK] = { "/proc/net/stat/nf_conntrack", false },
    [FILE_ENTRIES] = { "/proc/sys/net/netfilter/nf_conntrack_count", false },
    [FILE_LIMIT] = { "/proc/sys/net/netfilter/nf_conntrack_max", false },
};

/* packets(7) is not told of what a full device backlog drops, so the devices on which witnesses capture are
 * rows, too. */
static const struct counter {
    enum loss_file file;
    enum loss_format format;
    const char *section, *name, *except;
    const char *lost; /* for people */
} counters[LOSS_COUNTERS] = {
    { FILE_CONNTRACK, LOSS_COLUMNS, NULL, "drop", NULL, "packets dropped by a full connection table" },
    { FILE_CONNTRACK, LOSS_COLUMNS, NULL, "early_drop", NULL, "connections dropped early by a full connection table" },
    { FILE_CONNTRACK, LOSS_COLUMNS, NULL, "insert_failed", NULL, "packets dropped by clashing connections" },
    { FILE_SNMP, LOSS_SECTIONS, "Udp:", "InErrors", "InCsumErrors", "UDP datagrams lost on arrival" },
    { FILE_SNMP, LOSS_SECTIONS, "Udp:", "RcvbufErrors", NULL, "UDP datagrams lost by a full receive buffer" },
    { FILE_SNMP6, LOSS_LINES, NULL, "Udp6InErrors", "Udp6InCsumErrors", "UDP datagrams (IPv6) lost on arrival" },
    { FILE_SNMP6, LOSS_LINES, NULL, "Udp6RcvbufErrors", NULL, "UDP datagrams (IPv6) lost by a full receive buffer" },
    { FILE_NETSTAT, LOSS_SECTIONS, "TcpExt:", "ListenOverflows", NULL, "connections lost by a full listen queue" },
    { FILE_NETSTAT, LOSS_SECTIONS, "TcpExt:", "ListenDrops", NULL, "connections lost by a listener" },
    { FILE_NETSTAT, LOSS_SECTIONS, "TcpExt:", "TCPBacklogDrop", NULL, "TCP segments lost by a full socket backlog" },
    { FILE_DEVICES, LOSS_DEVICES, NULL, "lo", NULL, "packets dropped on arrival at lo" },
    { FILE_DEVICES, LOSS_DEVICES, NULL, "wan0", NULL, "packets dropped on arrival at wan0" },
};

static const char *const namespace_names[LOSS_NAMESPACES] = { "host", "world" };

static bool read_number(const char *text, int base, uint64_t *value)
{
    char *end;
    errno = 0;
    *value = strtoull(text, &end, base);
    return errno == 0 && end != text;
}

static const char *next_line(const char *line)
{
    const char *end = strchr(line, '\n');
    return end != NULL ? end + 1 : line + strlen(line);
}

/* The start of field `index` (from 0) of a line, or NULL. Fields are separated by blanks. */
static const char *find_field(const char *line, size_t index)
{
    line += strspn(line, " \t");
    while (index-- > 0) {
        line += strcspn(line, " \t\n");
        line += strspn(line, " \t");
    }
    return *line != '\n' && *line != '\0' ? line : NULL;
}

static bool field_is(const char *field, const char *name)
{
    size_t length = strlen(name);
    return strcspn(field, " \t\n") == length && memcmp(field, name, length) == 0;
}

static bool find_column(const char *line, const char *name, size_t *index)
{
    const char *field;
    for (*index = 0; (field = find_field(line, *index)) != NULL; (*index)++)
        if (field_is(field, name))
            return true;
    return false;
}

static bool read_section(const char *line, const char *section, const char *name, uint64_t *value)
{
    size_t column;
    for (; *line != '\0'; line = next_line(line)) {
        if (!field_is(line, section) || !find_column(line, name, &column))
            continue;
        const char *values = next_line(line);
        const char *field = field_is(values, section) ? find_field(values, column) : NULL;
        return field != NULL && read_number(field, 10, value);
    }
    return false;
}

static bool read_columns(const char *line, const char *name, uint64_t *value)
{
    size_t column;
    if (!find_column(line, name, &column))
        return false;
    *value = 0;
    line = next_line(line);
    bool some = *line != '\0';
    for (; *line != '\0'; line = next_line(line)) {
        uint64_t one;
        const char *field = find_field(line, column);
        if (field == NULL || !read_number(field, 16, &one))
            return false;
        *value += one;
    }
    return some;
}

/* proc_pid_net(5): "  lo: bytes packets errs drop ..."; the first four are of what was received. */
static bool read_device(const char *line, const char *name, uint64_t *value)
{
    size_t length = strlen(name);
    for (; *line != '\0'; line = next_line(line)) {
        const char *field = find_field(line, 0);
        if (field == NULL || strncmp(field, name, length) != 0 || field[length] != ':')
            continue;
        field = find_field(field + length + 1, 3);
        return field != NULL && read_number(field, 10, value);
    }
    return false;
}

bool losses_read_counter(const char *text, enum loss_format format, const char *section, const char *name,
                         uint64_t *value)
{
    switch (format) {
    case LOSS_SECTIONS:
        return read_section(text, section, name, value);
    case LOSS_LINES:
        for (; *text != '\0'; text = next_line(text))
            if (field_is(text, name))
                return find_field(text, 1) != NULL && read_number(find_field(text, 1), 10, value);
        return false;
    case LOSS_COLUMNS:
        return read_columns(text, name, value);
    case LOSS_DEVICES:
        return read_device(text, name, value);
    case LOSS_NUMBER:
        return read_number(text, 10, value);
    }
    return false;
}

/* Reads the whole file from its start; false if it doesn't fit. */
static bool read_file(int file, char *text)
{
    size_t used = 0;
    for (;;) {
        ssize_t got = pread(file, text + used, TEXT_MAX - used, (off_t)used);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0 || used + (size_t)got >= TEXT_MAX)
            return false;
        used += (size_t)got;
        text[used] = '\0';
        if (got == 0)
            return true;
    }
}

static bool in_host_only(const struct counter *counter, int which)
{
    /* wan0 is in the world only. */
    return counter->format == LOSS_DEVICES && strcmp(counter->name, "wan0") == 0 && which == 0;
}

/* Reads all counters of one namespace. A file that the kernel doesn't have counts nothing. On failure *bad is
 * the row. */
static bool read_counters(const struct losses *losses, int which, char *text, uint64_t *values, size_t *bad)
{
    int last = -1;
    for (size_t i = 0; i < LOSS_COUNTERS; i++) {
        const struct counter *counter = &counters[i];
        int file = losses->files[which][counter->file];
        values[i] = 0;
        *bad = i;
        if (file < 0 || in_host_only(counter, which))
            continue;
        if (file != last && !read_file(file, text))
            return false;
        last = file;
        uint64_t except = 0;
        if (!losses_read_counter(text, counter->format, counter->section, counter->name, &values[i]))
            return false;
        if (counter->except != NULL &&
            losses_read_counter(text, counter->format, counter->section, counter->except, &except))
            values[i] -= except;
    }
    return true;
}

void losses_begin(struct losses *losses)
{
    *losses = (struct losses){ 0 };
    for (int which = 0; which < LOSS_NAMESPACES; which++)
        for (size_t i = 0; i < LOSS_FILES; i++)
            losses->files[which][i] = -1;
}

bool losses_open(struct losses *losses, int which, bool ipv6, struct error *error)
{
    for (size_t i = 0; i < LOSS_FILES; i++) {
        if (files[i].ipv6 && !ipv6)
            continue;
        int file = open(files[i].path, O_RDONLY | O_CLOEXEC);
        losses->files[which][i] = file;
        /* The host namespace tracks connections only if a bottle's backend makes it. */
        if (file < 0 && which == 0 && errno == ENOENT && i >= FILE_CONNTRACK)
            continue;
        if (file < 0 && errno == ENOENT)
            return error_set(error, ERROR_HOST,
                             "can't open %s: without it nobody knows what the kernel drops; boot a kernel with "
                             "CONFIG_NF_CONNTRACK and CONFIG_NF_CONNTRACK_PROCFS",
                             files[i].path);
        if (file < 0)
            return error_system(error, "can't open %s", files[i].path);
    }
    return true;
}

bool losses_start(struct losses *losses, struct error *error)
{
    size_t bad = 0;
    cleanup_free char *text = malloc(TEXT_MAX);
    for (int which = 0; text != NULL && which < LOSS_NAMESPACES; which++)
        if (!read_counters(losses, which, text, losses->before[which], &bad))
            return error_set(error, ERROR_SYSTEM, "can't find the counter %s in %s", counters[bad].name,
                             files[counters[bad].file].path);
    return text != NULL || error_set(error, ERROR_SYSTEM, "can't read what the kernel has lost: out of memory");
}

/* True while the connection table has a tenth of its room left: what is tracked must never be near being
 * dropped. */
static bool table_has_room(const struct losses *losses, int which, char *text, char reason[160])
{
    if (losses->files[which][FILE_ENTRIES] < 0)
        return true;
    uint64_t entries, limit;
    if (!read_file(losses->files[which][FILE_ENTRIES], text) || !read_number(text, 10, &entries) ||
        !read_file(losses->files[which][FILE_LIMIT], text) || !read_number(text, 10, &limit)) {
        snprintf(reason, 160, "%s namespace: can't read how full the connection table is", namespace_names[which]);
        return false;
    }
    if (limit == 0 || entries < limit - limit / 10)
        return true;
    snprintf(reason, 160, "%s namespace: the connection table is nearly full: %llu of %llu", namespace_names[which],
             (unsigned long long)entries, (unsigned long long)limit);
    return false;
}

bool losses_none(const struct losses *losses, char reason[160])
{
    cleanup_free char *text = malloc(TEXT_MAX);
    if (text == NULL) {
        snprintf(reason, 160, "can't read what the kernel has lost: out of memory");
        return false;
    }
    for (int which = LOSS_NAMESPACES - 1; which >= 0; which--) {
        uint64_t now[LOSS_COUNTERS];
        size_t bad = 0;
        if (!read_counters(losses, which, text, now, &bad)) {
            snprintf(reason, 160, "%s namespace: can't read how many %s", namespace_names[which], counters[bad].lost);
            return false;
        }
        for (size_t i = 0; i < LOSS_COUNTERS; i++)
            if (now[i] != losses->before[which][i]) {
                snprintf(reason, 160, "%s namespace: %llu %s", namespace_names[which],
                         (unsigned long long)(now[i] - losses->before[which][i]), counters[i].lost);
                return false;
            }
        if (!table_has_room(losses, which, text, reason))
            return false;
    }
    reason[0] = '\0';
    return true;
}

void losses_close(struct losses *losses)
{
    for (int which = 0; which < LOSS_NAMESPACES; which++)
        for (size_t i = 0; i < LOSS_FILES; i++) {
            if (losses->files[which][i] >= 0)
                close(losses->files[which][i]);
            losses->files[which][i] = -1;
        }
}
