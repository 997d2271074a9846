/* Tests that go on for LIDO_SOAK_SECONDS, again and again, and counting what a program must not lose. */
#ifndef TESTS_FAULT_SOAK_H
#define TESTS_FAULT_SOAK_H

#include "databases.h"

#include <dirent.h>
#include <malloc.h>

#include "base/clock.h"

/* How long the tests are to go on; 0: once through. */
static inline int64_t soak_us(void) {
    const char *seconds = getenv("LIDO_SOAK_SECONDS");
    return seconds != NULL ? strtoll(seconds, NULL, 10) * 1000000 : 0;
}

/* As cmocka_run_group_tests: once, and again for as long as LIDO_SOAK_SECONDS says and nothing fails. */
#define soak_run_group_tests(tests) \
    __extension__({ \
        int64_t soak_end = lido__clock_now_us() + soak_us(); \
        int soak_failed; \
        do \
            soak_failed = cmocka_run_group_tests(tests, NULL, NULL); \
        while (soak_failed == 0 && lido__clock_now_us() < soak_end); \
        soak_failed; \
    })

static inline int count_descriptors(void) {
    DIR *descriptors = opendir("/proc/self/fd");
    int count = 0;
    assert_non_null(descriptors);
    while (readdir(descriptors) != NULL)
        count++;
    closedir(descriptors);
    return count;
}

/* Sanitizers bring their own allocator, which mallinfo2 knows nothing of. */
extern size_t __sanitizer_get_current_allocated_bytes(void) __attribute__((weak));

/* Bytes that the program has allocated; all of them only after soak_count_all_memory. */
static inline size_t count_allocated(void) {
    if (__sanitizer_get_current_allocated_bytes != NULL)
        return __sanitizer_get_current_allocated_bytes();
    struct mallinfo2 information = mallinfo2();
    return information.uordblks + information.hblkhd;
}

/* mallinfo2 sees what the main thread's arena holds: let there be no other. */
static inline void soak_count_all_memory(void) {
    mallopt(M_ARENA_MAX, 1);
}

#endif
