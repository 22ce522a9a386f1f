/* See fault.h. The tampering process reads lines from the probe and passes them on, except for the one that
 * the fault is about; it stands where a hostile guest or a broken channel would. */
#include "fault.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../launcher/support/cleanup.h"
#include "../launcher/support/process.h"

const struct fault_row fault_rows[FAULTS] = {
    [FAULT_NONE] = { "none", "nothing", "-", 0 },
    [FAULT_DEAD_WITNESS] = { "dead-witness", "the TCP witness stops listening after its first control", "witnesses",
                             3 },
    [FAULT_DEAF_CAPTURE] = { "deaf-capture", "the capture hears nothing", "witnesses", 3 },
    [FAULT_PROBE_KILLED] = { "probe-killed", "the probe is killed after its first attempt", "probe", 2 },
    [FAULT_RECORDS_TRUNCATED] = { "records-truncated", "the record stream loses its last line", "collector", 2 },
    [FAULT_RECORDS_FORGED] = { "records-forged", "a record of an attempt that was never planned is slipped in",
                               "collector", 3 },
    [FAULT_WRONG_RUN] = { "wrong-run", "the record stream carries the id of another run", "collector", 3 },
};

bool fault_is_in_stream(enum fault fault)
{
    return fault == FAULT_PROBE_KILLED || fault == FAULT_RECORDS_TRUNCATED || fault == FAULT_RECORDS_FORGED ||
           fault == FAULT_WRONG_RUN;
}

/* Passes one line on, or what the fault makes of it. False ends the stream, and with it, as the caller then
 * kills it, the probe. */
static bool pass_line(enum fault fault, char *line, int output)
{
    bool attempt = strncmp(line, "BG1 try ", 8) == 0 && strncmp(line, "BG1 try 0 ", 10) != 0;
    switch (fault) {
    case FAULT_PROBE_KILLED:
        if (!write_all(output, line, strlen(line)))
            return false;
        return !attempt;
    case FAULT_RECORDS_TRUNCATED:
        return strncmp(line, "BG1 bye ", 8) == 0 || write_all(output, line, strlen(line));
    case FAULT_RECORDS_FORGED:
        if (attempt && !write_all(output, "BG1 did 500 sent - 64 0 7 -\n", 28))
            return false;
        return write_all(output, line, strlen(line));
    case FAULT_WRONG_RUN:
        if (strncmp(line, "BG1 hello ", 10) == 0)
            line[10] = line[10] == '0' ? '1' : '0';
        return write_all(output, line, strlen(line));
    default:
        return write_all(output, line, strlen(line));
    }
}

int fault_tamper(enum fault fault, int stream, int writing_end, pid_t *pid, struct error *error)
{
    int ends[2];
    if (pipe(ends) != 0) {
        error_system(error, "can't make a pipe");
        return -1;
    }
    *pid = fork();
    if (*pid < 0) {
        error_system(error, "can't start the tampering process");
        close(ends[0]);
        close(ends[1]);
        return -1;
    }
    if (*pid == 0) {
        process_die_with_parent(-1);
        close(ends[0]);
        close(writing_end);
        FILE *input = fdopen(stream, "r");
        char line[512];
        while (input != NULL && fgets(line, sizeof line, input) != NULL && pass_line(fault, line, ends[1]))
            ;
        _exit(0);
    }
    close(stream);
    close(ends[1]);
    return ends[0];
}
