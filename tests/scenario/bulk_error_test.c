/* Many rows among which one is wrong: what is said, of which row and column, and that nothing of the rest stays. */
#include "support/scenario.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { MANY = 1000, FEW = 10 };

static const char *const columns[] = {"id", "name", "price", "owner_id"};

static void make_tables(lido_engine *engine) {
    lido_error outcome;
    lido_transaction (db, engine, &outcome) {
        lido_exec(db, "CREATE TABLE owners (id bigint PRIMARY KEY)");
        lido_exec(db, "CREATE TABLE items (id integer PRIMARY KEY, name varchar(20) NOT NULL, price double precision"
                      " CONSTRAINT price_is_sane CHECK (price >= 0), owner_id bigint REFERENCES owners (id))");
        lido_exec(db, "INSERT INTO owners VALUES (1)");
    }
    if (outcome.status != LIDO_OK)
        lido_error_print(&outcome, stderr);
    assert_int_equal(outcome.status, LIDO_OK);
}

static lido_value values[4 * MANY];

static void fill(void) {
    for (int i = 0; i < MANY; i++) {
        values[4 * i] = lido_value_int64(i + 1);
        values[4 * i + 1] = lido_value_text("lamp");
        values[4 * i + 2] = lido_value_double(i);
        values[4 * i + 3] = lido_value_int64(1);
    }
}

static void saw_place(const lido_error *error) {
    bool column = error->column[0] != '\0' && error->category != LIDO_ERROR_UNIQUE; /* that only SQLite tells */
    saw("%s, row %d%s%s", lido_category_name(error->category), (int)error->row, column ? ", column " : "",
        column ? error->column : "");
}

/* Tries rows of which one has this in that column; then the table must be empty. */
static void saw_wrong_value(lido_engine *engine, int rows, int row, int column, lido_value wrong) {
    fill();
    values[4 * (row - 1) + column] = wrong;
    lido_session *db = lido_session_open(engine, &(lido_session_options){.autocommit = true});
    saw("inserted %d", (int)lido_insert_rows(db, "items", 4, columns, (size_t)rows, values));
    saw_place(lido_error_of(db));
    assert_int_equal(lido_query_value(db, "SELECT count(*) FROM items").as.integer, 0);
    lido_session_close(db);
}

static void saw_wrong_among_few_and_many(lido_engine *engine, int column, lido_value wrong) {
    saw_wrong_value(engine, FEW, 7, column, wrong);
    saw_wrong_value(engine, MANY, 1, column, wrong);
    saw_wrong_value(engine, MANY, 777, column, wrong);
}

/* ---- What the database refuses ---- */

static void story_of_a_duplicate_key(lido_engine *engine) {
    make_tables(engine);
    saw_wrong_among_few_and_many(engine, 0, lido_value_int64(9));
    fill();
    values[4 * 500] = lido_value_int64(2);
    lido_error outcome;
    lido_transaction (db, engine, &outcome)
        lido_insert_rows(db, "items", 4, columns, MANY, values);
    saw("row %d, %s, %s, table %s", (int)outcome.row, lido_status_name(outcome.status), outcome.sqlstate,
        outcome.table);
    saw("%s", scenario_is_postgres() ? outcome.constraint : "items_pkey");
    saw("begins with \"row 501: \": %d", strncmp(outcome.message, "row 501: ", 9) == 0);
    saw("%s", outcome.doing);
}

static void story_of_a_null(lido_engine *engine) {
    make_tables(engine);
    saw_wrong_among_few_and_many(engine, 1, lido_value_null());
}

static void story_of_a_check(lido_engine *engine) {
    make_tables(engine);
    saw_wrong_among_few_and_many(engine, 2, lido_value_double(-1));
    saw_wrong_value(engine, MANY, 5, 2, lido_value_double(-1));
}

/* PostgreSQL looks at references when all rows are in, and does not say which one lacks what it refers to. */
static void story_of_a_missing_reference(lido_engine *engine) {
    make_tables(engine);
    fill();
    for (int i = 0; i < 2; i++) {
        lido_session *db = lido_session_open(engine, &(lido_session_options){.autocommit = true});
        values[4 * 4 + 3] = lido_value_int64(2);
        lido_insert_rows(db, "items", 4, columns, i == 0 ? FEW : MANY, values);
        const lido_error *error = lido_error_of(db);
        saw_error(db);
        int row = scenario_is_postgres() && i == 1 ? 0 : 5;
        saw("as it should be: %d", (int)error->row == row);
        saw("%d items", (int)lido_query_value(db, "SELECT count(*) FROM items").as.integer);
        lido_session_close(db);
    }
}

/* What SQLite would store as it is, PostgreSQL refuses. */
static void story_of_a_wrong_type(lido_engine *engine) {
    static const struct {
        int column;
        lido_value value;
    } wrong[] = {{0, {.kind = LIDO_KIND_INT64, .as.integer = 3000000000}},
                 {0, {.kind = LIDO_KIND_DOUBLE, .as.real = 1.5}},
                 {0, {.kind = LIDO_KIND_TEXT, .as.text = "seven", .size = 5}},
                 {1, {.kind = LIDO_KIND_TEXT, .as.text = "longer than twenty letters", .size = 26}},
                 {2, {.kind = LIDO_KIND_TEXT, .as.text = "cheap", .size = 5}},
                 {2, {.kind = LIDO_KIND_BLOB, .as.blob = "abc", .size = 3}},
                 {3, {.kind = LIDO_KIND_UUID}}};
    make_tables(engine);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0] && scenario_is_postgres(); i++) {
        fill();
        values[4 * 776 + wrong[i].column] = wrong[i].value;
        lido_session *db = lido_session_open(engine, &(lido_session_options){.autocommit = true});
        lido_insert_rows(db, "items", 4, columns, MANY, values);
        const lido_error *error = lido_error_of(db);
        bool right = error->category == LIDO_ERROR_TYPE && error->row == 777 &&
                     strcmp(error->column, columns[wrong[i].column]) == 0;
        if (!right)
            lido_error_print(error, stderr);
        assert_true(right);
        lido_session_close(db);
    }
    saw("refused");
}

/* ---- What lido refuses ---- */

static void story_of_values_that_are_none(lido_engine *engine) {
    make_tables(engine);
    saw_wrong_among_few_and_many(engine, 1, lido_value_text_sized("a\0b", 3));
    saw_wrong_value(engine, MANY, 64, 1, lido_value_text("\xff"));
    saw_wrong_value(engine, MANY, 65, 1, lido_value_numeric((lido_numeric){"1.2.3"}));
    saw_wrong_value(engine, MANY, 1000, 0, lido_value_uint64(UINT64_MAX));
    saw_wrong_value(engine, MANY, 3, 0, (lido_value){.kind = (lido_kind)77});
    saw_wrong_value(engine, FEW, 3, 1, (lido_value){.kind = LIDO_KIND_TEXT, .size = SIZE_MAX / 2, .as.text = "a"});
    fill();
    values[4 * 99 + 1] = lido_value_text_sized("a\0b", 3);
    lido_session *db = lido_session_open(engine, NULL);
    lido_insert_rows(db, "items", 4, columns, MANY, values);
    saw("%s", lido_error_of(db)->message);
    saw("%s", lido_error_of(db)->statement[0] == 'I' ? "with its statement" : "");
    lido_session_close(db);
}

/* Of which nothing may be read, though they are looked at before it is known how many rows there are. */
static lido_supply give_pointer_to_nothing(void *argument, lido_value *row, const char **why) {
    int *given = argument;
    (void)why;
    row[0] = lido_value_int64(++*given);
    row[1] = lido_value_text("lamp");
    if (*given % 100 == 3)
        row[1] = (lido_value){.kind = LIDO_KIND_TEXT, .size = 5};
    return *given < 2000 ? LIDO_ROWS_MORE : LIDO_ROWS_END;
}

static void story_of_pointers_to_nothing(lido_engine *engine) {
    make_tables(engine);
    lido_session *db = lido_session_open(engine, &(lido_session_options){.autocommit = true});
    for (int given = 0; given < 10; given += 7) { /* among those that are looked at ahead, and behind them */
        int from = given;
        lido_insert_from(db, "items", 2, columns, give_pointer_to_nothing, &from);
        saw("%s", lido_error_of(db)->message);
    }
    lido_session_close(db);
}

static void story_of_not_a_number(lido_engine *engine) {
    make_tables(engine);
    fill();
    values[4 * 99 + 2] = lido_value_double(NAN); /* which PostgreSQL knows, and finds greater than 0 */
    lido_session *db = lido_session_open(engine, &(lido_session_options){.autocommit = true});
    bool inserted = lido_insert_rows(db, "items", 4, columns, MANY, values) == MANY;
    saw("%d", inserted == scenario_is_postgres());
    saw("%d",
        inserted || strcmp(lido_error_of(db)->message, "row 100: column price is NaN, which SQLite cannot hold") == 0);
    lido_session_close(db);
}

static void saw_refused(lido_engine *engine, const char *table, size_t count, const char *const *names, size_t rows,
                        const lido_value *given) {
    lido_session *db = lido_session_open(engine, NULL);
    saw("inserted %d", (int)lido_insert_rows(db, table, count, names, rows, given));
    saw("%s: %s", lido_category_name(lido_error_of(db)->category), lido_error_of(db)->message);
    assert_int_equal(lido_commit(db), LIDO_ROLLED_BACK);
    lido_session_close(db);
}

static void story_of_misuse(lido_engine *engine) {
    static const char *const odd[][1] = {{NULL}, {""}, {"a\"b"}, {"\"open"}, {"\"closed\" and more"}};
    make_tables(engine);
    fill();
    saw_refused(engine, NULL, 4, columns, 1, values);
    saw_refused(engine, "", 4, columns, 1, values);
    saw_refused(engine, "shop.", 4, columns, 1, values);
    saw_refused(engine, "items; DROP TABLE items\"", 4, columns, 1, values);
    saw_refused(engine, "items", 0, columns, 1, values);
    saw_refused(engine, "items", 4, NULL, 1, values);
    saw_refused(engine, "items", 4, columns, 1, NULL);
    for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++)
        saw_refused(engine, "items", 1, odd[i], 1, values);
    lido_session *db = lido_session_open(engine, NULL);
    saw("inserted %d", (int)lido_insert_from(db, "items", 4, columns, NULL, NULL));
    saw("%s", lido_error_of(db)->message);
    lido_rollback(db);
    const lido_member beyond = {"id", LIDO_TARGET_LONG, 4};
    const lido_member odd_kind = {"id", (lido_target_kind)99, 0};
    lido_insert_structs(db, "items", 1, &beyond, 1, values, 8);
    saw("%s", lido_error_of(db)->message);
    lido_rollback(db);
    lido_insert_structs(db, "items", 1, &odd_kind, 1, values, 8);
    saw("%s", lido_error_of(db)->message);
    lido_rollback(db);
    lido_insert_structs(db, "items", 1, &beyond, 1, NULL, 8);
    saw("%s", lido_error_of(db)->message);
    lido_rollback(db);
    lido_insert_structs(db, "items", 1, NULL, 1, values, 8);
    saw("%s", lido_error_of(db)->message);
    saw("close: %s", lido_status_name(lido_session_close(db)));
}

static void story_of_what_is_not_there(lido_engine *engine) {
    static const char *const unknown[] = {"id", "name", "prize", "owner_id"};
    make_tables(engine);
    fill();
    for (int i = 0; i < 4; i++) {
        lido_session *db = lido_session_open(engine, &(lido_session_options){.autocommit = true});
        lido_insert_rows(db, i < 2 ? "itmes" : "items", 4, i < 2 ? columns : unknown, i % 2 == 0 ? FEW : MANY, values);
        saw("%s %s, row %d", lido_category_name(lido_error_of(db)->category), lido_error_of(db)->sqlstate,
            (int)lido_error_of(db)->row);
        lido_session_close(db);
    }
}

static void story_of_reading_only(lido_engine *engine) {
    make_tables(engine);
    fill();
    for (int i = 0; i < 4; i++) {
        lido_session *db =
            lido_session_open(engine, &(lido_session_options){.autocommit = i % 2 != 0, .read_only = true});
        saw("inserted %d", (int)lido_insert_rows(db, "items", 4, columns, i < 2 ? FEW : MANY, values));
        saw_error(db);
        lido_session_close(db);
    }
}

/* The session's own rules hold for rows as for statements. */
static void story_of_a_session_that_is_busy(lido_engine *engine) {
    make_tables(engine);
    fill();
    lido_session *db = lido_session_open(engine, NULL);
    lido_rows *rows = lido_stream(db, "SELECT id FROM owners");
    saw("inserted %d", (int)lido_insert_rows(db, "items", 4, columns, FEW, values));
    saw("%s", lido_error_of(db)->message);
    lido_rows_close(rows);
    saw("inserted %d", (int)lido_insert_rows(db, "items", 4, columns, FEW, values));
    lido_rollback(db);
    saw("inserted %d", (int)lido_insert_rows(db, "items", 4, columns, FEW, values));
    saw("commit: %s", lido_status_name(lido_commit(db)));
    lido_session_close(db);
}

/* In autocommit mode what was sent before is a transaction of its own, and its error the one that shows. */
static void story_of_sent_statements_before(lido_engine *engine) {
    make_tables(engine);
    fill();
    lido_session *db = lido_session_open(engine, &(lido_session_options){.autocommit = true});
    lido_send(db, "INSERT INTO owners VALUES (2)");
    saw("inserted %d", (int)lido_insert_rows(db, "items", 4, columns, FEW, values));
    lido_send(db, "INSERT INTO owners VALUES (2)");
    saw("inserted %d", (int)lido_insert_rows(db, "items", 4, columns, MANY, values));
    saw_error(db);
    lido_send(db, "INSERT INTO owners VALUES (3)");
    saw("inserted %d", (int)lido_insert_rows(db, "items", 4, columns, MANY, values));
    saw_place(lido_error_of(db));
    saw("%d owners, %d items", (int)lido_query_value(db, "SELECT count(*) FROM owners").as.integer,
        (int)lido_query_value(db, "SELECT count(*) FROM items").as.integer);
    lido_session_close(db);
}

/* A savepoint undoes rows that were only queued, and what was queued before stays. */
static void story_of_a_savepoint_around_a_refusal(lido_engine *engine) {
    make_tables(engine);
    fill();
    values[4 * 5 + 1] = lido_value_text("\xff");
    lido_status outcome;
    lido_transaction (db, engine, &outcome) {
        lido_send(db, "INSERT INTO owners VALUES (2)");
        lido_savepoint (db)
            lido_insert_rows(db, "items", 4, columns, FEW, values);
        lido_savepoint (db)
            lido_insert_rows(db, "items", 4, columns, MANY, values);
        saw("%d owners, %d items", (int)lido_query_value(db, "SELECT count(*) FROM owners").as.integer,
            (int)lido_query_value(db, "SELECT count(*) FROM items").as.integer);
    }
    saw("transaction: %s", lido_status_name(outcome));
}

static const scenario scenarios[] = {
    {"a key that is there already", story_of_a_duplicate_key,
     "inserted 0\nunique violation, row 9\ninserted 0\nunique violation, row 9\ninserted 0\nunique violation, row 777\n"
     "row 501, rolled back, 23505, table items\nitems_pkey\nbegins with \"row 501: \": 1\ninserting rows\n"},
    {"a NULL", story_of_a_null,
     "inserted 0\nnot-null violation, row 7, column name\ninserted 0\nnot-null violation, row 1, column name\n"
     "inserted 0\nnot-null violation, row 777, column name\n"},
    {"a check", story_of_a_check,
     "inserted 0\ncheck violation, row 7\ninserted 0\ncheck violation, row 1\ninserted 0\ncheck violation, row 777\n"
     "inserted 0\ncheck violation, row 5\n"},
    {"a missing reference", story_of_a_missing_reference,
     "foreign key violation\nas it should be: 1\n0 items\nforeign key violation\nas it should be: 1\n0 items\n"},
    {"a wrong type", story_of_a_wrong_type, "refused\n"},
    {"values that are none", story_of_values_that_are_none,
     "inserted 0\ntype mismatch, row 7, column name\ninserted 0\ntype mismatch, row 1, column name\n"
     "inserted 0\ntype mismatch, row 777, column name\ninserted 0\ntype mismatch, row 64, column name\n"
     "inserted 0\ntype mismatch, row 65, column name\ninserted 0\ntype mismatch, row 1000, column id\n"
     "inserted 0\ntype mismatch, row 3, column id\ninserted 0\ntype mismatch, row 3, column name\n"
     "row 100: column name is a text with a NUL inside; pass it as a blob\nwith its statement\n"},
    {"pointers to nothing", story_of_pointers_to_nothing,
     "row 3: column name is a value whose pointer is NULL: NULL is lido_value_null()\n"
     "row 96: column name is a value whose pointer is NULL: NULL is lido_value_null()\n"},
    {"NaN", story_of_not_a_number, "1\n1\n"},
    {"misuse", story_of_misuse,
     "inserted 0\nmisuse: the table's name is NULL\n"
     "inserted 0\nmisuse: the table \"\" is no name: it is empty\n"
     "inserted 0\nmisuse: the table \"shop.\" is no name: it is empty\n"
     "inserted 0\nmisuse: the table \"items; DROP TABLE items\"\" is no name: it has a double quote without its like\n"
     "inserted 0\nmisuse: there is no column to insert into\n"
     "inserted 0\nmisuse: there is no column to insert into\n"
     "inserted 0\nmisuse: the pointer to the values is NULL\n"
     "inserted 0\nmisuse: the column \"\" is no name: it is NULL\n"
     "inserted 0\nmisuse: the column \"\" is no name: it is empty\n"
     "inserted 0\nmisuse: the column \"a\"b\" is no name: it has a double quote without its like\n"
     "inserted 0\nmisuse: the column \"\"open\" is no name: it has a double quote without its like\n"
     "inserted 0\nmisuse: the column \"\"closed\" and more\" is no name: it goes on behind its closing quote\n"
     "inserted 0\nthe source of rows is NULL\n"
     "the member for column id ends beyond its struct of 8 bytes\n"
     "the member for column id is of the unknown kind 99\n"
     "the pointer to the structs is NULL\nthe pointer to the members is NULL\nclose: rolled back\n"},
    {"tables and columns that are not there", story_of_what_is_not_there,
     "syntax error or unknown name 42P01, row 0\nsyntax error or unknown name 42P01, row 0\n"
     "syntax error or unknown name 42703, row 0\nsyntax error or unknown name 42703, row 0\n"},
    {"a session that reads only", story_of_reading_only,
     "inserted 0\nread-only\ninserted 0\nread-only\ninserted 0\nread-only\ninserted 0\nread-only\n"},
    {"a session that is busy", story_of_a_session_that_is_busy,
     "inserted 0\na stream is still open in this session: read it to its end or close it first\n"
     "inserted 0\ninserted 10\ncommit: ok\n"},
    {"sent statements before", story_of_sent_statements_before,
     "inserted 10\ninserted 0\nunique violation\ninserted 0\nunique violation, row 1\n3 owners, 10 items\n"},
    {"a savepoint around a refusal", story_of_a_savepoint_around_a_refusal, "2 owners, 0 items\ntransaction: ok\n"},
};

int main(void) {
    return scenarios_run("wrong rows among many", scenarios, sizeof scenarios / sizeof scenarios[0]);
}
