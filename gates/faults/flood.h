/* Loads that a witness can't keep up with, because it is stopped while they are made. */
#ifndef GATES_FAULTS_FLOOD_H
#define GATES_FAULTS_FLOOD_H

/* More bytes than a capture ring holds, as datagrams to `address`, `size` bytes each. */
void flood_datagrams(const char *address, size_t size, size_t total);

/* More connections to `address` than a listen queue holds; all are closed again. */
void flood_connections(const char *address);

/* Datagrams within the network namespace `world`, each to another port or address, until its connection table is full. The
 * process is back in `home` afterwards. */
void flood_tracked(int world, int home);

/* How many connections the table of the calling process's namespace holds; 0 where it is not known. */
unsigned long flood_tracked_limit(void);
#define FLOOD_TRACKED_MAX 1000000 /* more would take too long, and too much memory */

#endif
