/* Rows that were read all at once: how long they live, what they say of their columns, and what happens when they are
 * read wrongly. */
#include "support/items.h"

/* ---- How long they live ---- */

static void story_of_several_results(lido_engine *engine) {
    lido_session *db = open_with_items(engine, "bed");
    lido_rows *up = lido_query(db, "SELECT name FROM items ORDER BY id");
    lido_rows *down = lido_query(db, "SELECT name FROM items ORDER BY id DESC");
    lido_rows *same = lido_query(db, "SELECT name FROM items ORDER BY id");
    for (int i = 0; i < 3; i++) {
        const char *first = next_text(up);
        const char *second = next_text(down);
        lido_exec(db, "UPDATE items SET name = name || '!'");
        saw("%s %s", first, second);
    }
    saw("%s", next_text(same)); /* as it was when it was asked for */
    lido_rows_close(up);
    lido_rows_close(same);
    saw("%s", next_text(down));
    saw("%s", lido_status_name(lido_commit(db)));
    lido_session_close(db);
}

static void story_of_rows_that_outlive_their_transaction(lido_engine *engine) {
    lido_session *db = open_with_items(engine, "bed");
    lido_rows *rows = lido_query(db, "SELECT name FROM items ORDER BY id");
    const char *lamp = next_text(rows);
    saw("%s", lido_status_name(lido_commit(db)));
    const char *chair = next_text(rows);
    lido_exec(db, "DELETE FROM items");
    lido_rollback(db);
    const char *bed = next_text(rows);
    lido_exec(db, "DROP TABLE items");
    saw("%s", lido_status_name(lido_commit(db)));
    saw("%s %s %s %s", lamp, chair, bed, next_text(rows));
    lido_session_close(db);
}

static void story_of_rows_closed_early(lido_engine *engine) {
    lido_session *db = open_with_items(engine, "bed");
    size_t at_start = 0;
    for (int i = 0; i < 2000; i++) {
        lido_rows *closed = lido_query(db, "SELECT name, id FROM items");
        lido_next(closed);
        lido_rows_close(closed);
        if (i == 100)
            at_start = scenario_allocated();
    }
    /* 35 bytes each time would be more; a thread that helps a task for the first time takes a few KiB for itself. */
    saw("more than 64 KiB were kept: %d", scenario_allocated() > at_start + 64 * 1024);
    lido_rows *first = lido_query(db, "SELECT name FROM items WHERE id = 1");
    lido_rows_close(lido_query(db, "SELECT id FROM items"));
    lido_rows *second = lido_query(db, "SELECT name FROM items WHERE id = 2");
    saw("%s", next_text(first));
    saw("%s", next_text(second));
    lido_session_close(db);
}

static void story_of_a_large_result(lido_engine *engine) {
    lido_session *db = lido_session_open(engine, NULL);
    lido_rows *rows = lido_query(db, NUMBERS(200000) "SELECT n, 'row ' || n FROM numbers");
    int64_t sum = 0;
    int64_t n;
    const char *text = "";
    while (lido_next(rows) && lido_scan(rows, &n, &text))
        sum += n;
    saw("%d rows, sum %lld, last \"%s\"", (int)lido_row_count(rows), (long long)sum, text);
    lido_session_close(db);
}

/* ---- What they say, and what they do not ---- */

static void story_of_columns(lido_engine *engine) {
    lido_session *db = open_with_items(engine, "bed");
    lido_rows *rows =
        lido_query(db, "SELECT id AS number, name, name AS \"Full Name\", 7 AS number FROM items WHERE id = 2");
    saw("%zu columns, %d rows", lido_column_count(rows), (int)lido_row_count(rows));
    for (size_t i = 0; i < 4; i++)
        saw("%s", lido_column_name(rows, i));
    saw("none: %d", lido_column_name(rows, 4) == NULL && lido_column_name(rows, SIZE_MAX) == NULL);
    saw("%zu %zu %zu", lido_column(rows, "number"), lido_column(rows, "name"), lido_column(rows, "Full Name"));
    lido_next(rows);
    saw("%s %d", lido_get_text(rows, lido_column(rows, "name")),
        (int)lido_get_int64(rows, lido_column(rows, "number")));
    saw("%d", (int)lido_get_int64(rows, 3));
    saw("failed: %d", lido_failed(db));
    rows = lido_query(db, "SELECT name FROM items WHERE id > 9");
    saw("%zu columns, %d rows, \"%s\"", lido_column_count(rows), (int)lido_row_count(rows), lido_column_name(rows, 0));
    lido_session_close(db);
}

/* PostgreSQL has rows without columns. */
static void story_of_no_columns(lido_engine *engine) {
    if (!scenario_is_postgres())
        return;
    lido_session *db = open_with_items(engine, "bed");
    for (int i = 0; i < 3; i++) {
        lido_rows *rows = i < 2 ? lido_query(db, "SELECT FROM items") : lido_stream(db, "SELECT FROM items");
        assert_int_equal(lido_column_count(rows), 0);
        assert_int_equal(lido_row_count(rows), i < 2 ? 3 : -1);
        assert_true(lido_next(rows) && lido_next(rows) && lido_next(rows));
        assert_false(lido_next(rows));
        assert_false(lido_failed(db));
    }
    lido_session_close(db);
}

static void story_of_rows_read_wrongly(lido_engine *engine) {
    lido_session *db = open_with_items(engine, "bed");
    lido_rows *rows = lido_query(db, "SELECT id, name FROM items WHERE id = 1");
    int id;
    int more;
    SAW_REFUSAL(db, lido_get(rows, 0));
    SAW_REFUSAL(db, lido_scan(rows, &id, &more));
    saw("%d", lido_next(rows));
    SAW_REFUSAL(db, lido_get_int64(rows, 2));
    SAW_REFUSAL(db, lido_is_null(rows, 2));
    SAW_REFUSAL(db, lido_get_text(rows, lido_column(rows, "nam")));
    SAW_REFUSAL(db, lido_column(rows, "NAME"));
    SAW_REFUSAL(db, lido_scan(rows, &id));
    SAW_REFUSAL(db, lido_scan(rows, &id, &more, &more));
    SAW_REFUSAL(db, lido_scan(rows, &id, &more));
    saw("%s %d", lido_get_text(rows, 1), (int)lido_get_int64(rows, 0));
    saw("%d", lido_next(rows) || lido_next(rows) || lido_next(rows));
    saw("failed: %d", lido_failed(db));
    SAW_REFUSAL(db, lido_get_bool(rows, 0));
    saw("%s", lido_status_name(lido_commit(db)));
    lido_session_close(db);
}

static void story_of_rows_that_are_not_there(lido_engine *engine) {
    lido_session *db = open_with_items(engine, "bed");
    lido_rows *rows = lido_query(db, "SELECT * FROM no_such_table");
    int id = 7;
    saw("%d %d", rows == NULL, lido_next(rows));
    saw("%d %d", lido_scan(rows, &id), id);
    saw("%d %d %zu", (int)lido_row_count(rows), (int)lido_affected(rows), lido_column_count(rows));
    saw("%d %d", lido_column(rows, "id") == SIZE_MAX, lido_column_name(rows, 0) == NULL);
    saw("%d %d %d", lido_get_bool(rows, 0), (int)lido_get_int64(rows, 0), (int)lido_get_double(rows, 0));
    saw("%d %d", lido_get_text(rows, 0) == NULL, lido_get_blob(rows, 0).data == NULL);
    saw("%d %d", lido_get_uuid(rows, 0).bytes[0], (int)lido_get_time(rows, 0).microseconds);
    saw("%d %d", lido_get(rows, 0).kind == LIDO_KIND_NULL, lido_is_null(rows, 0));
    lido_rows_close(rows);
    saw_error(db);
    lido_session_close(db);
}

/* A loop over rows ends when something in it fails. */
static void story_of_a_loop_that_fails(lido_engine *engine) {
    lido_session *db = open_with_items(engine, "bed");
    lido_rows *rows = lido_query(db, "SELECT id FROM items ORDER BY id");
    int turns = 0;
    while (lido_next(rows)) {
        turns++;
        lido_exec(db, "INSERT INTO items (id) VALUES (?)", lido_get(rows, 0));
    }
    saw("%d turns", turns);
    saw_error(db);
    saw("%s", lido_status_name(lido_commit(db)));
    lido_session_close(db);
}

int main(void) {
    const scenario scenarios[] = {
        {"several results at once", story_of_several_results,
         "lamp bed\n"
         "chair chair\n"
         "bed lamp\n"
         "lamp\n"
         "none\n"
         "ok\n"},
        {"rows that outlive their transaction", story_of_rows_that_outlive_their_transaction,
         "ok\n"
         "ok\n"
         "lamp chair bed none\n"},
        {"rows closed early", story_of_rows_closed_early,
         "more than 64 KiB were kept: 0\n"
         "lamp\n"
         "chair\n"},
        {"a large result", story_of_a_large_result, "200000 rows, sum 20000100000, last \"row 200000\"\n"},
        {"columns", story_of_columns,
         "4 columns, 1 rows\n"
         "number\n"
         "name\n"
         "Full Name\n"
         "number\n"
         "none: 1\n"
         "0 1 2\n"
         "chair 2\n"
         "7\n"
         "failed: 0\n"
         "1 columns, 0 rows, \"name\"\n"},
        {"no columns", story_of_no_columns, ""},
        {"rows read wrongly", story_of_rows_read_wrongly,
         "misuse: there is no current row: call lido_next first, and heed its answer\n"
         "misuse: there is no current row: call lido_next first, and heed its answer\n"
         "1\n"
         "misuse: there is no column 2: the rows have 2\n"
         "misuse: there is no column 2: the rows have 2\n"
         "misuse: there is no column \"nam\" among: id, name\n"
         "misuse: there is no column \"NAME\" among: id, name\n"
         "misuse: the rows have 2 columns and lido_scan got 1 targets\n"
         "misuse: the rows have 2 columns and lido_scan got 3 targets\n"
         "type mismatch: column 1 (name) cannot be read as an int: it is not a number\n"
         "lamp 1\n"
         "0\n"
         "failed: 0\n"
         "misuse: there is no current row: call lido_next first, and heed its answer\n"
         "ok\n"},
        {"rows that are not there", story_of_rows_that_are_not_there,
         "1 0\n"
         "0 7\n"
         "0 0 0\n"
         "1 1\n"
         "0 0 0\n"
         "1 1\n"
         "0 0\n"
         "1 1\n"
         "syntax error or unknown name\n"},
        {"a loop that fails", story_of_a_loop_that_fails,
         "1 turns\n"
         "unique violation\n"
         "rolled back\n"},
    };
    return scenarios_run("rows", scenarios, sizeof scenarios / sizeof scenarios[0]);
}
