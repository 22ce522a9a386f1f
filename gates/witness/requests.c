/* See requests.h. A request is a line, header lines, an empty line, and as many bytes as Content-Length says.
 */
#include "requests.h"

#include <string.h>

static const char *const methods[] = { "GET ",   "PUT ",     "POST ",  "HEAD ",   "DELETE ",
                                       "PATCH ", "OPTIONS ", "TRACE ", "CONNECT " };
static const char content_length[] = "content-length:";

enum requests_start requests_begin(const uint8_t *bytes, size_t size)
{
    enum requests_start result = REQUESTS_NO;
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
        size_t length = strlen(methods[i]);
        if (memcmp(bytes, methods[i], size < length ? size : length) != 0)
            continue;
        if (size >= length)
            return REQUESTS_YES;
        result = REQUESTS_PERHAPS;
    }
    return result;
}

static void read_content_length(struct requests *requests)
{
    size_t at = sizeof content_length - 1;
    if (requests->kept < at || memcmp(requests->line, content_length, at) != 0)
        return;
    while (at < requests->kept && (requests->line[at] == ' ' || requests->line[at] == '\t'))
        at++;
    uint64_t value = 0;
    for (; at < requests->kept && requests->line[at] >= '0' && requests->line[at] <= '9'; at++)
        if (value < UINT64_MAX / 100)
            value = value * 10 + (uint64_t)(requests->line[at] - '0');
    requests->body_left = value;
}

/* The end of a line. True if it ends the head of a request. */
static bool end_line(struct requests *requests)
{
    bool empty = requests->kept == 0, ends_head = empty && requests->request_line_seen;
    if (!empty)
        read_content_length(requests);
    requests->request_line_seen = !ends_head && (requests->request_line_seen || !empty);
    requests->kept = 0;
    return ends_head;
}

unsigned requests_add(struct requests *requests, const uint8_t *bytes, size_t size)
{
    unsigned complete = 0;
    for (size_t i = 0; i < size;) {
        if (requests->body_left > 0 && requests->in_body) {
            size_t part = size - i < requests->body_left ? size - i : (size_t)requests->body_left;
            requests->body_left -= part;
            i += part;
        } else {
            uint8_t byte = bytes[i++];
            if (byte == '\n')
                requests->in_body = end_line(requests);
            else if (byte != '\r' && requests->kept < REQUESTS_LINE_KEPT)
                requests->line[requests->kept++] = (char)(byte >= 'A' && byte <= 'Z' ? byte | 0x20 : byte);
        }
        if (requests->in_body && requests->body_left == 0) {
            requests->in_body = false;
            complete++;
        }
    }
    return complete;
}
