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
    char *rooms; /* for the texts of one statement; NULL: no statement has any */
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

/* The most that the generated texts of one statement take, which are there together. */
static size_t size_of_rooms(const load_plan *plan) {
    size_t most = 0;
    for (size_t i = 0; i < plan->statement_count; i++) {
        const load_statement *statement = &plan->statements[i];
        size_t size = 0;
        for (size_t j = 0; j < statement->parameter_count; j++)
            size += generator_room(&statement->parameters[j]);
        most = size > most ? size : most;
    }
    return most;
}

static void run_statement(hand *of, lido_session *db, const load_statement *statement) {
    lido_value values[LOAD_PARAMETERS_MOST];
    char *room = of->rooms;
    for (size_t i = 0; i < statement->parameter_count; i++) {
        values[i] = generator_next(&statement->parameters[i], &of->seed, room);
        if (room != NULL)
            room += generator_room(&statement->parameters[i]);
    }
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

static bool goes_on(const hand *of) {
    return load_now_ns() < of->until_ns && !lido_worker_stopping(of->worker) &&
           !atomic_load_explicit(&of->board->out_of_memory, memory_order_relaxed);
}

static void *operate_on(void *argument) {
    hand *of = argument;
    while (goes_on(of))
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
    for (int ms = 0; atomic_load(&board->began_ns) == 0 && !atomic_load(&board->out_of_memory) && ms < START_MOST_MS;
         ms++)
        usleep(1000);
    of->until_ns = atomic_load(&board->began_ns) + of->plan->seconds * 1000000000;
}

static void stop_clock(load_board *board) {
    int64_t none = 0;
    atomic_compare_exchange_strong(&board->ended_ns, &none, load_now_ns());
}

/* A smaller load than the one that was asked for would be measured: so none is. */
static void give_up(load_board *board) {
    atomic_store(&board->out_of_memory, true);
    stop_clock(board);
}

/* Hands that differ in their numbers and texts. False: there is no memory for them. */
static bool make_hands(hand **hands, char **texts, int count, size_t rooms) {
    *hands = calloc((size_t)count, sizeof **hands);
    *texts = rooms > 0 ? calloc((size_t)count, rooms) : NULL;
    return *hands != NULL && (rooms == 0 || *texts != NULL);
}

static char *rooms_of(char *texts, int number, size_t rooms) {
    return texts != NULL ? texts + (size_t)number * rooms : NULL;
}

static bool spawn_hands(const hand *of, lido_loop *loop, hand *hands, char *texts, size_t rooms) {
    for (int i = 0; i < of->plan->tasks; i++) {
        hands[i] = *of;
        hands[i].seed = of->seed + (uint64_t)i * 0x9e3779b97f4a7c15;
        hands[i].rooms = rooms_of(texts, i, rooms);
        lido_task *task = lido_spawn(loop, operate_on, &hands[i]);
        if (task == NULL)
            return false;
        lido_task_detach(task);
    }
    return true;
}

/* Each task has its own numbers and texts; the lane is the thread's. */
static void operate_in_tasks(const hand *of) {
    size_t rooms = size_of_rooms(of->plan);
    hand *hands;
    char *texts;
    lido_loop *loop = lido_loop_new(NULL, NULL);
    bool made = make_hands(&hands, &texts, of->plan->tasks, rooms) && loop != NULL;
    if (!made || !spawn_hands(of, loop, hands, texts, rooms))
        give_up(of->board);
    if (loop != NULL)
        lido_loop_run(loop); /* those, too, that were made before there was no memory: they end at once */
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
    stop_clock(of->board);
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

/* Returns how many run, which is fewer than there should be if memory ran out. */
static int start_threads(const job *of, lido_worker *worker, pthread_t *handles, hand *hands, char *texts,
                         size_t rooms) {
    int running = 0;
    for (; running < of->plan->threads; running++) {
        make_hand(&hands[running], of, worker, running, rooms_of(texts, running, rooms));
        if (pthread_create(&handles[running], NULL, thread_main, &hands[running]) != 0)
            break;
    }
    return running;
}

static void serve(lido_worker *worker, void *user) {
    const job *of = user;
    int threads = of->plan->threads;
    size_t rooms = of->plan->tasks > 0 ? 0 : size_of_rooms(of->plan); /* tasks have their own */
    hand *hands;
    char *texts;
    pthread_t *handles = calloc((size_t)threads, sizeof *handles);
    bool made = make_hands(&hands, &texts, threads, rooms) && handles != NULL;
    int running = made ? start_threads(of, worker, handles, hands, texts, rooms) : 0;
    if (running < threads)
        give_up(of->board);
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
                                  .metrics = "", /* the address in the environment or the URL is the application's */
                                  .verify = true,
                                  .crashes_most = 1,
                                  .stop_timeout_ms = 5000};
    lido_manager *manager = lido_manager_get();
    if (lido_manager_configure_database(manager, NULL, plan->url, NULL, error) != LIDO_OK)
        return LIDO_ERROR;
    return lido_workers_run(manager, &workers, error);
}
