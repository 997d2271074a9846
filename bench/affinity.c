/* Processor affinity by sched_setaffinity(2). */
#include "affinity.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

bench_affinity bench_affinity_save(void) {
    bench_affinity before;
    CPU_ZERO(&before.allowed);
    sched_getaffinity(0, sizeof before.allowed, &before.allowed);
    return before;
}

void bench_affinity_restore(const bench_affinity *before) {
    sched_setaffinity(0, sizeof before->allowed, &before->allowed);
}

int bench_affinity_cpu(const bench_affinity *before, size_t index) {
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
        if (CPU_ISSET((size_t)cpu, &before->allowed) && index-- == 0)
            return cpu;
    return -1;
}

static const char *pin(pid_t process, int cpu) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET((size_t)cpu, &set);
    return sched_setaffinity(process, sizeof set, &set) == 0 ? NULL : strerror(errno);
}

const char *bench_pin_self(int cpu) {
    return pin(0, cpu);
}

/* A server elsewhere has process numbers too, and here they may be anybody's: look before touching one. */
static bool is_postgres(pid_t process) {
    char path[64];
    char name[32] = "";
    snprintf(path, sizeof path, "/proc/%ld/comm", (long)process);
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return false;
    bool found = fgets(name, sizeof name, file) != NULL && strncmp(name, "postgres", 8) == 0;
    fclose(file);
    return found;
}

const char *bench_pin_server(pid_t process, int cpu) {
    return is_postgres(process) ? pin(process, cpu) : "it is not a process of this machine";
}
