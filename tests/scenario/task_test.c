/* Sessions in tasks: whose they are, what is left behind, cancelling and deadlines in the middle of everything. */
#include "support/scenario.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

enum { MANY = 50 };

/* Runs until it is stopped. */
static const char *endless(void) {
    return scenario_is_postgres()
               ? "SELECT pg_sleep(1000)"
               : "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n";
}

static lido_engine *engine_of(int pool_size) {
    lido_options options = LIDO_OPTIONS_INIT;
    options.pool_size = pool_size;
    options.max_overflow = 0;
    return scenario_engine(&options);
}

static lido_task *spawn(lido_task_function *function, void *argument) {
    lido_task *task = lido_spawn(scenario_loop(), function, argument);
    assert_non_null(task);
    return task;
}

static void make_items(lido_engine *engine) {
    lido_session *db = lido_session_open(engine, &(lido_session_options){.autocommit = true});
    lido_exec(db, "CREATE TABLE items (id integer PRIMARY KEY)");
    assert_int_equal(lido_session_close(db), LIDO_OK);
}

static void saw_items(lido_engine *engine) {
    lido_session *db = lido_session_open(engine, &(lido_session_options){.autocommit = true});
    saw("items %d", (int)lido_query_value(db, "SELECT count(*) FROM items").as.integer);
    lido_session_close(db);
}

/* Nothing is held, and nobody waits. */
static void saw_pool(lido_engine *engine) {
    lido_pool_stats stats;
    lido_engine_stats(engine, &stats);
    saw("in use %d, waiting %d", stats.in_use, stats.waiting);
}

/* ---- Many at once ---- */

static void *insert_one(void *engine) {
    static atomic_int last;
    lido_status outcome;
    lido_transaction (db, engine, &outcome)
        lido_exec(db, "INSERT INTO items VALUES (?)", (int)atomic_fetch_add(&last, 1));
    assert_int_equal(outcome, LIDO_OK);
    return NULL;
}

static void story_of_many_tasks(lido_engine *unused) {
    (void)unused;
    lido_engine *engine = engine_of(3);
    lido_task *tasks[MANY];
    make_items(engine);
    for (int i = 0; i < MANY; i++)
        tasks[i] = spawn(insert_one, engine);
    for (int i = 0; i < MANY; i++)
        assert_int_equal(lido_task_join(tasks[i], NULL), LIDO_OK);
    saw_items(engine);
    saw_pool(engine);
    lido_engine_close(engine);
}

typedef struct turn {
    lido_engine *engine;
    int number;
} turn;

static void *take_turn(void *argument) {
    const turn *mine = argument;
    lido_status outcome;
    lido_transaction (db, mine->engine, &outcome) {
        lido_exec(db, "SELECT 1");
        saw("%d", mine->number);
        lido_yield();
    }
    return NULL;
}

/* The connection goes to who has waited longest, thread or task. */
static void story_of_waiting_in_line(lido_engine *unused) {
    (void)unused;
    lido_engine *engine = engine_of(1);
    lido_task *tasks[2];
    pthread_t threads[2];
    turn turns[4];
    lido_pool_stats stats;
    lido_session *db = lido_session_open(engine, NULL);
    lido_exec(db, "SELECT 1");
    for (int i = 0; i < 4; i++) {
        turns[i] = (turn){engine, i};
        if (i % 2 == 0)
            tasks[i / 2] = spawn(take_turn, &turns[i]);
        else
            assert_int_equal(pthread_create(&threads[i / 2], NULL, take_turn, &turns[i]), 0);
        do {
            lido_sleep(1);
            lido_engine_stats(engine, &stats);
        } while (stats.waiting <= i);
    }
    lido_session_close(db);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(lido_task_join(tasks[i], NULL), LIDO_OK);
        while (pthread_tryjoin_np(threads[i], NULL) != 0)
            lido_sleep(1);
    }
    saw_pool(engine);
    lido_engine_close(engine);
}

/* ---- Whose they are ---- */

static void *use_anothers(void *db) {
    lido_exec(db, "SELECT 1");
    saw("%s", lido_error_of(db)->message);
    return NULL;
}

static void story_of_a_session_of_another_task(lido_engine *engine) {
    lido_session *db = lido_session_open(engine, NULL);
    lido_task_join(spawn(use_anothers, db), NULL);
    saw("failed %d", lido_failed(db));
    lido_session_close(db);
}

static void note(lido_log_level level, const char *line, void *user) {
    (void)level;
    (void)user;
    const char *told = strstr(line, "a task has ended");
    if (told != NULL)
        saw("%.*s", (int)strcspn(told, ";"), told);
}

static void *leave_open(void *engine) {
    lido_session *db = lido_session_open(engine, NULL);
    lido_session_open(engine, &(lido_session_options){.at_end = LIDO_AT_END_COMMIT});
    lido_exec(db, "INSERT INTO items VALUES (1)");
    lido_stream(db, "SELECT id FROM items");
    return NULL;
}

static void story_of_what_is_left_open(lido_engine *unused) {
    (void)unused;
    lido_engine *engine = engine_of(2);
    make_items(engine);
    lido_log_listen(LIDO_LOG_WARNING, note, NULL);
    lido_task_join(spawn(leave_open, engine), NULL);
    lido_log_listen(LIDO_LOG_WARNING, NULL, NULL);
    saw_items(engine);
    saw_pool(engine);
    lido_engine_close(engine);
}

/* ---- Cancelling ---- */

static void *run_endless(void *engine) {
    lido_error outcome;
    lido_transaction (db, engine, &outcome) {
        lido_exec(db, "INSERT INTO items VALUES (1)");
        lido_savepoint (db)
            lido_exec(db, endless());
        lido_exec(db, "INSERT INTO items VALUES (2)"); /* not even after a savepoint */
    }
    saw("%s, %s: %s", lido_status_name(outcome.status), lido_category_name(outcome.category), outcome.message);
    lido_transaction (db, engine, &outcome)
        lido_exec(db, "INSERT INTO items VALUES (3)");
    saw("%s, %s: %s", lido_status_name(outcome.status), lido_category_name(outcome.category), outcome.message);
    return NULL;
}

static void story_of_a_cancelled_statement(lido_engine *unused) {
    (void)unused;
    lido_engine *engine = engine_of(1);
    lido_pool_stats before;
    lido_pool_stats after;
    make_items(engine);
    lido_session *db = lido_session_open(engine, NULL);
    lido_query_value(db, "SELECT 1"); /* SQLite reads on another connection than it writes on */
    lido_session_close(db);
    lido_engine_stats(engine, &before);
    lido_task *task = spawn(run_endless, engine);
    lido_sleep(30);
    lido_task_cancel(task);
    lido_task_join(task, NULL);
    saw_items(engine);
    saw_pool(engine);
    lido_engine_stats(engine, &after);
    saw("opened %d more", (int)(after.connects - before.connects));
    lido_engine_close(engine);
}

static void story_of_a_tasks_deadline(lido_engine *unused) {
    (void)unused;
    lido_engine *engine = engine_of(1);
    make_items(engine);
    const lido_task_options options = {.deadline_ms = 50};
    lido_task_join(lido_spawn_with(scenario_loop(), &options, run_endless, engine), NULL);
    saw_items(engine);
    saw_pool(engine);
    lido_engine_close(engine);
}

static void story_of_a_cancelled_wait(lido_engine *unused) {
    (void)unused;
    lido_engine *engine = engine_of(1);
    make_items(engine);
    lido_session *db = lido_session_open(engine, NULL);
    lido_exec(db, "SELECT 1");
    lido_task *task = spawn(run_endless, engine);
    lido_task *late = lido_spawn_with(scenario_loop(), &(lido_task_options){.deadline_ms = 1000}, run_endless, engine);
    lido_sleep(20);
    lido_task_cancel(task);
    lido_task_join(task, NULL);
    lido_task_join(late, NULL);
    lido_session_close(db);
    saw_items(engine);
    saw_pool(engine);
    lido_engine_close(engine);
}

/* ---- Streams ---- */

static const char *thousand(void) {
    return "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000) "
           "SELECT i, 'row ' || i FROM n";
}

static void *read_thousand(void *engine) {
    int id;
    int expected = 1;
    const char *words;
    char text[20];
    lido_session *db = lido_session_open(engine, NULL);
    lido_rows *rows = lido_stream(db, thousand());
    for (; lido_next(rows) && lido_scan(rows, &id, &words); expected++) {
        snprintf(text, sizeof text, "row %d", expected);
        if (id != expected || strcmp(words, text) != 0)
            saw("%d %s", id, words);
        if (expected % 100 == 0)
            lido_yield();
    }
    saw("%d rows, failed %d", expected - 1, lido_failed(db));
    lido_session_close(db);
    return NULL;
}

static void story_of_streams(lido_engine *unused) {
    (void)unused;
    lido_engine *engine = engine_of(2);
    lido_task *one = spawn(read_thousand, engine);
    lido_task *two = spawn(read_thousand, engine);
    lido_task_join(one, NULL);
    lido_task_join(two, NULL);
    saw_pool(engine);
    lido_engine_close(engine);
}

static void *read_until_cancelled(void *engine) {
    int rows_read = 0;
    lido_session *db = lido_session_open(engine, NULL);
    lido_rows *rows =
        lido_stream(db, "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n "
                        "LIMIT 1000000");
    while (lido_next(rows) && ++rows_read < 1000000)
        if (rows_read % 50 == 0)
            lido_yield();
    saw("all %d", rows_read == 1000000);
    saw_error(db);
    saw("%s", lido_status_name(lido_commit(db)));
    lido_session_close(db);
    return NULL;
}

static void story_of_a_cancelled_stream(lido_engine *unused) {
    (void)unused;
    lido_engine *engine = engine_of(1);
    make_items(engine);
    lido_task *task = spawn(read_until_cancelled, engine);
    lido_sleep(20);
    lido_task_cancel(task);
    lido_task_join(task, NULL);
    saw_items(engine);
    saw_pool(engine);
    lido_engine_close(engine);
}

/* ---- The loop goes on ---- */

static void story_of_others_meanwhile(lido_engine *engine) {
    lido_task *slow;
    make_items(engine);
    slow = spawn(run_endless, engine);
    int ticks = 0;
    for (; ticks < 20; ticks++)
        assert_int_equal(lido_sleep(1), LIDO_OK);
    saw("ticks %d", ticks);
    lido_task_cancel(slow);
    lido_task_join(slow, NULL);
}

static void on_loop(void *result, void *engine) {
    (void)result;
    lido_session *db = lido_session_open(engine, NULL);
    lido_exec(db, "INSERT INTO items VALUES (1)");
    saw_error(db);
    saw("%s", lido_error_of(db)->message);
    saw("%s", lido_status_name(lido_commit(db)));
    lido_session_close(db);
}

static void *nothing(void *unused) {
    return unused;
}

static void story_of_waiting_outside_a_task(lido_engine *unused) {
    (void)unused;
    lido_engine *engine = engine_of(2);
    make_items(engine);
    lido_submit(scenario_loop(), nothing, NULL, on_loop, engine);
    lido_sleep(20);
    saw_items(engine);
    saw_pool(engine);
    lido_engine_close(engine);
}

#define STOPPED(category, message) "rolled back, " category ": " message "\nrolled back, " category ": " message "\n"
#define CANCELLED STOPPED("cancelled", "the task was cancelled")
#define LATE STOPPED("timeout", "the task's deadline has passed")
#define WHOLE "items 0\nin use 0, waiting 0\n"

int main(void) {
    const scenario scenarios[] = {
        {"many tasks on few connections", story_of_many_tasks, "items 50\nin use 0, waiting 0\n"},
        {"threads and tasks wait in one line", story_of_waiting_in_line, "0\n1\n2\n3\nin use 0, waiting 0\n"},
        {"a session of another task", story_of_a_session_of_another_task,
         "the session belongs to another thread or task\nfailed 0\n"},
        {"what is left open is rolled back", story_of_what_is_left_open,
         "a task has ended with a session open, which is rolled back\n"
         "a task has ended with a session open, which is rolled back\n" WHOLE},
        {"a statement cancelled with its task", story_of_a_cancelled_statement, CANCELLED WHOLE "opened 0 more\n"},
        {"a statement that outlasts its task's deadline", story_of_a_tasks_deadline, LATE WHOLE},
        {"cancelled while waiting for a connection", story_of_a_cancelled_wait, CANCELLED LATE WHOLE},
        {"streams side by side", story_of_streams, "1000 rows, failed 0\n1000 rows, failed 0\nin use 0, waiting 0\n"},
        {"a stream cancelled with its task", story_of_a_cancelled_stream, "all 0\ncancelled\nrolled back\n" WHOLE},
        {"a slow statement stops nobody else", story_of_others_meanwhile, "ticks 20\n" CANCELLED},
        {"nothing waits on a loop's thread outside a task", story_of_waiting_outside_a_task,
         "misuse\nthis is a loop's thread, outside any task: all of the loop would wait\nrolled back\n" WHOLE},
    };
    return task_scenarios_run("task", scenarios, sizeof scenarios / sizeof scenarios[0]);
}
