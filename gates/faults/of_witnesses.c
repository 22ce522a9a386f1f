/* What can go wrong with those who listen: witnesses that die or fall silent, controls that are lost or late, and
 * loads under which the kernel loses packets. */
#include "../fault.h"

#define WITNESSES   "witnesses"
#define DEAF        137          /* BG-137: witness dead, on the wrong interface, or in the wrong namespace */
#define LOAD        140          /* BG-140: floods, full tables */
#define FIRST_ROUND ROUND_DURING /* the first one after the attempts have begun */

/* A witness that is dead on its own, from the middle of the attempts on. */
#define DEAD(called, what, bits, word)                                                                                 \
    {                                                                                                                  \
        .name = "dead-" called, .stage = WITNESSES, .breaks = what " dies while the attempts are made", .exit = 3,     \
        .says = word, .vector = DEAF, .witness = WITNESS_FAULT_DEAD, .kinds = bits, .upset = {                         \
            UPSET_BREAK,                                                                                               \
            FIRST_ROUND,                                                                                               \
            0                                                                                                          \
        }                                                                                                              \
    }

/* The same by another fault of the witness process than WITNESS_FAULT_DEAD. */
#define BROKEN_BY(called, what, fault_of_witness, word)                                                                \
    {                                                                                                                  \
        .name = called, .stage = WITNESSES, .breaks = what, .exit = 3, .says = word, .vector = DEAF,                   \
        .witness = fault_of_witness, .upset = {                                                                        \
            UPSET_BREAK,                                                                                               \
            FIRST_ROUND,                                                                                               \
            0                                                                                                          \
        }                                                                                                              \
    }

#define LOST(called, when, which, word)                                                                                \
    {                                                                                                                  \
        .name = "control-lost-" called, .stage = WITNESSES, .breaks = "a control is lost " when, .exit = 3,            \
        .says = word, .vector = DEAF, .sweep = (which) == ROUND_SWEEP, .upset = {                                      \
            UPSET_LOSE_CONTROL,                                                                                        \
            which,                                                                                                     \
            0                                                                                                          \
        }                                                                                                              \
    }

#define KILLED(called, when, which)                                                                                    \
    {                                                                                                                  \
        .name = "witness-killed-" called, .stage = WITNESSES, .breaks = "the whole witness process is killed " when,   \
        .exit = 3, .says = "the witness process died", .vector = DEAF, .upset = {                                      \
            UPSET_KILL,                                                                                                \
            which,                                                                                                     \
            0                                                                                                          \
        }                                                                                                              \
    }

#define UNDER(called, what, load, word)                                                                                \
    {                                                                                                                  \
        .name = called, .stage = WITNESSES, .breaks = what, .exit = 3, .says = word, .vector = LOAD, .upset = {        \
            load,                                                                                                      \
            FIRST_ROUND,                                                                                               \
            0                                                                                                          \
        }                                                                                                              \
    }

/* clang-format off */
const struct fault faults_of_witnesses[] = {
    DEAD("tcp", "the TCP witness", WITNESS_TCP, "(TCP in the world) during"),
    DEAD("udp", "the UDP witness", WITNESS_UDP, "the udp witness did not hear"),
    DEAD("dns-udp", "the witness of DNS over UDP", WITNESS_DNS_UDP, "the dns-udp witness did not hear"),
    DEAD("dns-tcp", "the witness of DNS over TCP", WITNESS_DNS_TCP, "the dns-tcp witness did not hear"),
    DEAD("icmp", "the ICMP witness", WITNESS_ICMP, "the icmp witness did not hear"),
    DEAD("host", "the witness of what the host lets in", WITNESS_HOST, "the host witness did not hear"),
    DEAD("syn", "the witness of data in a SYN", WITNESS_SYN, "the syn witness did not hear"),
    DEAD("unix-abstract", "the witness at abstract Unix sockets", WITNESS_UNIX_ABSTRACT, "(Unix stream, abstract)"),
    DEAD("unix-path", "the witness at Unix sockets by path", WITNESS_UNIX_PATH, "(Unix stream, path)"),
    DEAD("descriptor", "the witness at the planted descriptor", WITNESS_DESCRIPTOR, "(a planted descriptor)"),
    DEAD("peer", "the witness that the second bottle's listener tells", WITNESS_PEER, "the listener in the second bottle"),
    BROKEN_BY("dead-capture-wan0", "the capture on wan0 dies while the attempts are made", WITNESS_FAULT_NO_CAPTURE_WAN,
              "the capture witness did not hear its control (TCP in the world)"),
    BROKEN_BY("dead-capture-lo", "the capture on host loopback dies while the attempts are made",
              WITNESS_FAULT_NO_CAPTURE_LO, "the capture witness did not hear its control (TCP on host loopback)"),
    BROKEN_BY("dead-neighbours", "nobody answers any more for IPv6 neighbours on the LAN", WITNESS_FAULT_NO_NEIGHBOUR,
              "(a neighbour on the LAN, IPv6)"),
    { .name = "dead-socket-table", .stage = WITNESSES, .breaks = "the host's table of sockets can't be read any more",
      .exit = 3, .says = "sockets", .vector = DEAF, .no_sockets = true },
    { .name = "dead-listener", .stage = WITNESSES, .breaks = "the second bottle's listener is killed after the attempts",
      .exit = 3, .says = "the listener in the second bottle", .vector = DEAF, .deaf_peer = true },
    { .name = "deaf-capture", .stage = WITNESSES, .breaks = "a capture whose filter lets nothing through", .exit = 3,
      .says = "the capture witness did not hear", .vector = DEAF, .witness = WITNESS_FAULT_DEAF_CAPTURE },
    { .name = "deaf-capture-open", .stage = WITNESSES, .breaks = "the same in the open run", .exit = 3,
      .says = "open run: the capture witness did not hear", .vector = DEAF, .in = IN_OPEN,
      .witness = WITNESS_FAULT_DEAF_CAPTURE },
    { .name = "deaf-capture-bare", .stage = WITNESSES, .breaks = "the same in the bare run", .exit = 3,
      .says = "bare run: the capture witness did not hear", .vector = DEAF, .in = IN_BARE,
      .witness = WITNESS_FAULT_DEAF_CAPTURE },

    KILLED("before", "before the first control", ROUND_BEFORE),
    KILLED("during", "while the attempts are made", ROUND_DURING + PRINCIPAL_USER),
    KILLED("between", "between the two principals", ROUND_AFTER + PRINCIPAL_USER),
    KILLED("after", "after the attempts", ROUND_AFTER + PRINCIPAL_ROOT),
    KILLED("late", "after the bottle was destroyed", ROUND_FINAL),
    { .name = "witness-dies-at-stop", .stage = WITNESSES, .breaks = "the witness process ends without its last words",
      .exit = 3, .says = "the witness process died", .vector = DEAF, .witness = WITNESS_FAULT_DIES },
    { .name = "witness-hangs", .stage = WITNESSES, .breaks = "the witness process is stopped while the attempts are made",
      .exit = 3, .says = "did not hear its control", .vector = DEAF, .upset = { UPSET_STOP, FIRST_ROUND, 0 } },

    LOST("before", "before the attempts", ROUND_BEFORE, "before the fenced run"),
    LOST("during-user", "during the user's attempts", ROUND_DURING + PRINCIPAL_USER, "during the fenced run"),
    LOST("during-root", "during root's attempts", ROUND_DURING + PRINCIPAL_ROOT, "during the fenced run"),
    LOST("after-user", "after the user's attempts", ROUND_AFTER + PRINCIPAL_USER, "after the fenced run"),
    LOST("after-root", "after root's attempts", ROUND_AFTER + PRINCIPAL_ROOT, "after the fenced run"),
    LOST("sweep", "during the sweep", ROUND_SWEEP, "during the sweep of the fenced run"),
    LOST("final", "at the end", ROUND_FINAL, "at the end of the fenced run"),
    { .name = "control-late", .stage = WITNESSES, .breaks = "a control is told after its round was over", .exit = 3,
      .says = "the udp witness did not hear", .vector = DEAF, .witness = WITNESS_FAULT_LATE, .kinds = WITNESS_UDP,
      .upset = { UPSET_BREAK, ROUND_FINAL, 0 } },

    UNDER("capture-overrun", "more packets than the capture's ring has room for", UPSET_FLOOD_LO, "packets dropped"),
    UNDER("host-overrun", "more packets to the host by a cable than their log has room for", UPSET_FLOOD_HOST, "host:"),
    UNDER("udp-overrun", "more datagrams than a receive buffer has room for", UPSET_FLOOD_UDP, "udp"),
    { .name = "listen-overflow", .stage = WITNESSES, .breaks = "more connections than the listen queue has room for",
      .exit = 3, .says = "connections lost by", .vector = LOAD, .witness = WITNESS_FAULT_SHORT_QUEUE,
      .upset = { UPSET_FLOOD_TCP, FIRST_ROUND, 0 } },
    UNDER("table-full", "the site's connection table is full", UPSET_FLOOD_TRACKED, "connection table"),
    { 0 },
};
/* clang-format on */
