/* Rows into structs, by the ways that there are: straight from what the database has, by values, and by lido_load. They
 * must not differ, whatever a column holds; and what a session has read must be one object for a key, whenever it is
 * asked for. */
#include "support/shop.h"

/* ---- Every way gives the same ---- */

#define CELL(name, type) \
    typedef struct name { \
        int64_t id; \
        type value; \
    } name; \
    LIDO_MODEL(name, "cells", LIDO_KEY(name, id, .natural = true), LIDO_FIELD(name, value))

CELL(Int, int);
CELL(Wide, int64_t);
CELL(Small, unsigned char);
CELL(Real, double);
CELL(Flag, bool);
CELL(Uuid, lido_uuid);
CELL(Moment, lido_time);
CELL(Text, const char *);
CELL(Number, lido_numeric);
CELL(Json, lido_json);
CELL(Perhaps, const double *);

typedef enum pointed { IN_PLACE, A_TEXT, A_DOUBLE } pointed;

static const struct {
    const lido_model *model;
    size_t size;
    pointed pointed;
} cells[] = {{&Int_model, sizeof(int), IN_PLACE},
             {&Wide_model, sizeof(int64_t), IN_PLACE},
             {&Small_model, 1, IN_PLACE},
             {&Real_model, sizeof(double), IN_PLACE},
             {&Flag_model, sizeof(bool), IN_PLACE},
             {&Uuid_model, sizeof(lido_uuid), IN_PLACE},
             {&Moment_model, sizeof(lido_time), IN_PLACE},
             {&Text_model, sizeof(char *), A_TEXT},
             {&Number_model, sizeof(lido_numeric), A_TEXT},
             {&Json_model, sizeof(lido_json), A_TEXT},
             {&Perhaps_model, sizeof(double *), A_DOUBLE}};

typedef struct reading {
    lido_category category;
    char message[512];
    char text[200]; /* what the member holds, or points to */
    size_t size;
} reading;

static void note_value(reading *seen, const void *object, size_t size, pointed how) {
    const char *member = (const char *)object + sizeof(int64_t);
    const void *pointer = NULL;
    seen->size = size;
    if (how != IN_PLACE) {
        memcpy(&pointer, member, sizeof pointer);
        seen->size = pointer == NULL ? 0 : how == A_DOUBLE ? sizeof(double) : strlen(pointer);
        member = pointer;
    }
    assert_true(seen->size <= sizeof seen->text);
    if (seen->size > 0)
        memcpy(seen->text, member, seen->size);
}

static void note_error(reading *seen, const lido_session *db) {
    const lido_error *error = lido_error_of(db);
    seen->category = error->category;
    snprintf(seen->message, sizeof seen->message, "%s", error->message);
}

/* A session's first rows go straight into the structs; on PostgreSQL from the second time on, for the first come as
 * texts, and in a task on a file by values, for SQLite is called on another thread. */
static reading find_cell(lido_engine *engine, size_t kind) {
    reading seen = {.size = 0};
    size_t count;
    lido_session *db = lido_session_open(engine, NULL);
    void **found = lido_find_objects(db, cells[kind].model, &count, "", 0, NULL);
    if (lido_failed(db))
        note_error(&seen, db);
    else
        note_value(&seen, found[0], cells[kind].size, cells[kind].pointed);
    lido_session_close(db);
    return seen;
}

static reading load_cell(lido_engine *engine, size_t kind) {
    reading seen = {.size = 0};
    char object[64] = {0};
    lido_session *db = lido_session_open(engine, NULL);
    lido_rows *rows = lido_query(db, "SELECT id, value FROM cells");
    if (lido_next(rows) && lido_load_object(rows, cells[kind].model, object))
        note_value(&seen, object, cells[kind].size, cells[kind].pointed);
    else
        note_error(&seen, db);
    lido_session_close(db);
    return seen;
}

/* A text with a NUL in it is refused by lido_load in other words. */
static bool are_same(const reading *one, const reading *other) {
    bool same_words = strcmp(one->message, other->message) == 0 ||
                      (strstr(one->message, "NUL") != NULL && strstr(other->message, "NUL") != NULL);
    return one->category == other->category && same_words && one->size == other->size &&
           memcmp(one->text, other->text, one->size) == 0;
}

typedef struct tally {
    int read;
    int refused;
} tally;

static void compare_ways(lido_engine *engine, const char *what, tally *seen) {
    for (size_t kind = 0; kind < sizeof cells / sizeof cells[0]; kind++) {
        reading ways[] = {find_cell(engine, kind), find_cell(engine, kind), load_cell(engine, kind)};
        for (size_t i = 1; i < 3; i++)
            if (!are_same(&ways[0], &ways[i]))
                saw("%s as %s: \"%s\" is not \"%s\"", what, cells[kind].model->name, ways[0].message, ways[i].message);
        seen->read += ways[0].category == LIDO_ERROR_NONE;
        seen->refused += ways[0].category == LIDO_ERROR_TYPE;
    }
}

static void try_value(lido_engine *engine, const char *type, const char *value, tally *seen) {
    char sql[300];
    char what[200];
    lido_session *db = lido_session_open(engine, NULL);
    lido_exec(db, "DROP TABLE IF EXISTS cells");
    snprintf(sql, sizeof sql, "CREATE TABLE cells (id bigint PRIMARY KEY, value %s)", type);
    lido_exec(db, sql);
    snprintf(sql, sizeof sql, "INSERT INTO cells VALUES (1, %s)", value);
    lido_exec(db, sql);
    if (lido_commit(db) != LIDO_OK)
        saw("%s as %s: %s", value, type, lido_error_of(db)->message);
    lido_session_close(db);
    snprintf(what, sizeof what, "%s in a column of type \"%s\"", value, type);
    compare_ways(engine, what, seen);
}

/* Any value fits any column there. */
static void try_sqlite(lido_engine *engine, tally *seen) {
    static const char *const types[] = {"",     "integer",     "text", "real",    "boolean",
                                        "uuid", "timestamptz", "json", "numeric", "blob"};
    static const char *const values[] = {"NULL",
                                         "0",
                                         "1",
                                         "-7",
                                         "256",
                                         "2147483648",
                                         "9223372036854775807",
                                         "1.5",
                                         "1e300",
                                         "''",
                                         "'5'",
                                         "'a text of more than a word'",
                                         "CAST(X'610062' AS TEXT)",
                                         "CAST(X'616263646566676800696a' AS TEXT)",
                                         "CAST(X'ff' AS TEXT)",
                                         "X'00'",
                                         "X'000102030405060708090a0b0c0d0e0f'",
                                         "'00010203-0405-0607-0809-0a0b0c0d0e0f'",
                                         "'2026-11-26 12:00:00+00'",
                                         "'{\"a\": 1}'",
                                         "'true'"};
    for (size_t t = 0; t < sizeof types / sizeof types[0]; t++)
        for (size_t v = 0; v < sizeof values / sizeof values[0]; v++)
            try_value(engine, types[t], values[v], seen);
}

static void try_postgres(lido_engine *engine, tally *seen) {
    static const char *const pairs[][2] = {{"bigint", "NULL"},
                                           {"bigint", "-7"},
                                           {"bigint", "2147483648"},
                                           {"bigint", "9223372036854775807"},
                                           {"integer", "256"},
                                           {"smallint", "1"},
                                           {"numeric", "12.50"},
                                           {"numeric", "'NaN'"},
                                           {"double precision", "1.5"},
                                           {"double precision", "'infinity'"},
                                           {"real", "0.1"},
                                           {"boolean", "true"},
                                           {"boolean", "NULL"},
                                           {"uuid", "'00010203-0405-0607-0809-0a0b0c0d0e0f'"},
                                           {"text", "''"},
                                           {"text", "'5'"},
                                           {"text", "'a text of more than a word'"},
                                           {"varchar(20)", "'00010203'"},
                                           {"char(8)", "'a'"},
                                           {"name", "'x'"},
                                           {"bytea", "'\\x000102030405060708090a0b0c0d0e0f'"},
                                           {"timestamptz", "'2026-11-26 12:00:00+00'"},
                                           {"timestamptz", "'infinity'"},
                                           {"timestamp", "'294276-12-31 23:59:59'"},
                                           {"date", "'2026-11-26'"},
                                           {"json", "'{\"a\": 1}'"},
                                           {"jsonb", "'[1, 2]'"},
                                           {"interval", "'1 day'"},
                                           {"integer[]", "'{1,2}'"}};
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++)
        try_value(engine, pairs[i][0], pairs[i][1], seen);
}

static void story_of_ways(lido_engine *engine) {
    tally seen = {0, 0};
    (scenario_is_postgres() ? try_postgres : try_sqlite)(engine, &seen);
    saw("some were read: %d, some were refused: %d", seen.read > 50, seen.refused > 50);
}

/* ---- One object for a key ---- */

static void make_items(lido_engine *engine, int count) {
    make_shop(engine);
    lido_status outcome;
    lido_transaction (db, engine, &outcome) {
        User *ada = lido_add(db, User, &(User){.name = "ada"});
        for (int i = 1; i <= count; i++) {
            char name[24];
            snprintf(name, sizeof name, "item %d", i);
            lido_add(db, Item, &(Item){.name = name, .price = i, .owner = ada});
        }
    }
    assert_int_equal(outcome, LIDO_OK);
}

/* More than SQLite is stepped through at a time. */
static void story_of_many(lido_engine *engine) {
    enum { MANY = 1000 };
    size_t count;
    size_t wrong = 0;
    make_items(engine, MANY);
    lido_session *db = lido_session_open(engine, NULL);
    Item **items = lido_find(db, Item, &count, "ORDER BY id");
    for (size_t i = 0; i < count; i++)
        wrong += items[i]->price != (double)(i + 1) || strncmp(items[i]->name, "item ", 5) != 0;
    saw("found %zu, wrong %zu", count, wrong);
    saw("the same by key: %d", lido_fetch(db, Item, items[700]->id) == items[700]);
    Item **again = lido_find(db, Item, &count, "WHERE price > ? ORDER BY id", 10);
    saw("found %zu, the same: %d", count, again[0] == items[10] && again[count - 1] == items[MANY - 1]);
    items[300]->price = 7000;
    saw_status("changed", lido_commit(db));
    lido_session_close(db);
    db = lido_session_open(engine, NULL);
    saw("%d is dear", (int)lido_count(db, Item, "WHERE price = ?", 7000));
    items = lido_find(db, Item, &count, "WHERE price > ?", 990);
    lido_remove(db, Item, items[0]);
    saw("without the removed one %d are left", (lido_find(db, Item, &count, "WHERE price > ?", 990), (int)count));
    lido_session_close(db);
}

/* A row's key may come twice where tables are joined, or rows are added. */
static void story_of_twice(lido_engine *engine) {
    size_t count;
    make_items(engine, 3);
    lido_session *db = lido_session_open(engine, NULL);
    User **users = lido_find(db, User, &count, "JOIN items ON items.owner_id = users.id");
    saw("%zu rows, one user: %d", count, users[0] == users[1] && users[1] == users[2]);
    lido_session_close(db);
    db = lido_session_open(engine, NULL);
    users = lido_find(db, User, &count, "WHERE true union all SELECT id, name, email FROM users");
    saw("%zu rows, one user: %d", count, users[0] == users[1]);
    lido_session_close(db);
    db = lido_session_open(engine, NULL);
    lido_exec(db, "CREATE TABLE copies AS SELECT * FROM items");
    lido_exec(db, "INSERT INTO copies SELECT * FROM items");
    lido_exec(db, "DROP TABLE items");
    lido_exec(db, "ALTER TABLE copies RENAME TO items");
    lido_find(db, Item, &count, "");
    saw("%zu rows", count);
    saw("found by key: %d", lido_fetch(db, Item, 2) != NULL);
    saw_failure(db);
    lido_session_close(db);
}

static void story_of_savepoints(lido_engine *engine) {
    size_t count;
    make_items(engine, 3);
    lido_session *db = lido_session_open(engine, NULL);
    Item **items = lido_find(db, Item, &count, "ORDER BY id");
    lido_error refusal;
    lido_savepoint_outcome (db, &refusal) {
        items[0]->price = 50;
        lido_add(db, Item, &(Item){.name = "more", .price = 1, .owner_id = items[0]->owner_id});
        lido_flush(db);
        lido_fail(db, "enough");
    }
    saw("it costs %g again", items[0]->price);
    saw("the same: %d", lido_fetch(db, Item, items[0]->id) == items[0]);
    lido_find(db, Item, &count, "");
    saw("%zu items", count);
    saw_status("committed", lido_commit(db));
    lido_session_close(db);
}

/* An added object has no key until it was written, and is found by its address. */
static void story_of_added(lido_engine *engine) {
    size_t count;
    make_items(engine, 1);
    lido_session *db = lido_session_open(engine, NULL);
    User *ada = lido_first(db, User, "");
    Item *lamp = lido_add(db, Item, &(Item){.name = "lamp", .price = 1, .owner = ada});
    Item *chair = lido_add(db, Item, &(Item){.name = "chair", .price = 2, .owner = ada});
    saw("taken back: %d", lido_remove(db, Item, lamp));
    Node *root = lido_add(db, Node, &(Node){.name = "root"});
    Node *leaf = lido_add(db, Node, &(Node){.name = "leaf", .parent = root});
    saw("flushed %d", lido_flush(db));
    saw("the same: %d %d", lido_fetch(db, Item, chair->id) == chair, lido_fetch(db, Node, leaf->id) == leaf);
    saw("the leaf's is the root: %d", *leaf->parent_id == root->id);
    lido_find(db, Item, &count, "");
    saw("%zu items", count);
    User *eve = lido_add(db, User, &(User){.name = "eve"});
    saw("the same before it is written: %d", lido_fetch(db, User, eve->id) == eve);
    lido_error refusal;
    lido_savepoint_outcome (db, &refusal)
        lido_add(db, User, &(User){.id = ada->id, .name = "ada"});
    saw("another ada: %s", lido_category_name(refusal.category));
    lido_session_close(db);
}

/* ---- Keys that the database gives, to many ---- */

static void add_forty(lido_engine *engine, const char *what) {
    Node *nodes[40];
    size_t wrong = 0;
    lido_session *db = lido_session_open(engine, NULL);
    for (int i = 0; i < 40; i++)
        nodes[i] = lido_add(db, Node, &(Node){.name = i % 2 == 0 ? "even" : "odd"});
    saw_status(what, lido_commit(db));
    for (int i = 0; i < 40; i++)
        wrong += nodes[i]->id != nodes[0]->id + i || lido_fetch(db, Node, nodes[i]->id) != nodes[i];
    lido_session_close(db);
    db = lido_session_open(engine, NULL);
    saw("wrong %zu; %d are even", wrong, (int)lido_count(db, Node, "WHERE name = ?", "even"));
    lido_session_close(db);
}

/* SQLite numbers rows by the key only where that is the row's number. */
static void story_of_numbers(lido_engine *engine) {
    make_shop(engine);
    add_forty(engine, "by the database");
    lido_session *db = lido_session_open(engine, NULL);
    lido_exec(db, "DROP TABLE nodes");
    lido_exec(db, scenario_is_postgres()
                      ? "CREATE TABLE nodes (id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, parent_id bigint, "
                        "name text)"
                      : "CREATE TABLE nodes (id bigint PRIMARY KEY, parent_id bigint, name text)");
    saw_status("another table", lido_commit(db));
    lido_session_close(db);
    add_forty(engine, "in another table");
}

/* Nodes refer to nodes, so that they are numbered before; marks are numbered as they go in. */
typedef struct Mark {
    int64_t id;
    const char *name;
} Mark;

LIDO_MODEL(Mark, "marks", LIDO_KEY(Mark, id), LIDO_FIELD(Mark, name));

static void add_marks(lido_engine *engine, const char *what) {
    Mark *marks[40];
    size_t wrong = 0;
    lido_session *db = lido_session_open(engine, NULL);
    for (int i = 0; i < 40; i++)
        marks[i] = lido_add(db, Mark, &(Mark){.name = i % 2 == 0 ? "even" : "odd"});
    saw_status(what, lido_commit(db));
    for (int i = 0; i < 40; i++)
        wrong += marks[i]->id != marks[0]->id + i || lido_fetch(db, Mark, marks[i]->id) != marks[i];
    lido_session_close(db);
    db = lido_session_open(engine, NULL);
    saw("wrong %zu; %d are even", wrong, (int)lido_count(db, Mark, "WHERE name = ? AND id > 0", "even"));
    lido_session_close(db);
}

static void make_marks(lido_engine *engine, const char *sqlite_key) {
    char sql[200];
    lido_session *db = lido_session_open(engine, NULL);
    lido_exec(db, "DROP TABLE IF EXISTS marks");
    snprintf(sql, sizeof sql, "CREATE TABLE marks (id %s, name text)",
             scenario_is_postgres() ? "bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY" : sqlite_key);
    lido_exec(db, sql);
    if (lido_commit(db) != LIDO_OK)
        saw_failure(db);
    lido_session_close(db);
}

static void story_of_marks(lido_engine *engine) {
    static const char *const keys[] = {"integer PRIMARY KEY", "bigint PRIMARY KEY", "INTEGER PRIMARY KEY AUTOINCREMENT",
                                       "integer", "INTEGER PRIMARY KEY DESC"};
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        make_marks(engine, keys[i]);
        add_marks(engine, "first");
        add_marks(engine, "more");
    }
}

/* A row that is not inserted has no key: not that of the row before either. */
static void drop_odd_ones(lido_engine *engine, const char *does) {
    char sql[200];
    lido_session *db = lido_session_open(engine, NULL);
    snprintf(sql, sizeof sql,
             "CREATE TRIGGER picky BEFORE INSERT ON marks WHEN new.name = 'odd' BEGIN %s SELECT RAISE(IGNORE); END",
             does);
    lido_exec(db, sql);
    for (int i = 0; i < 40; i++)
        lido_add(db, Mark, &(Mark){.name = i % 2 == 0 ? "even" : "odd"});
    lido_commit(db);
    saw_failure(db);
    lido_session_close(db);
}

/* What a trigger inserts elsewhere has keys, too. */
static void story_of_triggers(lido_engine *engine) {
    make_marks(engine, "integer PRIMARY KEY");
    lido_session *db = lido_session_open(engine, NULL);
    lido_exec(db, "CREATE TABLE log (line integer PRIMARY KEY, name text)");
    if (!scenario_is_postgres()) {
        lido_exec(db, "INSERT INTO log VALUES (1000, 'first')");
        lido_exec(db, "CREATE TRIGGER noted AFTER INSERT ON marks BEGIN INSERT INTO log (name) VALUES (new.name); END");
    }
    saw_status("made", lido_commit(db));
    lido_session_close(db);
    add_marks(engine, "with a trigger");
    if (scenario_is_postgres()) {
        for (int i = 0; i < 2; i++)
            saw("other error: Mark: the database took Mark number 2 and inserted no row");
        return;
    }
    drop_odd_ones(engine, "");
    drop_odd_ones(engine, "INSERT INTO log (name) VALUES ('dropped');");
}

/* ---- A find is one call ---- */

/* Rows come a few at a time, each after some work; all of them are to come within the statement's timeout. */
static void story_of_a_timeout(lido_engine *engine) {
    size_t count;
    make_shop(engine);
    lido_session *db = lido_session_open(engine, &(lido_session_options){.autocommit = true});
    lido_exec(db, "INSERT INTO nodes (name) WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < "
                  "10000) SELECT 'a' FROM n");
    lido_session_close(db);
    db = lido_session_open(engine, &(lido_session_options){.autocommit = true, .statement_timeout_ms = 200});
    lido_find(db, Node, &count,
              "WHERE (WITH RECURSIVE n(i) AS (SELECT nodes.id UNION ALL SELECT i + 1 FROM n WHERE i < nodes.id + 1000) "
              "SELECT count(*) FROM n) > 0");
    saw("found %zu: %s", count, lido_category_name(lido_error_of(db)->category));
    saw("the first: %s", lido_fetch(db, Node, 1)->name);
    lido_session_close(db);
}

static const scenario scenarios[] = {
    {"every way into a struct gives the same", story_of_ways, "some were read: 1, some were refused: 1\n"},
    {"many rows", story_of_many,
     "found 1000, wrong 0\nthe same by key: 1\nfound 990, the same: 1\nchanged: ok\n1 is dear\n"
     "without the removed one 10 are left\n"},
    {"a key that comes twice", story_of_twice,
     "3 rows, one user: 1\n2 rows, one user: 1\n6 rows\nfound by key: 0\n"
     "misuse: Item: two of the session's objects are Item (id = 1): is the model's key unique in its table?\n"},
    {"savepoints undo after a find", story_of_savepoints, "it costs 1 again\nthe same: 1\n3 items\ncommitted: ok\n"},
    {"what is added is found before it has a key", story_of_added,
     "taken back: 1\nflushed 1\nthe same: 1 1\nthe leaf's is the root: 1\n2 items\n"
     "the same before it is written: 1\nanother ada: misuse\n"},
    {"many get their keys from the database", story_of_numbers,
     "by the database: ok\nwrong 0; 20 are even\nanother table: ok\nin another table: ok\nwrong 0; 20 are even\n"},
    {"whatever their table's key is", story_of_marks,
     "first: ok\nwrong 0; 20 are even\nmore: ok\nwrong 0; 40 are even\n"
     "first: ok\nwrong 0; 20 are even\nmore: ok\nwrong 0; 40 are even\n"
     "first: ok\nwrong 0; 20 are even\nmore: ok\nwrong 0; 40 are even\n"
     "first: ok\nwrong 0; 20 are even\nmore: ok\nwrong 0; 40 are even\n"
     "first: ok\nwrong 0; 20 are even\nmore: ok\nwrong 0; 40 are even\n"},
    {"and what triggers do", story_of_triggers,
     "made: ok\nwith a trigger: ok\nwrong 0; 20 are even\n"
     "other error: Mark: the database took Mark number 2 and inserted no row\n"
     "other error: Mark: the database took Mark number 2 and inserted no row\n"},
    {"a timeout is that of all rows", story_of_a_timeout, "found 0: timeout\nthe first: a\n"},
};

int main(void) {
    return scenarios_run("object_read", scenarios, sizeof scenarios / sizeof scenarios[0]);
}
