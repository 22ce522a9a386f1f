/*
 * What the host's firewall lets in by any interface but lo and lan0: a cable, a bridge, a veth that joins a bottle to the
 * host. Such an interface is inside the fence, so nothing is captured there; the site's rule (gates/site/firewall.c) logs
 * each packet at the very end of the input hook to nfnetlink_log, and only what every filter has accepted is heard here,
 * at the point "host". It goes through the same examination as what is captured.
 *
 * Not seen is what the host's kernel drops by itself before any firewall is asked: a group that nobody on the host has
 * joined.
 */
#ifndef GATES_WITNESS_HOST_INPUT_H
#define GATES_WITNESS_HOST_INPUT_H

#include "capture.h"
#include "log_group.h"

struct host_input {
    struct capture *capture;
    struct log_group log;
    int marker_link;
    bool marker_seen;
};

/* Takes the site's log group in its host namespace, in which the process is afterwards. `capture` is open, and borrowed. */
bool host_input_open(struct host_input *input, struct capture *capture, struct error *error);

/* Sends a marker by the site's own cable: once marker_seen, all that came before has been seen. */
void host_input_mark(const struct host_input *input);

/* Says what was lost: to be called once, at the end. */
void host_input_finish(const struct host_input *input);

#endif
