/*
 * What the kernel lost: its own counters of connections, datagrams and packets that it dropped in the site,
 * read from files of /proc/net that stay open. Whatever is lost could have been a hit, so any loss makes a
 * run BROKEN.
 */
#ifndef GATES_SITE_LOSSES_H
#define GATES_SITE_LOSSES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../../launcher/support/error.h"

#define LOSS_NAMESPACES 2 /* 0: host, 1: world */
#define LOSS_FILES      7
#define LOSS_COUNTERS   12

struct losses {
    int files[LOSS_NAMESPACES][LOSS_FILES]; /* -1: this kernel has no such file */
    uint64_t before[LOSS_NAMESPACES][LOSS_COUNTERS];
};

/* No file open. */
void losses_begin(struct losses *losses);

/* Opens the files in the calling process's network namespace, which is number `which`. */
bool losses_open(struct losses *losses, int which, bool ipv6, struct error *error);

/* Remembers what both namespaces have counted so far: losses_none counts from here. */
bool losses_start(struct losses *losses, struct error *error);

/* True if nothing was lost since; else text says what and where. A counter that can't be read is a loss. */
bool losses_none(const struct losses *losses, char text[160]);

void losses_close(struct losses *losses);

/* One counter out of the text of such a file. `section`, `name`: see enum loss_format. False if it isn't
 * there. */
enum loss_format {
    LOSS_SECTIONS, /* "Udp: InDatagrams InErrors\nUdp: 9 0\n": section "Udp:", name "InErrors" */
    LOSS_LINES,    /* "Udp6InErrors   0\n": name */
    LOSS_COLUMNS,  /* a line of names, then one line a processor, in hex: name; the sum */
    LOSS_DEVICES,  /* net/dev: the packets that device `name` dropped on arrival */
    LOSS_NUMBER,   /* the number that the file consists of */
};
bool losses_read_counter(const char *text, enum loss_format format, const char *section, const char *name,
                         uint64_t *value);

#endif
