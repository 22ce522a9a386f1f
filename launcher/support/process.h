/*
 * Processes, clocks and whole reads and writes: the few things that every part needs done without surprises.
 */
#ifndef LAUNCHER_SUPPORT_PROCESS_H
#define LAUNCHER_SUPPORT_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "error.h"

/* CLOCK_MONOTONIC in microseconds. Deadlines everywhere in the project are values of this clock. */
uint64_t clock_microseconds(void);

/* Milliseconds left until `deadline`, rounded up, 0 if it is past: what poll(2) takes. */
int clock_poll_timeout(uint64_t deadline);

/* Writes or reads all of it, over EINTR and short counts. read_all returns the bytes read before end of file,
 * or -1. */
bool write_all(int fd, const void *data, size_t size);
ssize_t read_all(int fd, void *data, size_t size);

/* Writes `text` to an existing file (a sysctl, a uid_map) in one write. */
bool file_write(const char *path, const char *text, struct error *error);

/* Reads at most capacity-1 bytes of a file and terminates them; false if it can't be read. */
bool file_read(const char *path, char *text, size_t capacity);

/* Closes every descriptor from `first` up. */
void descriptors_close_from(int first);

/* Waits until child `pid` ends or `deadline` passes. True if it ended, with its wait status in *status (may
 * be NULL). */
bool process_wait(pid_t pid, uint64_t deadline, int *status);

/* SIGKILLs child `pid` and reaps it. Nothing happens for pid <= 0. */
void process_kill(pid_t pid);

/* The exit status that a shell would show for a wait status: the code, or 128 + signal. */
int process_exit_status(int status);

/* Ends the calling process with SIGKILL when its parent dies. `parent_lifeline` is a descriptor of a pipe
 * whose other end only the parent holds, or -1: it closes the race with a parent that died before. To be
 * called after the last change of credentials. Source: PR_SET_PDEATHSIG(2const). */
void process_die_with_parent(int parent_lifeline);

#endif
