/*
 * A group of nfnetlink_log: packets that a rule of the site's (gates/site/firewall.c) has picked out, in the order in which it did, none
 * missing without a word. A rule decides as the packet goes by, so what is picked out is so at that very moment.
 */
#ifndef GATES_WITNESS_LOG_GROUP_H
#define GATES_WITNESS_LOG_GROUP_H

#include "house.h"

#define LOG_GROUP_MESSAGE                                                                                              \
    131072 /* bytes: the largest packet with its attributes, as much as the kernel ever sends at once */

/* One packet, from its IP header on. */
typedef void log_group_packet(void *context, const uint8_t *bytes, size_t size);

struct log_group_setting {
    uint16_t number;
    const char *name; /* in what is said of losses */
    bool at_once;     /* each packet by itself, and only its first LOG_GROUP_HEAD bytes; else many together, whole */
    log_group_packet *take;
    void *context;
};
#define LOG_GROUP_HEAD 128

struct log_group {
    struct house *house;
    struct log_group_setting setting;
    struct loop_source source; /* fd -1: it isn't open */
    uint32_t next_sequence;
    _Alignas(8) uint8_t message[LOG_GROUP_MESSAGE];
};

/* Takes the group, in the host namespace, in which the process is afterwards. */
bool log_group_open(struct log_group *group, struct house *house, const struct log_group_setting *setting,
                    struct error *error);

/* Takes what is there now, without waiting. */
void log_group_drain(struct log_group *group);

#endif
