/* Pinning this thread and the server's processes to processors. */
#ifndef LIDO_BENCH_AFFINITY_H
#define LIDO_BENCH_AFFINITY_H

#include <sched.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Where this thread could run before it was pinned. */
typedef struct bench_affinity {
    cpu_set_t allowed;
} bench_affinity;

bench_affinity bench_affinity_save(void);
void bench_affinity_restore(const bench_affinity *before);
/* The `index`-th processor of those allowed, from 0; -1 if there are not so many. */
int bench_affinity_cpu(const bench_affinity *before, size_t index);

/* Pins this thread; those it starts later follow it. NULL, or why it could not be done. */
const char *bench_pin_self(int cpu);
/* Pins a process of a PostgreSQL server on this machine. NULL, or why it could not be done. */
const char *bench_pin_server(pid_t process, int cpu);

#endif
