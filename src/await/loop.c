/* Making and ending loops. */
#include "await/loop.h"
#include "await/sanitizer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fault.h"

enum {
    STACKS_KEPT = 64,
    ROOMY_STACK = 8 * 1024 * 1024, /* as a thread's; it takes what is touched */
    ROOMY_KEPT = 8
};

bool lido__loop_is_mine(const lido_loop *loop) {
    return pthread_equal(loop->thread, pthread_self()) != 0;
}

void lido__loop_hold(lido_loop *loop) {
    atomic_fetch_add_explicit(&loop->references, 1, memory_order_relaxed);
}

void lido__loop_let_go(lido_loop *loop) {
    if (atomic_fetch_sub_explicit(&loop->references, 1, memory_order_acq_rel) != 1)
        return;
    pthread_mutex_destroy(&loop->lock);
    free(loop);
}

void lido__loop_signal(lido_loop *loop) {
    const uint64_t one = 1;
    if (atomic_exchange(&loop->signalled, true))
        return;
    ssize_t written = write(loop->wake_descriptor, &one, sizeof one);
    (void)written; /* it cannot be full */
}

/* ---- Making ---- */

static void free_parts(lido_loop *loop) {
    if (loop->opened != NULL)
        loop->operations->close(loop->opened);
    if (loop->owns_uv)
        lido__loop_uv_free(loop->uv);
    lido__poller_done(&loop->poller);
    if (loop->wake_descriptor >= 0)
        close(loop->wake_descriptor);
    lido__coroutine_cache_clear(&loop->stacks);
    lido__coroutine_cache_clear(&loop->roomy);
}

static void set_options(lido_loop *loop, const lido_loop_options *options) {
    const lido_loop_options defaults = {.stack_size = 0};
    if (options == NULL)
        options = &defaults;
    size_t size = options->stack_size > 0 ? options->stack_size : LIDO__STACK_DEFAULT;
    loop->stacks = (lido__coroutine_cache){.stack_size = size > LIDO__STACK_LEAST ? size : LIDO__STACK_LEAST,
                                           .most = options->stacks_kept > 0 ? options->stacks_kept : STACKS_KEPT};
    loop->roomy = (lido__coroutine_cache){.stack_size = ROOMY_STACK / LIDO__STACK_FACTOR, .most = ROOMY_KEPT};
}

static bool fault_descriptors(lido_error *error) {
    lido__fault(error, errno == ENOMEM ? LIDO_ERROR_OUT_OF_MEMORY : LIDO_ERROR_OTHER, "a loop's descriptors: %s",
                strerror(errno));
    return false;
}

static lido_loop *loop_new(const lido_loop_options *options, lido_error *error) {
    lido_loop *loop = calloc(1, sizeof *loop);
    if (loop == NULL || pthread_mutex_init(&loop->lock, NULL) != 0) {
        free(loop);
        lido__fault_memory(error, "making a loop");
        return NULL;
    }
    loop->number = lido__await_number();
    loop->thread = pthread_self();
    loop->process = getpid();
    loop->host_timer = LIDO__NO_DEADLINE;
    atomic_init(&loop->references, 1);
    set_options(loop, options);
    loop->poller.epoll = -1;
    loop->wake_descriptor = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (loop->wake_descriptor >= 0 && lido__poller_init(&loop->poller, loop->wake_descriptor))
        return loop;
    fault_descriptors(error);
    free_parts(loop);
    lido__loop_let_go(loop);
    return NULL;
}

static bool open_host(lido_loop *loop, const lido_loop_operations *operations, void *host, lido_error *error) {
    loop->operations = operations;
    loop->opened = operations->open(host, loop, loop->poller.epoll);
    if (loop->opened == NULL)
        return lido__fault(error, LIDO_ERROR_OTHER, "the host loop takes no more descriptors");
    lido__overflow_watch();
    lido__overflow_watch_thread();
    return true;
}

static lido_loop *make(const lido_loop_operations *operations, void *host, const lido_loop_options *options,
                       bool attached, lido_error *error) {
    lido_error found = LIDO_ERROR_INIT;
    lido_loop *loop = loop_new(options, &found);
    if (loop != NULL && host == NULL) {
        loop->uv = host = lido__loop_uv_new();
        loop->owns_uv = host != NULL;
        if (host == NULL)
            lido__fault_memory(&found, "making a loop");
    }
    bool made = loop != NULL && host != NULL && open_host(loop, operations, host, &found);
    if (made && attached) {
        loop->attached = true;
        lido__here_now.loops++;
    }
    lido__fault_doing(&found, "making a loop");
    if (error != NULL)
        *error = found;
    if (made || loop == NULL)
        return loop;
    free_parts(loop);
    lido__loop_let_go(loop);
    return NULL;
}

static lido_loop *refuse_host(lido_error *error) {
    if (error == NULL)
        return NULL;
    lido__fault_clear(error);
    lido__fault(error, LIDO_ERROR_MISUSE, "the host, or the table of its operations, is NULL or older than lido's");
    lido__fault_doing(error, "making a loop");
    return NULL;
}

lido_loop *lido_loop_new(const lido_loop_options *options, lido_error *error) {
    return make(&lido__loop_uv_operations, NULL, options, false, error);
}

lido_loop *lido_loop_attach(const lido_loop_operations *operations, void *host, const lido_loop_options *options,
                            lido_error *error) {
    if (operations == NULL || host == NULL || operations->size < sizeof *operations)
        return refuse_host(error);
    return make(operations, host, options, true, error);
}

lido_loop *lido_loop_attach_uv(struct uv_loop_s *uv, const lido_loop_options *options, lido_error *error) {
    if (uv == NULL)
        return refuse_host(error);
    lido_loop *loop = make(&lido__loop_uv_operations, uv, options, true, error);
    if (loop != NULL)
        loop->uv = uv;
    return loop;
}

/* ---- Running ---- */

static bool may_run(const lido_loop *loop) {
    return loop != NULL && loop->owns_uv && lido__loop_is_mine(loop) && !loop->running && !loop->turning &&
           lido__here_now.task == NULL && loop->process == getpid();
}

lido_status lido_loop_run(lido_loop *loop) {
    if (!may_run(loop))
        return LIDO_ERROR;
    loop->running = true;
    lido__here_now.loops++;
    lido_loop_turn(loop); /* tells libuv whether there are tasks */
    if (!atomic_load(&loop->stopping))
        lido__loop_uv_run(loop->uv);
    atomic_store(&loop->stopping, false);
    lido__here_now.loops--;
    loop->running = false;
    return LIDO_OK;
}

void lido_loop_stop(lido_loop *loop) {
    if (loop == NULL)
        return;
    atomic_store(&loop->stopping, true);
    lido__loop_signal(loop);
}

struct uv_loop_s *lido_loop_uv(lido_loop *loop) {
    return loop != NULL ? loop->uv : NULL;
}

size_t lido_loop_tasks(const lido_loop *loop) {
    return loop != NULL ? atomic_load_explicit(&loop->tasks, memory_order_relaxed) : 0;
}

static void cancel_all(lido_loop *loop) {
    for (;;) {
        pthread_mutex_lock(&loop->lock);
        lido_task *task = loop->all;
        while (task != NULL && atomic_load(&task->cancelled))
            task = task->next_of_all;
        if (task != NULL)
            atomic_fetch_add_explicit(&task->references, 1, memory_order_relaxed);
        pthread_mutex_unlock(&loop->lock);
        if (task == NULL)
            return;
        lido_task_cancel(task);
        lido__task_let_go(task);
    }
}

/* In a child the tasks are the parent's, and so is what epoll watches: nothing is run, and nothing taken out. */
void lido_loop_close(lido_loop *loop) {
    if (loop == NULL || !lido__loop_is_mine(loop) || loop->turning || loop->running)
        return;
    bool inherited = loop->process != getpid();
    if (!inherited) {
        cancel_all(loop);
        lido__loop_drain(loop);
        lido__attendants_end(loop);
        free_parts(loop);
    }
    if (loop->attached && !inherited)
        lido__here_now.loops--;
    lido__loop_let_go(loop);
}
