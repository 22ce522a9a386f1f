/*
 * The probe's other use: in a second bottle it listens, so that what a first bottle sends to it can be told. It says
 * "ready" on standard error when all sockets listen, and then repeats on standard output every byte that anybody sends
 * it, raw, so that a reader can look for nonces in it.
 */
#ifndef PROBES_LISTENER_H
#define PROBES_LISTENER_H

#define LISTENER_USAGE "bottle-probe --listen SPEC..., where SPEC is tcp:PORT, udp:PORT or abstract:NAME"

/* Returns when standard output can't be written any more, with the exit status: 0; 3 if something can't be bound; 4
 * for a bad list of at most LISTENER_SPECS_MAX. */
#define LISTENER_SPECS_MAX 16
int listener_run(char *const *specs, int count);

#endif
