/* Record streams for the tests of the collector: a plan, a good stream for it, and the means to make bad
 * ones. */
#ifndef TESTS_UNIT_GATES_COLLECTOR_FIXTURE_H
#define TESTS_UNIT_GATES_COLLECTOR_FIXTURE_H

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "../../gates/collector.h"

#define RUN   "00112233445566778899aabbccddeeff"
#define HELLO "BG1 hello " RUN " 5 65534 6.1.0-x - -"

static const struct collector_plan with_door = {
    .run = RUN, .first = 0, .count = 5, .vectors = { RECORD_DOOR, 49, 61, 61, RECORD_DOOR }
};
/* A stream under construction. */
struct stream {
    char text[8192];
    size_t size;
};

static inline void add(struct stream *stream, const char *line)
{
    int length = snprintf(stream->text + stream->size, sizeof stream->text - stream->size, "%s\n", line);
    stream->size += (size_t)length;
}

/* Ends the stream with a bye whose digest is right. */
static inline void add_bye(struct stream *stream, unsigned tried, unsigned done)
{
    char digest[65], line[RECORD_LINE_MAX];
    struct sha256 hash;
    sha256_start(&hash);
    sha256_add(&hash, stream->text, stream->size);
    sha256_end_hex(&hash, digest);
    snprintf(line, sizeof line, "BG1 bye %u %u %s", tried, done, digest);
    add(stream, line);
}

static inline struct stream make_stream(const char *const *lines, unsigned tried, unsigned done)
{
    struct stream stream = { .size = 0 };
    for (; *lines != NULL; lines++)
        add(&stream, *lines);
    add_bye(&stream, tried, done);
    return stream;
}

#define LINES(...)                                                                                                     \
    (const char *const[])                                                                                              \
    {                                                                                                                  \
        __VA_ARGS__, NULL                                                                                              \
    }

static inline struct stream good_stream(void)
{
    return make_stream(LINES(HELLO, "BG1 try 0 door user", "BG1 did 0 answered - 38 69 120 0f0f",
                             "BG1 try 1 BG-049 user", "BG1 try 2 BG-061 user", "BG1 try 3 BG-061 user",
                             "BG1 did 2 connect ENETUNREACH 0 0 17 -", "BG1 did 3 deadline - 16 0 250000 -",
                             "BG1 did 1 answered - 16 37 900 a0", "BG1 try 4 door user",
                             "BG1 did 4 answered - 38 69 130 0f0e"),
                       5, 5);
}

static inline struct collection collect(const struct collector_plan *plan, const char *bytes, size_t size)
{
    static struct collection result;
    struct collector_state state;
    collector_begin(&state, plan, &result);
    collector_feed(&state, bytes, size);
    collector_end(&state);
    return result;
}

#endif
