/* Memory that runs out at the first allocation, at the second, and so on until a story is told to its end without
 * noticing: libpq's, SQLite's and libc's own allocations count like ours.
 *
 * Whatever fails, nothing crashes or leaks, the outcome is told truthfully, the database holds all of the transaction
 * or nothing, and the same engine serves the next session. */
#include "short_stories.h"

static void tell_in_every_way(const char *url, bool from_opening) {
    static int64_t runs;
    const story *const stories[] = {&transaction, &statements, &bulk, &objects};
    for (int i = 0; i < 8; i++, runs += 1000000)
        tell_until_nothing_fails((telling){
            .url = url, .story = stories[i / 2], .ever_after = i % 2 != 0, .from_opening = from_opening, .run = runs});
}

static const char *prepared_file(void) {
    const char *url = file_url("steps.db?synchronous=off");
    lido_engine *engine = open_surely(url, NULL);
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
