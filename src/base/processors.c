/* Asking the system for the processors: not how many the machine has, for a container or taskset may give fewer. */
#include "base/processors.h"

#include <sched.h>
#include <unistd.h>

int lido__processors_count(void) {
    cpu_set_t set;
    if (sched_getaffinity(getpid(), sizeof set, &set) != 0)
        return 1;
    return CPU_COUNT(&set) > 0 ? CPU_COUNT(&set) : 1;
}
