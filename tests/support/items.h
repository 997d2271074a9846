/* What most scenarios begin with: a table of items, and telling what is in it. */
#ifndef TESTS_SUPPORT_ITEMS_H
#define TESTS_SUPPORT_ITEMS_H

#include "support/scenario.h"

#include <stdio.h>
#include <string.h>

#define ITEMS_TABLE "CREATE TABLE items (id integer PRIMARY KEY, name text)"

/* Begins a statement that has the numbers from 1 to `most` in the table `numbers`. */
#define NUMBERS(most) \
    "WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < " #most ") "

static inline lido_session *open_autocommit(lido_engine *engine) {
    return lido_session_open(engine, &(lido_session_options){.autocommit = true});
}

/* The table, empty. */
static inline void make_items(lido_engine *engine) {
    lido_session *db = open_autocommit(engine);
    lido_exec(db, ITEMS_TABLE);
    assert_int_equal(lido_session_close(db), LIDO_OK);
}

/* A session in whose transaction the table is made, with three items; the third one's name may be NULL. */
static inline lido_session *open_with_items(lido_engine *engine, const char *third) {
    lido_session *db = lido_session_open(engine, NULL);
    lido_exec(db, ITEMS_TABLE);
    lido_exec(db, "INSERT INTO items VALUES (1, 'lamp'), (2, 'chair'), (3, ?)", third);
    return db;
}

static inline void insert(lido_session *db, int id) {
    lido_exec(db, "INSERT INTO items VALUES (?, 'lamp')", id);
}

static inline void send_insert(lido_session *db, int id) {
    lido_send(db, "INSERT INTO items VALUES (?, 'lamp')", id);
}

static inline int count_items(lido_session *db) {
    return (int)lido_query_value(db, "SELECT count(*) FROM items").as.integer;
}

/* Which items there are, as the session sees it: "when: 1 2". */
static inline void saw_items_in(lido_session *db, const char *when) {
    char line[200] = "";
    lido_rows *rows = lido_query(db, "SELECT id FROM items ORDER BY id");
    int id;
    while (lido_next(rows) && lido_scan(rows, &id))
        snprintf(line + strlen(line), sizeof line - strlen(line), " %d", id);
    saw("%s:%s", when, line);
    lido_rows_close(rows);
}

/* The same, as anybody else sees it: "stands: 1 2". */
static inline void saw_items(lido_engine *engine) {
    lido_session *db = lido_session_open(engine, &(lido_session_options){.read_only = true});
    saw_items_in(db, "stands");
    assert_int_equal(lido_commit(db), LIDO_OK);
    lido_session_close(db);
}

/* "transaction: ok" */
static inline void saw_status(const char *whose, lido_status status) {
    saw("%s: %s", whose, lido_status_name(status));
}

/* The next row's first column, or "none". */
static inline const char *next_text(lido_rows *rows) {
    return lido_next(rows) ? lido_get_text(rows, 0) : "none";
}

/* An engine that has one connection, so that one which is lost shows, and does not wait long for it. */
static inline lido_engine *engine_with_one_connection(void) {
    lido_options options = LIDO_OPTIONS_INIT;
    options.pool_size = 1;
    options.max_overflow = 0;
    options.pool_timeout_ms = 100;
    return scenario_engine(&options);
}

#endif
