/*
 * See fault_tamper in fault.h. The tampering process stands where a hostile guest or a broken channel would: it reads
 * lines from the probe and passes them on, except for the one that the fault is about. What it does to a line is a
 * small function; what all of them share is a count of what was passed on, from which a bye can be made that fits.
 *
 * If a variant of a line (variants.h) is taken for good, the stream goes on as it was, and the run ends in the PASS that the
 * selftest forbids.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../launcher/support/cleanup.h"
#include "../../launcher/support/process.h"
#include "../fault.h"
#include "variants.h"

struct tamperer {
    const struct tampering_of *tampering;
    const struct collector_plan *plan;
    int output, told; /* told: where the probe's pid comes from */
    unsigned matches;
    bool done;                       /* the fault is made */
    char kept_back[RECORD_LINE_MAX]; /* TAMPER_SWAP: the line that waits for the next */
    struct sha256 hash;
    uint16_t tried, finished;
};

static int kept[2] = { -1, -1 }; /* the stream for a replay, as far as its bye */

bool fault_prepare(const struct fault *fault, struct error *error)
{
    if (fault->stream.how != TAMPER_REPLAY)
        return true;
    return pipe2(kept, O_CLOEXEC) == 0 || error_system(error, "can't make a pipe for a stream");
}

static bool is_line(const char *line, const char *kind)
{
    return strncmp(line, kind, strlen(kind)) == 0;
}

static bool pass(struct tamperer *tamperer, const char *text)
{
    size_t size = strlen(text);
    sha256_add(&tamperer->hash, text, size);
    tamperer->tried = (uint16_t)(tamperer->tried + is_line(text, "BG1 try "));
    tamperer->finished = (uint16_t)(tamperer->finished + is_line(text, "BG1 did "));
    return write_all(tamperer->output, text, size);
}

static bool pass_bye(struct tamperer *tamperer)
{
    char digest[65], line[RECORD_LINE_MAX];
    sha256_end_hex(&tamperer->hash, digest);
    snprintf(line, sizeof line, "BG1 bye %u %u %s\n", tamperer->tried, tamperer->finished, digest);
    return write_all(tamperer->output, line, strlen(line));
}

static bool pass_field(struct tamperer *tamperer, const char *line)
{
    char changed[2 * RECORD_LINE_MAX];
    const char *start = line;
    for (unsigned i = 0; i < tamperer->tampering->number; i++)
        start += strcspn(start, " ") + 1;
    snprintf(changed, sizeof changed, "%.*s%s%s", (int)(start - line), line, tamperer->tampering->text,
             start + strcspn(start, " \n"));
    return pass(tamperer, changed);
}

/* The probe is met in the middle of its work. It may have gone on while the line was read: what it has written since counts
 * for nothing. */
static void hurt_probe(const struct tamperer *tamperer, int number)
{
    pid_t probe;
    if (read_all(tamperer->told, &probe, sizeof probe) == (ssize_t)sizeof probe)
        kill(probe, number);
}

/* The line that the fault is about. False ends the stream. */
static bool tamper(struct tamperer *tamperer, const char *line)
{
    const struct tampering_of *tampering = tamperer->tampering;
    char half[RECORD_LINE_MAX];
    bool passed = true;
    switch (tampering->how) {
    case TAMPER_CUT:
        return false;
    case TAMPER_HALVE:
        snprintf(half, sizeof half, "%.*s", (int)strlen(line) / 2, line);
        pass(tamperer, half);
        return false;
    case TAMPER_DROP:
        return true;
    case TAMPER_DOUBLE:
        if (!pass(tamperer, line))
            return false;
        return pass(tamperer, line);
    case TAMPER_SWAP:
        snprintf(tamperer->kept_back, sizeof tamperer->kept_back, "%.255s", line);
        return true;
    case TAMPER_BEFORE:
        for (unsigned i = 0; passed && (i == 0 || i < tampering->number); i++)
            passed = pass(tamperer, tampering->text);
        return passed && pass(tamperer, line);
    case TAMPER_AFTER:
        passed = pass(tamperer, line);
        for (unsigned i = 0; passed && (i == 0 || i < tampering->number); i++)
            passed = pass(tamperer, tampering->text);
        return passed;
    case TAMPER_FIELD:
        return pass_field(tamperer, line);
    case TAMPER_KILL:
        (void)pass(tamperer, line);
        hurt_probe(tamperer, SIGKILL);
        return false;
    case TAMPER_STOP:
        (void)pass(tamperer, line);
        hurt_probe(tamperer, SIGSTOP);
        for (;;)
            pause();
    default:
        return pass(tamperer, line);
    }
}

static bool take_line(struct tamperer *tamperer, const char *line)
{
    const struct tampering_of *tampering = tamperer->tampering;
    char held[RECORD_LINE_MAX];
    memcpy(held, tamperer->kept_back, sizeof held);
    tamperer->kept_back[0] = '\0';
    if (!tamperer->done && strstr(line, tampering->line) != NULL &&
        tamperer->matches++ == (tampering->second ? 1 : 0)) {
        tamperer->done = true;
        return tamper(tamperer, line);
    }
    bool passed = tampering->sealed && is_line(line, "BG1 bye ") ? pass_bye(tamperer) : pass(tamperer, line);
    return passed && (held[0] == '\0' || pass(tamperer, held));
}

/* Reads the kept stream instead of the probe's, which goes nowhere. */
static void replay(struct tamperer *tamperer)
{
    cleanup_close int source = kept[0];
    char line[RECORD_LINE_MAX + 2];
    size_t used = 0;
    while (used + 1 < sizeof line && read_all(source, line + used, 1) == 1) {
        if (line[used++] != '\n')
            continue;
        line[used] = '\0';
        used = 0;
        if (!pass(tamperer, line) || is_line(line, "BG1 bye "))
            return;
    }
}

static _Noreturn void run_tamperer(struct tamperer *tamperer, int stream)
{
    enum tampering how = tamperer->tampering->how;
    bool holds = how == TAMPER_BITS || how == TAMPER_BYTES;
    FILE *input = fdopen(stream, "r");
    char line[512];
    sha256_start(&tamperer->hash);
    if (how == TAMPER_REPLAY)
        replay(tamperer);
    struct variants variants = { 0 };
    bool goes_on = input != NULL;
    while (goes_on && fgets(line, sizeof line, input) != NULL) {
        if (how == TAMPER_KEEP)
            (void)write_all(kept[1], line, strlen(line));
        if (how == TAMPER_REPLAY)
            continue;
        goes_on = how == TAMPER_KEEP ? pass(tamperer, line)
                  : holds            ? variants_hold(&variants, line, tamperer->tampering->line)
                                     : take_line(tamperer, line);
    }
    if (holds && goes_on)
        variants_pass(&variants, tamperer->plan, how == TAMPER_BITS, tamperer->output);
    _exit(0);
}

int fault_tamper(const struct fault *fault, const struct collector_plan *plan, int stream, int writing_end, pid_t *pid,
                 int *tell, struct error *error)
{
    struct tamperer tamperer = { .tampering = &fault->stream, .plan = plan };
    int ends[2], pids[2];
    if (pipe2(ends, O_CLOEXEC) != 0) {
        error_system(error, "can't make a pipe");
        return -1;
    }
    cleanup_close int reading = ends[0], writing = ends[1], taken = stream;
    if (pipe2(pids, O_CLOEXEC) != 0) {
        error_system(error, "can't make a pipe");
        return -1;
    }
    cleanup_close int told = pids[0], telling = pids[1];
    *pid = fork();
    if (*pid < 0) {
        error_system(error, "can't start the tampering process");
        return -1;
    }
    if (*pid == 0) {
        process_die_with_parent(-1);
        close(writing_end);
        close(telling);
        tamperer.output = writing;
        tamperer.told = told;
        run_tamperer(&tamperer, taken);
    }
    bool hurts = fault->stream.how == TAMPER_KILL || fault->stream.how == TAMPER_STOP;
    *tell = hurts ? take_fd(&telling) : -1;
    return take_fd(&reading);
}
