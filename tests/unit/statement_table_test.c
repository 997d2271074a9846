/* The table of statements, where several write to it at once, and where one died over it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <pthread.h>
#include <cmocka.h>

#include "core/metrics.h"

enum { TEXTS = 40, THREADS = 4, EACH = 20000 };

static lido__statement_table *tables[3];
static lido__sql *texts[TEXTS];

static lido__sql *read_sql(const char *text) {
    size_t size;
    uint64_t hash = lido__sql_hash(text, &size);
    lido__sql *sql = lido__sql_new(text, size, hash, LIDO__SQLITE, NULL);
    assert_non_null(sql);
    return sql;
}

static int begin(void **state) {
    (void)state;
    for (int i = 0; i < 3; i++)
        assert_non_null(tables[i] = calloc(1, sizeof *tables[i]));
    for (int i = 0; i < TEXTS; i++) {
        char text[40];
        snprintf(text, sizeof text, "SELECT a%d", i);
        texts[i] = read_sql(text);
    }
    return 0;
}

static int end(void **state) {
    (void)state;
    for (int i = 0; i < 3; i++)
        free(tables[i]);
    for (int i = 0; i < TEXTS; i++)
        lido__sql_free(texts[i]);
    return 0;
}

static size_t read_tables(size_t count, lido_statement_stats *statements, size_t capacity) {
    const lido__statement_table *all[] = {tables[0], tables[1], tables[2]};
    return lido__statement_tables_read(all, count, statements, capacity);
}

static void *record_many(void *argument) {
    for (int i = 0; i < EACH; i++)
        lido__statement_table_record(argument, texts[i % TEXTS], 1000, 1);
    return NULL;
}

static void threads_that_claim_at_once_lose_nothing(void **state) {
    (void)state;
    static lido_statement_stats statements[TEXTS + 1];
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, record_many, tables[0]), 0);
    for (int i = 0; i < 100; i++) { /* while they write */
        size_t count = read_tables(1, statements, TEXTS + 1);
        assert_true(count <= TEXTS);
        for (size_t j = 0; j < count; j++)
            assert_memory_equal(statements[j].text, "SELECT a", 8);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(read_tables(1, statements, TEXTS + 1), TEXTS);
    for (int i = 0; i < TEXTS; i++)
        assert_int_equal(statements[i].count, THREADS * EACH / TEXTS);
}

/* One for each worker that there was. */
static void several_are_read_as_one(void **state) {
    (void)state;
    lido_statement_stats statements[4];
    lido__statement_table_record(tables[0], texts[0], 1000, 1);
    lido__statement_table_record(tables[1], texts[0], 9000, 16);
    lido__statement_table_record(tables[1], texts[1], 100000, 1);
    lido__statement_table_record(tables[2], texts[2], 50, 1);
    lido__statement_table_failed(tables[2], texts[0]);
    lido__statement_table_count(tables[2], texts[0]);
    assert_int_equal(read_tables(3, statements, 4), 3);
    assert_string_equal(statements[0].text, "SELECT a0");
    assert_int_equal(statements[0].count, 18);
    assert_int_equal(statements[0].failed, 1);
    assert_int_equal(statements[0].took.count, 17);
    assert_true(statements[0].total_us == 1 + 16 * 9);
    assert_true(statements[0].took.longest_us == 9);
    assert_string_equal(statements[1].text, "SELECT a1");
    assert_string_equal(statements[2].text, "SELECT a2");
    assert_int_equal(read_tables(3, statements, 2), 2);
    assert_int_equal(read_tables(0, statements, 4), 0);
}

/* Its place was taken, and its text not written, when the process was killed: the next one does that. */
static void what_was_left_half_done_is_done(void **state) {
    (void)state;
    lido_statement_stats statements[4];
    size_t place = texts[0]->fingerprint % LIDO__STATEMENT_PLACES;
    atomic_store(&tables[0]->fingerprints[place], texts[0]->fingerprint);
    assert_int_equal(read_tables(1, statements, 4), 0);
    lido__statement_table_record(tables[0], texts[0], 1000, 1);
    assert_int_equal(read_tables(1, statements, 4), 1);
    assert_string_equal(statements[0].text, "SELECT a0");
}

static void a_kind_of_its_own_for_each(void **state) {
    (void)state;
    static const struct {
        const char *text;
        lido_statement_kind kind;
    } kinds[] = {{"VALUES (1)", LIDO_STATEMENT_READ},
                 {"DELETE FROM a", LIDO_STATEMENT_WRITE},
                 {"SAVEPOINT a", LIDO_STATEMENT_OTHER},
                 {"", LIDO_STATEMENT_OTHER}};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        lido_statement_stats statement;
        lido__sql *sql = read_sql(kinds[i].text);
        lido__statement_table_clear(tables[0]);
        assert_int_equal(read_tables(1, &statement, 1), 0);
        lido__statement_table_record(tables[0], sql, 1000, 1);
        assert_int_equal(read_tables(1, &statement, 1), 1);
        assert_int_equal(statement.kind, kinds[i].kind);
        assert_int_equal(statement.fingerprint, sql->fingerprint);
        lido__sql_free(sql);
    }
    assert_string_equal(lido_statement_kind_name(LIDO_STATEMENT_WRITE), "write");
    assert_string_equal(lido_statement_kind_name((lido_statement_kind)3), "not a kind");
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, begin, end)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(threads_that_claim_at_once_lose_nothing),
        TEST(several_are_read_as_one),
        TEST(what_was_left_half_done_is_done),
        TEST(a_kind_of_its_own_for_each),
    };
    return cmocka_run_group_tests_name("statement table", tests, NULL, NULL);
}
