/* Tests that go on for LIDO_SOAK_SECONDS, again and again, and counting what a program must not lose. */
#ifndef TESTS_FAULT_SOAK_H
#define TESTS_FAULT_SOAK_H

#include "databases.h"

#include <poll.h>

#include "base/clock.h"
#include "support/descriptors.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define UNDER_SANITIZER
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define UNDER_SANITIZER
#endif

/* How long the tests are to go on; 0: once through. */
static inline int64_t soak_us(void) {
    const char *seconds = getenv("LIDO_SOAK_SECONDS");
    return seconds != NULL ? strtoll(seconds, NULL, 10) * 1000000 : 0;
}

/* Bytes that the program has allocated. Sanitizers bring their own allocator, which counts. */
#ifdef UNDER_SANITIZER
size_t __sanitizer_get_current_allocated_bytes(void);

static inline size_t count_allocated(void) {
    return __sanitizer_get_current_allocated_bytes();
}
#else
#include "counted_memory.h"

static inline size_t count_allocated(void) {
    return (size_t)atomic_load(&living_bytes);
}
#endif

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
    soak_warm_up();
    int descriptors = count_descriptors();
    size_t allocated = count_allocated();
    do
        failed = run_once();
    while (failed == 0 && lido__clock_now_us() < end);
    return failed + (failed == 0 && !soak_left_nothing(descriptors, allocated));
}

#endif
