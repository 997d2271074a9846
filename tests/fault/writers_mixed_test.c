/* Threads and tasks that write to one SQLite file together, alone and in blocks, while some of them fail, are cancelled
 * or dawdle: what each was told is what the file has.
 *
 * LIDO_TEST_SEED says what they do, though not when. */
#include "writers.h"

#include "support/chance.h"

enum { THREADS = 4, TASKS = 24, WORKERS = THREADS + TASKS, EACH = 60, DAWDLES_MS = 150 };

typedef enum trouble { NONE, WRONG, DAWDLES, ROLLS_BACK, ROLLS_ALL_BACK, TROUBLES } trouble;

typedef struct worker {
    int number;
    uint64_t chance;
    pthread_t thread;
    lido_task *task;
    atomic_bool over;
    pthread_mutex_t lock;
    lido_session *session;  /* under the lock, while it may be cancelled; or NULL */
    lido_status told[EACH]; /* of each transaction */
    lido_category why[EACH];
} worker;

static worker workers[WORKERS];

/* Blocks begin so, and so become known as quick; the number of the transaction is in `what`. */
#define INSERT "INSERT INTO written (who, what) VALUES (?, ?)"

static trouble draw_trouble(worker *self) {
    uint64_t drawn = draw_below(&self->chance, 80);
    return drawn < TROUBLES ? (trouble)drawn : NONE;
}

static void make_trouble(lido_session *db, trouble what, int number) {
    if (what == WRONG)
        lido_exec(db, INSERT, number, -1); /* the CHECK */
    else if (what == ROLLS_ALL_BACK)
        lido_exec(db, INSERT, 10, 0); /* the trigger */
    else if (what == DAWDLES)
        lido_sleep(DAWDLES_MS);
}

static void show_session(worker *self, lido_session *session) {
    pthread_mutex_lock(&self->lock);
    self->session = session;
    pthread_mutex_unlock(&self->lock);
}

static lido_status write_in_turn(worker *self, int transaction, bool alone, trouble what) {
    lido_session *db = lido_session_open(engine, &(lido_session_options){.autocommit = alone});
    show_session(self, db);
    if (alone && (what == WRONG || what == ROLLS_ALL_BACK)) {
        make_trouble(db, what, self->number);
    } else {
        lido_exec(db, INSERT, self->number, transaction);
        if (!alone)
            make_trouble(db, what, self->number);
    }
    bool failed = lido_failed(db);
    lido_status outcome = LIDO_ROLLED_BACK;
    if (what == ROLLS_BACK && !alone)
        lido_rollback(db);
    else
        outcome = alone && failed ? LIDO_ROLLED_BACK : lido_commit(db);
    self->why[transaction] = lido_error_of(db)->category;
    show_session(self, NULL);
    lido_session_close(db);
    return outcome;
}

static void *work(void *argument) {
    worker *self = argument;
    for (int i = 0; i < EACH; i++) {
        bool alone = draw_below(&self->chance, 2) == 0;
        self->told[i] = write_in_turn(self, i, alone, draw_trouble(self));
    }
    atomic_store(&self->over, true);
    return NULL;
}

static void *run_tasks(void *argument) {
    lido_loop *loop = lido_loop_new(NULL, NULL);
    if (loop == NULL)
        abort();
    for (int i = THREADS; i < WORKERS; i++)
        workers[i].task = lido_spawn(loop, work, &workers[i]);
    lido_loop_run(loop);
    for (int i = THREADS; i < WORKERS; i++)
        lido_task_join(workers[i].task, NULL);
    lido_loop_close(loop);
    return argument;
}

static bool all_are_over(void) {
    for (int i = 0; i < WORKERS; i++)
        if (!atomic_load(&workers[i].over))
            return false;
    return true;
}

/* What a worker was told, and why; it may be cancelled, or have been in the way, as well as be at fault. */
static void expect_as_told(const worker *self, int transaction, int told[2]) {
    lido_session *db = open_autocommit(engine);
    lido_value there =
        lido_query_value(db, "SELECT count(*) FROM written WHERE who = ? AND what = ?", self->number, transaction);
    expect_no_error(db);
    bool stands = self->told[transaction] == LIDO_OK;
    if (there.as.integer != stands)
        fail_msg("transaction %d of %d was told %d (%s), and %lld rows are there", transaction, self->number,
                 (int)self->told[transaction], lido_category_name(self->why[transaction]), (long long)there.as.integer);
    told[stands]++;
    lido_session_close(db);
}

/* Returns how often there was something to cancel. */
static int cancel_until_all_are_over(uint64_t *chance) {
    int cancelled = 0;
    while (!all_are_over()) {
        worker *victim = &workers[draw_below(chance, WORKERS)];
        pthread_mutex_lock(&victim->lock);
        cancelled += victim->session != NULL && lido_cancel(victim->session) == LIDO_OK;
        pthread_mutex_unlock(&victim->lock);
        pause_ms(2);
    }
    return cancelled;
}

static void threads_and_tasks_in_trouble(void **state) {
    (void)state;
    pthread_t loops;
    int told[2] = {0, 0};
    uint64_t seed = seed_of_test();
    uint64_t chance = chance_of(seed, WORKERS);
    for (int i = 0; i < WORKERS; i++) {
        workers[i] = (worker){.number = 100 + i, .chance = chance_of(seed, (uint64_t)i)};
        assert_int_equal(pthread_mutex_init(&workers[i].lock, NULL), 0);
    }
    assert_int_equal(pthread_create(&loops, NULL, run_tasks, NULL), 0);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
    int cancelled = cancel_until_all_are_over(&chance);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(workers[i].thread, NULL), 0);
    assert_int_equal(pthread_join(loops, NULL), 0);
    for (int i = 0; i < WORKERS; i++)
        for (int j = 0; j < EACH; j++)
            expect_as_told(&workers[i], j, told);
    print_message("           %d transactions stand, %d do not, %d were cancelled\n", told[1], told[0], cancelled);
    assert_true(told[1] > WORKERS * EACH / 10);
    assert_true(told[0] > 0);
    expect_waiting(0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(threads_and_tasks_in_trouble, open_file, close_file),
    };
    return cmocka_run_group_tests_name("writers of both kinds", tests, NULL, NULL);
}
