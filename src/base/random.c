/* Randomness from the system. */
#include "base/random.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/types.h>

void lido__random_bytes(void *bytes, size_t size) {
    ssize_t got;
    do
        got = getrandom(bytes, size, 0);
    while (got < 0 && errno == EINTR);
    /* Up to 256 bytes come whole or not at all. A system without the call (Linux before 3.17) cannot be served: keys
     * that are not unique would spoil data unseen. */
    if (got < 0 || (size_t)got != size)
        abort();
}

uint64_t lido__random(void) {
    uint64_t number;
    lido__random_bytes(&number, sizeof number);
    return number;
}

int64_t lido__random_below(int64_t limit) {
    return limit > 0 ? (int64_t)(lido__random() % (uint64_t)limit) : 0;
}
