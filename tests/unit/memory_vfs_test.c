/* An in-memory database as SQLite sees it: its files and names, what becomes of other files, and its locks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "backend/sqlite/memory_vfs.h"

static lido__memory_database *database;
static sqlite3 *one;
static sqlite3 *other;

/* ---- Helpers ---- */

static sqlite3 *connect_to(const lido__memory_database *to) {
    sqlite3 *handle = NULL;
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
    assert_int_equal(sqlite3_open_v2(LIDO__MEMORY_NAME, &handle, flags, to->name), SQLITE_OK);
    return handle;
}

static void run(sqlite3 *handle, const char *sql) {
    char *message = NULL;
    if (sqlite3_exec(handle, sql, NULL, NULL, &message) != SQLITE_OK)
        fail_msg("%s: %s", sql, message);
}

static void refuse(sqlite3 *handle, const char *sql, int code) {
    int found = sqlite3_exec(handle, sql, NULL, NULL, NULL);
    if (found != code)
        fail_msg("%s: %s instead of %s", sql, sqlite3_errstr(found), sqlite3_errstr(code));
}

/* The first column of the first row, as text. */
static const char *ask(sqlite3 *handle, const char *sql) {
    static char answer[200];
    sqlite3_stmt *statement = NULL;
    if (sqlite3_prepare_v2(handle, sql, -1, &statement, NULL) != SQLITE_OK || sqlite3_step(statement) != SQLITE_ROW)
        fail_msg("%s: %s", sql, sqlite3_errmsg(handle));
    snprintf(answer, sizeof answer, "%s", (const char *)sqlite3_column_text(statement, 0));
    sqlite3_finalize(statement);
    return answer;
}

static int set_up(void **state) {
    (void)state;
    database = lido__memory_database_new();
    assert_non_null(database);
    one = connect_to(database);
    run(one, "PRAGMA journal_mode = wal; CREATE TABLE items (id integer PRIMARY KEY, name text)");
    other = connect_to(database);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    assert_int_equal(sqlite3_close(one), SQLITE_OK);
    assert_int_equal(sqlite3_close(other), SQLITE_OK);
    lido__memory_database_free(database);
    return 0;
}

static void insert_many(sqlite3 *handle, int count) {
    char sql[200];
    snprintf(sql, sizeof sql,
             "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d) "
             "INSERT INTO items (name) SELECT printf('item %%d %%.*c', i, 200, 'x') FROM n",
             count);
    run(handle, sql);
}

/* ---- The database ---- */

static void every_connection_is_in_wal_mode(void **state) {
    (void)state;
    assert_string_equal(ask(one, "PRAGMA journal_mode"), "wal");
    assert_string_equal(ask(other, "PRAGMA journal_mode"), "wal");
    run(one, "INSERT INTO items VALUES (1, 'lamp')");
    assert_string_equal(ask(other, "SELECT name FROM items"), "lamp");
}

static void none_leaves_it_while_another_is_there(void **state) {
    (void)state;
    run(other, "SELECT * FROM items");
    refuse(one, "PRAGMA journal_mode = delete", SQLITE_BUSY);
    assert_string_equal(ask(one, "PRAGMA journal_mode"), "wal");
    refuse(one, "PRAGMA locking_mode = exclusive; INSERT INTO items VALUES (1, 'lamp')", SQLITE_BUSY);
    run(one, "PRAGMA locking_mode = normal; SELECT * FROM items");
    run(other, "INSERT INTO items VALUES (1, 'lamp')");
}

/* Alone it may, as with a file. */
static void the_only_one_may(void **state) {
    (void)state;
    sqlite3_close(other);
    insert_many(one, 1000);
    assert_string_equal(ask(one, "PRAGMA journal_mode = delete"), "delete");
    assert_false(atomic_load(&database->has_log));
    insert_many(one, 1000);
    assert_string_equal(ask(one, "PRAGMA journal_mode = wal"), "wal");
    other = connect_to(database);
    assert_string_equal(ask(other, "SELECT count(*) FROM items"), "2000");
    assert_string_equal(ask(other, "PRAGMA integrity_check"), "ok");
}

static void it_outlives_its_connections(void **state) {
    (void)state;
    insert_many(one, 1000);
    sqlite3_close(one);
    sqlite3_close(other);
    assert_int_equal(lido__memory_file_size(&database->log), 0);
    one = connect_to(database);
    other = connect_to(database);
    assert_string_equal(ask(other, "SELECT count(*) FROM items"), "1000");
}

static void two_databases_are_two(void **state) {
    (void)state;
    lido__memory_database *second = lido__memory_database_new();
    assert_non_null(second);
    sqlite3 *connection = connect_to(second);
    assert_string_equal(ask(connection, "SELECT count(*) FROM sqlite_schema"), "0");
    run(connection, "CREATE TABLE items (other integer)");
    assert_string_equal(ask(one, "SELECT count(name) FROM items"), "0");
    sqlite3_close(connection);
    lido__memory_database_free(second);
}

static void a_program_that_names_no_vfs_gets_a_file_system(void **state) {
    (void)state;
    assert_string_not_equal(sqlite3_vfs_find(NULL)->zName, database->name);
}

/* ---- Size ---- */

static void big_values_come_back_whole(void **state) {
    (void)state;
    run(one, "INSERT INTO items VALUES (1, zeroblob(20000000))");
    assert_string_equal(ask(other, "SELECT length(name) FROM items"), "20000000");
    assert_string_equal(ask(other, "SELECT name = zeroblob(20000000) FROM items"), "1");
}

static void vacuum_gives_memory_back(void **state) {
    (void)state;
    insert_many(one, 20000);
    run(one, "PRAGMA wal_checkpoint(truncate)");
    size_t full = database->main.chunks;
    run(one, "DELETE FROM items WHERE id > 10; VACUUM; PRAGMA wal_checkpoint(truncate)");
    assert_true(full > 50);
    assert_true(database->main.chunks < 3);
    assert_int_equal(database->log.chunks, 0);
    assert_string_equal(ask(other, "SELECT count(*) FROM items"), "10");
    assert_string_equal(ask(other, "PRAGMA integrity_check"), "ok");
}

static void sorting_needs_more_than_the_cache(void **state) {
    (void)state;
    insert_many(one, 30000);
    run(other, "PRAGMA cache_size = 10");
    assert_string_equal(ask(other, "SELECT name FROM items ORDER BY name DESC, random() LIMIT 1 OFFSET 29999") + 5,
                        ask(one, "SELECT min(name) FROM items") + 5);
    run(other, "CREATE INDEX items_by_name ON items (name)");
    assert_string_equal(ask(one, "PRAGMA integrity_check"), "ok");
}

static void temporary_tables_are_the_connections_own(void **state) {
    (void)state;
    insert_many(one, 10000);
    run(one, "PRAGMA cache_size = 10; CREATE TEMP TABLE copies AS SELECT * FROM items; PRAGMA temp.cache_size = 10;"
             "BEGIN; UPDATE copies SET name = 'y' || name; ROLLBACK");
    assert_string_equal(ask(one, "SELECT count(*) FROM copies WHERE name LIKE 'item%'"), "10000");
    refuse(other, "SELECT * FROM copies", SQLITE_ERROR);
}

static void a_transaction_larger_than_the_cache_rolls_back(void **state) {
    (void)state;
    insert_many(one, 10000);
    run(one,
        "PRAGMA cache_size = 10; BEGIN; UPDATE items SET name = 'y'; SAVEPOINT s; DELETE FROM items; ROLLBACK TO s");
    assert_string_equal(ask(one, "SELECT count(*) FROM items WHERE name = 'y'"), "10000");
    run(one, "ROLLBACK");
    assert_string_equal(ask(other, "SELECT count(*) FROM items WHERE name LIKE 'item%'"), "10000");
    assert_string_equal(ask(other, "PRAGMA integrity_check"), "ok");
}

/* ---- Other files ---- */

static char path[64];

static int set_up_with_path(void **state) {
    snprintf(path, sizeof path, "/tmp/lido-memory-vfs-%d.db", (int)getpid());
    return set_up(state);
}

static int tear_down_with_path(void **state) {
    char journal[80];
    snprintf(journal, sizeof journal, "%s-journal", path);
    unlink(path);
    unlink(journal);
    return tear_down(state);
}

static void run_with_path(sqlite3 *handle, const char *format) {
    char sql[200];
    snprintf(sql, sizeof sql, format, path);
    run(handle, sql);
}

static void it_can_be_saved_to_a_file_and_read_from_it(void **state) {
    (void)state;
    sqlite3 *file = NULL;
    insert_many(one, 100);
    run_with_path(other, "VACUUM INTO '%s'");
    assert_int_equal(sqlite3_open(path, &file), SQLITE_OK);
    assert_string_equal(ask(file, "SELECT count(*) FROM items"), "100");
    run(file, "DELETE FROM items WHERE id > 5");
    sqlite3_close(file);
    run_with_path(one,
                  "ATTACH '%s' AS file; DELETE FROM items; INSERT INTO items SELECT * FROM file.items; DETACH file");
    assert_string_equal(ask(other, "SELECT count(*) FROM items"), "5");
}

static void attached_to_itself_it_is_the_same_database(void **state) {
    (void)state;
    insert_many(one, 3);
    run(other, "ATTACH '" LIDO__MEMORY_NAME "' AS again");
    assert_string_equal(ask(other, "SELECT count(*) FROM again.items"), "3");
    refuse(other, "BEGIN; DELETE FROM main.items; DELETE FROM again.items", SQLITE_BUSY);
    run(other, "ROLLBACK; DETACH again");
    assert_string_equal(ask(one, "SELECT count(*) FROM items"), "3");
}

/* What would make them one after a crash would be gone after the crash. */
static void two_attached_files_are_not_written_in_one_transaction(void **state) {
    (void)state;
    char second[80];
    snprintf(second, sizeof second, "%s-journal", path); /* removed with the other one */
    run_with_path(one, "ATTACH '%s' AS first; CREATE TABLE first.a (id integer)");
    run_with_path(one, "ATTACH '%s-two' AS second; CREATE TABLE second.b (id integer)");
    refuse(one, "BEGIN; INSERT INTO a VALUES (1); INSERT INTO b VALUES (1); COMMIT", SQLITE_CANTOPEN);
    if (sqlite3_get_autocommit(one) == 0)
        run(one, "ROLLBACK");
    run(one, "BEGIN; INSERT INTO a VALUES (1); INSERT INTO items VALUES (1, 'lamp'); COMMIT");
    assert_string_equal(ask(one, "SELECT count(*) || (SELECT count(*) FROM b) FROM a"), "10");
    run(one, "DETACH first; DETACH second");
    snprintf(second, sizeof second, "%s-two", path);
    unlink(second);
}

/* ---- Who waits for whom ---- */

static void a_reader_keeps_its_snapshot(void **state) {
    (void)state;
    insert_many(one, 10);
    run(other, "BEGIN");
    assert_string_equal(ask(other, "SELECT count(*) FROM items"), "10");
    run(one, "BEGIN; DELETE FROM items WHERE id = 1");
    assert_string_equal(ask(other, "SELECT count(*) FROM items"), "10");
    run(one, "COMMIT; PRAGMA wal_checkpoint; DELETE FROM items WHERE id = 2; PRAGMA wal_checkpoint");
    assert_string_equal(ask(other, "SELECT count(*) FROM items"), "10");
    refuse(other, "DELETE FROM items", SQLITE_BUSY); /* what it has read is out of date */
    assert_int_equal(sqlite3_extended_errcode(other), SQLITE_BUSY_SNAPSHOT);
    run(other, "COMMIT");
    assert_string_equal(ask(other, "SELECT count(*) FROM items"), "8");
}

static void there_is_one_writer_at_a_time(void **state) {
    (void)state;
    run(one, "BEGIN IMMEDIATE; INSERT INTO items VALUES (1, 'lamp')");
    refuse(other, "BEGIN IMMEDIATE", SQLITE_BUSY);
    refuse(other, "INSERT INTO items VALUES (2, 'chair')", SQLITE_BUSY);
    assert_string_equal(ask(other, "SELECT count(*) FROM items"), "0");
    run(one, "COMMIT");
    run(other, "INSERT INTO items VALUES (2, 'chair')");
}

static void a_connection_that_goes_leaves_no_lock(void **state) {
    (void)state;
    run(other, "BEGIN IMMEDIATE; INSERT INTO items VALUES (1, 'lamp'); SELECT * FROM items");
    sqlite3_close(other);
    other = connect_to(database);
    run(one, "INSERT INTO items VALUES (2, 'chair'); PRAGMA wal_checkpoint(truncate)");
    assert_int_equal(lido__memory_file_size(&database->log), 0);
    assert_string_equal(ask(other, "SELECT name FROM items"), "chair");
}

/* A reader that begins anew without a pause. */
static int go_on_reading(void *reader, int times) {
    if (times == 0)
        sqlite3_exec(reader, "COMMIT; BEGIN; SELECT count(*) FROM items", NULL, NULL, NULL);
    return times < 2;
}

static void a_checkpoint_waits_for_who_came_before_it(void **state) {
    (void)state;
    run(other, "BEGIN; SELECT * FROM items");
    run(one, "INSERT INTO items VALUES (1, 'lamp')");
    assert_string_equal(ask(one, "PRAGMA wal_checkpoint(full)"), "1");
    assert_string_equal(ask(other, "SELECT count(*) FROM items"), "0");
    sqlite3_busy_handler(one, go_on_reading, other);
    assert_string_equal(ask(one, "PRAGMA wal_checkpoint(full)"), "0");
    assert_string_equal(ask(other, "SELECT count(*) FROM items"), "1");
    assert_string_equal(ask(one, "PRAGMA wal_checkpoint(truncate)"), "0");
    assert_string_equal(ask(other, "SELECT count(*) FROM items"), "1");
    run(one, "INSERT INTO items VALUES (2, 'chair')");
    run(other, "COMMIT");
    assert_string_equal(ask(other, "SELECT count(*) FROM items"), "2");
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
#define WITH_PATH(test) cmocka_unit_test_setup_teardown(test, set_up_with_path, tear_down_with_path)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(every_connection_is_in_wal_mode),
        TEST(none_leaves_it_while_another_is_there),
        TEST(the_only_one_may),
        TEST(it_outlives_its_connections),
        TEST(two_databases_are_two),
        TEST(a_program_that_names_no_vfs_gets_a_file_system),
        TEST(big_values_come_back_whole),
        TEST(vacuum_gives_memory_back),
        TEST(sorting_needs_more_than_the_cache),
        TEST(temporary_tables_are_the_connections_own),
        TEST(a_transaction_larger_than_the_cache_rolls_back),
        WITH_PATH(it_can_be_saved_to_a_file_and_read_from_it),
        TEST(attached_to_itself_it_is_the_same_database),
        WITH_PATH(two_attached_files_are_not_written_in_one_transaction),
        TEST(a_reader_keeps_its_snapshot),
        TEST(there_is_one_writer_at_a_time),
        TEST(a_connection_that_goes_leaves_no_lock),
        TEST(a_checkpoint_waits_for_who_came_before_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
