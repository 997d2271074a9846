/* The processors that this process may run on. */
#ifndef LIDO_BASE_PROCESSORS_H
#define LIDO_BASE_PROCESSORS_H

/* How many its first thread may run on: threads that are pinned each to its own do not count for all. At least 1. */
int lido__processors_count(void);

#endif
