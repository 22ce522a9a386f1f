/*
 * See recorder.h. One write(2) a line: a `try` is out before its attempt's first system call is made, so an
 * attempt that takes the probe or the whole bottle down is known by name.
 */
#include "recorder.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

void recorder_start(struct recorder *recorder, int output, bool root)
{
    *recorder = (struct recorder){ .output = output, .root = root };
    sha256_start(&recorder->hash);
}

/* An output that somebody made non-blocking is waited for; an interrupted or partial write is gone on with.
 */
static bool write_all(int output, const char *text, size_t size)
{
    while (size > 0) {
        ssize_t written = write(output, text, size);
        if (written > 0) {
            text += written;
            size -= (size_t)written;
        } else if (written < 0 && errno == EAGAIN) {
            struct pollfd wait = { .fd = output, .events = POLLOUT };
            if (poll(&wait, 1, -1) < 0 && errno != EINTR)
                return false;
        } else if (written == 0 || errno != EINTR) {
            return false;
        }
    }
    return true;
}

void recorder_write(struct recorder *recorder, const struct record *record)
{
    char line[RECORD_LINE_MAX];
    if (recorder->broken)
        return;
    size_t length = record_format(record, line);
    if (length == 0 || !write_all(recorder->output, line, length)) {
        recorder->broken = true;
        return;
    }
    sha256_add(&recorder->hash, line, length);
    recorder->tried = (uint16_t)(recorder->tried + (record->kind == RECORD_TRY));
    recorder->done = (uint16_t)(recorder->done + (record->kind == RECORD_DID));
}

void recorder_try(struct recorder *recorder, uint16_t seq, uint16_t vector)
{
    struct record record = { .kind = RECORD_TRY, .attempt = { .seq = seq, .vector = vector, .root = recorder->root } };
    recorder_write(recorder, &record);
}

bool recorder_bye(struct recorder *recorder)
{
    struct record record = { .kind = RECORD_BYE, .bye = { .tried = recorder->tried, .done = recorder->done } };
    struct sha256 lines = recorder->hash;
    sha256_end_hex(&lines, record.bye.digest);
    recorder_write(recorder, &record);
    return !recorder->broken;
}
