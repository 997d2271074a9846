/* Memory that runs out at the first allocation, at the second, and so on until a story is told to its end without
 * noticing: libpq's, SQLite's and libc's own allocations count like ours.
 *
 * Whatever fails, nothing crashes or leaks, the outcome is told truthfully, the database holds all of the transaction
 * or nothing, and the same engine serves the next session. */
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

static void insert(lido_session *db, int64_t run, int step) {
    lido_exec(db, "INSERT INTO steps (run, step, note, price) VALUES (?, ?, ?, ?)", run, step, NOTE,
              (lido_numeric){"12.50"});
}

static bool reads_right(lido_session *db, int64_t run) {
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

static bool streams_right(lido_session *db, int64_t run, int64_t expected) {
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

static void tell_transaction(lido_engine *engine, int64_t run, ending *ended) {
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

static bool transaction_agrees(const ending *ended, int64_t steps) {
    bool nothing = steps == 0;
    bool everything = steps == all_steps(ended);
    return ended->status == LIDO_OK ? everything : nothing || (ended->status == LIDO_UNKNOWN && everything);
}

/* What became of a statement that was its own transaction. */
static lido_status end_of_statement(const lido_session *db, ending *ended) {
    if (!lido_failed(db))
        return LIDO_OK;
    ended->error = *lido_error_of(db);
    return ended->error.category == LIDO_ERROR_UNKNOWN_OUTCOME ? LIDO_UNKNOWN : LIDO_ROLLED_BACK;
}

static void tell_statements(lido_engine *engine, int64_t run, ending *ended) {
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

static bool statement_agrees(lido_status status, bool stands) {
    return status == LIDO_UNKNOWN || stands == (status == LIDO_OK);
}

static bool statements_agree(const ending *ended, int64_t steps) {
    return statement_agrees(ended->status, (steps & 1 << 1) != 0) &&
           statement_agrees(ended->inner, (steps & 1 << 2) != 0);
}

/* Which need memory to be stored in, where the database is in memory: chunks of it, in the middle of a commit. */
static void tell_large_values(lido_engine *engine, int64_t run, ending *ended) {
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
static void tell_bulk(lido_engine *engine, int64_t run, ending *ended) {
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

static void add_step(lido_session *db, int64_t run, int step) {
    lido_add(db, Step, &(Step){.run = run, .step = step, .note = NOTE, .price = {"12.50"}});
}

static bool finds_right(lido_session *db, int64_t run, bool inner) {
    size_t count;
    Step *first = lido_fetch(db, Step, run, 1);
    lido_find(db, Step, &count, "WHERE run = ? ORDER BY step", run);
    bool right = first != NULL && strcmp(first->note, NOTE) == 0 && count == (inner ? 2 : 1);
    if (first != NULL)
        first->note = lido_keep_text(db, "another note");
    return lido_failed(db) || right;
}

static void tell_objects(lido_engine *engine, int64_t run, ending *ended) {
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

static bool objects_agree(const ending *ended, int64_t steps) {
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
    int64_t run;       /* each telling has its own */
} telling;

static const char tables[] =
    "CREATE TABLE IF NOT EXISTS steps (run bigint, step integer, note text, price numeric(10, 2), PRIMARY KEY (run, "
    "step)); CREATE TABLE IF NOT EXISTS crowd (run bigint, row_of integer, note text, price numeric(10, 2))";

static ending new_ending(void) {
    return (ending){.status = LIDO_ROLLED_BACK, .inner = LIDO_ROLLED_BACK, .error = LIDO_ERROR_INIT};
}

static lido_engine *open_prepared(const telling *of) {
    lido_engine *engine = open_surely(of->url != NULL ? of->url : "sqlite://", NULL);
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

/* With memory enough. */
static void tell_plainly(telling *of, lido_engine *engine) {
    ending ended = new_ending();
    of->run++;
    of->story->tell(engine, of->run, &ended);
    if (ended.status != LIDO_OK || ended.inner != LIDO_OK)
        lido_error_print(&ended.error, stderr);
    assert_int_equal(ended.status, LIDO_OK);
    assert_int_equal(ended.inner, LIDO_OK);
    assert_false(ended.found_wrong);
    assert_true(of->story->agrees(&ended, steps_that_stand(engine, of->run)));
}

/* What the shortage may be called: libpq, when it has no memory for an answer, gives the connection up. */
static bool is_fitting(const ending *ended) {
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

static void check_ending(const telling *of, long allocation, const ending *ended, int64_t steps) {
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
static bool tell_short_of_memory(telling *of, long allocation) {
    ending ended = new_ending();
    lido_engine *engine = NULL;
    if (!of->from_opening) {
        engine = open_prepared(of);
        tell_plainly(of, engine);
    }
    int64_t run = ++of->run;
    run_out_at(allocation, of->ever_after);
    if (of->from_opening)
        engine = lido_engine_open(of->url, NULL, &ended.error);
    if (engine != NULL)
        of->story->tell(engine, run, &ended);
    bool ran_out = memory_is_back();
    if (engine == NULL) {
        assert_int_equal(ended.error.category, LIDO_ERROR_OUT_OF_MEMORY);
        return ran_out;
    }
    assert_true(ran_out || ended.status == LIDO_OK);
    check_ending(of, allocation, &ended, steps_seen(of, engine, run));
    tell_plainly(of, engine);
    lido_engine_close(engine);
    return ran_out;
}

static void tell_until_nothing_fails(telling of) {
    enum { SURELY_ENOUGH = 100000 };
    assert_false(tell_short_of_memory(&of, SURELY_ENOUGH)); /* what libraries set up once is set up here */
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

static void tell_in_every_way(const char *url, bool from_opening) {
    static int64_t runs;
    const story *const stories[] = {&transaction, &statements, &bulk, &objects};
    for (int i = 0; i < 8; i++, runs += 1000000)
        tell_until_nothing_fails((telling){
            .url = url, .story = stories[i / 2], .ever_after = i % 2 != 0, .from_opening = from_opening, .run = runs});
}

/* ---- On each database ---- */

static const char *prepared_file(void) {
    const char *url = file_url("steps.db?synchronous=off");
    lido_engine *engine = open_surely(url, NULL);
    run_surely(engine, tables);
    lido_engine_close(engine);
    return url;
}

static const char *prepared_server(void) {
    const char *url = postgres_url();
    lido_engine *engine = open_surely(url, NULL);
    run_surely(engine, "DROP TABLE IF EXISTS steps; DROP TABLE IF EXISTS crowd");
    run_surely(engine, tables);
    lido_engine_close(engine);
    return url;
}

static void the_allocator_fails_when_told(void **state) {
    (void)state;
    run_out_at(2, false);
    void *volatile first = malloc(10);
    void *volatile second = malloc(10);
    void *volatile third = calloc(1, 10);
    bool ran_out = memory_is_back();
    assert_true(ran_out);
    assert_non_null(first);
    assert_null(second);
    assert_non_null(third);
    free(first);
    free(third);
}

static void an_engine_on_a_sqlite_file(void **state) {
    (void)state;
    tell_in_every_way(prepared_file(), true);
}

static void a_used_engine_on_a_sqlite_file(void **state) {
    (void)state;
    tell_in_every_way(prepared_file(), false);
}

static void a_used_engine_on_sqlite_in_memory(void **state) {
    (void)state;
    tell_in_every_way(NULL, false);
}

static void large_values_in_memory(void **state) {
    (void)state;
    tell_until_nothing_fails((telling){.story = &large_values});
    tell_until_nothing_fails((telling){.story = &large_values, .ever_after = true});
}

static void opening_sqlite_in_memory(void **state) {
    (void)state;
    bool ran_out = true;
    lido_engine_close(open_surely("sqlite://", NULL));
    for (long allocation = 1; ran_out; allocation++) {
        long before = count_living();
        lido_error error = LIDO_ERROR_INIT;
        run_out_at(allocation, allocation % 2 == 0);
        lido_engine *engine = lido_engine_open("sqlite://", NULL, &error);
        ran_out = memory_is_back();
        assert_int_equal(error.category, engine == NULL ? LIDO_ERROR_OUT_OF_MEMORY : LIDO_ERROR_NONE);
        assert_true(ran_out || engine != NULL);
        lido_engine_close(engine);
        assert_int_equal(count_living(), before);
    }
}

static void an_engine_on_postgresql(void **state) {
    (void)state;
    tell_in_every_way(prepared_server(), true);
}

static void a_used_engine_on_postgresql(void **state) {
    (void)state;
    tell_in_every_way(prepared_server(), false);
}

/* ---- Functions ---- */

static lido_value remember(lido_call *call, size_t count, const lido_value *arguments, void *user) {
    (void)user;
    char *text = lido_function_allocate(call, 5000);
    if (text != NULL)
        snprintf(text, 5000, "%s%zu", arguments[0].as.text, count);
    return lido_value_text(text);
}

/* Every function that allocates, in one statement, so that each allocation of each fails in its turn. */
static const char every_function[] =
    "SELECT count(*), concat_ws(',', left('abc', 2), lpad('a', 5), repeat('ab', 50), reverse('abc'), max(remember('a', "
    "1))),"
    " string_agg(regexp_replace(name, '(a)', '<\\1>', 'g'), ','), sum(name REGEXP ('^' || name)),"
    " max(regexp_substr(name || repeat('a', 30000), '(a|b|aa)*$')), ('1' || count(*))::text::int, sha256('a'),"
    " '\\x00'::bytea, date_trunc('day', now()), max(name REGEXP '^a')"
    " FROM (SELECT 'a' AS name UNION ALL SELECT 'b' UNION ALL SELECT 'abc')";

static bool fail_with(const lido_error *error) {
    lido_error_print(error, stderr);
    fail();
    return false;
}

static bool ask_every_function(lido_engine *engine, bool *right) {
    const lido_function function = {.name = "remember", .least = 2, .most = 2, .scalar = remember};
    lido_error error = LIDO_ERROR_INIT;
    bool added = lido_function_add(engine, &function, &error) == LIDO_OK;
    lido_session *db = added ? lido_session_open(engine, NULL) : NULL;
    *right = added && lido_query_value(db, every_function).as.integer == 3 && !lido_failed(db);
    if (added)
        error = *lido_error_of(db);
    lido_session_close(db);
    return memory_is_back() && (*right || error.category == LIDO_ERROR_OUT_OF_MEMORY || fail_with(&error));
}

static void functions_on_sqlite_in_memory(void **state) {
    (void)state;
    bool ran_out = true;
    for (long allocation = 0; ran_out; allocation++) {
        bool right;
        long before = count_living();
        lido_engine *engine = open_surely("sqlite://", NULL);
        if (allocation > 0)
            run_out_at(allocation, allocation % 2 == 0);
        ran_out = ask_every_function(engine, &right) || allocation == 0;
        assert_true(ran_out || right);
        lido_engine_close(engine);
        if (allocation > 0)
            assert_int_equal(count_living(), before);
    }
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, make_folder, remove_folder)

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_allocator_fails_when_told),
        cmocka_unit_test(opening_sqlite_in_memory),
        cmocka_unit_test(a_used_engine_on_sqlite_in_memory),
        cmocka_unit_test(large_values_in_memory),
        IN_FOLDER(an_engine_on_a_sqlite_file),
        IN_FOLDER(a_used_engine_on_a_sqlite_file),
        cmocka_unit_test(an_engine_on_postgresql),
        cmocka_unit_test(a_used_engine_on_postgresql),
        cmocka_unit_test(functions_on_sqlite_in_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
