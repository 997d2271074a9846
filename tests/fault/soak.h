/* Tests that go on for LIDO_SOAK_SECONDS, again and again, and counting what a program must not lose. */
#ifndef TESTS_FAULT_SOAK_H
#define TESTS_FAULT_SOAK_H

#include "databases.h"

#include <dirent.h>
#include <malloc.h>
#include <poll.h>

#include "base/clock.h"

/* How long the tests are to go on; 0: once through. */
static inline int64_t soak_us(void) {
    const char *seconds = getenv("LIDO_SOAK_SECONDS");
    return seconds != NULL ? strtoll(seconds, NULL, 10) * 1000000 : 0;
}

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

enum { GROWTH_MOST = 128 * 1024 }; /* of what stays allocated: libraries keep a little, once */

/* What stays behind for good, from the first use of the databases on. */
static inline void soak_warm_up(void) {
    lido_engine_close(open_surely("sqlite://", NULL));
    lido_loop_close(lido_loop_new(NULL, NULL)); /* libuv keeps two descriptors */
    if (getenv("LIDO_TEST_POSTGRES_URL") == NULL)
        return;
    lido_engine *opened = open_surely(getenv("LIDO_TEST_POSTGRES_URL"), NULL);
    lido_session *db = open_autocommit(opened);
    lido_query_value(db, "SELECT 1");
    lido_session_close(db);
    lido_engine_close(opened);
}

/* A thread or a peer that was told to end may take a moment; those that do SQLite's work for tasks end when they had
 * none for ten seconds, and until then libc keeps for them what they have freed. */
static inline bool soak_left_nothing(int descriptors, size_t allocated) {
    int64_t deadline = lido__deadline_in_ms(15000);
    while (lido__clock_now_us() < deadline &&
           (count_descriptors() != descriptors || count_allocated() > allocated + GROWTH_MOST))
        poll(NULL, 0, 10);
    if (count_descriptors() == descriptors && count_allocated() <= allocated + GROWTH_MOST)
        return true;
    print_error("%d descriptors were open before, and are %d now; %zu bytes were allocated, and are %zu now\n",
                descriptors, count_descriptors(), allocated, count_allocated());
    return false;
}

/* As cmocka_run_group_tests: once, and again for as long as LIDO_SOAK_SECONDS says and nothing fails. Descriptors or
 * memory left behind are a failure, too. */
static inline int soak_run(int (*run_once)(void)) {
    int64_t end = lido__clock_now_us() + soak_us();
    int failed;
    soak_count_all_memory();
    soak_warm_up();
    int descriptors = count_descriptors();
    size_t allocated = count_allocated();
    do
        failed = run_once();
    while (failed == 0 && lido__clock_now_us() < end);
    return failed + (failed == 0 && !soak_left_nothing(descriptors, allocated));
}

#endif
