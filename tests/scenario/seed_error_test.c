/* Seed files with something wrong in them: file, line, row and column are named, and nothing goes in. */
#include "support/scenario.h"

#include <string.h>

#include "support/seed_folder.h"

static void make_tables(lido_engine *engine) {
    static const char *const postgres[] = {
        "CREATE TABLE owners (id integer PRIMARY KEY, name text UNIQUE NOT NULL, alias text)",
        "CREATE TABLE items (id integer PRIMARY KEY, name varchar(20) UNIQUE, price double precision CHECK (price >= "
        "0),"
        " made date, owner_id integer REFERENCES owners, total double precision GENERATED ALWAYS AS (price * 2) "
        "STORED)",
        "CREATE TABLE eggs (id integer PRIMARY KEY, hen_id integer NOT NULL)",
        "CREATE TABLE hens (id integer PRIMARY KEY, egg_id integer NOT NULL REFERENCES eggs)",
        "ALTER TABLE eggs ADD FOREIGN KEY (hen_id) REFERENCES hens",
        "CREATE TABLE keyless (note text)",
        "CREATE VIEW cheap AS SELECT * FROM items WHERE price < 1",
        NULL,
    };
    static const char *const sqlite[] = {
        "CREATE TABLE owners (id integer PRIMARY KEY, name text UNIQUE NOT NULL, alias text)",
        "CREATE TABLE items (id integer PRIMARY KEY, name varchar(20) UNIQUE, price double precision CHECK (price >= "
        "0),"
        " made date, owner_id integer REFERENCES owners, total double precision GENERATED ALWAYS AS (price * 2) "
        "STORED)",
        "CREATE TABLE eggs (id integer PRIMARY KEY, hen_id integer NOT NULL REFERENCES hens)",
        "CREATE TABLE hens (id integer PRIMARY KEY, egg_id integer NOT NULL REFERENCES eggs)",
        "CREATE TABLE keyless (note text)",
        "CREATE VIEW cheap AS SELECT * FROM items WHERE price < 1",
        NULL,
    };
    lido_error outcome;
    lido_transaction (db, engine, &outcome)
        for (const char *const *sql = scenario_is_postgres() ? postgres : sqlite; *sql != NULL; sql++)
            lido_exec(db, *sql);
    if (outcome.status != LIDO_OK)
        lido_error_print(&outcome, stderr);
    assert_int_equal(outcome.status, LIDO_OK);
}

static int count_rows(lido_engine *engine) {
    lido_session *db = lido_session_open(engine, &(lido_session_options){.read_only = true});
    int count = (int)lido_query_value(db, "SELECT (SELECT count(*) FROM items) + (SELECT count(*) FROM owners)"
                                          " + (SELECT count(*) FROM eggs) + (SELECT count(*) FROM hens)")
                    .as.integer;
    assert_int_equal(lido_commit(db), LIDO_OK);
    lido_session_close(db);
    return count;
}

/* What a failed run says; the rows are as many as before. */
static void saw_failure(lido_engine *engine, const seed_folder *folder) {
    int before = count_rows(engine);
    lido_error outcome;
    lido_transaction (db, engine, &outcome)
        lido_seed_files(db, folder->path, NULL);
    assert_int_equal(outcome.status, LIDO_ROLLED_BACK);
    assert_int_equal(count_rows(engine), before);
    const char *path = strstr(outcome.message, folder->path); /* is not the same each time */
    if (path != NULL)
        saw("%s: %.*sDIR%s", lido_category_name(outcome.category), (int)(path - outcome.message), outcome.message,
            path + strlen(folder->path));
    else
        saw("%s: %s", lido_category_name(outcome.category), outcome.message);
}

/* The same with this as the only file of items, sound owners being there as well. */
static void saw_wrong_sized(lido_engine *engine, const char *name, const char *text, size_t size) {
    seed_folder folder = seed_folder_make();
    seed_file(&folder, "owners.csv", "id,name\n1,ada\n2,bob\n");
    seed_file_sized(&folder, name, text, size);
    saw_failure(engine, &folder);
    seed_folder_remove(&folder);
}

static void saw_wrong(lido_engine *engine, const char *text) {
    saw_wrong_sized(engine, "items.csv", text, strlen(text));
}

static void saw_wrong_json(lido_engine *engine, const char *text) {
    saw_wrong_sized(engine, "items.json", text, strlen(text));
}

/* Up to the first colon behind the place, for what follows is the database's own wording. */
static void saw_wrong_value(lido_engine *engine, const char *text) {
    seed_folder folder = seed_folder_make();
    lido_error outcome;
    seed_file(&folder, "owners.csv", "id,name\n1,ada\n2,bob\n");
    seed_file(&folder, "items.csv", text);
    int before = count_rows(engine);
    lido_transaction (db, engine, &outcome)
        lido_seed_files(db, folder.path, NULL);
    assert_int_equal(count_rows(engine), before);
    saw("%s: %.*s: row %d, status %s", lido_category_name(outcome.category), (int)strcspn(outcome.message, ":"),
        outcome.message, (int)outcome.row, lido_status_name(outcome.status));
    seed_folder_remove(&folder);
}

static void story_of_headers(lido_engine *engine) {
    make_tables(engine);
    saw_wrong(engine, "");
    saw_wrong(engine, "\n\n");
    saw_wrong(engine, "id,nmae\n1,lamp\n");
    saw_wrong(engine, "id,,name\n1,,lamp\n");
    saw_wrong(engine, "id,name,NAME\n1,lamp,lamp\n");
    saw_wrong(engine, "id,total\n1,2\n");
    saw_wrong(engine, "id,name.first\n1,lamp\n");
    saw_wrong(engine, "id,owner_id.nick\n1,ada\n");
    saw_wrong(engine, "id,owner_id.alias\n1,ada\n");
    saw_wrong(engine, "id,owner_id,owner_id.name\n1,1,ada\n");
    saw_wrong(engine, "price,owner_id.name\n1,ada\n");
}

static void story_of_rows(lido_engine *engine) {
    make_tables(engine);
    saw_wrong(engine, "id,name\n1,lamp\n2\n");
    saw_wrong(engine, "id,name\n1,\"two\nlines\"\n2,chair,80\n");
    saw_wrong(engine, "id,name\n1,la\"mp\n");
    saw_wrong(engine, "id,name\n1,\"lamp\"s\n");
    saw_wrong(engine, "id,name\r\n1,lamp\r\n2,\"chair\r\n3,mat\r\n");
    saw_wrong(engine, "id,name\r1,lamp\r2,chair\r");
    saw_wrong(engine, "id,name\n,lamp\n");
}

static void story_of_bytes(lido_engine *engine) {
    make_tables(engine);
    saw_wrong(engine, "id,name\n1,lamp\n2,J\xf6rg\n");
    saw_wrong_sized(engine, "items.csv", "id,name\n1,la\0mp\n", 16);
    saw_wrong_sized(engine, "items.csv", "id,na\0me\n1,lamp\n", 16);
    saw_wrong(engine, "id,name\xff\n1,lamp\n");
    saw_wrong_sized(engine, "items.csv", "\xff\xfei\0d\0\n\0", 8);
}

/* What is wrong is found on either way into the table: the empty one, and that which has rows. */
static void story_of_values(lido_engine *engine) {
    make_tables(engine);
    for (int round = 0; round < 2; round++) {
        saw_wrong_value(engine, "id,name\n1,lamp\nx,chair\n");
        saw_wrong_value(engine, "id,price\n1,1.5\n2,cheap\n3,3\n");
        saw_wrong_value(engine, "id,made\n1,2026-02-28\n2,2026-02-30\n");
        saw_wrong_value(engine, "id,price\n1,\"1\"\n\n2,-1\n");
        saw_wrong_value(engine, "id,name\n1,lamp\n2,lamp\n");
        saw_wrong_value(engine, "id,owner_id\n1,1\n2,7\n3,2\n");
        lido_error outcome;
        lido_transaction (db, engine, &outcome) {
            lido_exec(db, "INSERT INTO owners VALUES (9, 'cara', NULL)");
            lido_exec(db, "INSERT INTO items (id, name) VALUES (99, 'old')");
        }
        assert_true(round == 1 || outcome.status == LIDO_OK);
    }
}

/* The same deep down in a long file. */
static void story_of_one_row_among_many(lido_engine *engine) {
    char *text = malloc(2000000);
    make_tables(engine);
    for (int wrong = 0; wrong < 3; wrong++) {
        char *at = text + sprintf(text, "id,name,price,owner_id.name\n");
        for (int i = 1; i <= 20000; i++)
            at += sprintf(at, "%d,item %d,%s,%s\n", i, i, i == 17777 && wrong == 0 ? "-1" : "1",
                          i == 17777 && wrong == 1 ? "dora" : "ada");
        if (wrong == 2)
            sprintf(at, "17777,again,1,ada\n");
        saw_wrong_value(engine, text);
    }
    free(text);
}

static void story_of_keys_and_references(lido_engine *engine) {
    make_tables(engine);
    lido_error outcome;
    lido_transaction (db, engine, &outcome)
        lido_exec(db, "INSERT INTO items (id, name) VALUES (99, 'old')");
    saw_wrong(engine, "id,name\n1,lamp\n2,chair\n1,mat\n");
    saw_wrong(engine, "id,owner_id.name\n1,ada\n2,dora\n");
    saw_wrong_json(engine, "[{\"id\": 1},\n {\"id\": 2, \"owner_id\": {\"name\": \"dora\"}}]");
    seed_folder folder = seed_folder_make();
    seed_file(&folder, "eggs.csv", "id,hen_id\n1,1\n");
    seed_file(&folder, "hens.csv", "id,egg_id\n1,1\n");
    saw_failure(engine, &folder);
    seed_folder_empty(&folder);
    seed_file(&folder, "keyless.csv", "note\nx\n");
    saw_failure(engine, &folder);
    seed_folder_remove(&folder);
}

static void story_of_json(lido_engine *engine) {
    make_tables(engine);
    saw_wrong_json(engine, "");
    saw_wrong_json(engine, "{\"id\": 1}");
    saw_wrong_json(engine, "[{\"id\": 1}, 2]");
    saw_wrong_json(engine, "[{\"id\": 1}\n {\"id\": 2}]");
    saw_wrong_json(engine, "[{\"id\": 1},\n]");
    saw_wrong_json(engine, "[{\"id\": 1}] x");
    saw_wrong_json(engine, "[{\"id\": 1},");
    saw_wrong_json(engine, "[{\"id\": 1}, {}]");
    saw_wrong_json(engine, "[\n {\"id\": 1,\n  \"id\": 2}]");
    saw_wrong_json(engine, "[\n {\"id\": 1,\n  \"nmae\": 2}]");
    saw_wrong_json(engine, "[{\"name\": \"lamp\"},\n {\"id\": 2, \"name\": null}, {\"name\": null}]");
}

static void story_of_folders(lido_engine *engine) {
    seed_folder folder = seed_folder_make();
    make_tables(engine);
    saw_failure(engine, &folder);
    seed_file(&folder, "owners.csv", "id,name\n1,ada\n");
    seed_file(&folder, "owners.json", "[]");
    saw_failure(engine, &folder);
    seed_folder_empty(&folder);
    seed_file(&folder, "itmes.csv", "id,name\n1,ada\n");
    saw_failure(engine, &folder);
    seed_folder_empty(&folder);
    seed_file(&folder, "cheap.csv", "id,name\n1,ada\n");
    saw_failure(engine, &folder);
    for (int i = 0; i < 3; i++) {
        char path[128];
        seed_folder_empty(&folder);
        snprintf(path, sizeof path, "%s/%s", folder.path, i == 1 ? "items.json" : "items.csv");
        assert_int_equal(symlink(i < 2 ? "nowhere" : "/", path), 0);
        saw_failure(engine, &folder);
    }
    seed_folder_remove(&folder);
    saw_failure(engine, &folder);
    lido_error outcome;
    lido_transaction (db, engine, &outcome)
        lido_seed_files(db, NULL, NULL);
    saw("%s", outcome.message);
}

/* 1 GiB without an end of line, most of it a hole in the file. */
static void story_of_a_huge_field(lido_engine *engine) {
    seed_folder folder = seed_folder_make();
    char path[128];
    make_tables(engine);
    snprintf(path, sizeof path, "%s/items.csv", folder.path);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    fputs("id,name\n1,\"", file);
    for (int i = 0; i < 66 * 1024; i++)
        for (int k = 0; k < 1024 / 8; k++)
            fputs("abcdefgh", file);
    assert_int_equal(fflush(file), 0);
    assert_int_equal(ftruncate(fileno(file), 1024L * 1024 * 1024), 0);
    fclose(file);
    saw_failure(engine, &folder);
    seed_folder_remove(&folder);
}

int main(void) {
    static const scenario scenarios[] = {
        {"headers", story_of_headers,
         "type mismatch: items.csv: is empty: its first line names the columns\n"
         "type mismatch: items.csv: is empty: its first line names the columns\n"
         "syntax error or unknown name: items.csv, line 1, column nmae: table items has no such column\n"
         "type mismatch: items.csv, line 1: column 2 of the header has no name\n"
         "syntax error or unknown name: items.csv, line 1, column name: it is given twice\n"
         "syntax error or unknown name: items.csv, line 1, column total: the database computes it: it takes no value\n"
         "syntax error or unknown name: items.csv, line 1, column name.first: column name of table items refers to no "
         "other table\n"
         "syntax error or unknown name: items.csv, line 1, column owner_id.nick: table owners has no such column\n"
         "syntax error or unknown name: items.csv, line 1, column owner_id.alias: no unique key of table owners is "
         "named, so several rows may be meant\n"
         "syntax error or unknown name: items.csv, line 1, column owner_id: it is given twice\n"
         "syntax error or unknown name: items.csv, line 1: neither the primary key of table items nor another unique "
         "one is among the columns\n"},
        {"rows", story_of_rows,
         "type mismatch: items.csv, line 3 (row 2): too short: it has 1 values, and the header 2 columns\n"
         "type mismatch: items.csv, line 4 (row 2): too long: it has 3 values, and the header 2 columns\n"
         "type mismatch: items.csv, line 2 (row 1): a double quote where none can be: one within a value is doubled, "
         "and the value in quotes\n"
         "type mismatch: items.csv, line 2 (row 1): a double quote where none can be: one within a value is doubled, "
         "and the value in quotes\n"
         "type mismatch: items.csv, line 3 (row 2): the file ends within quotes\n"
         "type mismatch: items.csv, line 1: a carriage return without a line feed behind it; end lines with either LF "
         "or CR LF\n"
         "type mismatch: items.csv, line 2 (row 1), column id: NULL in the key by which the row would be recognised\n"},
        {"bytes", story_of_bytes,
         "type mismatch: items.csv, line 3 (row 2), column name: not UTF-8; save the file in that encoding\n"
         "type mismatch: items.csv, line 2 (row 1), column name: a NUL byte, which no text can have\n"
         "type mismatch: items.csv, line 1: a NUL byte, which no text can have\n"
         "type mismatch: items.csv, line 1: not UTF-8; save the file in that encoding\n"
         "type mismatch: items.csv, line 1: a NUL byte, which no text can have\n"},
        {"values", story_of_values,
         "type mismatch: items.csv, line 3 (row 2), column id: row 2, status rolled back\n"
         "type mismatch: items.csv, line 3 (row 2), column price: row 2, status rolled back\n"
         "type mismatch: items.csv, line 3 (row 2), column made: row 2, status rolled back\n"
         "check violation: items.csv, line 4 (row 2): row 2, status rolled back\n"
         "unique violation: items.csv, line 3 (row 2): row 2, status rolled back\n"
         "foreign key violation: items.csv, line 3 (row 2): row 2, status rolled back\n"
         "type mismatch: items.csv, line 3 (row 2), column id: row 2, status rolled back\n"
         "type mismatch: items.csv, line 3 (row 2), column price: row 2, status rolled back\n"
         "type mismatch: items.csv, line 3 (row 2), column made: row 2, status rolled back\n"
         "check violation: items.csv, line 4 (row 2): row 2, status rolled back\n"
         "unique violation: items.csv, line 3 (row 2): row 2, status rolled back\n"
         "foreign key violation: items.csv, line 3 (row 2): row 2, status rolled back\n"},
        {"one row among many", story_of_one_row_among_many,
         "check violation: items.csv, line 17778 (row 17777): row 17777, status rolled back\n"
         "foreign key violation: items.csv, line 17778 (row 17777), column owner_id.name: row 17777, status rolled "
         "back\n"
         "unique violation: items.csv, line 20002 (row 20001): row 20001, status rolled back\n"},
        {"keys and references", story_of_keys_and_references,
         "unique violation: items.csv, line 4 (row 3): the same key as in row 1\n"
         "foreign key violation: items.csv, line 3 (row 2), column owner_id.name: there is no row of table owners with "
         "name = dora\n"
         "foreign key violation: items.json, line 2 (row 2), column owner_id.name: there is no row of table owners "
         "with name = dora\n"
         "foreign key violation: the tables need each other's rows first: eggs -> hens -> eggs\n"
         "syntax error or unknown name: keyless.csv, line 1: neither the primary key of table keyless nor another "
         "unique one is among the columns\n"},
        {"json", story_of_json,
         "type mismatch: items.json, line 1: is empty: it should be an array of objects\n"
         "type mismatch: items.json, line 1: is no array of objects: it does not begin with [\n"
         "type mismatch: items.json, line 1 (row 2): a row that is no object\n"
         "type mismatch: items.json, line 2 (row 1): a comma is missing\n"
         "type mismatch: items.json, line 2 (row 2): a comma without a row behind it\n"
         "type mismatch: items.json, line 1 (row 1): there is something behind the array\n"
         "type mismatch: items.json, line 1 (row 2): the file ends within the array\n"
         "type mismatch: items.json, line 1 (row 2): an object without keys is no row\n"
         "type mismatch: items.json, line 3 (row 1): duplicate object key near '\"id\"'\n"
         "syntax error or unknown name: items.json, column nmae: table items has no such column\n"
         "type mismatch: items.json, line 2 (row 3), column name: NULL in the key by which the row would be "
         "recognised\n"},
        {"folders", story_of_folders,
         "configuration error: the folder DIR has no seeds\n"
         "configuration error: both owners.csv and owners.json are there: a table has one seed file\n"
         "syntax error or unknown name: itmes.csv: there is no table itmes\n"
         "syntax error or unknown name: cheap.csv: seeds go into tables, and this is none: cheap\n"
         "storage failure: items.csv: cannot be opened: No such file or directory\n"
         "storage failure: items.json: cannot be opened: No such file or directory\n"
         "storage failure: items.csv: cannot be read: Is a directory\n"
         "configuration error: the folder of seeds DIR cannot be read: No such file or directory\n"
         "the folder of seeds is NULL\n"},
        {"a field of 1 GiB", story_of_a_huge_field,
         "type mismatch: items.csv, line 2 (row 1): a value of more than 64 MiB; is a double quote missing?\n"},
    };
    return scenarios_run("seed_error", scenarios, sizeof scenarios / sizeof scenarios[0]);
}
