/* What can go wrong with the records of the attempts, between a probe that does its work and the collector: a hostile guest
 * in the middle, or a broken channel. Where a row says `sealed`, the last line's counts and digest are made to fit what was
 * passed on, so that the fault itself must be noticed, and not only the digest. */
#include "../fault.h"

#define RECORDS  "records"
#define FORGED   131 /* BG-131: forged or edited records */
#define REPLAYED 132 /* BG-132: an older run's stream */
#define TORN     133 /* BG-133: truncated, duplicated, oversized, binary */

#define ANOTHER_RUN "00112233445566778899aabbccddeeff"
#define ZEROES      "0000000000000000000000000000000000000000000000000000000000000000"
#define X64         "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"

/* A cut stream is INCONCLUSIVE, a forged one BROKEN. */
#define ROW(called, what, status, word, id, ...)                                                                       \
    {                                                                                                                  \
        .name = called, .stage = RECORDS, .breaks = what, .exit = status, .says = word, .vector = id, .stream = {      \
            __VA_ARGS__                                                                                                \
        }                                                                                                              \
    }
#define CUT(called, what, how_, ...)             ROW(called, what, 2, "records fall short", TORN, .how = how_, __VA_ARGS__)
#define FORGE(called, what, word, id, how_, ...) ROW(called, what, 3, word, id, .how = how_, __VA_ARGS__)

/* clang-format off */
const struct fault faults_of_records[] = {
    CUT("records-without-hello-on", "the stream ends before its first line", TAMPER_CUT, .line = "BG1 hello "),
    CUT("records-end-after-hello", "the stream ends after its first line", TAMPER_CUT, .line = "BG1 try 0 "),
    CUT("records-end-at-first", "the stream ends before the first attempt's end", TAMPER_CUT, .line = "BG1 did 1 "),
    CUT("records-without-bye", "the stream lacks its last line", TAMPER_CUT, .line = "BG1 bye "),
    CUT("records-half-hello", "the stream ends in the middle of its first line", TAMPER_HALVE, .line = "BG1 hello "),
    CUT("records-half-did", "the stream ends in the middle of a line", TAMPER_HALVE, .line = "BG1 did 1 "),
    CUT("records-half-bye", "the stream ends in the middle of its last line", TAMPER_HALVE, .line = "BG1 bye "),

    FORGE("records-lose-did", "an attempt's end is left out, and the last line made to fit", "door is tried before", TORN,
          TAMPER_DROP, .line = "BG1 did 1 ", .sealed = true),
    FORGE("records-lose-hello", "the first line is left out", "before the hello", TORN, TAMPER_DROP, .line = "BG1 hello "),
    FORGE("records-lose-try", "an attempt's beginning is left out", "out of order", TORN, TAMPER_DROP,
          .line = "BG1 try 2 ", .sealed = true),
    FORGE("records-double-hello", "the first line comes twice", "second hello", TORN, TAMPER_DOUBLE,
          .line = "BG1 hello ", .sealed = true),
    FORGE("records-double-try", "an attempt begins twice", "out of order", TORN, TAMPER_DOUBLE,
          .line = "BG1 try 2 ", .sealed = true),
    FORGE("records-double-did", "an attempt ends twice", "second did", TORN, TAMPER_DOUBLE,
          .line = "BG1 did 1 ", .sealed = true),
    FORGE("records-double-bye", "the last line comes twice", "after the bye", TORN, TAMPER_DOUBLE, .line = "BG1 bye "),
    FORGE("records-swap-tries", "two attempts change places", "out of order", TORN, TAMPER_SWAP,
          .line = "BG1 try 2 ", .sealed = true),
    FORGE("records-swap-door", "the door's answer comes before the question", "without its try", TORN, TAMPER_SWAP,
          .line = "BG1 try 0 ", .sealed = true),
    FORGE("records-bye-early", "the last line comes before the last answer", NULL, TORN, TAMPER_BEFORE,
          .line = " door ", .second = true, .text = "BG1 bye 1 1 " ZEROES "\n"),

    FORGE("records-unplanned-did", "the end of an attempt that was never planned", "not in the plan", FORGED, TAMPER_BEFORE,
          .line = "BG1 try 1 ", .text = "BG1 did 500 sent - 64 0 7 -\n", .sealed = true),
    FORGE("records-unplanned-try", "the beginning of an attempt that was never planned", "not in the plan", FORGED,
          TAMPER_BEFORE, .line = "BG1 bye ", .text = "BG1 try 500 BG-049 user\n", .sealed = true),
    FORGE("records-end-before-try", "an attempt that ends before it begins", "without its try", FORGED, TAMPER_BEFORE,
          .line = "BG1 try 1 ", .text = "BG1 did 1 sent - 64 0 7 -\n", .sealed = true),
    FORGE("records-all-made-up", "a probe that only says bye", "before the hello", FORGED, TAMPER_BEFORE,
          .line = "BG1 hello ", .text = "BG1 bye 0 0 " ZEROES "\n"),
    FORGE("records-other-vector", "an attempt under another's id", "another vector", FORGED, TAMPER_FIELD,
          .line = "BG1 try 1 ", .number = 3, .text = "BG-150", .sealed = true),
    FORGE("records-door-as-attempt", "an attempt that calls itself the door", "another vector", FORGED, TAMPER_FIELD,
          .line = "BG1 try 1 ", .number = 3, .text = "door", .sealed = true),
    FORGE("records-other-principal", "an attempt of the user's in root's name", "another principal", FORGED, TAMPER_FIELD,
          .line = "BG1 try 1 ", .number = 4, .text = "root", .sealed = true),
    FORGE("records-other-run", "the id of another run", "another run", REPLAYED, TAMPER_FIELD,
          .line = "BG1 hello ", .number = 2, .text = ANOTHER_RUN, .sealed = true),
    FORGE("records-other-count", "another number of attempts than planned", "number of acts", FORGED, TAMPER_FIELD,
          .line = "BG1 hello ", .number = 3, .text = "3", .sealed = true),
    FORGE("records-other-uid", "the uid of root in the user's stream", "another principal", FORGED, TAMPER_FIELD,
          .line = "BG1 hello ", .number = 4, .text = "0", .sealed = true),
    FORGE("records-other-kernel", "another kernel than the host's", "another probe, uid", FORGED, TAMPER_FIELD,
          .line = "BG1 hello ", .number = 5, .text = "4.4.0", .sealed = true),
    FORGE("records-other-boot", "another boot than the host's", "another probe, uid", FORGED, TAMPER_FIELD,
          .line = "BG1 hello ", .number = 6, .text = "00000000-0000-4000-8000-000000000000", .sealed = true),
    FORGE("records-other-digest", "another probe's digest", "another probe, uid", FORGED, TAMPER_FIELD,
          .line = "BG1 hello ", .number = 7, .text = ZEROES, .sealed = true),
    FORGE("records-no-digest", "a probe that doesn't know its own digest", "another probe, uid", FORGED,
          TAMPER_FIELD, .line = "BG1 hello ", .number = 7, .text = "-", .sealed = true),
    FORGE("records-bye-digest", "a digest that isn't that of the lines above it", "digest", FORGED, TAMPER_FIELD,
          .line = "BG1 bye ", .number = 4, .text = ZEROES),
    FORGE("records-bye-tried", "a wrong count of attempts in the last line", "counts wrong", FORGED, TAMPER_FIELD,
          .line = "BG1 bye ", .number = 2, .text = "1"),
    FORGE("records-bye-done", "a wrong count of ends in the last line", "counts wrong", FORGED, TAMPER_FIELD,
          .line = "BG1 bye ", .number = 3, .text = "1"),
    ROW("records-other-proof", "another proof than the door's", 2, "before the attempts", FORGED, .how = TAMPER_FIELD,
        .line = "BG1 did 0 ", .number = 8, .text = ZEROES, .sealed = true),
    ROW("records-no-proof", "no proof from the door", 2, "before the attempts", FORGED, .how = TAMPER_FIELD,
        .line = "BG1 did 0 ", .number = 8, .text = "-", .sealed = true),

    FORGE("records-replayed", "an older run's stream", "another run", REPLAYED, TAMPER_REPLAY,
          .number = REPLAY_OF_OLDER_RUN),
    ROW("records-replayed-bare", "the bare run's stream of the same run", 2, "before the attempts", REPLAYED,
        .how = TAMPER_REPLAY, .number = REPLAY_OF_BARE_RUN),
    FORGE("records-replayed-user", "the user's stream in root's place", "another principal", REPLAYED, TAMPER_REPLAY,
          .number = REPLAY_OF_USER, .root = true),

    { .name = "records-forged-in-open", .stage = RECORDS, .breaks = "an unplanned record in the open run", .exit = 3,
      .says = "open run, user: the probe's records can't be believed", .vector = FORGED, .in = IN_OPEN,
      .stream = { .how = TAMPER_BEFORE, .line = "BG1 try 1 ", .text = "BG1 did 500 sent - 64 0 7 -\n", .sealed = true } },
    { .name = "records-forged-in-bare", .stage = RECORDS, .breaks = "an unplanned record in the bare run", .exit = 3,
      .says = "bare run, root: the probe's records can't be believed", .vector = FORGED, .in = IN_BARE,
      .stream = { .how = TAMPER_BEFORE, .line = "BG1 try 1 ", .text = "BG1 did 500 sent - 64 0 7 -\n", .sealed = true,
                  .root = true } },

    FORGE("records-long-line", "a line without an end", "too long", TORN, TAMPER_BEFORE, .line = "BG1 try 1 ",
          .text = X64 X64 X64 X64 "\n", .sealed = true),
    FORGE("records-flood", "a hundred thousand lines", "second did", TORN, TAMPER_AFTER, .line = "BG1 did 1 ",
          .number = 100000, .text = "BG1 did 1 sent - 64 0 7 -\n", .sealed = true),
    FORGE("records-junk-first", "binary junk before the first line", "byte that no record has", TORN, TAMPER_BEFORE,
          .line = "BG1 hello ", .text = "\x7f" "ELF\x02\x01\x01", .sealed = true),
    FORGE("records-text-first", "a line of text before the first", "not a record", TORN, TAMPER_BEFORE,
          .line = "BG1 hello ", .text = "Welcome to your bottle!\n", .sealed = true),
    FORGE("records-escape", "an escape sequence for the reader's terminal", "byte that no record has", TORN, TAMPER_BEFORE,
          .line = "BG1 try 1 ", .text = "\x1b]0;PASS\x07\n", .sealed = true),
    FORGE("records-empty-line", "an empty line", "not a record", TORN, TAMPER_BEFORE, .line = "BG1 try 1 ", .text = "\n",
          .sealed = true),
    FORGE("records-after-bye", "something after the last line", "after the bye", TORN, TAMPER_AFTER, .line = "BG1 bye ",
          .text = " "),

    FORGE("bits-of-hello", "every bit of the first line, one at a time", NULL, FORGED, TAMPER_BITS, .line = "BG1 hello "),
    FORGE("bits-of-try", "every bit of an attempt's beginning", NULL, FORGED, TAMPER_BITS, .line = "BG1 try 1 "),
    FORGE("bits-of-did", "every bit of an attempt's end", NULL, FORGED, TAMPER_BITS, .line = "BG1 did 1 "),
    FORGE("bits-of-door", "every bit of the door's answer", NULL, FORGED, TAMPER_BITS, .line = "BG1 did 0 "),
    FORGE("bits-of-bye", "every bit of the last line", NULL, FORGED, TAMPER_BITS, .line = "BG1 bye "),
    FORGE("bytes-in-hello", "every byte value, put in at every place of the first line", NULL, FORGED, TAMPER_BYTES,
          .line = "BG1 hello "),
    FORGE("bytes-in-did", "every byte value in an attempt's end", NULL, FORGED, TAMPER_BYTES, .line = "BG1 did 1 "),
    FORGE("bytes-in-bye", "every byte value in and after the last line", NULL, FORGED, TAMPER_BYTES, .line = "BG1 bye "),
    { 0 },
};
/* clang-format on */
