/* sqlite-processes: four processes of two threads each write to one file, synchronous=FULL, each of their inserts in a
 * transaction of its own. On lido's side they are workers of one parent; raw has a connection for each thread, a busy
 * timeout, and BEGIN IMMEDIATE. The time is from when all are ready until the first finds nothing left to do; what they
 * take to start and to end is not in it. */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "measures.h"
#include "sqlite_fixture.h"

enum { PROCESSES = 4, THREADS = 2, ALL = PROCESSES * THREADS, BUSY_TIMEOUT_MS = 60 * 1000, SLICES = 64 };

#define TABLE_SQL "CREATE TABLE entries (id INTEGER PRIMARY KEY, worker INTEGER NOT NULL, note TEXT NOT NULL)"
#define INSERT_SQL "INSERT INTO entries (worker, note) VALUES (?, 'a note of some length, as notes are')"

/* Between the processes. */
typedef struct board {
    atomic_int ready;
    atomic_int finished; /* threads */
    atomic_llong left;   /* operations */
    atomic_int busy;     /* how often anybody was told so */
    atomic_int failed;
    _Atomic double began_ns;
    _Atomic double ended_ns;
    double longest_ns[ALL];
    long long done[ALL];
} board;

typedef struct record {
    double longest_ns[SLICES];
    double slowest[SLICES];
    size_t slices;
    int busy;
    long long acknowledged;
} record;

typedef struct job {
    board *board;
    lido_manager *manager;
    record lido, raw;
    bench_folder folder;
    char lido_file[256];
    char raw_file[256];
} job;

/* One of the writing threads. */
typedef struct writer {
    job *job;
    int number;
    sqlite3 *connection; /* raw's, as are the next three */
    sqlite3_stmt *begin, *insert, *commit;
} writer;

static double now_ns(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

/* ---- The work ---- */

static void start_together(board *on) {
    if (atomic_fetch_add(&on->ready, 1) == ALL - 1)
        atomic_store(&on->began_ns, now_ns());
    while (atomic_load(&on->began_ns) == 0)
        usleep(100);
}

static bool take_one(board *on) {
    double none = 0;
    if (atomic_fetch_sub(&on->left, 1) > 0)
        return true;
    atomic_compare_exchange_strong(&on->ended_ns, &none, now_ns());
    return false;
}

/* Writes until nothing is left, by `write_one`, which does it again where it is told that the file is busy. */
static void write_all(writer *self, bool (*write_one)(writer *self)) {
    board *on = self->job->board;
    start_together(on);
    while (take_one(on)) {
        double began = now_ns();
        if (!write_one(self))
            atomic_fetch_add(&on->failed, 1);
        double took = now_ns() - began;
        if (took > on->longest_ns[self->number])
            on->longest_ns[self->number] = took;
        on->done[self->number]++;
    }
    atomic_fetch_add(&on->finished, 1);
}

/* Runs a process's threads to their end. */
static bool run_threads(job *my, int process, void *(*work)(void *self)) {
    pthread_t threads[THREADS];
    writer writers[THREADS];
    int running = 0;
    memset(writers, 0, sizeof writers);
    for (; running < THREADS; running++) {
        writers[running].job = my;
        writers[running].number = process * THREADS + running;
        if (pthread_create(&threads[running], NULL, work, &writers[running]) != 0)
            break;
    }
    for (int i = 0; i < running; i++)
        pthread_join(threads[i], NULL);
    return running == THREADS;
}

/* ---- By lido ---- */

static bool lido_writes_one(writer *self) {
    lido_session *db = lido_manager_session_with(self->job->manager, NULL, &(lido_session_options){.autocommit = true});
    lido_exec(db, INSERT_SQL, self->number);
    bool busy = lido_failed(db) && lido_error_of(db)->retryable;
    bool done = !lido_failed(db);
    lido_session_close(db);
    if (!busy)
        return done;
    atomic_fetch_add(&self->job->board->busy, 1);
    return lido_writes_one(self);
}

static void *lido_thread(void *self) {
    write_all(self, lido_writes_one);
    return NULL;
}

static void serve(lido_worker *worker, void *user) {
    job *my = user;
    if (!run_threads(my, lido_worker_number(worker), lido_thread))
        atomic_fetch_add(&my->board->failed, 1);
    if (atomic_load(&my->board->finished) == ALL)
        kill(getppid(), SIGTERM);
    while (!lido_worker_stopping(worker))
        usleep(1000);
}

static void clear(board *on, size_t operations) {
    memset(on, 0, sizeof *on);
    atomic_store(&on->left, (long long)operations);
}

static void keep_record(record *kept, board *on) {
    double longest = 0;
    long long least = on->done[0];
    long long most = on->done[0];
    for (int i = 0; i < ALL; i++) {
        longest = on->longest_ns[i] > longest ? on->longest_ns[i] : longest;
        least = on->done[i] < least ? on->done[i] : least;
        most = on->done[i] > most ? on->done[i] : most;
    }
    kept->busy += atomic_load(&on->busy);
    if (kept->slices == SLICES)
        return;
    kept->longest_ns[kept->slices] = longest;
    kept->slowest[kept->slices++] = (double)least / (double)(most > 0 ? most : 1);
}

static bool end_slice(board *on, record *kept, size_t operations, bench_context *context) {
    if (atomic_load(&on->failed) > 0 || atomic_load(&on->finished) != ALL)
        return bench_fail(context, "a process did not write what it should");
    kept->acknowledged += (long long)operations;
    if (context->counts)
        keep_record(kept, on);
    context->figure_ns = (atomic_load(&on->ended_ns) - atomic_load(&on->began_ns)) / (double)operations;
    return true;
}

static bool lido_writes(void *opened, size_t operations, bench_context *context) {
    job *my = opened;
    lido_error error;
    const lido_workers workers = {.count = PROCESSES, .serve = serve, .user = my, .verify = true};
    clear(my->board, operations);
    if (lido_workers_run(my->manager, &workers, &error) != LIDO_OK)
        return bench_fail_lido(context, &error);
    return end_slice(my->board, &my->lido, operations, context);
}

/* ---- Raw ---- */

static int run_once(sqlite3_stmt *statement) {
    sqlite3_step(statement);
    return sqlite3_reset(statement);
}

static bool raw_writes_one(writer *self) {
    int code;
    while ((code = run_once(self->begin)) == SQLITE_BUSY)
        atomic_fetch_add(&self->job->board->busy, 1);
    if (code != SQLITE_OK)
        return false;
    sqlite3_bind_int(self->insert, 1, self->number);
    return run_once(self->insert) == SQLITE_OK && run_once(self->commit) == SQLITE_OK;
}

static bool open_raw(writer *self, bench_context *context) {
    return bench_sqlite_open(self->job->raw_file, &self->connection, context) &&
           sqlite3_busy_timeout(self->connection, BUSY_TIMEOUT_MS) == SQLITE_OK &&
           bench_sqlite_run(self->connection, "PRAGMA journal_mode = wal; PRAGMA synchronous = full", context) &&
           bench_sqlite_prepare(self->connection, "BEGIN IMMEDIATE", &self->begin, context) &&
           bench_sqlite_prepare(self->connection, INSERT_SQL, &self->insert, context) &&
           bench_sqlite_prepare(self->connection, "COMMIT", &self->commit, context);
}

static void *raw_thread(void *argument) {
    writer *self = argument;
    bench_context ignored = {.counts = false};
    if (!open_raw(self, &ignored))
        atomic_fetch_add(&self->job->board->failed, 1);
    write_all(self, raw_writes_one);
    sqlite3_finalize(self->begin);
    sqlite3_finalize(self->insert);
    sqlite3_finalize(self->commit);
    sqlite3_close(self->connection);
    return NULL;
}

static bool raw_writes(void *opened, size_t operations, bench_context *context) {
    job *my = opened;
    clear(my->board, operations);
    for (int process = 0; process < PROCESSES; process++) {
        pid_t child = fork();
        if (child == 0)
            _exit(run_threads(my, process, raw_thread) ? 0 : 1);
    }
    for (int process = 0; process < PROCESSES; process++)
        wait(NULL);
    return end_slice(my->board, &my->raw, operations, context);
}

/* ---- What it comes to ---- */

static bool check_file(const char *file, long long acknowledged, bench_context *context) {
    sqlite3 *connection = NULL;
    sqlite3_stmt *statement = NULL;
    long long found = -1;
    bool opened = bench_sqlite_open(file, &connection, context) &&
                  bench_sqlite_prepare(connection, "SELECT count(*) FROM entries", &statement, context);
    if (opened && sqlite3_step(statement) == SQLITE_ROW)
        found = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    sqlite3_close(connection);
    return opened && (found == acknowledged ||
                      bench_fail(context, "%lld rows are there, and %lld were acknowledged", found, acknowledged));
}

static bool conclude(void *opened, bench_context *context) {
    job *my = opened;
    double ratios[SLICES];
    for (size_t i = 0; i < my->lido.slices; i++)
        ratios[i] = my->lido.longest_ns[i] / my->raw.longest_ns[i];
    bench_figure_add(context, "longest_wait_ratio", bench_median(ratios, my->lido.slices), BENCH_AT_MOST, 0.05);
    bench_figure_add(context, "busy", my->lido.busy, BENCH_AT_MOST, 0);
    bench_figure_add(context, "slowest_thread", bench_median(my->lido.slowest, my->lido.slices), BENCH_FOR_INFORMATION,
                     0);
    bench_figure_add(context, "raw_slowest_thread", bench_median(my->raw.slowest, my->raw.slices),
                     BENCH_FOR_INFORMATION, 0);
    bench_figure_add(context, "longest_wait_ms", bench_median(my->lido.longest_ns, my->lido.slices) / 1e6,
                     BENCH_FOR_INFORMATION, 0);
    bench_figure_add(context, "raw_longest_wait_ms", bench_median(my->raw.longest_ns, my->raw.slices) / 1e6,
                     BENCH_FOR_INFORMATION, 0);
    return check_file(my->lido_file, my->lido.acknowledged, context) &&
           check_file(my->raw_file, my->raw.acknowledged, context);
}

/* ---- The job ---- */

static bool make_file(const char *file, bench_context *context) {
    sqlite3 *connection = NULL;
    bool made = bench_sqlite_open(file, &connection, context) &&
                bench_sqlite_run(connection, "PRAGMA journal_mode = wal; " TABLE_SQL, context);
    sqlite3_close(connection);
    return made;
}

static bool make(job *my, bench_context *context) {
    char url[300];
    lido_error error;
    lido_options options = LIDO_OPTIONS_INIT;
    options.busy_timeout_ms = BUSY_TIMEOUT_MS;
    if (!bench_folder_make(&my->folder, context))
        return false;
    bench_folder_file(&my->folder, "lido.db", my->lido_file);
    bench_folder_file(&my->folder, "raw.db", my->raw_file);
    snprintf(url, sizeof url, "sqlite:///%s", my->lido_file);
    return make_file(my->lido_file, context) && make_file(my->raw_file, context) &&
           (lido_manager_configure_database(my->manager, NULL, url, &options, &error) == LIDO_OK ||
            bench_fail_lido(context, &error));
}

static void close_job(void *opened) {
    job *my = opened;
    bench_folder_remove(&my->folder);
    if (my->board != MAP_FAILED)
        munmap(my->board, sizeof *my->board);
    free(my);
}

static void *open_job(bench_context *context) {
    job *my = calloc(1, sizeof *my);
    if (my == NULL)
        return bench_fail(context, "out of memory"), NULL;
    my->manager = lido_manager_get();
    my->board = mmap(NULL, sizeof *my->board, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (my->board != MAP_FAILED && make(my, context))
        return my;
    close_job(my);
    return NULL;
}

const bench_measure bench_sqlite_processes[] = {
    {.name = "sqlite-processes",
     .case_name = "full",
     .effort = {.pairs = 5, .slice_ms = 1500},
     .target = 1.5,
     .open = open_job,
     .close = close_job,
     .lido = lido_writes,
     .raw = raw_writes,
     .conclude = conclude},
    {.name = NULL},
};
