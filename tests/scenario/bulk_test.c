/* Many rows by one call: from an array, from structs, from a function; few and many, in a transaction and without one.
 * What goes in is what lido_exec would have put there. */
#include "support/scenario.h"

#include <stdio.h>
#include <string.h>

enum { MANY = 5000 };

static const char *const columns[] = {"id", "name", "price"};

static void make_items(lido_engine *engine) {
    lido_session *db = lido_session_open(engine, &(lido_session_options){.autocommit = true});
    lido_exec(db, "CREATE TABLE items (id bigint PRIMARY KEY, name text NOT NULL, price double precision)");
    assert_int_equal(lido_session_close(db), LIDO_OK);
}

/* Rows from `first` on: "item 7", 1.75; every tenth has no price. */
static void fill(lido_value *values, int count, int first, char (*names)[16]) {
    for (int i = 0; i < count; i++) {
        int id = first + i;
        snprintf(names[i], sizeof names[i], "item %d", id);
        values[3 * i] = lido_value_int64(id);
        values[3 * i + 1] = lido_value_text(names[i]);
        values[3 * i + 2] = id % 10 == 0 ? lido_value_null() : lido_value_double(id / 4.0);
    }
}

static int64_t insert(lido_session *db, int count, int first) {
    static lido_value values[3 * MANY];
    static char names[MANY][16];
    fill(values, count, first, names);
    return lido_insert_rows(db, "items", 3, columns, (size_t)count, values);
}

/* As anybody else sees it. */
static void saw_items(lido_engine *engine) {
    lido_session *db = lido_session_open(engine, &(lido_session_options){.autocommit = true});
    lido_rows *rows = lido_query(db, "SELECT count(*), count(price), coalesce(sum(id), 0), coalesce(sum(price), 0),"
                                     " coalesce(sum(length(name)), 0) FROM items WHERE name = 'item ' || id AND "
                                     "coalesce(price, id / 4.0) = id / 4.0");
    assert_true(lido_next(rows));
    saw("%d items, %d prices, ids %d, sum %.2f, letters %d", (int)lido_get_int64(rows, 0), (int)lido_get_int64(rows, 1),
        (int)lido_get_int64(rows, 2), lido_get_double(rows, 3), (int)lido_get_int64(rows, 4));
    lido_session_close(db);
}

static void saw_status(const char *whose, lido_status status) {
    saw("%s: %s", whose, lido_status_name(status));
}

/* ---- From an array ---- */

static void story_of_few_and_many(lido_engine *engine) {
    static const int counts[] = {1, 2, 31, 32, 33, 64, 999, MANY};
    int first = 1;
    make_items(engine);
    lido_status outcome;
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        lido_transaction (db, engine, &outcome)
            saw("inserted %d", (int)insert(db, counts[i], first));
        saw_status("transaction", outcome);
        first += counts[i];
    }
    saw_items(engine);
}

static void story_of_autocommit(lido_engine *engine) {
    make_items(engine);
    lido_session *db = lido_session_open(engine, &(lido_session_options){.autocommit = true});
    saw("inserted %d", (int)insert(db, 3, 1));
    saw_items(engine);
    saw("inserted %d", (int)insert(db, MANY, 4));
    saw_items(engine);
    saw_status("close", lido_session_close(db));
}

static void story_of_all_or_nothing(lido_engine *engine) {
    make_items(engine);
    lido_session *db = lido_session_open(engine, &(lido_session_options){.autocommit = true});
    insert(db, 1, 3);
    insert(db, 1, 4000);
    saw("inserted %d", (int)insert(db, 5, 1)); /* the third is there already */
    saw_error(db);
    saw("row %d", (int)lido_error_of(db)->row);
    saw("inserted %d", (int)insert(db, 4500, 10)); /* one of them is there already */
    saw_error(db);
    saw("row %d", (int)lido_error_of(db)->row);
    saw_status("commit", lido_commit(db));
    saw("inserted %d", (int)insert(db, 2, 1));
    saw("failed %d", lido_failed(db));
    lido_session_close(db);
    saw_items(engine);
}

static void story_of_a_transaction(lido_engine *engine) {
    make_items(engine);
    lido_error outcome;
    lido_transaction (db, engine, &outcome) {
        lido_send(db, "INSERT INTO items VALUES (1, 'item 1', 0.25)");
        insert(db, 500, 2);
        lido_savepoint (db) {
            insert(db, 500, 1000);
            insert(db, 500, 1400);
        }
        lido_savepoint (db) {
            insert(db, 3, 2000);
            insert(db, 3, 2002);
        }
        saw("%d within", (int)lido_query_value(db, "SELECT count(*) FROM items").as.integer);
        insert(db, 500, 502);
    }
    saw_status("transaction", outcome.status);
    saw_items(engine);
    lido_transaction (db, engine, &outcome) {
        insert(db, 500, 5000);
        lido_send(db, "INSERT INTO items VALUES (6000, 'item 6000', NULL)");
        insert(db, 500, 600);
        saw("failed %d, row %d", lido_failed(db), (int)lido_error_of(db)->row);
        insert(db, 3, 9000);
    }
    saw("%s: %s, row %d", lido_status_name(outcome.status), lido_category_name(outcome.category), (int)outcome.row);
    saw_items(engine);
}

static void story_of_no_rows(lido_engine *engine) {
    lido_session *db = lido_session_open(engine, NULL);
    saw("inserted %d", (int)lido_insert_rows(db, "nothing", 3, columns, 0, NULL));
    saw("failed %d", lido_failed(db));
    saw_status("commit", lido_commit(db));
    lido_session_close(db);
}

/* ---- From a function ---- */

typedef struct supply {
    int next;
    int last;
    int fails_at; /* 0: nowhere */
    char name[16];
    const char *why;
    lido_session *other;
} supply;

static lido_supply give_item(void *argument, lido_value *row, const char **why) {
    supply *given = argument;
    if (given->next > given->last)
        return LIDO_ROWS_END;
    if (given->next == given->fails_at) {
        if (given->why != NULL)
            *why = given->why;
        return LIDO_ROWS_FAILED;
    }
    int id = given->next++;
    snprintf(given->name, sizeof given->name, "item %d", id); /* where the last one's was */
    row[0] = lido_value_int64(id);
    row[1] = lido_value_text(given->name);
    row[2] = lido_value_double(id / 4.0);
    return LIDO_ROWS_MORE;
}

static int64_t insert_given(lido_session *db, supply given) {
    return lido_insert_from(db, "items", 3, columns, give_item, &given);
}

static void story_of_a_source(lido_engine *engine) {
    make_items(engine);
    lido_session *db = lido_session_open(engine, NULL);
    saw("inserted %d", (int)insert_given(db, (supply){.next = 1, .last = 0}));
    saw("inserted %d", (int)insert_given(db, (supply){.next = 1, .last = 5}));
    saw("inserted %d", (int)insert_given(db, (supply){.next = 6, .last = 69}));
    saw("inserted %d", (int)insert_given(db, (supply){.next = 70, .last = 20000}));
    saw_status("commit", lido_commit(db));
    lido_session_close(db);
    saw_items(engine);
}

static void story_of_a_source_that_fails(lido_engine *engine) {
    make_items(engine);
    lido_session *db = lido_session_open(engine, &(lido_session_options){.autocommit = true});
    static const int fails_at[] = {1, 5, 64, 65, 7000};
    for (size_t i = 0; i < sizeof fails_at / sizeof fails_at[0]; i++) {
        supply given = {.next = 1, .last = 10000, .fails_at = fails_at[i], .why = "the file ends in a line"};
        saw("inserted %d", (int)insert_given(db, given));
        saw("row %d: %s", (int)lido_error_of(db)->row, lido_error_of(db)->message);
    }
    insert_given(db, (supply){.next = 1, .last = 10, .fails_at = 2});
    saw("%s", lido_error_of(db)->message);
    lido_session_close(db);
    lido_error outcome;
    lido_transaction (writer, engine, &outcome) {
        lido_savepoint (writer)
            insert_given(writer, (supply){.next = 1, .last = 10000, .fails_at = 9000});
        insert_given(writer, (supply){.next = 1, .last = 100});
    }
    saw_status("transaction", outcome.status);
    saw_items(engine);
}

static lido_supply give_from_other(void *argument, lido_value *row, const char **why) {
    lido_rows *rows = argument;
    (void)why;
    if (!lido_next(rows))
        return LIDO_ROWS_END;
    for (size_t column = 0; column < 3; column++)
        row[column] = lido_get(rows, column);
    return LIDO_ROWS_MORE;
}

static void story_of_a_copy(lido_engine *engine) {
    make_items(engine);
    lido_status outcome;
    lido_transaction (db, engine, &outcome) {
        insert(db, 2000, 1);
        lido_exec(db, "CREATE TABLE copies (id bigint, name text, price double precision)");
    }
    lido_session *reader = lido_session_open(engine, &(lido_session_options){.autocommit = true});
    lido_rows *rows = lido_stream(reader, "SELECT id, name, price FROM items");
    lido_transaction (db, engine, &outcome) {
        saw("inserted %d", (int)lido_insert_from(db, "copies", 3, columns, give_from_other, rows));
        lido_exec(db, "DELETE FROM copies WHERE EXISTS (SELECT 1 FROM items WHERE items.id = copies.id AND items.name ="
                      " copies.name AND coalesce(items.price, -1) = coalesce(copies.price, -1))");
        saw("other than they were: %d", (int)lido_query_value(db, "SELECT count(*) FROM copies").as.integer);
    }
    saw_status("transaction", outcome);
    lido_session_close(reader);
}

static lido_supply meddle(void *argument, lido_value *row, const char **why) {
    supply *given = argument;
    lido_session *db = given->other;
    if (given->next == 3) {
        lido_exec(db, "DELETE FROM items");
        saw("meddling: %s", lido_error_of(db)->message);
        saw("failed %d", lido_failed(db));
        lido_rollback(db);
        saw_status("commit", lido_commit(db));
        saw_status("close", lido_session_close(db));
        insert(db, 3, 100);
    }
    return give_item(argument, row, why);
}

static void story_of_a_source_that_meddles(lido_engine *engine) {
    make_items(engine);
    lido_session *db = lido_session_open(engine, NULL);
    supply given = {.next = 1, .last = 2000, .other = db};
    saw("inserted %d", (int)lido_insert_from(db, "items", 3, columns, meddle, &given));
    saw_status("commit", lido_commit(db));
    lido_session_close(db);
    saw_items(engine);
}

/* ---- From structs ---- */

typedef struct thing {
    bool is_new;
    int8_t tiny;
    uint8_t unsigned_tiny;
    short small;
    unsigned short unsigned_small;
    int number;
    unsigned unsigned_number;
    long large;
    unsigned long unsigned_large;
    long long larger;
    unsigned long long unsigned_larger;
    float single_real;
    double real;
    const char *text;
    lido_uuid uuid;
    lido_time moment;
    lido_bytes bytes;
    lido_json json;
    lido_numeric numeric;
    lido_value any;
} thing;

static const lido_member thing_members[] = {
    LIDO_MEMBER(thing, is_new),
    LIDO_MEMBER(thing, tiny),
    LIDO_MEMBER(thing, unsigned_tiny),
    LIDO_MEMBER(thing, small),
    LIDO_MEMBER(thing, unsigned_small),
    LIDO_MEMBER(thing, number),
    LIDO_MEMBER(thing, unsigned_number),
    LIDO_MEMBER(thing, large),
    LIDO_MEMBER(thing, unsigned_large),
    LIDO_MEMBER(thing, larger),
    LIDO_MEMBER(thing, unsigned_larger),
    LIDO_MEMBER(thing, single_real),
    LIDO_MEMBER(thing, real),
    LIDO_MEMBER_AS(thing, text, "words"),
    LIDO_MEMBER(thing, uuid),
    LIDO_MEMBER(thing, moment),
    LIDO_MEMBER(thing, bytes),
    LIDO_MEMBER(thing, json),
    LIDO_MEMBER(thing, numeric),
    LIDO_MEMBER(thing, any),
};

enum { THING_MEMBERS = sizeof thing_members / sizeof thing_members[0] };

static thing make_thing(int n) {
    return (thing){
        .is_new = n % 2 == 0,
        .tiny = (int8_t)(-n % 100),
        .unsigned_tiny = (uint8_t)n,
        .small = (short)-n,
        .unsigned_small = (unsigned short)n,
        .number = -n,
        .unsigned_number = (unsigned)n,
        .large = -n,
        .unsigned_large = (unsigned long)n,
        .larger = -n,
        .unsigned_larger = (unsigned long long)n,
        .single_real = (float)n / 2,
        .real = n / 8.0,
        .text = n % 3 == 0 ? NULL : "words",
        .uuid = {{1, 2, 3}},
        .moment = {INT64_C(1700000000000001)},
        .bytes = n % 3 == 1 ? (lido_bytes){NULL, 1} : lido_blob("\0\xff", 2),
        .json = {"{\"a\":1}"},
        .numeric = {n % 2 == 0 ? "12.50" : NULL},
        .any = n % 2 == 0 ? lido_value_null() : lido_value_int64(n),
    };
}

typedef struct loose {
    int64_t id;
    const double *real;
    const bool *is_new;
    const lido_uuid *uuid;
    const lido_time *moment;
} loose;

static const lido_member loose_members[] = {LIDO_MEMBER(loose, id), LIDO_MEMBER(loose, real),
                                            LIDO_MEMBER(loose, is_new), LIDO_MEMBER(loose, uuid),
                                            LIDO_MEMBER(loose, moment)};

/* Members that point to their values, or to nothing: few and many. */
static void story_of_members_that_may_be_null(lido_engine *engine) {
    static const double real = 0.5;
    static const bool is_new = true;
    static const lido_uuid uuid = {{1}};
    static const lido_time moment = {5};
    static loose rows[200];
    lido_session *db = lido_session_open(engine, NULL);
    lido_exec(db,
              "CREATE TABLE loose (id bigint, real double precision, is_new boolean, uuid uuid, moment timestamptz)");
    for (int i = 0; i < 200; i++)
        rows[i] = i % 2 == 0 ? (loose){i, &real, &is_new, &uuid, &moment} : (loose){.id = i};
    saw("%d", (int)lido_insert_structs(db, "loose", 5, loose_members, 3, rows, sizeof rows[0]));
    saw("%d", (int)lido_insert_structs(db, "loose", 5, loose_members, 200, rows, sizeof rows[0]));
    lido_rows *found =
        lido_query(db, "SELECT count(*), count(real), count(is_new), count(uuid), count(moment) FROM loose");
    int counts[5];
    assert_true(lido_next(found) && lido_scan(found, &counts[0], &counts[1], &counts[2], &counts[3], &counts[4]));
    saw("%d %d %d %d %d", counts[0], counts[1], counts[2], counts[3], counts[4]);
    lido_session_close(db);
}

static void story_of_structs(lido_engine *engine) {
    static thing things[200];
    static const int counts[] = {3, 200};
    lido_status outcome;
    lido_transaction (db, engine, &outcome)
        lido_exec(
            db,
            scenario_is_postgres()
                ? "CREATE TABLE things (is_new boolean, tiny smallint, unsigned_tiny smallint, small smallint,"
                  " unsigned_small integer, number integer,"
                  " unsigned_number bigint, large bigint, unsigned_large bigint, larger bigint,"
                  " unsigned_larger bigint, single_real real, real double precision, words varchar(20),"
                  " uuid uuid, moment timestamptz, bytes bytea, json jsonb, \"numeric\" numeric(10, 2), \"any\" bigint)"
                : "CREATE TABLE things (is_new boolean, tiny smallint, unsigned_tiny smallint, small smallint,"
                  " unsigned_small integer, number integer,"
                  " unsigned_number bigint, large bigint, unsigned_large bigint, larger bigint,"
                  " unsigned_larger bigint, single_real real, real double precision, words text, uuid uuid,"
                  " moment timestamp, bytes blob, json json, \"numeric\" numeric, \"any\" bigint)");
    for (int i = 0; i < 200; i++)
        things[i] = make_thing(i);
    for (int i = 0; i < 2; i++) {
        lido_transaction (db, engine, &outcome) {
            saw("inserted %d", (int)lido_insert_structs(db, "things", THING_MEMBERS, thing_members, (size_t)counts[i],
                                                        things, sizeof things[0]));
            lido_rows *rows = lido_query(db, "SELECT * FROM things WHERE number >= -3 ORDER BY number DESC");
            while (lido_next(rows)) {
                char line[400] = "";
                for (size_t column = 0; column < THING_MEMBERS; column++) {
                    const char *text = column == 16 ? (lido_get_blob(rows, column).size == 2 ? "blob" : "no blob")
                                                    : lido_get_text(rows, column);
                    snprintf(line + strlen(line), sizeof line - strlen(line), "%s ", text != NULL ? text : "-");
                }
                if (scenario_is_postgres()) { /* which has a form of its own for jsonb and numeric(10, 2) */
                    char *json = strstr(line, "{\"a\": 1}");
                    if (json != NULL)
                        memmove(json + 5, json + 6, strlen(json + 5));
                    char *numeric = strstr(line, "12.50");
                    if (numeric != NULL)
                        memmove(numeric + 4, numeric + 5, strlen(numeric + 4));
                }
                line[strlen(line) - 1] = '\0';
                saw("%s", line);
            }
            lido_exec(db, "DELETE FROM things");
        }
        saw_status("transaction", outcome);
    }
}

/* ---- Names ---- */

static void story_of_names(lido_engine *engine) {
    static const char *const odd[] = {"Order", "\"Say \"\"no\"\"\"", "two words", "a?b:c$1"};
    const char *schema = scenario_is_postgres() ? "shop" : "main";
    char sql[200];
    char table[100];
    lido_error outcome;
    lido_transaction (db, engine, &outcome) {
        if (scenario_is_postgres())
            lido_exec(db, "CREATE SCHEMA shop");
        snprintf(sql, sizeof sql,
                 "CREATE TABLE %s.\"Odd; one.\" (\"order\" integer, \"Say \"\"no\"\"\" integer, \"two words\" integer,"
                 " \"a?b:c$1\" integer)",
                 schema);
        lido_exec(db, sql);
        lido_value values[4 * 100];
        for (int i = 0; i < 400; i++)
            values[i] = lido_value_int64(i);
        snprintf(table, sizeof table, "%s.\"Odd; one.\"", scenario_is_postgres() ? "SHOP" : "main");
        saw("inserted %d", (int)lido_insert_rows(db, table, 4, odd, 1, values));
        saw("inserted %d", (int)lido_insert_rows(db, table, 4, odd, 100, values));
        snprintf(sql, sizeof sql, "SELECT sum(\"order\") + sum(\"Say \"\"no\"\"\") FROM %s.\"Odd; one.\"", schema);
        saw("sum %d", (int)lido_query_value(db, sql).as.integer);
    }
    if (outcome.status != LIDO_OK)
        lido_error_print(&outcome, stderr);
    saw_status("transaction", outcome.status);
}

static const scenario scenarios[] = {
    {"few rows and many", story_of_few_and_many,
     "inserted 1\ntransaction: ok\ninserted 2\ntransaction: ok\ninserted 31\ntransaction: ok\n"
     "inserted 32\ntransaction: ok\ninserted 33\ntransaction: ok\ninserted 64\ntransaction: ok\n"
     "inserted 999\ntransaction: ok\ninserted 5000\ntransaction: ok\n"
     "6162 items, 5546 prices, ids 18988203, sum 4271960.75, letters 54351\n"},
    {"autocommit: each call is a transaction", story_of_autocommit,
     "inserted 3\n3 items, 3 prices, ids 6, sum 1.50, letters 18\n"
     "inserted 5000\n5003 items, 4503 prices, ids 12517506, sum 2816251.50, letters 43920\nclose: ok\n"},
    {"all rows or none", story_of_all_or_nothing,
     "inserted 0\nunique violation\nrow 3\ninserted 0\nunique violation\nrow 3991\ncommit: error\n"
     "inserted 2\nfailed 0\n4 items, 3 prices, ids 4006, sum 1.50, letters 27\n"},
    {"a transaction with savepoints", story_of_a_transaction,
     "501 within\ntransaction: ok\n1001 items, 901 prices, ids 501501, sum 112750.25, letters 7902\n"
     "failed 1, row 1\nrolled back: unique violation, row 1\n"
     "1001 items, 901 prices, ids 501501, sum 112750.25, letters 7902\n"},
    {"no rows", story_of_no_rows, "inserted 0\nfailed 0\ncommit: ok\n"},
    {"a source gives the rows", story_of_a_source,
     "inserted 0\ninserted 5\ninserted 64\ninserted 19931\ncommit: ok\n"
     "20000 items, 20000 prices, ids 200010000, sum 50002500.00, letters 188894\n"},
    {"a source fails", story_of_a_source_that_fails,
     "inserted 0\nrow 1: row 1: the source of rows failed: the file ends in a line\n"
     "inserted 0\nrow 5: row 5: the source of rows failed: the file ends in a line\n"
     "inserted 0\nrow 64: row 64: the source of rows failed: the file ends in a line\n"
     "inserted 0\nrow 65: row 65: the source of rows failed: the file ends in a line\n"
     "inserted 0\nrow 7000: row 7000: the source of rows failed: the file ends in a line\n"
     "row 2: the source of rows failed\n"
     "transaction: ok\n100 items, 100 prices, ids 5050, sum 1262.50, letters 692\n"},
    {"rows of one session go into another", story_of_a_copy,
     "inserted 2000\nother than they were: 0\ntransaction: ok\n"},
    {"a source must leave the session alone", story_of_a_source_that_meddles,
     "meddling: the session is inserting the rows that are just asked for\nfailed 1\ncommit: error\nclose: error\n"
     "inserted 2000\ncommit: ok\n2000 items, 2000 prices, ids 2001000, sum 500250.00, letters 16893\n"},
    {"structs with members of every type", story_of_structs,
     "inserted 3\n"
     "true 0 0 0 0 0 0 0 0 0 0 0 0 - 01020300-0000-0000-0000-000000000000 2023-11-14 22:13:20.000001 blob {\"a\":1} "
     "12.5 -\n"
     "false -1 1 -1 1 -1 1 -1 1 -1 1 0.5 0.125 words 01020300-0000-0000-0000-000000000000 2023-11-14 22:13:20.000001 "
     "no blob {\"a\":1} - 1\n"
     "true -2 2 -2 2 -2 2 -2 2 -2 2 1 0.25 words 01020300-0000-0000-0000-000000000000 2023-11-14 22:13:20.000001 blob "
     "{\"a\":1} 12.5 -\n"
     "transaction: ok\ninserted 200\n"
     "true 0 0 0 0 0 0 0 0 0 0 0 0 - 01020300-0000-0000-0000-000000000000 2023-11-14 22:13:20.000001 blob {\"a\":1} "
     "12.5 -\n"
     "false -1 1 -1 1 -1 1 -1 1 -1 1 0.5 0.125 words 01020300-0000-0000-0000-000000000000 2023-11-14 22:13:20.000001 "
     "no blob {\"a\":1} - 1\n"
     "true -2 2 -2 2 -2 2 -2 2 -2 2 1 0.25 words 01020300-0000-0000-0000-000000000000 2023-11-14 22:13:20.000001 blob "
     "{\"a\":1} 12.5 -\n"
     "false -3 3 -3 3 -3 3 -3 3 -3 3 1.5 0.375 - 01020300-0000-0000-0000-000000000000 2023-11-14 22:13:20.000001 blob "
     "{\"a\":1} - 3\n"
     "transaction: ok\n"},
    {"members that may be NULL", story_of_members_that_may_be_null, "3\n200\n203 102 102 102 102\n"},
    {"names that SQL would trip over", story_of_names, "inserted 1\ninserted 100\nsum 39701\ntransaction: ok\n"},
};

int main(void) {
    return scenarios_run("many rows", scenarios, sizeof scenarios / sizeof scenarios[0]);
}
