/* Children of a test's process: what they find wrong they say by their exit status, for cmocka's assertions cannot
 * leave a child. */
#ifndef TESTS_FAULT_CHILD_H
#define TESTS_FAULT_CHILD_H

#include "databases.h"

#include <errno.h>
#include <stdbool.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CHILD_MOST_S = 60 };

#define CHILD_EXPECT(condition) \
    do { \
        if (!(condition)) { \
            fprintf(stderr, "%s:%d: in the child: %s\n", __FILE__, __LINE__, #condition); \
            _exit(1); \
        } \
    } while (0)

static bool is_child;

/* The leak checker asks. In a child it stops and scans threads that only the parent has, for seconds, and then sees
 * leaks that are none. */
int __lsan_is_turned_off(void);

int __lsan_is_turned_off(void) {
    return is_child;
}

/* A child that hangs is a failure, and not a test that never ends. */
static inline void become_child(void) {
    is_child = true;
    alarm(CHILD_MOST_S);
}

static inline pid_t fork_surely(void) {
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        become_child();
    return child;
}

static inline void expect_good_end(pid_t child) {
    int status = 0;
    while (waitpid(child, &status, 0) < 0)
        assert_int_equal(errno, EINTR);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        fail_msg("the child ended with %s %d", WIFSIGNALED(status) ? "signal" : "status",
                 WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
}

#endif
