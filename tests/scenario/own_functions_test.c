/* Functions of the program's own: on every connection, old and new, with lido's values in and out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <lido.h>
#include <pthread.h>

#include <cmocka.h>

/* ---- Functions ---- */

static lido_value twice(lido_call *call, size_t count, const lido_value *arguments, void *user) {
    (void)count;
    (void)user;
    if (arguments[0].kind != LIDO_KIND_INT64)
        return lido_function_fail(call, "%s is no integer", lido_kind_name(arguments[0].kind));
    return lido_value_int64(2 * arguments[0].as.integer);
}

/* "2 int64 text": what it got. */
static lido_value describe(lido_call *call, size_t count, const lido_value *arguments, void *user) {
    char *text = lido_function_allocate(call, 500);
    size_t size = (size_t)sprintf(text, "%s%zu", (const char *)user, count);
    for (size_t i = 0; i < count; i++)
        size += (size_t)sprintf(text + size, " %s", lido_kind_name(arguments[i].kind));
    return lido_value_text(text);
}

/* A value of each kind, by number. */
static lido_value give(lido_call *call, size_t count, const lido_value *arguments, void *user) {
    static const lido_uuid uuid = {{1, 2, 3}};
    (void)call;
    (void)count;
    (void)user;
    switch (arguments[0].as.integer) {
    case 0:
        return lido_value_null();
    case 1:
        return lido_value_bool(true);
    case 2:
        return lido_value_double(1.5);
    case 3:
        return lido_value_text("text");
    case 4:
        return lido_value_bytes(lido_blob("\0b", 2));
    case 5:
        return lido_value_uuid(uuid);
    case 6:
        return lido_value_time((lido_time){0});
    case 7:
        return lido_value_json((lido_json){"[1]"});
    case 8:
        return arguments[1];
    case 9:
        return lido_value_uint64(UINT64_MAX);
    case 10:
        return lido_value_double(strtod("NaN", NULL));
    case 11:
        return lido_value_text("\xff");
    default:
        return (lido_value){.kind = (lido_kind)77};
    }
}

typedef struct span {
    bool any;
    int64_t lowest;
    int64_t highest;
} span;

static int finished; /* how often span_finish was called */

static void span_step(lido_call *call, void *state, size_t count, const lido_value *arguments, void *user) {
    span *so_far = state;
    (void)count;
    (void)user;
    if (arguments[0].kind == LIDO_KIND_NULL)
        return;
    if (arguments[0].kind != LIDO_KIND_INT64) {
        lido_function_fail(call, "not an integer");
        return;
    }
    int64_t integer = arguments[0].as.integer;
    if (!so_far->any || integer < so_far->lowest)
        so_far->lowest = integer;
    if (!so_far->any || integer > so_far->highest)
        so_far->highest = integer;
    so_far->any = true;
}

static lido_value span_finish(lido_call *call, void *state, void *user) {
    const span *all = state;
    (void)call;
    (void)user;
    finished++;
    return all->any ? lido_value_int64(all->highest - all->lowest) : lido_value_null();
}

static const lido_function twice_function = {
    .name = "twice", .least = 1, .most = 1, .deterministic = true, .scalar = twice};
static const lido_function give_function = {.name = "give", .least = 1, .most = 2, .scalar = give};
static const lido_function span_function = {
    .name = "span", .least = 1, .most = 1, .step = span_step, .finish = span_finish, .state_size = sizeof(span)};

/* ---- Around the tests ---- */

static lido_engine *open_engine(void) {
    lido_engine *engine = lido_engine_open("sqlite://", NULL, NULL);
    assert_non_null(engine);
    return engine;
}

static lido_session *open_session(lido_engine *engine) {
    return lido_session_open(engine, &(lido_session_options){.autocommit = true});
}

static void add(lido_engine *engine, const lido_function *function) {
    lido_error error;
    if (lido_function_add(engine, function, &error) != LIDO_OK)
        fail_msg("%s", error.message);
}

static int64_t integer(lido_session *db, const char *sql) {
    lido_value value = lido_query_value(db, sql);
    if (lido_failed(db))
        fail_msg("%s: %s", sql, lido_error_of(db)->message);
    assert_int_equal(value.kind, LIDO_KIND_INT64);
    return value.as.integer;
}

static void expect_error(lido_session *db, const char *sql, lido_category category, const char *message) {
    lido_query_value(db, sql);
    assert_int_equal(lido_error_of(db)->category, category);
    assert_string_equal(lido_error_of(db)->message, message);
}

/* ---- The tests ---- */

static void a_scalar(void **state) {
    lido_engine *engine = open_engine();
    lido_session *db = open_session(engine);
    (void)state;
    add(engine, &twice_function);
    assert_int_equal(integer(db, "SELECT twice(21)"), 42);
    assert_int_equal(integer(db, "SELECT TWICE(twice(5))"), 20);
    lido_session_close(db);
    lido_engine_close(engine);
}

static void errors_of_functions(void **state) {
    lido_engine *engine = open_engine();
    lido_session *db = open_session(engine);
    (void)state;
    add(engine, &twice_function);
    add(engine, &give_function);
    expect_error(db, "SELECT twice('a')", LIDO_ERROR_OTHER, "twice: text is no integer");
    expect_error(db, "SELECT twice(1, 2)", LIDO_ERROR_SYNTAX, "wrong number of arguments to function twice()");
    assert_string_equal(lido_error_of(db)->sqlstate, "42883");
    expect_error(db, "SELECT give()", LIDO_ERROR_OTHER, "give: it takes 1 to 2 arguments and got 0");
    expect_error(db, "SELECT give(1, 2, 3)", LIDO_ERROR_OTHER, "give: it takes 1 to 2 arguments and got 3");
    expect_error(db, "SELECT give(9)", LIDO_ERROR_OTHER,
                 "give: its result: an unsigned integer above 9223372036854775807 fits no SQL integer");
    expect_error(db, "SELECT give(10)", LIDO_ERROR_OTHER, "give: its result is NaN, which SQLite cannot hold");
    expect_error(db, "SELECT give(11)", LIDO_ERROR_OTHER, "give: its result is a text that is not UTF-8");
    expect_error(db, "SELECT give(12)", LIDO_ERROR_OTHER, "give: its result is no value: it is of the unknown kind 77");
    expect_error(db, "SELECT thrice(1)", LIDO_ERROR_SYNTAX, "no such function: thrice");
    lido_session_close(db);
    lido_engine_close(engine);
}

static void an_error_sticks_in_a_transaction(void **state) {
    lido_engine *engine = open_engine();
    (void)state;
    add(engine, &twice_function);
    lido_session *db = lido_session_open(engine, NULL);
    lido_exec(db, "CREATE TABLE t (n integer CHECK (twice(n) < 10))");
    lido_exec(db, "INSERT INTO t VALUES (4)");
    lido_exec(db, "INSERT INTO t VALUES (5)");
    assert_int_equal(lido_error_of(db)->category, LIDO_ERROR_CHECK);
    assert_int_equal(lido_commit(db), LIDO_ROLLED_BACK);
    lido_session_close(db);
    lido_engine_close(engine);
}

static void values_of_every_kind(void **state) {
    static const char *const expected[] = {"null", "int64", "double", "text", "blob", "text", "text", "text", "int64"};
    lido_engine *engine = open_engine();
    lido_session *db = open_session(engine);
    (void)state;
    add(engine, &give_function);
    for (int i = 0; i < 9; i++)
        assert_string_equal(lido_kind_name(lido_query_value(db, "SELECT give(?, 7)", i).kind), expected[i]);
    assert_string_equal(lido_query_value(db, "SELECT give(5)").as.text, "01020300-0000-0000-0000-000000000000");
    assert_string_equal(lido_query_value(db, "SELECT give(6)").as.text, "1970-01-01 00:00:00.000000");
    assert_string_equal(lido_query_value(db, "SELECT hex(give(4))").as.text, "0062");
    lido_session_close(db);
    lido_engine_close(engine);
}

static void any_number_of_arguments(void **state) {
    static char greeting[] = "I got ";
    lido_engine *engine = open_engine();
    lido_session *db = open_session(engine);
    (void)state;
    add(engine, &(lido_function){.name = "describe", .most = -1, .scalar = describe, .user = greeting});
    assert_string_equal(lido_query_value(db, "SELECT describe()").as.text, "I got 0");
    assert_string_equal(lido_query_value(db, "SELECT describe(1, 'a', NULL, x'00', 1.5, x'')").as.text,
                        "I got 6 int64 text null blob double blob");
    lido_session_close(db);
    lido_engine_close(engine);
}

static void an_aggregate(void **state) {
    lido_engine *engine = open_engine();
    lido_session *db = open_session(engine);
    (void)state;
    add(engine, &span_function);
    lido_script(db, "CREATE TABLE t (kind text, n integer);"
                    "INSERT INTO t VALUES ('a', 5), ('a', 12), ('b', 1), ('a', NULL), ('c', NULL)");
    assert_int_equal(integer(db, "SELECT span(n) FROM t"), 11);
    lido_rows *rows = lido_query(db, "SELECT kind, span(n) FROM t GROUP BY kind ORDER BY kind");
    assert_true(lido_next(rows));
    assert_int_equal(lido_get_int64(rows, 1), 7);
    assert_true(lido_next(rows));
    assert_int_equal(lido_get_int64(rows, 1), 0);
    assert_true(lido_next(rows));
    assert_int_equal(lido_get(rows, 1).kind, LIDO_KIND_NULL);
    lido_rows_close(rows);
    assert_int_equal(lido_query_value(db, "SELECT span(n) FROM t WHERE kind = 'z'").kind, LIDO_KIND_NULL);
    finished = 0;
    expect_error(db, "SELECT span(kind) FROM t", LIDO_ERROR_OTHER, "span: not an integer");
    assert_int_equal(finished, 1);
    lido_session_close(db);
    lido_engine_close(engine);
}

static void on_connections_that_are_open(void **state) {
    lido_engine *engine = open_engine();
    lido_session *one = open_session(engine);
    lido_session *other = lido_session_open(engine, NULL);
    (void)state;
    assert_int_equal(integer(other, "SELECT 1"), 1); /* has a connection, and keeps it */
    assert_int_equal(integer(one, "SELECT 1"), 1);
    add(engine, &twice_function);
    assert_int_equal(integer(one, "SELECT twice(1)"), 2);
    assert_int_equal(integer(other, "SELECT twice(2)"), 4);
    add(engine, &give_function);
    assert_int_equal(integer(other, "SELECT give(1)"), 1);
    assert_int_equal(integer(one, "SELECT give(1) + twice(1)"), 3);
    lido_session_close(other);
    lido_session_close(one);
    lido_engine_close(engine);
}

static void instead_of_one_that_is_there(void **state) {
    lido_engine *engine = open_engine();
    lido_session *db = open_session(engine);
    lido_function mine = twice_function;
    (void)state;
    assert_int_equal(integer(db, "SELECT abs(-4)"), 4);
    mine.name = "ABS";
    add(engine, &mine);
    assert_int_equal(integer(db, "SELECT abs(-4)"), -8);
    lido_session_close(db);
    lido_engine_close(engine);
}

static void count_call(void *user) {
    ++*(int *)user;
}

static void done_is_called_at_the_end(void **state) {
    int calls = 0;
    lido_engine *engine = open_engine();
    lido_session *db = open_session(engine);
    lido_function function = twice_function;
    (void)state;
    function.user = &calls;
    function.done = count_call;
    add(engine, &function);
    assert_int_equal(lido_function_add(engine, &function, NULL), LIDO_ERROR);
    assert_int_equal(integer(db, "SELECT twice(1)"), 2);
    lido_engine_close(engine);
    assert_int_equal(calls, 0); /* the session is open */
    lido_session_close(db);
    assert_int_equal(calls, 1);
}

static void what_cannot_be_added(void **state) {
    lido_engine *engine = open_engine();
    char name[300];
    (void)state;
    memset(name, 'a', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    const lido_function wrong[] = {
        {.scalar = twice},
        {.name = "", .scalar = twice},
        {.name = name, .scalar = twice},
        {.name = "f"},
        {.name = "f", .scalar = twice, .step = span_step, .finish = span_finish},
        {.name = "f", .step = span_step},
        {.name = "f", .finish = span_finish},
        {.name = "f", .least = -1, .scalar = twice},
        {.name = "f", .least = 2, .most = 1, .scalar = twice},
        {.name = "f", .most = 128, .scalar = twice},
        {.name = "f", .most = -2, .scalar = twice},
        {.name = "f", .step = span_step, .finish = span_finish, .state_size = SIZE_MAX},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        lido_error error;
        assert_int_equal(lido_function_add(engine, &wrong[i], &error), LIDO_ERROR);
        assert_int_equal(error.category, LIDO_ERROR_MISUSE);
        assert_string_equal(error.doing, "adding a function");
    }
    assert_int_equal(lido_function_add(NULL, &twice_function, NULL), LIDO_ERROR);
    assert_int_equal(lido_function_add(engine, NULL, NULL), LIDO_ERROR);
    lido_engine_close(engine);
}

static void on_postgresql_they_live_in_the_server(void **state) {
    lido_error error;
    lido_engine *engine = lido_engine_open("postgresql://nobody@127.0.0.1:1/none", NULL, NULL);
    (void)state;
    assert_int_equal(lido_function_add(engine, &twice_function, &error), LIDO_ERROR);
    assert_int_equal(error.category, LIDO_ERROR_MISUSE);
    assert_non_null(strstr(error.message, "twice"));
    assert_non_null(strstr(error.hint, "CREATE FUNCTION"));
    lido_engine_close(engine);
}

static void in_a_child(void **state) {
    int status = 1;
    char path[64];
    char url[80];
    (void)state;
#ifdef __SANITIZE_THREAD__
    skip(); /* it does not allow a child to start threads, and the pool starts one */
#endif
    snprintf(path, sizeof path, "/tmp/lido-own-functions-%d.db", (int)getpid());
    snprintf(url, sizeof url, "sqlite:///%s", path);
    lido_engine *engine = lido_engine_open(url, NULL, NULL);
    lido_session *db = open_session(engine);
    add(engine, &twice_function);
    assert_int_equal(integer(db, "SELECT twice(1)"), 2);
    pid_t child = fork();
    if (child == 0) {
        lido_session *own = open_session(engine);
        _exit(lido_query_value(own, "SELECT twice(4)").as.integer == 8 ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    lido_session_close(db);
    lido_engine_close(engine);
    unlink(path);
}

/* ---- Threads ---- */

enum { THREADS = 4, ADDED = 40 };

static void *use_functions(void *engine) {
    lido_session *db = open_session(engine);
    int64_t sum = 0;
    for (int i = 0; i < 300; i++)
        sum += lido_query_value(db, "SELECT twice(?)", i).as.integer;
    bool right = !lido_failed(db) && sum == 2 * 299 * 300 / 2;
    lido_session_close(db);
    return right ? engine : NULL;
}

static void added_while_threads_run(void **state) {
    pthread_t threads[THREADS];
    lido_engine *engine = open_engine();
    (void)state;
    add(engine, &twice_function);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, use_functions, engine), 0);
    for (int i = 0; i < ADDED; i++) {
        char name[16];
        lido_function function = twice_function;
        snprintf(name, sizeof name, "twice%d", i);
        function.name = name;
        add(engine, &function);
    }
    for (int i = 0; i < THREADS; i++) {
        void *right;
        pthread_join(threads[i], &right);
        assert_non_null(right);
    }
    lido_session *db = open_session(engine);
    assert_int_equal(integer(db, "SELECT twice39(5)"), 10);
    lido_session_close(db);
    lido_engine_close(engine);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_scalar),
        cmocka_unit_test(errors_of_functions),
        cmocka_unit_test(an_error_sticks_in_a_transaction),
        cmocka_unit_test(values_of_every_kind),
        cmocka_unit_test(any_number_of_arguments),
        cmocka_unit_test(an_aggregate),
        cmocka_unit_test(on_connections_that_are_open),
        cmocka_unit_test(instead_of_one_that_is_there),
        cmocka_unit_test(done_is_called_at_the_end),
        cmocka_unit_test(what_cannot_be_added),
        cmocka_unit_test(on_postgresql_they_live_in_the_server),
        cmocka_unit_test(in_a_child),
        cmocka_unit_test(added_while_threads_run),
    };
    return cmocka_run_group_tests_name("own_functions", tests, NULL, NULL);
}
