/* A task that overflows its stack ends the process, with a message that says whose it was. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <lido.h>
#include <cmocka.h>

static int deeper(int depth) {
    volatile char large[500];
    memset((char *)(uintptr_t)large, depth, sizeof large);
    return depth < 1000000 ? deeper(depth + 1) + large[depth % 500] : 0;
}

static void *overflow(void *unused) {
    (void)unused;
    printf("%d\n", deeper(0));
    return NULL;
}

static void *use_half(void *unused) {
    volatile char half[32 * 1024];
    memset((char *)(uintptr_t)half, 1, sizeof half);
    lido_yield();
    return half[1000] == 1 ? unused : NULL;
}

static void run_overflowing_task(void) {
    const lido_task_options options = {.name = "too deep"};
    const struct rlimit no_core = {0, 0};
    signal(SIGSEGV, SIG_DFL); /* cmocka has its own, which would go on with the tests here */
    lido_loop *loop = lido_loop_new(NULL, NULL);
    setrlimit(RLIMIT_CORE, &no_core);
    lido_task_detach(lido_spawn_with(loop, &options, overflow, NULL));
    lido_loop_run(loop);
    _exit(0);
}

/* What the child wrote to its standard error; *status is how it ended. */
static void run_child(char *said, size_t size, int *status) {
    int ends[2];
    size_t used = 0;
    ssize_t got;
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        dup2(ends[1], STDERR_FILENO);
        close(ends[0]);
        run_overflowing_task();
    }
    close(ends[1]);
    while ((got = read(ends[0], said + used, size - 1 - used)) > 0)
        used += (size_t)got;
    said[used] = '\0';
    close(ends[0]);
    assert_int_equal(waitpid(child, status, 0), child);
}

static void an_overflow_is_told_and_ends_the_process(void **state) {
    char said[60000];
    int status;
    (void)state;
    run_child(said, sizeof said, &status);
    assert_non_null(strstr(said, "lido: the task \"too deep\" has overflowed its stack of "));
    assert_non_null(strstr(said, "raise stack_size in lido_loop_options"));
    assert_true(WIFSIGNALED(status) || WEXITSTATUS(status) != 0); /* a sanitizer ends it in its own way */
}

static void what_fits_is_no_overflow(void **state) {
    char here;
    void *result = NULL;
    (void)state;
    lido_loop *loop = lido_loop_new(NULL, NULL);
    lido_task *task = lido_spawn(loop, use_half, &here);
    lido_loop_run(loop);
    assert_int_equal(lido_task_join(task, &result), LIDO_OK);
    assert_ptr_equal(result, &here);
    lido_loop_close(loop);
}

static void a_stack_may_be_larger(void **state) {
    const lido_loop_options options = {.stack_size = 4 * 1024 * 1024, .stacks_kept = 1};
    (void)state;
    lido_loop *loop = lido_loop_new(&options, NULL);
    for (int i = 0; i < 3; i++) /* of which one stack is kept */
        lido_task_detach(lido_spawn(loop, use_half, NULL));
    lido_loop_run(loop);
    lido_loop_close(loop);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_overflow_is_told_and_ends_the_process),
        cmocka_unit_test(what_fits_is_no_overflow),
        cmocka_unit_test(a_stack_may_be_larger),
    };
    return cmocka_run_group_tests_name("overflow", tests, NULL, NULL);
}
