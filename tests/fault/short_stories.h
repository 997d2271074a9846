/* Stories that are told again and again, each time with another allocation failing, until one is told to its end
 * without noticing. In a thread, or in a task. */
#ifndef TESTS_FAULT_SHORT_STORIES_H
#define TESTS_FAULT_SHORT_STORIES_H

#include "databases.h"
#include "short_memory.h"

#include <stdbool.h>
#include <string.h>

/* ---- The stories ---- */

#define NOTE "a note that is longer than what fits anywhere in passing"

typedef struct ending {
    lido_status status; /* of the transaction; of the first statement, where each is one */
    lido_status inner;  /* of the savepoint; of the second statement */
    lido_error error;   /* of what failed last */
    bool found_wrong;   /* something was read that is not so */
} ending;

typedef struct story {
    const char *title;
    void (*tell)(lido_engine *engine, int64_t run, ending *ended);
    /* Whether the steps that stand are what the story said; step n is bit n. */
    bool (*agrees)(const ending *ended, int64_t steps);
} story;

static inline void insert(lido_session *db, int64_t run, int step) {
    lido_exec(db, "INSERT INTO steps (run, step, note, price) VALUES (?, ?, ?, ?)", run, step, NOTE,
              (lido_numeric){"12.50"});
}

static inline bool reads_right(lido_session *db, int64_t run) {
    int step = 0;
    const char *note = "";
    double price = 0;
    int count = 0;
    lido_rows *rows = lido_query(db, "SELECT step, note, price FROM steps WHERE run = :run AND note REGEXP :like",
                                 LIDO_AS("run", run), LIDO_AS("like", "^a n.te"));
    while (lido_next(rows) && lido_scan(rows, &step, &note, &price))
        count++;
    return lido_failed(db) || (count == 1 && step == 1 && price == 12.5 && strcmp(note, NOTE) == 0);
}

static inline bool streams_right(lido_session *db, int64_t run, int64_t expected) {
    int64_t steps = 0;
    lido_rows *rows = lido_stream(db, "SELECT step, note FROM steps WHERE run = ? ORDER BY step", run);
    while (lido_next(rows))
        steps |= INT64_C(1) << lido_get_int64(rows, lido_column(rows, "step"));
    lido_rows_close(rows);
    return lido_failed(db) || steps == expected;
}

static int64_t all_steps(const ending *ended) {
    return 1 << 1 | 1 << 3 | (ended->inner == LIDO_OK ? 1 << 2 : 0);
}

static inline void tell_transaction(lido_engine *engine, int64_t run, ending *ended) {
    lido_session *db = lido_session_open(engine, NULL);
    insert(db, run, 1);
    ended->found_wrong = !reads_right(db, run);
    lido_savepoint_outcome (db, &ended->inner)
        insert(db, run, 2);
    ended->found_wrong |= !streams_right(db, run, all_steps(ended) & ~(1 << 3));
    lido_send(db, "INSERT INTO steps (run, step, note) VALUES (?, ?, ?)", run, 3, NOTE);
    ended->status = lido_commit(db);
    ended->error = *lido_error_of(db);
    lido_session_close(db);
}

static inline bool transaction_agrees(const ending *ended, int64_t steps) {
    bool nothing = steps == 0;
    bool everything = steps == all_steps(ended);
    return ended->status == LIDO_OK ? everything : nothing || (ended->status == LIDO_UNKNOWN && everything);
}

/* What became of a statement that was its own transaction. */
static inline lido_status end_of_statement(const lido_session *db, ending *ended) {
    if (!lido_failed(db))
        return LIDO_OK;
    ended->error = *lido_error_of(db);
    return ended->error.category == LIDO_ERROR_UNKNOWN_OUTCOME ? LIDO_UNKNOWN : LIDO_ROLLED_BACK;
}

static inline void tell_statements(lido_engine *engine, int64_t run, ending *ended) {
    lido_session *db = lido_session_open(engine, &(lido_session_options){.autocommit = true});
    insert(db, run, 1);
    ended->status = end_of_statement(db, ended);
    ended->found_wrong = ended->status == LIDO_OK && !reads_right(db, run);
    end_of_statement(db, ended);
    lido_query(db, "INSERT INTO steps (run, step, note) VALUES (?, 2, ?) RETURNING note", run, NOTE);
    ended->inner = end_of_statement(db, ended);
    if (ended->status == LIDO_OK && ended->inner == LIDO_OK)
        ended->found_wrong |= !streams_right(db, run, 1 << 1 | 1 << 2);
    end_of_statement(db, ended);
    lido_session_close(db);
}

static inline bool statement_agrees(lido_status status, bool stands) {
    return status == LIDO_UNKNOWN || stands == (status == LIDO_OK);
}

static inline bool statements_agree(const ending *ended, int64_t steps) {
    return statement_agrees(ended->status, (steps & 1 << 1) != 0) &&
           statement_agrees(ended->inner, (steps & 1 << 2) != 0);
}

/* Which need memory to be stored in, where the database is in memory: chunks of it, in the middle of a commit. */
static inline void tell_large_values(lido_engine *engine, int64_t run, ending *ended) {
    enum { SIZE = 150000 };
    lido_session *db = lido_session_open(engine, NULL);
    lido_exec(db, "INSERT INTO steps (run, step, note) VALUES (?, 1, zeroblob(?))", run, SIZE);
    lido_savepoint_outcome (db, &ended->inner)
        lido_exec(db, "INSERT INTO steps (run, step, note) VALUES (?, 2, zeroblob(?))", run, SIZE);
    lido_exec(db, "INSERT INTO steps (run, step, note) VALUES (?, 3, zeroblob(?))", run, SIZE);
    ended->status = lido_commit(db);
    ended->error = *lido_error_of(db);
    lido_session_close(db);
}

/* Rows in bulk, few and many; the step counts only if all of them are there. */
static inline void tell_bulk(lido_engine *engine, int64_t run, ending *ended) {
    enum { FEW = 2, MANY = 50 };
    static const char *const columns[] = {"run", "row_of", "note", "price"};
    lido_value values[4 * MANY];
    for (int i = 0; i < MANY; i++) {
        values[4 * i] = lido_value_int64(run);
        values[4 * i + 1] = lido_value_int64(i);
        values[4 * i + 2] = lido_value_text(NOTE);
        values[4 * i + 3] = i == MANY / 2 ? lido_value_text("12.5e0") : lido_value_numeric((lido_numeric){"12.50"});
    }
    lido_session *db = lido_session_open(engine, NULL);
    insert(db, run, 1);
    lido_insert_rows(db, "crowd", 4, columns, MANY, values);
    lido_savepoint_outcome (db, &ended->inner) {
        lido_insert_rows(db, "crowd", 4, columns, FEW, values);
        lido_exec(db, "INSERT INTO steps (run, step) SELECT ?, 2 WHERE (SELECT count(*) FROM crowd WHERE run = ?) = 52",
                  run, run);
    }
    lido_exec(db, "INSERT INTO steps (run, step) SELECT ?, 3 WHERE (SELECT count(*) FROM crowd WHERE run = ?) >= 50",
              run, run);
    ended->status = lido_commit(db);
    ended->error = *lido_error_of(db);
    lido_session_close(db);
}

/* A row of steps as an object. */
typedef struct Step {
    int64_t run;
    int step;
    const char *note;
    lido_numeric price;
} Step;

LIDO_MODEL(Step, "steps", LIDO_KEY(Step, run), LIDO_KEY(Step, step), LIDO_FIELD(Step, note, .nullable = true),
           LIDO_FIELD(Step, price, .nullable = true));

enum { OBJECTS_FROM = 10, OBJECTS = 50 /* so many that they go in bulk */ };

static inline void add_step(lido_session *db, int64_t run, int step) {
    lido_add(db, Step, &(Step){.run = run, .step = step, .note = NOTE, .price = {"12.50"}});
}

static inline bool finds_right(lido_session *db, int64_t run, bool inner) {
    size_t count;
    Step *first = lido_fetch(db, Step, run, 1);
    lido_find(db, Step, &count, "WHERE run = ? ORDER BY step", run);
    bool right = first != NULL && strcmp(first->note, NOTE) == 0 && count == (inner ? 2 : 1);
    if (first != NULL)
        first->note = lido_keep_text(db, "another note");
    return lido_failed(db) || right;
}

static inline void tell_objects(lido_engine *engine, int64_t run, ending *ended) {
    lido_session *db = lido_session_open(engine, NULL);
    add_step(db, run, 1);
    lido_savepoint_outcome (db, &ended->inner)
        add_step(db, run, 2);
    lido_flush(db);
    ended->found_wrong = !finds_right(db, run, ended->inner == LIDO_OK);
    add_step(db, run, 3);
    for (int step = OBJECTS_FROM; step < OBJECTS_FROM + OBJECTS; step++)
        add_step(db, run, step);
    ended->status = lido_commit(db);
    ended->error = *lido_error_of(db);
    lido_session_close(db);
}

static inline bool objects_agree(const ending *ended, int64_t steps) {
    int64_t many = ((INT64_C(1) << OBJECTS) - 1) << OBJECTS_FROM;
    bool everything = steps == (all_steps(ended) | many);
    return ended->status == LIDO_OK ? everything : steps == 0 || (ended->status == LIDO_UNKNOWN && everything);
}

static const story transaction = {"a transaction", tell_transaction, transaction_agrees};
static const story statements = {"statements that are transactions", tell_statements, statements_agree};
static const story large_values = {"large values", tell_large_values, transaction_agrees};
static const story bulk = {"rows in bulk", tell_bulk, transaction_agrees};
static const story objects = {"objects", tell_objects, objects_agree};

/* ---- Telling one again and again ---- */

typedef struct telling {
    const char *url; /* NULL: in memory */
    const story *story;
    bool ever_after;   /* memory does not come back before the end */
    bool from_opening; /* of the engine; else the story is told in one that has served before */
    bool in_task;
    int lanes;   /* of the engine */
    int64_t run; /* each telling has its own */
} telling;

static const char tables[] =
    "CREATE TABLE IF NOT EXISTS steps (run bigint, step integer, note text, price numeric(10, 2), PRIMARY KEY (run, "
    "step)); CREATE TABLE IF NOT EXISTS crowd (run bigint, row_of integer, note text, price numeric(10, 2))";

static inline ending new_ending(void) {
    return (ending){.status = LIDO_ROLLED_BACK, .inner = LIDO_ROLLED_BACK, .error = LIDO_ERROR_INIT};
}

/* NULL, with *error set, if memory ran out. */
static inline lido_engine *open_one(const telling *of, lido_error *error) {
    lido_options options = LIDO_OPTIONS_INIT;
    options.lanes = of->lanes;
    return lido_engine_open(of->url != NULL ? of->url : "sqlite://", &options, error);
}

static inline lido_engine *open_prepared(const telling *of) {
    lido_engine *engine = open_one(of, NULL);
    assert_non_null(engine);
    if (of->url == NULL)
        run_surely(engine, tables);
    return engine;
}

static int64_t steps_that_stand(lido_engine *engine, int64_t run) {
    int64_t steps = 0;
    lido_session *db = open_autocommit(engine);
    lido_rows *rows = lido_query(db, "SELECT step FROM steps WHERE run = ?", run);
    while (lido_next(rows))
        steps |= INT64_C(1) << lido_get_int64(rows, 0);
    expect_no_error(db);
    lido_session_close(db);
    return steps;
}

/* The same as seen by somebody else, who does not see what is not committed; nobody else sees what is in memory. */
static int64_t steps_seen(const telling *of, lido_engine *engine, int64_t run) {
    if (of->url == NULL)
        return steps_that_stand(engine, run);
    lido_engine *other = open_surely(of->url, NULL);
    int64_t steps = steps_that_stand(other, run);
    lido_engine_close(other);
    return steps;
}

/* ---- With a shortage or without, in a thread or in a task ---- */

static lido_loop *loop_of_story; /* NULL: it is told in a thread */

typedef struct told {
    const telling *of;
    lido_engine *engine; /* NULL: to be opened */
    int64_t run;
    long allocation; /* the one that fails; 0: none */
    bool ran_out;
    ending *ended;
} told;

static inline void *tell_to_its_end(void *argument) {
    told *self = argument;
    if (self->allocation > 0)
        run_out_at(self->allocation, self->of->ever_after);
    if (self->engine == NULL)
        self->engine = open_one(self->of, &self->ended->error);
    if (self->engine != NULL)
        self->of->story->tell(self->engine, self->run, self->ended);
    self->ran_out = memory_is_back();
    return NULL;
}

/* The loop is made before memory is short, and its task spawned: libuv ends the process where it cannot grow its table
 * of descriptors. What runs in the loop beside the task, as lanes do, has no memory either. */
static inline void tell(told *self) {
    if (!self->of->in_task) {
        tell_to_its_end(self);
        return;
    }
    loop_of_story = lido_loop_new(NULL, NULL);
    assert_non_null(loop_of_story);
    lido_task *task = lido_spawn(loop_of_story, tell_to_its_end, self);
    assert_non_null(task);
    assert_int_equal(lido_loop_run(loop_of_story), LIDO_OK);
    assert_int_equal(lido_task_join(task, NULL), LIDO_OK);
    lido_loop_close(loop_of_story);
    loop_of_story = NULL;
}

/* With memory enough. */
static inline void tell_plainly(telling *of, lido_engine *engine) {
    ending ended = new_ending();
    tell(&(told){.of = of, .engine = engine, .run = ++of->run, .ended = &ended});
    if (ended.status != LIDO_OK || ended.inner != LIDO_OK)
        lido_error_print(&ended.error, stderr);
    assert_int_equal(ended.status, LIDO_OK);
    assert_int_equal(ended.inner, LIDO_OK);
    assert_false(ended.found_wrong);
    assert_true(of->story->agrees(&ended, steps_that_stand(engine, of->run)));
}

/* What the shortage may be called: libpq, when it has no memory for an answer, gives the connection up. */
static inline bool is_fitting(const ending *ended) {
    switch (ended->error.category) {
    case LIDO_ERROR_OUT_OF_MEMORY:
    case LIDO_ERROR_DISCONNECTED:
        return true;
    case LIDO_ERROR_UNKNOWN_OUTCOME:
        return ended->status == LIDO_UNKNOWN || ended->inner == LIDO_UNKNOWN;
    default:
        return ended->error.status == LIDO_OK;
    }
}

static inline void check_ending(const telling *of, long allocation, const ending *ended, int64_t steps) {
    bool agrees = of->story->agrees(ended, steps);
    if (agrees && !ended->found_wrong && is_fitting(ended))
        return;
    print_error("allocation %ld failed: %s, inside %s, steps that stand: %lld\n", allocation,
                lido_status_name(ended->status), lido_status_name(ended->inner), (long long)steps);
    if (ended->error.status != LIDO_OK)
        lido_error_print(&ended->error, stderr);
    fail_msg("%s", !agrees              ? "the database disagrees"
                   : ended->found_wrong ? "wrong rows were read"
                                        : "the error does not fit");
}

/* Tells the story once with the n-th allocation failing; false if it was over before that. */
static inline bool tell_short_of_memory(telling *of, long allocation) {
    ending ended = new_ending();
    lido_engine *engine = NULL;
    if (!of->from_opening) {
        engine = open_prepared(of);
        tell_plainly(of, engine);
    }
    told short_one = {.of = of, .engine = engine, .run = ++of->run, .allocation = allocation, .ended = &ended};
    tell(&short_one);
    engine = short_one.engine;
    bool ran_out = short_one.ran_out;
    if (engine == NULL) {
        assert_int_equal(ended.error.category, LIDO_ERROR_OUT_OF_MEMORY);
        return ran_out;
    }
    assert_true(ran_out || ended.status == LIDO_OK);
    check_ending(of, allocation, &ended, steps_seen(of, engine, short_one.run));
    tell_plainly(of, engine);
    lido_engine_close(engine);
    return ran_out;
}

static inline void tell_until_nothing_fails(telling of) {
    enum { SURELY_ENOUGH = 100000 };
    assert_false(tell_short_of_memory(&of, SURELY_ENOUGH)); /* what libraries set up once is set up here, */
    tell_short_of_memory(&of, 1);                           /* and what they do where memory fails them */
    long allocation = 1;
    for (bool ran_out = true; ran_out; allocation++) {
        long before = count_living();
        ran_out = tell_short_of_memory(&of, allocation);
        if (count_living() != before)
            fail_msg("%ld allocations were not freed after allocation %ld had failed", count_living() - before,
                     allocation);
    }
    assert_true(allocation > 10);
    print_message("           %ld allocations in \"%s\"\n", allocation - 2, of.story->title);
}

/* ---- Databases ---- */

static inline const char *prepared_server(void) {
    const char *url = postgres_url();
    lido_engine *engine = open_surely(url, NULL);
    run_surely(engine, "DROP TABLE IF EXISTS steps; DROP TABLE IF EXISTS crowd");
    run_surely(engine, tables);
    lido_engine_close(engine);
    return url;
}

#endif
