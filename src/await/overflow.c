/* A task that overflows its stack touches the guard below it, and the system sends SIGSEGV. What is left to do then is
 * to say whose stack it was; the process dies as it would have, by the handler that was there before, or by default. */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "await/task.h"

enum { HANDLER_STACK = 64 * 1024 };

static struct sigaction before;

static void say(const char *text) {
    ssize_t ignored = write(STDERR_FILENO, text, strlen(text));
    (void)ignored;
}

/* Nothing that may not be called in a signal handler, so numbers are put together by hand. */
static void say_number(size_t number) {
    char digits[24];
    char *at = digits + sizeof digits - 1;
    *at = '\0';
    do
        *--at = (char)('0' + number % 10);
    while ((number /= 10) > 0);
    say(at);
}

static void say_overflow(const lido_task *task, const lido__stack *stack) {
    say("lido: the task \"");
    say(task->name != NULL ? task->name : "without a name");
    say("\" has overflowed its stack of ");
    say_number(stack->size);
    say(" bytes: raise stack_size in lido_loop_options, or keep large arrays elsewhere\n");
}

/* Whoever handled it before does so now; returning, with the handler gone, runs into the fault again. */
static void pass_on(int number, siginfo_t *information, void *context) {
    if ((before.sa_flags & SA_SIGINFO) != 0 && before.sa_sigaction != NULL)
        before.sa_sigaction(number, information, context);
    else if (before.sa_handler != SIG_DFL && before.sa_handler != SIG_IGN)
        before.sa_handler(number);
    else
        signal(number, SIG_DFL);
}

static void handle(int number, siginfo_t *information, void *context) {
    const lido_task *task = lido__here_now.task;
    if (task != NULL && task->running != NULL && lido__stack_guards(&task->running->stack, information->si_addr))
        say_overflow(task, &task->running->stack);
    pass_on(number, information, context);
}

static void install(void) {
    struct sigaction ours = {.sa_sigaction = handle, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER};
    sigemptyset(&ours.sa_mask);
    sigaction(SIGSEGV, &ours, &before);
}

void lido__overflow_watch(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, install);
}

/* ---- The handler's own stack, one for each thread that runs loops ---- */

static pthread_key_t key;

static void free_handler_stack(void *memory) {
    const stack_t none = {.ss_flags = SS_DISABLE};
    sigaltstack(&none, NULL);
    free(memory);
}

static void make_key(void) {
    if (pthread_key_create(&key, free_handler_stack) != 0)
        key = (pthread_key_t)-1;
}

void lido__overflow_watch_thread(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    stack_t there;
    pthread_once(&once, make_key);
    if (key == (pthread_key_t)-1 || sigaltstack(NULL, &there) != 0 || (there.ss_flags & SS_DISABLE) == 0)
        return;
    stack_t ours = {.ss_sp = malloc(HANDLER_STACK), .ss_size = HANDLER_STACK};
    if (ours.ss_sp == NULL)
        return;
    if (pthread_setspecific(key, ours.ss_sp) != 0 || sigaltstack(&ours, NULL) != 0) {
        pthread_setspecific(key, NULL);
        free(ours.ss_sp);
    }
}
