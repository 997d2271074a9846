/* Doing the operations of a load, in processes, threads and tasks. */
#include "load.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum { START_MOST_MS = 60 * 1000, TICK_MS = 1000, LOOK_MS = 20 };

/* ---- The board ---- */

static size_t board_size(int lanes) {
    return sizeof(load_board) + (size_t)lanes * sizeof(load_lane);
}

load_board *load_board_new(const load_plan *plan) {
    int lanes = plan->workers * plan->threads;
    load_board *board = mmap(NULL, board_size(lanes), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (board == MAP_FAILED)
        return NULL;
    board->lane_count = lanes;
    return board;
}

void load_board_free(load_board *board) {
    if (board != NULL)
        munmap(board, board_size(board->lane_count));
}

int64_t load_now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

int64_t load_done(const load_board *board) {
    int64_t done = 0;
    for (int i = 0; i < board->lane_count; i++)
        done += atomic_load_explicit(&board->lanes[i].done, memory_order_relaxed);
    return done;
}

int64_t load_failed(const load_board *board) {
    int64_t failed = 0;
    for (int i = 0; i < board->lane_count; i++)
        for (int category = 0; category < LOAD_CATEGORIES; category++)
            failed += atomic_load_explicit(&board->lanes[i].failed[category], memory_order_relaxed);
    return failed;
}

int64_t load_lasted_ns(const load_board *board) {
    int64_t began = atomic_load(&board->began_ns);
    int64_t ended = atomic_load(&board->ended_ns);
    if (began == 0)
        return 0;
    return (ended != 0 ? ended : load_now_ns()) - began;
}

/* ---- One operation ---- */

/* Who works: a thread with its lane, or a task on that thread. */
typedef struct hand {
    const load_plan *plan;
    load_board *board;
    load_lane *lane;
    lido_engine *engine;
    lido_worker *worker;
    uint64_t seed;
    int64_t until_ns;
    char *rooms; /* for the texts of one statement */
} hand;

static void note_failure(hand *of, const lido_error *error) {
    _Atomic int64_t *count = &of->lane->failed[error->category];
    atomic_fetch_add_explicit(count, 1, memory_order_relaxed);
    if (atomic_exchange(&of->board->writes_error, true))
        return;
    of->board->error = *error;
    of->board->error.file = NULL; /* another process reads it */
    atomic_store(&of->board->has_error, true);
}

static void run_statement(hand *of, lido_session *db, const load_statement *statement) {
    lido_value values[LOAD_PARAMETERS_MOST];
    for (size_t i = 0; i < statement->parameter_count; i++)
        values[i] = generator_next(&statement->parameters[i], &of->seed, of->rooms + i * GENERATOR_TEXT_MOST);
    lido_rows_close(lido_queryv(db, statement->sql, statement->parameter_count, values));
}

/* A session for each, as a request of a service would have it. */
static void operate(hand *of) {
    const load_plan *plan = of->plan;
    bool alone = plan->statement_count == 1;
    const lido_session_options options = {.read_only = plan->read_only, .autocommit = alone};
    int64_t began = load_now_ns();
    lido_session *db = lido_session_open(of->engine, &options);
    for (size_t i = 0; i < plan->statement_count && !lido_failed(db); i++)
        run_statement(of, db, &plan->statements[i]);
    if ((alone && !lido_failed(db)) || (!alone && lido_commit(db) == LIDO_OK)) {
        latency_add(&of->lane->latency, load_now_ns() - began);
        atomic_fetch_add_explicit(&of->lane->done, 1, memory_order_relaxed);
    } else {
        note_failure(of, lido_error_of(db));
    }
    lido_session_close(db);
}

static void *operate_on(void *argument) {
    hand *of = argument;
    while (load_now_ns() < of->until_ns && !lido_worker_stopping(of->worker))
        operate(of);
    return NULL;
}

/* ---- A thread ---- */

/* The clock starts when all are there, and stops when the first one ends. */
static void start_together(hand *of) {
    load_board *board = of->board;
    int64_t none = 0;
    if (atomic_fetch_add(&board->started, 1) == board->lane_count - 1)
        atomic_compare_exchange_strong(&board->began_ns, &none, load_now_ns());
    for (int ms = 0; atomic_load(&board->began_ns) == 0 && ms < START_MOST_MS; ms++)
        usleep(1000);
    of->until_ns = atomic_load(&board->began_ns) + of->plan->seconds * 1000000000;
}

static void stop_clock(hand *of) {
    int64_t none = 0;
    atomic_compare_exchange_strong(&of->board->ended_ns, &none, load_now_ns());
}

/* Each task has its own numbers and texts; the lane is the thread's. */
static void operate_in_tasks(const hand *of) {
    int tasks = of->plan->tasks;
    size_t rooms = LOAD_PARAMETERS_MOST * GENERATOR_TEXT_MOST;
    hand *hands = calloc((size_t)tasks, sizeof *hands);
    char *texts = calloc((size_t)tasks, rooms);
    lido_loop *loop = lido_loop_new(NULL, NULL);
    for (int i = 0; hands != NULL && texts != NULL && loop != NULL && i < tasks; i++) {
        hands[i] = *of;
        hands[i].seed = of->seed + (uint64_t)i * 0x9e3779b97f4a7c15;
        hands[i].rooms = texts + (size_t)i * rooms;
        lido_task_detach(lido_spawn(loop, operate_on, &hands[i]));
    }
    if (loop != NULL)
        lido_loop_run(loop);
    lido_loop_close(loop);
    free(texts);
    free(hands);
}

static void *thread_main(void *argument) {
    hand *of = argument;
    start_together(of);
    if (of->plan->tasks > 0)
        operate_in_tasks(of);
    else
        operate_on(of);
    stop_clock(of);
    return NULL;
}

/* ---- A worker ---- */

static void add_pool(load_board *board, lido_engine *engine) {
    lido_pool_stats stats;
    lido_engine_stats(engine, &stats);
    atomic_fetch_add(&board->acquires, (int64_t)stats.acquires);
    atomic_fetch_add(&board->waits, (int64_t)stats.waits);
    atomic_fetch_add(&board->wait_us, stats.wait_us);
    atomic_fetch_add(&board->connections, (int64_t)stats.connects);
    atomic_fetch_add(&board->pools, 1);
}

typedef struct job {
    const load_plan *plan;
    load_board *board;
    void (*tick)(load_board *board, void *user);
    void *user;
} job;

/* By the first worker, until somebody's time is up. The parent has no thread for it, for it forks. */
static void tell_progress(const job *of, const lido_worker *worker) {
    for (int ms = LOOK_MS; atomic_load(&of->board->ended_ns) == 0 && !lido_worker_stopping(worker); ms += LOOK_MS) {
        lido_sleep(LOOK_MS);
        if (ms % TICK_MS == 0)
            of->tick(of->board, of->user);
    }
}

/* The last to be done ends all. */
static void end_worker(const job *of, lido_worker *worker) {
    add_pool(of->board, lido_manager_engine(lido_manager_get(), NULL, NULL));
    if (atomic_load(&of->board->pools) == of->plan->workers)
        lido_worker_stop_all(worker);
    while (!lido_worker_stopping(worker))
        lido_sleep(LOOK_MS);
}

static void make_hand(hand *made, const job *of, lido_worker *worker, int thread, char *rooms) {
    int lane = lido_worker_number(worker) * of->plan->threads + thread;
    *made = (hand){.plan = of->plan,
                   .board = of->board,
                   .lane = &of->board->lanes[lane],
                   .engine = lido_manager_engine(lido_manager_get(), NULL, NULL),
                   .worker = worker,
                   .seed = (uint64_t)load_now_ns() + (uint64_t)lane * 0x9e3779b97f4a7c15 + 1,
                   .rooms = rooms};
}

static void serve(lido_worker *worker, void *user) {
    const job *of = user;
    int threads = of->plan->threads;
    size_t rooms = LOAD_PARAMETERS_MOST * GENERATOR_TEXT_MOST;
    pthread_t *handles = calloc((size_t)threads, sizeof *handles);
    hand *hands = calloc((size_t)threads, sizeof *hands);
    char *texts = calloc((size_t)threads, rooms);
    int running = 0;
    for (; handles != NULL && hands != NULL && texts != NULL && running < threads; running++) {
        make_hand(&hands[running], of, worker, running, texts + (size_t)running * rooms);
        if (pthread_create(&handles[running], NULL, thread_main, &hands[running]) != 0)
            break;
    }
    if (lido_worker_number(worker) == 0 && running > 0)
        tell_progress(of, worker);
    for (int i = 0; i < running; i++)
        pthread_join(handles[i], NULL);
    free(texts);
    free(hands);
    free(handles);
    end_worker(of, worker);
}

/* ---- The parent ---- */

lido_status load_run(const load_plan *plan, load_board *board, void (*tick)(load_board *board, void *user), void *user,
                     lido_error *error) {
    job of = {.plan = plan, .board = board, .tick = tick, .user = user};
    const lido_workers workers = {.count = plan->workers,
                                  .serve = serve,
                                  .user = &of,
                                  .verify = true,
                                  .crashes_most = 1,
                                  .stop_timeout_ms = 5000};
    lido_manager *manager = lido_manager_get();
    if (lido_manager_configure_database(manager, NULL, plan->url, NULL, error) != LIDO_OK)
        return LIDO_ERROR;
    return lido_workers_run(manager, &workers, error);
}
